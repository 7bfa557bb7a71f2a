"""Which samples come when, and whose random numbers they get."""
