"""`Toolbox`: the tools of one workspace as async methods with typed results.

A check never raises because its tool failed: the result's `status` and `parse_error` say so. It
raises for what it was asked wrongly: a path outside the workspace, a file that does not exist.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from punie_tools._commands import command_argv, command_text, cut_text
from punie_tools.errors import ToolMissingError, ToolsError, UnknownToolError
from punie_tools.host import Completed
from punie_tools.parsers._evidence import Evidence
from punie_tools.parsers.ty import parse_ty
from punie_tools.paths import as_argument, contain, display
from punie_tools.results import ToolRun, TypeCheckResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from punie_tools.host import Host

__all__ = ["EFFECTS", "Effect", "Toolbox"]

Effect = Literal["read", "write", "execute"]

EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "read_file": "read",
        "write_file": "write",
        "run_command": "execute",
        "typecheck": "read",
    }
)
"""What each tool does to the world, in the documented order of the tools.

`read` changes nothing, `write` changes files of the workspace, `execute` runs code of the
workspace or any program.
"""


class Toolbox:
    """The tools of one workspace.

    Attributes:
        host: Where they act.
    """

    def __init__(self, host: Host, *, timeout: float = 600.0, output_chars: int = 100_000) -> None:
        """Open a toolbox.

        Args:
            host: Where the tools act.
            timeout: Seconds after which a tool or command is ended.
            output_chars: Characters of a file or a command's output that are returned as text.
        """
        self.host = host
        self._timeout = timeout
        self._output_chars = output_chars
        self._versions: dict[str, str | None] = {}

    def functions(self, names: Sequence[str] | None = None) -> list[Callable[..., Awaitable[Any]]]:
        """Return the tools as bound methods, in the documented order or in that of `names`.

        Raises:
            UnknownToolError: There is no tool of that name.
        """
        wanted = list(EFFECTS) if names is None else list(names)
        for name in wanted:
            if name not in EFFECTS:
                raise UnknownToolError(f"there is no tool {name!r}; there are {', '.join(EFFECTS)}")
        return [getattr(self, name) for name in wanted]

    async def read_file(self, path: str) -> str:
        """Return the text of a file; a very long one is cut, and a line in it says so."""
        text = await self.host.read_text(path)
        return cut_text(text, self._output_chars, "file")

    async def write_file(self, path: str, content: str) -> str:
        """Create or replace a file with `content`; return a sentence that says what was written."""
        await self.host.write_text(path, content)
        root = self.host.roots[0]
        return f"Wrote {len(content)} characters to {display(contain(path, self.host.roots), root)}"

    async def run_command(
        self, command: str, args: list[str] | None = None, cwd: str | None = None
    ) -> str:
        """Run a command line (or a program with `args`); return its output, and the exit code
        when it is not 0.
        """  # noqa: D205 - the stubs show the whole sentence
        argv = command_argv(command, args)
        done = await self.host.run(argv, cwd=cwd, timeout=self._timeout)
        return command_text(done, self._output_chars)

    async def typecheck(self, path: str) -> TypeCheckResult:
        """Type-check a file or directory with ty."""
        argv = [
            *("ty", "check", "--output-format", "gitlab", "--no-progress", "--color", "never"),
            *("--", self._argument(path)),
        ]
        done = await self._run(argv, env={"CI_PROJECT_DIR": None, "TY_OUTPUT_FORMAT": None})
        if isinstance(done, str):
            return TypeCheckResult(status="tool_error", parse_error=done, run=ToolRun(argv=argv))
        evidence = await self._evidence("ty", done)
        return parse_ty(done.stdout, done.stderr, done.exit_code, evidence)

    def _argument(self, path: str) -> str:
        """Return a path as the tools get it: contained, relative to the first root."""
        return as_argument(contain(path, self.host.roots), self.host.roots[0])

    async def _run(
        self, argv: Sequence[str], env: Mapping[str, str | None] | None = None
    ) -> Completed | str:
        """Run a tool; return the sentence that says why where it could not be started."""
        try:
            return await self.host.run(argv, env=env, timeout=self._timeout)
        except ToolMissingError as error:
            return f"{error}; install it with `uv add --dev {argv[0]}` or `pip install {argv[0]}`."

    async def _evidence(self, tool: str, done: Completed) -> Evidence:
        if tool not in self._versions:
            self._versions[tool] = await self._version(tool)
        root = self.host.roots[0]
        return Evidence.of(done, root=root, tool_version=self._versions[tool])

    async def _version(self, tool: str) -> str | None:
        try:
            done = await self.host.run([tool, "--version"], timeout=30)
        except ToolsError:
            return None
        found = re.search(rb"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
        return found[0].decode() if found and done.exit_code == 0 else None
