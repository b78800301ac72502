"""Decides which questions the bot may answer."""

from __future__ import annotations


class Policy:
    """Refuses questions that hold a forbidden word."""

    def __init__(self, forbidden: set[str]) -> None:
        self.forbidden = forbidden

    def allows(self, question: str) -> bool:
        """Say whether the question may be answered."""
        return self.forbidden.isdisjoint(question.lower().split())


DEFAULT = Policy(["salary", "password"])
