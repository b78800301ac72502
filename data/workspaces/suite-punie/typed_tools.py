"""Tools of the desk bot that answer with typed results."""

from __future__ import annotations

from punie.results import TypeCheckError, TypeCheckResult


def summarise(result: TypeCheckResult) -> str:
    """Return one line about a type check."""
    if result.success:
        return "no errors"
    return f"{result.error_total} errors"


def first_error(result: TypeCheckResult) -> TypeCheckError:
    """Return the first error, or None when there is none."""
    return result.errors[0] if result.errors else None


def by_line(result: TypeCheckResult) -> list[TypeCheckError]:
    """Return the errors in the order of their lines."""
    return sorted(result.errors, key=lambda error: error.line)
