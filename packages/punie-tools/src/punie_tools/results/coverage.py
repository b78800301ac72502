"""The result of coverage."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, computed_field

from punie_tools.results.base import ToolResult

__all__ = ["CoverageFile", "CoverageResult"]


class CoverageFile(BaseModel):
    """How much of one file was run."""

    model_config = ConfigDict(frozen=True)

    file: str
    statements: Annotated[int, Field(ge=0)]
    covered: Annotated[int, Field(ge=0)]
    missing: Annotated[list[int], Field(description="Lines that were not run.")]


class CoverageResult(ToolResult):
    """How much of the code was run."""

    files: list[CoverageFile] = Field(default_factory=list)

    @computed_field(description="Statements that were run, of all, in percent.")
    @property
    def percent(self) -> float:
        """Statements that were run, of all, in percent; 0 where there is none."""
        statements = sum(each.statements for each in self.files)
        covered = sum(each.covered for each in self.files)
        return 100.0 * covered / statements if statements else 0.0
