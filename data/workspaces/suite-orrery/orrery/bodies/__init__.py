"""Planets and moons."""
