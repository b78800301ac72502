"""A host without a machine: what each command leaves is said beforehand. For tests and demos."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from punie_tools.errors import MissingFileError, ToolMissingError
from punie_tools.host import Completed
from punie_tools.paths import contain, display

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ScriptedHost"]


class ScriptedHost:
    """Answers commands from a table and keeps files in memory.

    Attributes:
        roots: One root, which need not exist.
        files: The text of each file, by path relative to the root.
        ran: Every command that was run, in order.
    """

    def __init__(
        self,
        outputs: Mapping[str, Completed] | None = None,
        files: Mapping[str, str] | None = None,
        *,
        root: str | Path = "/workspace",
    ) -> None:
        """Make a host.

        Args:
            outputs: What a command leaves, by the beginning of its command line; the longest
                beginning that fits wins. Other commands are not installed.
            files: The files there are.
            root: What paths are relative to.
        """
        self.roots = (Path(root),)
        self.files = dict(files or {})
        self.ran: list[tuple[str, ...]] = []
        self._outputs = dict(outputs or {})

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,  # noqa: ARG002 - of the protocol
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - of the protocol
    ) -> Completed:
        """Return what was said that the command leaves.

        Raises:
            ToolMissingError: Nothing was said about it.
        """
        if cwd is not None:
            contain(cwd, self.roots)
        line = " ".join(argv)
        self.ran.append(tuple(argv))
        fitting = [each for each in self._outputs if line.startswith(each)]
        if not fitting:
            raise ToolMissingError(f"{argv[0]} is not installed: this host knows no such command")
        return self._outputs[max(fitting, key=len)]

    async def read_text(self, path: str | Path) -> str:
        """Return the text of a file; see `Host.read_text`."""
        name = display(contain(path, self.roots), self.roots[0])
        if name not in self.files:
            raise MissingFileError(f"there is no file {name}")
        return self.files[name]

    async def write_text(self, path: str | Path, text: str) -> None:
        """Keep the text of a file; see `Host.write_text`."""
        self.files[display(contain(path, self.roots), self.roots[0])] = text
