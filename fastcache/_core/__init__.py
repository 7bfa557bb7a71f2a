"""The compiled core: thin Cython over csrc, and the threads that enter it."""
