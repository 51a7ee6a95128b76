"""Files that outlive crashes: staged, published under names of our own, checked when read.

For every actor that keeps documents; what it knows of each is in its own tables.
"""
