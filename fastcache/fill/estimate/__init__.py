"""Plans, before anything is allocated: bytes, forms, seconds, and what to change."""
