"""A small ferry."""
