"""What was said so far."""

from __future__ import annotations


class Session:
    """The questions of one visitor, oldest first."""

    def __init__(self, desk: str) -> None:
        self.desk = desk
        self.questions: list[str] = []

    def remember(self, question: str) -> None:
        """Keep a question."""
        self.questions.append(question)

    def last(self, count: int) -> list[str]:
        """Return the latest questions."""
        return self.questions[-count:]
