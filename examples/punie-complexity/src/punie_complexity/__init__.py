"""How complex each function of a Python file is: one typed tool for Punie.

The score is McCabe's: 1, and 1 more for every place where the path through the function divides.
"""

from __future__ import annotations

import ast

from punie_tools import Host, ToolResult, tool
from pydantic import BaseModel, Field, computed_field

__all__ = ["ComplexityResult", "FunctionComplexity", "complexity"]

_DIVIDES = (
    *(ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While),
    *(ast.ExceptHandler, ast.comprehension, ast.match_case, ast.Assert),
)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class FunctionComplexity(BaseModel):
    """One function and its score."""

    name: str
    line: int
    score: int


class ComplexityResult(ToolResult):
    """The functions of a file, in the order of the file."""

    functions: list[FunctionComplexity] = Field(default_factory=list)

    @computed_field
    @property
    def function_count(self) -> int:
        """Number of functions."""
        return len(self.functions)

    @computed_field
    @property
    def highest(self) -> int:
        """The highest score; 0 when there is no function."""
        return max((each.score for each in self.functions), default=0)


@tool("read")
async def complexity(host: Host, path: str) -> ComplexityResult:
    """Score the complexity of each function of a Python file."""
    try:
        tree = ast.parse(await host.read_text(path))
    except SyntaxError as error:
        return ComplexityResult(
            status="tool_error", parse_error=f"{path}:{error.lineno}: {error.msg}"
        )
    functions = [node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)]
    scored = [
        FunctionComplexity(name=node.name, line=node.lineno, score=_score(node))
        for node in sorted(functions, key=lambda node: node.lineno)
    ]
    return ComplexityResult(status="clean" if scored else "nothing_checked", functions=scored)


def _score(function: ast.AST) -> int:
    inside = list(ast.walk(function))
    branches = sum(isinstance(node, _DIVIDES) for node in inside)
    choices = sum(len(node.values) - 1 for node in inside if isinstance(node, ast.BoolOp))
    return 1 + branches + choices
