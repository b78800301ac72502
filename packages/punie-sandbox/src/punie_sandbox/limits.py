"""What a run may use. Every limit has a default, and exceeding each one is an outcome of its own."""

from __future__ import annotations

from dataclasses import dataclass, fields

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run.

    Attributes:
        seconds: time spent computing inside the sandbox, host calls excluded.
        memory: heap of the sandbox, in bytes.
        calls: host calls.
        stdout: printed text, in bytes of UTF-8.
        wall_seconds: time from start to end, host calls included, waiting for a person excluded.
        call_seconds: time one host call may take; a longer one raises TimeoutError in the sandboxed code.
        data: what the code passes to host calls and leaves as its value, together, in bytes.
        recursion: depth of the sandbox's call stack.
    """

    seconds: float = 10.0
    memory: int = 256 * 1024 * 1024
    calls: int = 200
    stdout: int = 256 * 1024
    wall_seconds: float = 300.0
    call_seconds: float = 120.0
    data: int = 64 * 1024 * 1024
    recursion: int = 500

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value < 0 or (value == 0 and each.name != "calls"):
                raise ValueError(f"Limits.{each.name} must be positive, not {value!r}")
