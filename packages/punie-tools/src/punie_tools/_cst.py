"""The three LibCST tools: find, rename and import without touching formatting or comments.

LibCST is the extra `cst`. Covered: one file at a time, in UTF-8. Not covered: files in other encodings,
which are left as they are; uses of a renamed name in other
files, in strings (but for annotations and `__all__`), as attributes and as keywords of a class's
fields; `find_references` shows where those are. A rename that would change a meaning is refused.
"""

from __future__ import annotations

import codecs
import io
import keyword
import tokenize
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from itertools import takewhile
from typing import TYPE_CHECKING

from punie_tools._cst_depth import check_depth
from punie_tools.paths import display
from punie_tools.results import ToolRun
from punie_tools.results.cst import CstAddImportResult, CstFindResult, CstRenameResult

if TYPE_CHECKING:
    import libcst

    from punie_tools._runner import R, Runner

__all__ = ["add_import", "available", "find_pattern", "rename"]

_MARK = "\ufeff"
_MISSING = "libcst is not installed; install it with `pip install 'punie-tools[cst]'`."


class _RefusedError(Exception):
    """A request that cannot be met, with the status and reason to tell."""

    def __init__(self, reason: str, status: str = "tool_error") -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class _File:
    """A parsed file.

    Attributes:
        mark: The byte order mark it begins with, or nothing; LibCST drops it.
        text: What follows.
    """

    name: str
    mark: str
    text: str
    module: libcst.Module


def available() -> bool:
    """Return whether LibCST is installed."""
    return find_spec("libcst") is not None


async def find_pattern(runner: Runner, file_path: str, pattern: str) -> CstFindResult:
    """Return where a pattern matches."""
    file = _shown(runner, file_path)
    try:
        from punie_tools._cst_patterns import find

        parsed = await _parse(runner, file_path)
        matches = find(parsed.module, pattern)
    except (_RefusedError, ImportError, ValueError, RecursionError) as error:
        return _refused(CstFindResult, error, file=file)
    return CstFindResult(status="clean", file=file, matches=matches, run=_run())


async def rename(runner: Runner, file_path: str, old_name: str, new_name: str) -> CstRenameResult:
    """Rename a symbol in a file, by scope."""
    file = _shown(runner, file_path)
    try:
        parsed = await _parse(runner, file_path)
        changed, count = _renamed(parsed, old_name, new_name)
        await _write(runner, file_path, parsed, changed)
    except (_RefusedError, ImportError, ValueError, RecursionError) as error:
        return _refused(CstRenameResult, error, file=file)
    return CstRenameResult(status="clean", file=file, rename_count=count, run=_run())


async def add_import(runner: Runner, file_path: str, import_stmt: str) -> CstAddImportResult:
    """Add an import to a file, unless it is there."""
    file = _shown(runner, file_path)
    try:
        from punie_tools._cst_imports import with_import

        parsed = await _parse(runner, file_path)
        _check_encodable(parsed, import_stmt)
        changed = with_import(parsed.module, import_stmt)
        added = await _write(runner, file_path, parsed, changed)
    except (_RefusedError, ImportError, ValueError, RecursionError) as error:
        return _refused(CstAddImportResult, error, file=file)
    return CstAddImportResult(status="clean", file=file, added=added, run=_run())


def _renamed(file: _File, old: str, new: str) -> tuple[str, int]:
    """Return a file's code with a symbol renamed, and how many places changed."""
    from punie_tools._cst_rename import rename_in

    _check_name(new)
    _check_encodable(file, new)
    changed, count = rename_in(file.module, old, new)
    if count == 0:
        raise _RefusedError(f"{file.name} defines no {old}.", "nothing_checked")
    return changed, count


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise _RefusedError(f"{name!r} is not a name that Python allows.")


def _check_encodable(file: _File, added: str) -> None:
    """Refuse what Python would read as something else: a host writes UTF-8, whatever the file says."""
    declared = _declared_encoding(file.text)
    if declared != "utf-8" and not added.isascii():
        raise _RefusedError(
            f"{file.name} declares the encoding {declared}, and is written as UTF-8, in which {added} "
            "is other bytes; declare utf-8 first, or use ASCII."
        )


def _declared_encoding(text: str) -> str:
    """Return the encoding in which Python reads a file; the name it gives where there is none such."""
    beginning = "\n".join(text.split("\n", 2)[:2]).encode("utf-8")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(beginning).readline)
    except SyntaxError:
        return "of its first lines, which Python does not know"
    return codecs.lookup(encoding).name


async def _write(runner: Runner, file_path: str, file: _File, changed: str) -> bool:
    """Write changed code, with all that LibCST left out of it; return whether it was changed."""
    before = file.module.code
    if changed == before:
        return False
    if before != file.text:
        pairs = zip(file.text.split("\n"), before.split("\n"), strict=False)
        line = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) + 1
        raise _RefusedError(
            f"something on line {line} of {file.name} would be lost, such as a form feed before code; "
            "edit by hand, or take it out first."
        )
    await runner.host.write_text(file_path, file.mark + changed)
    return True


async def _parse(runner: Runner, file_path: str) -> _File:
    """Return a file of the workspace, parsed.

    Raises:
        MissingFileError, NotTextError, OutsideRootsError, UnreadableFileError: As reading does.
        ImportError: LibCST is not installed.
        RecursionError: It is nested too deeply to be parsed.
    """
    import libcst as cst

    whole = await runner.host.read_text(file_path)
    text = whole.removeprefix(_MARK)
    file = _shown(runner, file_path)
    check_depth(text)
    try:
        return _File(file, whole[: len(whole) - len(text)], text, cst.parse_module(text))
    except cst.ParserSyntaxError as error:
        reason = f"{file} is not valid Python (line {error.raw_line}): {error.message}."
        raise _RefusedError(reason) from error


def _shown(runner: Runner, file_path: str) -> str:
    return display(runner.contain(file_path), runner.root)


def _run() -> ToolRun:
    return ToolRun(argv=["libcst"], tool_version=version("libcst"))


def _refused(model: type[R], error: Exception, **fields: str) -> R:
    status = error.status if isinstance(error, _RefusedError) else "tool_error"
    if isinstance(error, ImportError):
        reason = _MISSING
    elif isinstance(error, RecursionError):  # out of the parser, or of whoever walks the tree
        reason = f"an expression of {fields['file']} is nested too deeply to follow."
    else:
        reason = " ".join(str(error).split())
    return model.model_validate({"status": status, "parse_error": reason, **fields})
