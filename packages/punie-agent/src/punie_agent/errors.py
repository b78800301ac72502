"""Every error this package raises on purpose, in one family.

A message says what happened, where, and what to do about it. Errors of the tools and of the sandbox
keep their own families (`punie_tools.ToolsError`, `punie_sandbox.SandboxError`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from punie_agent.models import Message

__all__ = [
    "AgentError",
    "ConfigError",
    "ContractError",
    "ModelError",
    "ModelIdentityError",
    "ModelUnavailableError",
    "SessionError",
    "TraceError",
]


class AgentError(Exception):
    """The base of all errors of punie-agent."""


class ConfigError(AgentError):
    """A setting, an argument or a configuration file cannot be used."""


class ContractError(AgentError):
    """A contract cannot be built or rebuilt, for example from a damaged `punie.json`."""


class ModelError(AgentError):
    """A model gave no usable reply.

    Attributes:
        transient: asking again soon may help: the connection broke, the server is overloaded.
        conversation: the conversation with what the turn had done by then, for the next turn; empty when
            it had done nothing.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        self.conversation: tuple[Message, ...] = ()


class ModelUnavailableError(ModelError):
    """The model does not exist here, or the server that should run it does not answer."""


class ModelIdentityError(ModelError):
    """Another model answered than the one that was asked for."""


class SessionError(AgentError):
    """A stored session is missing, damaged or in use by another process."""


class TraceError(AgentError):
    """A trace cannot be written or read."""
