"""Changing an arena of files that is there already."""
