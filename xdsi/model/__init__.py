"""The objects of the exchange as frozen dataclasses: values, metadata, messages, errors."""
