"""The stubs as a model is shown them: the same declarations, with fewer tokens.

A Literal that stands in several places gets a name, and the decorator of the result types is said once
in a comment. When a toolbox has grown past the budget, the functions past it are listed with one line
each, and the function `describe` gives their full stubs on demand.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable

from punie_agent.contract._brief import brief_signatures

__all__ = ["BUDGET_CHARACTERS", "DESCRIBE", "compacted", "describer", "listed", "split_by_budget"]

BUDGET_CHARACTERS = 7_000
"""About 2 000 tokens: with the rest of the prompt below 2 500."""

DESCRIBE = "describe"
_SHORTEST_ALIAS = 40
_HEADER = "# Result types are read-only dataclasses."


def compacted(stubs: str) -> str:
    """The same stubs with repeated Literals named and the decorators left out."""
    module = ast.parse(stubs)
    aliases = _aliases(module)
    lines = [f"{name} = {literal}" for literal, name in aliases.items()]
    blocks = ["\n".join([*_imports(module), *lines])]
    classes = [node for node in module.body if isinstance(node, ast.ClassDef)]
    blocks += [_class(node, aliases) for node in classes]
    if classes:
        blocks[1] = f"{_HEADER}\n{blocks[1]}"
    source = stubs.splitlines()
    blocks += [
        "\n".join(source[node.lineno - 1 : node.end_lineno])
        for node in module.body
        if isinstance(node, _FUNCTIONS)
    ]
    return "\n\n".join(block for block in blocks if block)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def _imports(module: ast.Module) -> list[str]:
    found = [
        ast.unparse(node) for node in module.body if isinstance(node, (ast.Import, ast.ImportFrom))
    ]
    return [line for line in found if "dataclass" not in line]


def _aliases(module: ast.Module) -> dict[str, str]:
    """Long Literals that occur more than once, each with a name taken from its field."""
    seen: Counter[str] = Counter()
    field_of: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = ast.unparse(node.annotation)
            if text.startswith("Literal[") and len(text) > _SHORTEST_ALIAS:
                seen[text] += 1
                field_of.setdefault(text, node.target.id)
    names: dict[str, str] = {}
    for text, count in seen.items():
        if count > 1:
            base = "".join(part.capitalize() for part in field_of[text].split("_"))
            taken = sum(name.rstrip("0123456789") == base for name in names.values())
            names[text] = f"{base}{taken + 1}" if taken else base
    return names


def _class(node: ast.ClassDef, aliases: dict[str, str]) -> str:
    lines = [f"class {node.name}:"]
    for statement in node.body:
        text = ast.unparse(statement)
        if isinstance(statement, ast.AnnAssign):
            annotation = ast.unparse(statement.annotation)
            text = f"{ast.unparse(statement.target)}: {aliases.get(annotation, annotation)}"
        lines.append(f"    {text}")
    return "\n".join(lines)


def split_by_budget(
    render: Callable[[list[str]], str], names: list[str]
) -> tuple[list[str], list[str]]:
    """Which functions are shown in full and which in one line, so that the whole stays in the budget.

    Args:
        render: renders the stubs of the functions of these names.
        names: all of them, the most important first.
    """
    if len(compacted(render(names))) <= BUDGET_CHARACTERS:
        return names, []
    shown: list[str] = []
    for name in names:
        if len(compacted(render([*shown, name]))) > BUDGET_CHARACTERS * 3 // 4:
            break
        shown.append(name)
    return shown, names[len(shown) :]


def describer(render: Callable[[list[str]], str], names: list[str]) -> Callable[[str], str]:
    """The function `describe`, which gives the stubs of the functions that are shown in one line."""

    def describe(function: str) -> str:
        """Return the full signature and result types of a function listed with one line."""
        if function not in names:
            raise ValueError(f"no function {function!r}; there are {', '.join(names)}")
        return compacted(render([function]))

    return describe


def listed(stubs: str) -> str:
    """The one-line list of functions not shown in full."""
    lines = [line.split(" -> ")[0] for line in brief_signatures(stubs).splitlines()]
    return "\n".join(f"# {line}" for line in lines)
