"""What a reply may say, as plain values: the tools and result models of a contract, and the paths to name.

Everything here comes from the contract, the conversation and the workspace's own listing. Texts are kept as
their UTF-8 bytes, one character a byte, because tokens of a model end in the middle of characters.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from punie_agent.constrain._copying import Told
from punie_agent.constrain._words import Words

if TYPE_CHECKING:
    from punie_agent.contract import Contract

__all__ = ["Kind", "Rules", "Tool", "as_bytes", "tools_and_models"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_PATH_PARAMETERS = ("path", "file_path")


def as_bytes(text: str) -> str:
    """The text's UTF-8 bytes, one character each; what cursors and tokens are made of."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Kind:
    """What an expression is known to be: a result model, or a list of one."""

    model: str
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """One function of the contract.

    Attributes:
        parameters: their names, in order.
        creates: whether it may be given the path of a file that is not there yet.
        returns: what it returns, where that is a model.
        selects: whether its path may go on with `::` and the name of a test.
    """

    parameters: tuple[str, ...]
    creates: bool = False
    returns: Kind | None = None
    selects: bool = False


@dataclass(frozen=True)
class Rules:
    """What constrains one reply.

    Attributes:
        tools: the functions that code may call, by name.
        models: each result model's fields; a field that is no model has None.
        paths: what a path argument may be; None where that is not known, and then anything.
        fresh: whether a tool that creates files may be given any other path too.
        looped: whether `for path in ["…"]` names paths only from `paths`, and none twice.
        told: what literals are likely to copy; None where that is not known. It forbids nothing.
    """

    tools: Mapping[str, Tool]
    models: Mapping[str, Mapping[str, Kind | None]]
    paths: Words | None = None
    fresh: bool = True
    looped: bool = False
    told: Told | None = None
    path_parameters: tuple[str, ...] = field(default=_PATH_PARAMETERS)

    @cached_property
    def fields(self) -> dict[str, Words]:
        """Each model's field names."""
        return {name: Words(fields) for name, fields in self.models.items()}

    def paths_of(self, tool: str, parameter: str | None) -> Words | None:
        """What an argument that is a literal may be; None when it is no path, or may be anything."""
        if parameter not in self.path_parameters:
            return None
        return None if self.fresh and self.tools[tool].creates else self.paths

    def to_json(self) -> dict[str, Any]:
        """The rules as plain JSON values, for a model server."""
        return {
            "tools": {name: _tool_json(tool) for name, tool in self.tools.items()},
            "models": {
                name: {each: _kind_json(kind) for each, kind in fields.items()}
                for name, fields in self.models.items()
            },
            "paths": None if self.paths is None else list(self.paths),
            "fresh": self.fresh,
            "looped": self.looped,
            "told": None if self.told is None else self.told.to_json(),
        }

    @classmethod
    def from_json(cls, data: Any) -> Rules:
        """The rules that `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            return cls(
                tools={str(name): _tool(tool) for name, tool in data["tools"].items()},
                models={
                    str(name): {str(each): _kind(kind) for each, kind in fields.items()}
                    for name, fields in data["models"].items()
                },
                paths=None if data["paths"] is None else Words(map(str, data["paths"])),
                fresh=bool(data["fresh"]),
                looped=bool(data["looped"]),
                told=None if data["told"] is None else Told.from_json(data["told"]),
            )
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"these are no rules of a constrained reply: {error}") from error


def tools_and_models(
    contract: Contract,
) -> tuple[dict[str, Tool], dict[str, dict[str, Kind | None]]]:
    """The contract's functions and result models, read from its stubs."""
    module = ast.parse(contract.stubs)
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    models = {
        name: {
            statement.target.id: _annotated(statement.annotation, classes)
            for statement in node.body
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        }
        for name, node in classes.items()
    }
    tools = {}
    for node in module.body:
        if isinstance(node, _FUNCTIONS) and node.args.vararg is None and node.args.kwarg is None:
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            tools[node.name] = Tool(
                parameters=tuple(argument.arg for argument in arguments),
                # A tool that only reads needs a path that is there; of others nobody knows.
                creates=contract.functions.effects.get(node.name) not in ("read", "execute"),
                returns=_annotated(node.returns, classes),
                selects="node id" in (ast.get_docstring(node) or ""),
            )
    return tools, models


def _annotated(annotation: ast.expr | None, classes: Mapping[str, ast.ClassDef]) -> Kind | None:
    """`Model`, `Model | None` or `list[Model]`; None for everything else."""
    if isinstance(annotation, ast.Name):
        return Kind(annotation.id) if annotation.id in classes else None
    if isinstance(annotation, ast.BinOp):
        sides = [_annotated(side, classes) for side in (annotation.left, annotation.right)]
        plain = [side for side in (annotation.left, annotation.right) if _is_none(side)]
        return next((side for side in sides if side is not None), None) if plain else None
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
        inner = _annotated(annotation.slice, classes)
        if annotation.value.id == "list" and inner is not None and not inner.listed:
            return Kind(inner.model, listed=True)
    return None


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _tool_json(tool: Tool) -> dict[str, Any]:
    return {
        "parameters": list(tool.parameters),
        "creates": tool.creates,
        "returns": _kind_json(tool.returns),
        "selects": tool.selects,
    }


def _tool(data: Mapping[str, Any]) -> Tool:
    return Tool(
        parameters=tuple(map(str, data["parameters"])),
        creates=bool(data["creates"]),
        returns=_kind(data["returns"]),
        selects=bool(data["selects"]),
    )


def _kind_json(kind: Kind | None) -> list[Any] | None:
    return None if kind is None else [kind.model, kind.listed]


def _kind(data: list[Any] | None) -> Kind | None:
    return None if data is None else Kind(str(data[0]), bool(data[1]))
