"""Typed results of the developer tools that the desk bot runs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TypeCheckError:
    """One problem that the type checker found."""

    file: str
    line: int
    column: int
    severity: str
    code: str
    message: str


@dataclass(frozen=True)
class TypeCheckResult:
    """The outcome of one run of the type checker."""

    success: bool
    error_count: int
    warning_count: int = 0
    errors: list[TypeCheckError] = field(default_factory=list)
    parse_error: str | None = None
