"""One arena that all ranks of a node fill together."""
