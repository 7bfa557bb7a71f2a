"""Arenas of files: packed shard by shard, cached, temporary."""
