"""Gateways between communities: `responding` answers others, `initiating` asks them."""
