"""From an arena to samples and batches: the part of fastcache that knows torch."""

import fastcache.read.collate  # noqa: F401 - registers with torch what our samples become
