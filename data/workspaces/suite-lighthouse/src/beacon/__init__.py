"""Lamps, tides and the keepers' log."""
