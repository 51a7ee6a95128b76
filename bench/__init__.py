"""What the work costs, measured beside its floor; run as `python -m bench`."""
