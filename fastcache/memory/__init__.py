"""Memory: how much there is, where it lives, what lies in it, and who may see it."""
