"""Runs one turn: question in, answer out."""

from __future__ import annotations

from punie.agent.policy import Policy
from punie.agent.session import Session


class Loop:
    """Answers the questions of one session."""

    def __init__(self, session: Session, policy: Policy) -> None:
        self.session = session
        self.policy = policy

    def run(self, question: str) -> str:
        """Return the answer to one question."""
        if not self.policy.allows(question):
            return "I may not answer that."
        self.session.remember(question)
        return self.session.last(1)


def main() -> None:
    """Answer a first question, to show that the desk is open."""
    loop = Loop(Session("reception"))
    print(loop.run("When do you open?"))
