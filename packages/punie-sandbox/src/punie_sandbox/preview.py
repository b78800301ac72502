"""Plan mode: the whole snippet runs against an overlay, and what it would change is one diff.

Covered: text files behind any pair of read and write functions, or behind anything with `read_text` and
`write_text`. Reads fall through to the host; writes stay in the overlay. Not covered: effects other than on
text files; they stop the plan, and so does reading the world through a function that would not see the
overlay.
"""

from __future__ import annotations

import asyncio
import difflib
import io
import json
import posixpath
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Protocol, Self

from punie_sandbox._function import ExternalFunction
from punie_sandbox._functions import ExternalFunctions
from punie_sandbox.errors import CannotPreviewError, PlanError
from punie_sandbox.records import Call, RunResult

__all__ = ["FileChange", "Overlay", "Plan", "Preview", "TextFiles"]


class TextFiles(Protocol):
    """Where text files are read and written; every `Host` of punie-tools is one."""

    async def read_text(self, path: str) -> str:
        """The text of a file; FileNotFoundError where there is none."""
        ...

    async def write_text(self, path: str, text: str) -> Any:
        """Replace a file as a whole."""
        ...


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a plan does to one file.

    Attributes:
        path: the file.
        before: its text when the plan was made, None if it did not exist.
        after: its text when the plan is applied.
    """

    path: str
    before: str | None
    after: str

    @property
    def diff(self) -> str:
        """The change as a unified diff."""
        old, new = _lines(self.before or ""), _lines(self.after)
        source = _shown(f"a/{self.path}") if self.before is not None else "/dev/null"
        target = _shown(f"b/{self.path}")
        if (
            not old and not new
        ):  # a new file without text has no lines, and is a change all the same
            return f"--- {source}\n+++ {target}\n"
        lines = difflib.unified_diff(old, new, source, target)
        return "".join(
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        )


def _shown(path: str) -> str:
    """A path as a diff names it: quoted where it holds what could pass for other lines, or hide some."""
    if path.isprintable():
        return path
    quoted = json.dumps(path, ensure_ascii=False)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in quoted)


def _lines(text: str) -> list[str]:
    """The lines, as tools that apply diffs count them: a form feed, say, ends none."""
    return io.StringIO(text, newline="\n").readlines()


class Overlay:
    """Text files with changes that are not made yet."""

    def __init__(self, files: TextFiles) -> None:
        self._files = files
        self._before: dict[str, str | None] = {}
        self._after: dict[str, str] = {}

    async def read_text(self, path: Any) -> str:
        """The text of a file as the plan sees it."""
        name = _normal(path)
        if name in self._after:
            return self._after[name]
        return await self._files.read_text(name)

    async def write_text(self, path: Any, text: str) -> None:
        """Plan a file's new text. Nothing is written."""
        name = _normal(path)
        if name not in self._before:
            self._before[name] = await _read(self._files, name)
        self._after[name] = text

    def changes(self) -> tuple[FileChange, ...]:
        """What would change, by path; files whose text stays are left out."""
        return tuple(
            FileChange(path, self._before[path], self._after[path])
            for path in sorted(self._after)
            if self._before[path] != self._after[path]
        )

    def refuse_if_changed(self, name: str) -> None:
        """For functions that read the world past the overlay.

        Raises:
            CannotPreviewError: there are planned changes, which they would not see.
        """
        if self.changes():
            raise CannotPreviewError(f"{name}() would not see the planned changes")

    async def apply(self, changes: Sequence[FileChange]) -> None:
        """Make the changes, each file as a whole, after checking that no file changed meanwhile.

        Each file is looked at once more right before it is written: somebody may be quick, and two names may
        turn out to be one file.
        """
        for change in changes:
            await self._refuse_if_edited(change, "nothing was written")
        done: list[str] = []
        for change in changes:
            written = f"written before it: {', '.join(done) or 'nothing'}"
            await self._refuse_if_edited(change, written)
            try:
                await self._files.write_text(change.path, change.after)
            except Exception as error:
                raise PlanError(
                    f"{change.path} could not be written ({error}); {written}"
                ) from error
            done.append(change.path)

    async def _refuse_if_edited(self, change: FileChange, so_far: str) -> None:
        if await _read(self._files, change.path) != change.before:
            raise PlanError(f"{change.path} changed since the plan was made; {so_far}")


async def _read(files: TextFiles, path: str) -> str | None:
    try:
        return await files.read_text(path)
    except FileNotFoundError:
        return None


def _normal(path: Any) -> str:
    """One name for one file: `./a.py` is `a.py`."""
    return posixpath.normpath(str(path).replace("\\", "/"))


@dataclass(frozen=True)
class Preview:
    """How a sandbox makes plans.

    Attributes:
        files: the real files.
        functions: makes the functions that act on an overlay; they must render like the sandbox's own.
    """

    files: TextFiles
    functions: Callable[[Overlay], ExternalFunctions]

    @classmethod
    def by_name(
        cls,
        functions: ExternalFunctions,
        *,
        read: str,
        write: str,
        unaffected: Set[str] = frozenset(),
    ) -> Self:
        """A preview for functions of which one reads and one writes a text file.

        Args:
            functions: the sandbox's functions.
            read: the one that takes a path and returns the text.
            write: the one that takes a path and the text, and returns nothing or a message.
            unaffected: other functions whose results do not depend on files.

        Raises:
            PlanError: a function is missing or has another form.
        """
        for name in (read, write):
            if name not in functions:
                raise PlanError(f"there is no function {name}()")
        if functions[read].returns.stub != "str":
            raise PlanError(f"{read}() must return str to be previewed")
        if functions[write].returns.stub not in {"str", "None"}:
            raise PlanError(f"{write}() must return None or str to be previewed")
        says = functions[write].returns.stub == "str"

        def over(overlay: Overlay) -> ExternalFunctions:
            async def read_text(path: Any, *args: Any, **kwargs: Any) -> str:
                if _normal(path) not in {change.path for change in overlay.changes()}:
                    return await _invoke(functions[read], path, *args, **kwargs)
                _only_whole(read, args, kwargs)
                return await overlay.read_text(path)

            async def write_text(path: Any, content: str, *args: Any, **kwargs: Any) -> str | None:
                _only_whole(write, args, kwargs)
                await overlay.write_text(path, content)
                return f"Planned {len(content)} characters for {path}" if says else None

            others = {
                f.name: _careful(f, overlay)
                for f in functions
                if f.name not in {read, write, *unaffected}
            }
            return functions.replaced({**others, read: read_text, write: write_text})

        return cls(_ByName(functions[read], functions[write]), over)


def _only_whole(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    if args or kwargs:  # a part of a file, another encoding: what they mean only the function knows
        raise CannotPreviewError(
            f"{name}() of a planned file can be previewed without options only"
        )


def _careful(function: ExternalFunction, overlay: Overlay) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        if function.effect == "write":
            raise CannotPreviewError(f"{function.name}() writes in a way that cannot be previewed")
        overlay.refuse_if_changed(function.name)
        return await _invoke(function, *args, **kwargs)

    return call


async def _invoke(function: ExternalFunction, *args: Any, **kwargs: Any) -> Any:
    if function.is_async:
        return await function.call(*args, **kwargs)
    return await asyncio.to_thread(function.call, *args, **kwargs)


@dataclass(frozen=True)
class _ByName:
    """Text files behind a pair of host functions."""

    read: ExternalFunction
    write: ExternalFunction

    async def read_text(self, path: str) -> str:
        return await _invoke(self.read, *self.read.bind([path], {})[0])

    async def write_text(self, path: str, text: str) -> None:
        await _invoke(self.write, *self.write.bind([path, text], {})[0])


@dataclass(frozen=True)
class Plan:
    """What a snippet would do.

    Attributes:
        result: the run against the overlay.
        changes: the files it would change, by path.
        stopped_at: the call that could not be previewed, if the plan is incomplete because of one.
    """

    result: RunResult
    changes: tuple[FileChange, ...]
    stopped_at: Call | None
    _overlay: Overlay

    @property
    def diff(self) -> str:
        """All changes as one unified diff."""
        return "".join(change.diff for change in self.changes)

    async def apply(self) -> tuple[str, ...]:
        """Make the changes; each file is written as a whole.

        Returns:
            The paths that were written.

        Raises:
            PlanError: a file changed since the plan was made (nothing is written then), or could not be
                written.
        """
        await self._overlay.apply(self.changes)
        return tuple(change.path for change in self.changes)
