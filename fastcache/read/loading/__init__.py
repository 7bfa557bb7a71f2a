"""ArenaLoader: batches that are made ahead of the loop."""
