"""The `Host` protocol: where tools act, and what a finished command leaves behind.

A tool is written once against `Host` and then runs locally (`punie_tools.LocalHost`), in an
editor, against an overlay or from a recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["Completed", "Host", "SpawningHost"]


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended, by itself or because it was ended.

    Attributes:
        exit_code: The exit code; the negative signal number for a killed process.
        stdout: What it wrote to standard output, up to the host's limit.
        stderr: What it wrote to standard error, up to the host's limit.
        argv: What was asked to run.
        duration: Wall-clock seconds.
        timed_out: Whether the host ended it because it ran past its timeout.
        cut: Whether the host threw away output past its limit.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    argv: tuple[str, ...] = ()
    duration: float = 0.0
    timed_out: bool = False
    cut: bool = False


class Host(Protocol):
    """Runs commands and reads and writes files of one workspace."""

    @property
    def roots(self) -> Sequence[Path]:
        """The resolved workspace roots; the first one is the default working directory."""
        ...

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the child must be killed, not abandoned
    ) -> Completed:
        """Run `argv` to its end, streams apart, never through a terminal.

        Args:
            argv: Program and arguments; a bare program name is looked up.
            cwd: Working directory, contained like any path; the first root by default.
            env: Changes to the host's environment; None removes a variable.
            timeout: Seconds after which the whole process group is killed.

        Raises:
            ToolMissingError: The program does not exist.
        """
        ...

    async def read_text(self, path: str | Path) -> str:
        """Return the UTF-8 text of a file inside the roots, line ends untouched."""
        ...

    async def write_text(self, path: str | Path, text: str) -> None:
        """Replace a file inside the roots, making its directories."""
        ...


@runtime_checkable
class SpawningHost(Protocol):
    """A host that can also keep a process running, as language servers need."""

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
    ) -> asyncio.subprocess.Process:
        """Start `argv` with piped stdin and stdout in its own process group."""
        ...
