"""A mechanical model of the planets."""
