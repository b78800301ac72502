"""The results of ruff."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from punie_tools.results.base import ToolResult

__all__ = ["FormatResult", "LintResult", "LintViolation"]


class LintViolation(BaseModel):
    """One rule broken at one place."""

    model_config = ConfigDict(frozen=True)

    file: Annotated[str, Field(description="Path relative to the workspace.")]
    line: Annotated[int, Field(ge=1, description="1-based line.")]
    column: Annotated[int, Field(ge=1, description="1-based column in code points.")]
    code: Annotated[str, Field(description="Rule, such as F401, or invalid-syntax.")]
    message: str
    fixable: Annotated[bool, Field(description="Whether ruff has a safe fix for it.")]


class LintResult(ToolResult):
    """What ruff says about a path."""

    violations: list[LintViolation] = Field(default_factory=list)

    @model_validator(mode="after")
    def _status_agrees(self) -> Self:
        if (self.status == "clean" and self.violations) or (
            self.status == "findings" and not self.violations
        ):
            raise ValueError(f"status {self.status} with {len(self.violations)} violations")
        return self

    @computed_field(description="Number of violations.")
    @property
    def violation_count(self) -> int:
        """Number of violations."""
        return len(self.violations)

    @computed_field(description="Number of violations with a safe fix.")
    @property
    def fixable_count(self) -> int:
        """Number of violations with a safe fix."""
        return sum(each.fixable for each in self.violations)


class FormatResult(ToolResult):
    """Which files `ruff format --check` would change."""

    files: list[str] = Field(default_factory=list, description="Files that are not formatted.")

    @model_validator(mode="after")
    def _status_agrees(self) -> Self:
        if (self.status == "clean" and self.files) or (
            self.status == "findings" and not self.files
        ):
            raise ValueError(f"status {self.status} with {len(self.files)} files")
        return self

    @computed_field(description="Number of files that are not formatted.")
    @property
    def file_count(self) -> int:
        """Number of files that are not formatted."""
        return len(self.files)
