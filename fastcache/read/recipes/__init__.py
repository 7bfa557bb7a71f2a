"""Recipes on each read: what C makes of images, and what follows these."""
