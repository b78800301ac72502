"""The result models: what every tool of the toolbox returns."""

from punie_tools.results.base import FAILED, Status, ToolResult, ToolRun
from punie_tools.results.typecheck import Severity, TypeCheckError, TypeCheckResult

__all__ = [
    "FAILED",
    "Severity",
    "Status",
    "ToolResult",
    "ToolRun",
    "TypeCheckError",
    "TypeCheckResult",
]
