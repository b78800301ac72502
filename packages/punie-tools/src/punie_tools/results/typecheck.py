"""The result of a type checker."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from punie_tools.results.base import ToolResult

__all__ = ["Severity", "TypeCheckError", "TypeCheckResult"]

Severity = Literal["error", "warning", "info"]


class TypeCheckError(BaseModel):
    """One thing a type checker says about one place."""

    model_config = ConfigDict(frozen=True)

    file: Annotated[str, Field(description="Path relative to the workspace.")]
    line: Annotated[int, Field(ge=1, description="1-based line.")]
    column: Annotated[int, Field(ge=1, description="1-based column in code points.")]
    severity: Severity
    code: Annotated[str, Field(description="Rule name, such as invalid-assignment.")]
    message: str


class TypeCheckResult(ToolResult):
    """What a type checker says about a path; `errors` holds warnings too."""

    errors: list[TypeCheckError] = Field(default_factory=list)

    @model_validator(mode="after")
    def _status_agrees(self) -> Self:
        if (self.status == "clean" and self.errors) or (
            self.status == "findings" and not self.errors
        ):
            raise ValueError(f"status {self.status} with {len(self.errors)} diagnostics")
        return self

    @computed_field(description="Number of diagnostics of severity error.")
    @property
    def error_count(self) -> int:
        """Number of diagnostics of severity error."""
        return sum(each.severity == "error" for each in self.errors)

    @computed_field(description="Number of diagnostics of severity warning.")
    @property
    def warning_count(self) -> int:
        """Number of diagnostics of severity warning."""
        return sum(each.severity == "warning" for each in self.errors)
