"""The one shape of a diagnostic, whichever checker it came from."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, computed_field, model_validator

from punie_tools.results.base import FAILED, ToolResult
from punie_tools.results.lint import LintResult, LintViolation
from punie_tools.results.typecheck import Severity, TypeCheckError, TypeCheckResult

__all__ = ["Diagnostic", "DiagnosticFix", "DiagnosticReport", "DiagnosticTool"]

DiagnosticTool = Literal["ty", "ruff", "mypy", "pyright", "basedpyright", "pyrefly"]

_Place = Annotated[int, Field(ge=1)]


class DiagnosticFix(BaseModel):
    """A change the tool offers."""

    model_config = ConfigDict(frozen=True)

    message: str | None = None
    safe: Annotated[bool, Field(description="Whether the tool applies it without being asked.")]


class Diagnostic(BaseModel):
    """One thing a checker says about one range of one file.

    Lines and columns are 1-based; columns count Unicode code points whatever the tool counts in.
    The end is exclusive. In a notebook, `cell` is the 1-based cell and lines are its own.
    """

    model_config = ConfigDict(frozen=True)

    tool: DiagnosticTool
    file: str
    line: _Place
    column: _Place
    end_line: _Place | None = None
    end_column: _Place | None = None
    cell: _Place | None = None
    severity: Severity
    code: str | None = None
    message: str
    url: str | None = None
    fix: DiagnosticFix | None = None


class DiagnosticReport(ToolResult):
    """Everything a checker said, with nothing left out."""

    tool: DiagnosticTool
    diagnostics: list[Diagnostic] = Field(default_factory=list)

    @model_validator(mode="after")
    def _status_agrees(self) -> Self:
        if (self.status == "clean" and self.diagnostics) or (
            self.status == "findings" and not self.diagnostics
        ):
            raise ValueError(f"status {self.status} with {len(self.diagnostics)} diagnostics")
        return self

    @computed_field(description="Number of diagnostics of severity error.")
    @property
    def error_count(self) -> int:
        """Number of diagnostics of severity error."""
        return sum(each.severity == "error" for each in self.diagnostics)

    @computed_field(description="Number of diagnostics of severity warning.")
    @property
    def warning_count(self) -> int:
        """Number of diagnostics of severity warning."""
        return sum(each.severity == "warning" for each in self.diagnostics)

    @property
    def answered(self) -> bool:
        """Whether the checker gave an answer, good or bad."""
        return self.status not in FAILED

    def as_typecheck(self) -> TypeCheckResult:
        """Return the simple view of a type checker's report."""
        return TypeCheckResult(
            status=self.status,
            parse_error=self.parse_error,
            run=self.run,
            errors=[
                TypeCheckError(
                    file=each.file,
                    line=each.line,
                    column=each.column,
                    severity=each.severity,
                    code=each.code or "",
                    message=each.message,
                )
                for each in self.diagnostics
            ],
        )

    def as_lint(self) -> LintResult:
        """Return the simple view of a linter's report."""
        return LintResult(
            status=self.status,
            parse_error=self.parse_error,
            run=self.run,
            violations=[
                LintViolation(
                    file=each.file,
                    line=each.line,
                    column=each.column,
                    code=each.code or "",
                    message=each.message,
                    fixable=each.fix is not None and each.fix.safe,
                )
                for each in self.diagnostics
            ],
        )
