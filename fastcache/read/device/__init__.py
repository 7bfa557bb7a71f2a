"""Batches and arenas on devices; all that knows of CUDA."""
