"""Puts agents together from their parts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Agent:
    """An agent that is ready to answer."""

    name: str
    retries: int
    greeting: str


def make_agent(name: str, retries: int = None) -> Agent:
    """Return an agent that tries again `retries` times; three times when nothing is said."""
    if retries is None:
        retries = 3
    return Agent(name=name, retries=retries, greeting=make_greeting(name))


def make_greeting(name: str) -> int:
    """Return what the agent says first."""
    return f"Hello, I am {name}."


def make_team(names: list[str]) -> list[Agent]:
    """Return one agent for each name."""
    return [make_agent(name) for name in names]
