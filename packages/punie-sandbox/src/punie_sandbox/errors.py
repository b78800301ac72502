"""Every error punie-sandbox raises at its host, under one base.

Covered: mistakes of the embedding program and requests that cannot be served. Not covered: what the
sandboxed code does wrong; that is never an exception but a `RunResult` with a named status.
"""

from __future__ import annotations

__all__ = [
    "BusyError",
    "CannotPreviewError",
    "PendingRunError",
    "PlanError",
    "RegistrationError",
    "ReplayError",
    "SandboxClosedError",
    "SandboxError",
    "SnapshotError",
]


class SandboxError(Exception):
    """Base of every error raised at the host by this package."""


class RegistrationError(SandboxError):
    """A host function cannot be offered: the message names the function, the parameter and the type."""


class SandboxClosedError(SandboxError):
    """The sandbox was used outside its `async with` block."""


class BusyError(SandboxError):
    """No worker became free in time: too many sandboxes hold variables at once."""


class PendingRunError(SandboxError):
    """A run waits for a decision: answer it with `resume` or drop it with `reset` first."""


class SnapshotError(SandboxError):
    """A paused run cannot be resumed: damaged, signed with another key, or made for other functions."""


class PlanError(SandboxError):
    """A plan cannot be made or applied: no overlay roles, or a file changed meanwhile."""


class CannotPreviewError(SandboxError):
    """Raised by a function of a preview to stop the plan: its effect cannot be previewed."""


class ReplayError(SandboxError):
    """A trace cannot be replayed: another format, or made for other functions."""
