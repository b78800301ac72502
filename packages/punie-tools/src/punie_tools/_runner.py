"""What every tool needs from its host: contained arguments, runs that cannot raise, evidence."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from punie_tools.errors import ToolMissingError, ToolsError
from punie_tools.parsers._evidence import Evidence
from punie_tools.paths import as_argument, contain
from punie_tools.results import ToolResult, ToolRun

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from punie_tools.host import Completed, Host
__all__ = ["Runner", "advised", "missing"]

_VERSION_TIMEOUT_S = 30
R = TypeVar("R", bound=ToolResult)


class Runner:
    """Runs tools on a host and keeps their versions.

    Attributes:
        host: Where tools run.
        timeout: Seconds after which a tool is ended.
    """

    def __init__(self, host: Host, timeout: float) -> None:
        self.host = host
        self.timeout = timeout
        self._versions: dict[str, str | None] = {}

    @property
    def root(self) -> Path:
        """The working directory, which paths in results are relative to."""
        return self.host.roots[0]

    def environment(self) -> Mapping[str, str]:
        """Return the environment tools get, as far as the host tells."""
        return getattr(self.host, "environment", dict)()

    def contain(self, path: str) -> Path:
        """Return a path absolute, or raise `OutsideRootsError`."""
        return contain(path, self.host.roots)

    def argument(self, path: str) -> str:
        """Return a path as tools get it: contained, relative to the root, never an option."""
        return as_argument(self.contain(path), self.root)

    async def run(
        self, argv: Sequence[str], env: Mapping[str, str | None] | None = None
    ) -> Completed:
        """Run a tool in the root.

        Raises:
            ToolMissingError: It is not installed; the message says how to install it.
        """
        try:
            return await self.host.run(argv, env=env, timeout=self.timeout)
        except ToolMissingError as error:
            raise ToolMissingError(advised(error, argv[0])) from error

    async def evidence(self, tool: str, done: Completed) -> Evidence:
        """Return the evidence of a run, the tool's version included."""
        if tool not in self._versions:
            self._versions[tool] = await self._version(tool)
        return Evidence.of(done, root=self.root, tool_version=self._versions[tool])

    async def _version(self, tool: str) -> str | None:
        try:
            done = await self.host.run([tool, "--version"], timeout=_VERSION_TIMEOUT_S)
        except ToolsError:
            return None
        found = re.search(rb"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
        return found[0].decode() if found and done.exit_code == 0 else None


_HOW = {"git": "your system's package manager"}


def advised(error: ToolMissingError, tool: str) -> str:
    """Return what the error says and, where that helps, how to install the tool."""
    if isinstance(error.__cause__, ValueError):  # it was given what no program can be given
        return f"{error}."
    how = _HOW.get(tool, f"`uv add --dev {tool}` or `pip install {tool}`")
    return f"{error}; install it with {how}."


def missing(model: type[R], error: ToolMissingError, argv: Sequence[str], **fields: object) -> R:
    """Return the result of a tool that is not installed."""
    return model.model_validate(
        {
            "status": "tool_error",
            "parse_error": str(error),
            "run": ToolRun(argv=list(argv)),
            **fields,
        }
    )
