"""A small second-hand bookshop."""
