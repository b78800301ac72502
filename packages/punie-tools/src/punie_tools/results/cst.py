"""The results of the three LibCST tools."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, computed_field

from punie_tools.results.base import ToolResult

__all__ = ["CstAddImportResult", "CstFindResult", "CstMatch", "CstRenameResult"]


class CstMatch(BaseModel):
    """One node of the syntax tree that matches."""

    model_config = ConfigDict(frozen=True)

    line: Annotated[int, Field(ge=1, description="1-based line.")]
    column: Annotated[int, Field(ge=1, description="1-based column in code points.")]
    code: Annotated[str, Field(description="First line of the matching code.")]


class CstFindResult(ToolResult):
    """Where a pattern matches in a file."""

    file: str
    matches: list[CstMatch] = Field(default_factory=list)

    @computed_field(description="Number of matches.")
    @property
    def match_count(self) -> int:
        """Number of matches."""
        return len(self.matches)


class CstRenameResult(ToolResult):
    """What renaming a symbol in a file changed."""

    file: str
    rename_count: Annotated[int, Field(ge=0, description="Occurrences renamed.")] = 0


class CstAddImportResult(ToolResult):
    """Whether an import was added; `added` is false when it was there already."""

    file: str
    added: bool = False
