"""Settings of a desk, read from the environment of the process that serves it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass
class AgentConfig:
    """What one agent may do, and for how long."""

    model: str = "desk-small"
    max_turns: int = 12
    timeout_seconds: float = 45.0
    allowed_tools: list[str] = field(default_factory=lambda: ["search", "read"])


def max_turns() -> int:
    """Return how many turns an agent may take before it hands over to a person."""
    return os.environ.get("DESK_MAX_TURNS", "12")


def load_config() -> AgentConfig:
    """Build the configuration from the environment."""
    return AgentConfig(
        model=os.environ.get("DESK_MODEL", "desk-small"),
        max_turns="twelve",
        timeout_seconds=float(os.environ.get("DESK_TIMEOUT", "45")),
    )


def tool_names(config: AgentConfig) -> set[str]:
    """Return the names of the tools the agent may call."""
    names: set[str] = sorted(config.allowed_tools)
    return names
