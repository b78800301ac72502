"""The three LibCST tools: find, rename and import without touching formatting or comments.

LibCST is the extra `cst`. Covered: one file at a time. Not covered: uses of a renamed name in other
files, in strings (but for annotations and `__all__`), as attributes and as keywords of a class's
fields; `find_references` shows where those are. A rename that would change a meaning is refused.
"""

from __future__ import annotations

import ast
import keyword
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING

from punie_tools.paths import display
from punie_tools.results import ToolRun
from punie_tools.results.cst import CstAddImportResult, CstFindResult, CstRenameResult

if TYPE_CHECKING:
    import libcst

    from punie_tools._runner import R, Runner

__all__ = ["add_import", "available", "find_pattern", "rename"]

_MISSING = "libcst is not installed; install it with `pip install 'punie-tools[cst]'`."


class _RefusedError(Exception):
    """A request that cannot be met, with the status and reason to tell."""

    def __init__(self, reason: str, status: str = "tool_error") -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class _File:
    """A parsed file."""

    name: str
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
        from punie_tools._cst_rename import rename_in

        parsed = await _parse(runner, file_path)
        _check_name(new_name)
        changed, count = rename_in(parsed.module, old_name, new_name)
    except (_RefusedError, ImportError, ValueError, RecursionError) as error:
        return _refused(CstRenameResult, error, file=file)
    if count == 0:
        nothing = _RefusedError(f"{file} defines no {old_name}.", "nothing_checked")
        return _refused(CstRenameResult, nothing, file=file)
    if changed != parsed.text:
        await runner.host.write_text(file_path, changed)
    return CstRenameResult(status="clean", file=file, rename_count=count, run=_run())


async def add_import(runner: Runner, file_path: str, import_stmt: str) -> CstAddImportResult:
    """Add an import to a file, unless it is there."""
    file = _shown(runner, file_path)
    try:
        parsed = await _parse(runner, file_path)
        changed = _with_import(parsed.module, import_stmt)
    except (_RefusedError, ImportError, RecursionError) as error:
        return _refused(CstAddImportResult, error, file=file)
    added = changed != parsed.text
    if added:
        await runner.host.write_text(file_path, changed)
    return CstAddImportResult(status="clean", file=file, added=added, run=_run())


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise _RefusedError(f"{name!r} is not a name that Python allows.")


def _with_import(module: libcst.Module, statement: str) -> str:
    """Return the module's code with an import statement's names imported."""
    import libcst as cst
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor

    context = CodemodContext()
    # LibCST does not see that a relative import is there already.
    for each in _missing(_imported(statement), module.code):
        AddImportsVisitor.add_needed_import(
            context, each.module, each.item, each.alias, relative=each.level
        )
    try:
        return AddImportsVisitor(context).transform_module(module).code
    except (cst.CSTLogicError, cst.CSTValidationError) as error:
        raise _RefusedError(f"the import cannot be added: {error}.") from error


@dataclass(frozen=True, slots=True)
class _Imported:
    module: str
    item: str | None
    alias: str | None
    level: int = 0


def _imported(statement: str) -> list[_Imported]:
    """Return what one import statement imports."""
    try:
        body = ast.parse(statement).body
    except (SyntaxError, ValueError) as error:
        raise _RefusedError(f"{statement!r} is not Python ({error}).") from error
    found = _names(body[0]) if len(body) == 1 else []
    if not found or any(each.item == "*" for each in found):
        raise _RefusedError(f"{statement!r} is not one import of named things.")
    return found


def _names(node: ast.stmt) -> list[_Imported]:
    """Return what a statement imports; nothing where it is no import."""
    if isinstance(node, ast.Import):
        return [_Imported(each.name, None, each.asname) for each in node.names]
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        return [_Imported(module, each.name, each.asname, node.level) for each in node.names]
    return []


def _missing(wanted: list[_Imported], code: str) -> list[_Imported]:
    """Return what the top level of a module does not import yet."""
    try:
        present = {name for node in ast.parse(code).body for name in _names(node)}
    except (SyntaxError, ValueError):  # newer or older syntax than this Python's
        present = set()
    return [each for each in wanted if each not in present]


async def _parse(runner: Runner, file_path: str) -> _File:
    """Return a file of the workspace, parsed.

    Raises:
        MissingFileError, NotTextError, OutsideRootsError, UnreadableFileError: As reading does.
        ImportError: LibCST is not installed.
    """
    import libcst as cst

    text = await runner.host.read_text(file_path)
    file = _shown(runner, file_path)
    try:
        return _File(file, text, cst.parse_module(text))
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
