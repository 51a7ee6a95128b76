"""xdsi: an IHE XDS.b / XDS-I.b node."""

__version__ = "0.1.0"
