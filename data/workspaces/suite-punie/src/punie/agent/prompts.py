"""The sentences the bot begins with."""

from __future__ import annotations

GREETINGS: dict[str, str] = {
    "reception": "Good morning. What are you looking for?",
    "night": "The desk is closed; I will file a ticket.",
}


def greeting(desk: str) -> str:
    """Return the first sentence at a desk."""
    return GREETINGS.get(desk, GREETINGS["reception"])
