"""What Python makes of one file, where C cannot."""
