"""The desk: the shell around the pure core. One writer, one operation a file.

Load, decide, commit: the desk holds the book in memory, takes operations in
batches, lets the core decide, and commits through the store port. It defines the
ports (`ports.py`); adapters point inwards to it.
"""
