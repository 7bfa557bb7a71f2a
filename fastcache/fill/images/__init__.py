"""Columns that are decoded from files, and in which form these are kept."""
