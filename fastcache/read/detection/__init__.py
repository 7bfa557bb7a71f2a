"""Images with boxes: targets, and how batches have them."""
