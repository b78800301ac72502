"""A shop with one mistake in it."""
