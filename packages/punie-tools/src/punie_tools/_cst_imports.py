"""Adding an import: to a line that imports from the same module, or on lines of its own.

Imports are added where those of the module's beginning end: after the docstring, before any code. A
star import of the same module is no import of a name: `__all__` and underscores decide what it
brings, and a later one may bring something else.
"""

from __future__ import annotations
import __future__

import ast
from collections.abc import Sequence
from dataclasses import dataclass

import libcst as cst
from libcst.helpers import get_full_name_for_node

__all__ = ["with_import"]

Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


@dataclass(frozen=True, slots=True)
class _Imported:
    module: str
    item: str | None
    alias: str | None
    level: int = 0

    @property
    def name(self) -> str:
        """What stands behind `import`."""
        name = self.item or self.module
        return name if self.alias is None else f"{name} as {self.alias}"


def with_import(module: cst.Module, statement: str) -> str:
    """Return the module's code with an import statement's names imported.

    Raises:
        ValueError: The statement is not one import of named things.
    """
    wanted = dict.fromkeys(_imported(statement))
    present = {name for each in module.body for small in _imports(each) for name in _names(small)}
    missing = [each for each in wanted if each not in present]
    if not missing:
        return module.code
    missing.sort(key=lambda each: (each.alias is not None, each.item or "", each.alias or ""))
    start, end = _block(module)
    if line := _extensible(module.body[start:end], missing[0]):
        return _extended(module, line, missing)
    if missing[0].item is None:
        lines = [f"import {each.name}" for each in missing]
    else:
        source = "." * missing[0].level + missing[0].module
        lines = [f"from {source} import {', '.join(each.name for each in missing)}"]
    parsed = [cst.parse_statement(each, config=module.config_for_parsing) for each in lines]
    return _with_lines(module, parsed, start if _is_future(missing[0]) else end, end)


def _imported(statement: str) -> list[_Imported]:
    """Return what one import statement imports."""
    try:
        body = ast.parse(statement).body
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{statement!r} is not Python ({error}).") from error
    node = body[0] if len(body) == 1 else None
    found: list[_Imported] = []
    if isinstance(node, ast.Import):
        found = [_Imported(each.name, None, each.asname) for each in node.names]
    elif isinstance(node, ast.ImportFrom):
        source = node.module or ""
        found = [_Imported(source, each.name, each.asname, node.level) for each in node.names]
    if not found or any(each.item == "*" for each in found):
        raise ValueError(f"{statement!r} is not one import of named things.")
    for each in found:
        if _is_future(each) and each.item and each.item not in __future__.all_feature_names:
            raise ValueError(f"Python has no __future__ called {each.item}.")
    return found


def _is_future(imported: _Imported) -> bool:
    return imported.module == "__future__" and imported.item is not None


def _imports(statement: cst.CSTNode) -> list[cst.Import | cst.ImportFrom]:
    """Return the imports on a line."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return []
    return [each for each in statement.body if isinstance(each, (cst.Import, cst.ImportFrom))]


def _names(node: cst.Import | cst.ImportFrom) -> list[_Imported]:
    """Return what an import imports by name; nothing of a star."""
    if isinstance(node.names, cst.ImportStar):
        return []
    named = [(each.evaluated_name, each.evaluated_alias) for each in node.names]
    if isinstance(node, cst.Import):
        return [_Imported(name, None, alias) for name, alias in named]
    source, level = _source(node), len(node.relative)
    return [_Imported(source, name, alias, level) for name, alias in named]


def _source(node: cst.ImportFrom) -> str:
    """Return the module that is imported from, without the dots before it."""
    return (get_full_name_for_node(node.module) or "") if node.module else ""


def _block(module: cst.Module) -> tuple[int, int]:
    """Return where the imports at a module's beginning start, and where they end."""
    start = end = 0 if module.get_docstring(clean=False) is None else 1
    for each in module.body[start:]:
        imports = _imports(each)
        whole = isinstance(each, cst.SimpleStatementLine) and len(imports) == len(each.body)
        # Whatever else is on a line that imports from `__future__`: nothing may come before it.
        if not whole and not any(_is_future(name) for node in imports for name in _names(node)):
            break
        end += 1
    return start, end


def _extensible(block: Sequence[cst.CSTNode], missing: _Imported) -> cst.ImportFrom | None:
    """Return the import to which a name can be added; None where it needs a line of its own."""
    if missing.item is None or missing.level:
        return None
    nodes = [node for each in block for node in _imports(each)]
    stars = [place for place, node in enumerate(nodes) if isinstance(node.names, cst.ImportStar)]
    # A star import that follows could bring another thing of that name.
    for node in nodes[stars[-1] + 1 if stars else 0 :]:
        absolute = isinstance(node, cst.ImportFrom) and not node.relative
        if absolute and _source(node) == missing.module:
            return node
    return None


def _extended(module: cst.Module, line: cst.ImportFrom, missing: Sequence[_Imported]) -> str:
    """Return the module's code with names added to an import."""
    aliases = [
        cst.ImportAlias(
            cst.Name(each.item or ""),
            asname=None if each.alias is None else cst.AsName(cst.Name(each.alias)),
        )
        for each in missing
    ]
    present = () if isinstance(line.names, cst.ImportStar) else line.names
    changed = module.deep_replace(line, line.with_changes(names=[*aliases, *present]))
    return changed.code if isinstance(changed, cst.Module) else module.code


def _with_lines(module: cst.Module, lines: Sequence[Statement], place: int, end: int) -> str:
    """Return the module's code with import lines put in, and an empty one after the imports."""
    body = module.body
    after = list(body[end:])
    if after and (not after[0].leading_lines or after[0].leading_lines[0].comment):
        spaced = (cst.EmptyLine(), *after[0].leading_lines)
        after[0] = after[0].with_changes(leading_lines=spaced)
    changed = module.with_changes(
        body=[*body[:place], *lines, *body[place:end], *after],
        has_trailing_newline=module.has_trailing_newline or not module.code,
    )
    return changed.code
