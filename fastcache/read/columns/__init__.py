"""Columns of an arena as values and batches: a reader for each kind of field."""
