"""`LocalHost`: commands and files of this machine, contained to the workspace roots."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from punie_tools._files import read_below, replace_below, root_of
from punie_tools._process import run_process
from punie_tools._venv import OwnPrograms
from punie_tools.errors import (
    MissingFileError,
    NotTextError,
    ToolMissingError,
    UnreadableFileError,
)
from punie_tools.paths import contain, display

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from punie_tools.host import Completed

__all__ = ["LocalHost"]

#: Variables that change what a tool prints or where it looks, whoever set them.
_SCRUBBED = frozenset(
    {
        "CI_PROJECT_DIR",  # re-bases ty's gitlab paths without a word
        "CLICOLOR_FORCE",
        "COLUMNS",
        "FORCE_COLOR",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ATTR_SOURCE",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GLOB_PATHSPECS",  # with this and the like, git refuses --literal-pathspecs
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_LITERAL_PATHSPECS",  # the tools say it themselves where they mean it
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
        "PYTEST_ADDOPTS",
        "PYTEST_CURRENT_TEST",
        "PYTEST_DEBUG",
        "PYTEST_PLUGINS",
        "PYTEST_XDIST_TESTRUNUID",
        "PYTEST_XDIST_WORKER",
        "PYTEST_XDIST_WORKER_COUNT",
        "PY_COLORS",
        "RUFF_OUTPUT_FILE",
        "RUFF_OUTPUT_FORMAT",
        "TY_LOG",  # at `error`, ty does not say that there was no file to check
        "TY_LOG_PROFILE",
        "TY_MEMORY_REPORT",
        "TY_OUTPUT_FORMAT",
    }
)
_TRACES = "GIT_TRACE"  # GIT_TRACE2_EVENT and a dozen more, which write into git's errors
_SET = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "NO_COLOR": "1"}


class LocalHost:
    """Runs tools on this machine, in one workspace.

    Programs are looked up in the workspace's own `.venv`, in the active virtual environment, beside
    the running Python, then on PATH; children get their PATH in the same order. A `.venv` that the
    repository has under version control is a stranger's, and nothing in it is run.

    Attributes:
        roots: The resolved workspace roots; the first one is the working directory.
    """

    def __init__(
        self,
        root: str | Path,
        *extra_roots: str | Path,
        env: Mapping[str, str] | None = None,
        output_limit: int = 128 * 1024 * 1024,
    ) -> None:
        """Open a workspace.

        Args:
            root: The workspace directory.
            *extra_roots: Further directories that paths may lead into.
            env: The environment children start from; this process's by default. Variables that
                change what tools print are removed from it either way.
            output_limit: Bytes kept of each stream of a command, the rest is read and dropped; also
                the most bytes of a file that is read.

        Raises:
            MissingFileError: A root is not a directory.
        """
        self.roots = tuple(Path(each).resolve() for each in (root, *extra_roots))
        for each in self.roots:
            if not each.is_dir():
                raise MissingFileError(f"the workspace root {each} is not a directory")
        base = os.environ if env is None else env
        kept = {k: v for k, v in base.items() if k not in _SCRUBBED and not k.startswith(_TRACES)}
        self._env = kept | _SET
        self._elsewhere = _folders(base)
        self._own = OwnPrograms(self.roots[0], self._elsewhere, self._env)
        self._output_limit = output_limit

    def find_program(self, name: str) -> str:
        """Return the path of a program.

        Raises:
            ToolMissingError: There is no such program.
        """
        if "/" in name:
            path = self.roots[0] / name
            if path.is_file() and os.access(path, os.X_OK):
                return str(path)
            raise ToolMissingError(f"{name} is not a program that can be run")
        if found := shutil.which(name, path=self._path()):
            return found
        unused = self._own.refused()
        own = ".venv" if unused is None else f".venv ({unused})"
        raise ToolMissingError(
            f"{name} is not installed: it is neither in the workspace's {own}, nor beside the "
            "running Python, nor on PATH"
        )

    def _program(self, name: str, directory: Path) -> str:
        """Return the path of a program that is run in a directory, from where its own path counts."""
        elsewhere = "/" in name and directory != self.roots[0]
        return self.find_program(str(directory / name) if elsewhere else name)

    def _path(self) -> str:
        """Return where programs are looked up, in order."""
        return os.pathsep.join(dict.fromkeys([*self._own.folders(), *self._elsewhere]))

    def environment(self, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
        """Return the children's environment with `changes` applied (None removes)."""
        merged = {**self._env, "PATH": self._path()}
        for key, value in (changes or {}).items():
            if value is None:
                merged.pop(key, None)
            else:
                merged[key] = value
        return merged

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the child must be killed, not abandoned
    ) -> Completed:
        """Run a command to its end; see `Host.run`."""
        directory = self._directory(cwd)
        program = self._program(argv[0], directory)
        try:
            done = await run_process(
                [program, *argv[1:]],
                cwd=directory,
                env=self.environment(env),
                timeout=timeout,
                output_limit=self._output_limit,
            )
        except (OSError, ValueError) as error:  # no exec permission, a NUL in an argument
            raise _unstartable(argv[0], error) from error
        # The name that was asked for: results must not depend on where a tool is installed.
        return replace(done, argv=tuple(argv))

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str | None] | None = None,
    ) -> asyncio.subprocess.Process:
        """Start a server in its own process group; see `SpawningHost.spawn`."""
        directory = self._directory(cwd)
        program = self._program(argv[0], directory)
        try:
            return await asyncio.create_subprocess_exec(
                program,
                *argv[1:],
                cwd=directory,
                env=self.environment(env),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                limit=1024 * 1024,
            )
        except (OSError, ValueError) as error:
            raise _unstartable(argv[0], error) from error

    async def read_text(self, path: str | Path) -> str:
        """Return the text of a file.

        Raises:
            OutsideRootsError: The path leaves the workspace.
            MissingFileError: There is no such file.
            NotTextError: The file is not UTF-8 text.
            UnreadableFileError: It is no regular file, too big, or may not be read.
        """
        target = contain(path, self.roots)
        shown = display(target, self.roots[0])
        try:
            root = root_of(target, self.roots)
            data = await asyncio.to_thread(read_below, root, target, self._output_limit)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingFileError(f"there is no file {shown}") from error
        except IsADirectoryError as error:
            raise UnreadableFileError(f"{shown} is a directory, not a file") from error
        except OSError as error:
            raise UnreadableFileError(f"{shown} cannot be read: {error.strerror}") from error
        if b"\0" in data:
            raise NotTextError(f"{shown} is a binary file, not text")
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotTextError(
                f"{shown} is not UTF-8 text (byte {error.start} is {data[error.start]:#04x})"
            ) from error

    async def write_text(self, path: str | Path, text: str) -> None:
        """Replace a file in one step, keeping its permissions; see `Host.write_text`.

        Raises:
            OutsideRootsError: The path leaves the workspace.
            NotTextError: The text cannot be encoded as UTF-8 (a lone surrogate).
            UnreadableFileError: It is no regular file, or may not be written.
        """
        target = contain(path, self.roots)
        shown = display(target, self.roots[0])
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise NotTextError(f"the text for {shown} is not valid Unicode: {error}") from error
        try:
            await asyncio.to_thread(replace_below, root_of(target, self.roots), target, data)
        except IsADirectoryError as error:
            raise UnreadableFileError(f"{shown} cannot be written: it is a directory") from error
        except OSError as error:
            raise UnreadableFileError(f"{shown} cannot be written: {error.strerror}") from error

    def _directory(self, cwd: str | Path | None) -> Path:
        directory = self.roots[0] if cwd is None else contain(cwd, self.roots)
        if not directory.is_dir():
            gone = f"the workspace {directory} is no directory any more"
            raise MissingFileError(gone if cwd is None else f"there is no directory {cwd}")
        return directory


def _unstartable(program: str, error: OSError | ValueError) -> ToolMissingError:
    """Return the error of a program that is there and did not start."""
    why = f"{error}"
    if isinstance(error, ValueError):
        why = f"an argument is not what a program can be given ({error})"
    return ToolMissingError(f"{program} could not be started: {why}")


def _folders(base: Mapping[str, str]) -> list[str]:
    """Return where programs are looked up outside the workspace, in order."""
    active = base.get("VIRTUAL_ENV")
    folders = [
        *([str(Path(active) / "bin")] if active else []),
        str(Path(sys.executable).parent),
        *base.get("PATH", os.defpath).split(os.pathsep),
    ]
    # A relative directory of PATH would be one of the workspace.
    return [each for each in dict.fromkeys(folders) if Path(each).is_absolute()]
