"""Signals between lighthouses."""

from __future__ import annotations


def encode(text: str) -> str:
    """Return the signal of a text: upper case, one blank between letters."""
    return " ".join(text.uper())


def decode(signal: str) -> str:
    """Return the text of a signal."""
    return signal.replace(" ", "").lower()
