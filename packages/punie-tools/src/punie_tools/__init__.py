"""Typed results of the tools a Python developer checks with: ty, ruff, pytest, git, LSP."""

from punie_tools.errors import (
    MissingFileError,
    NotTextError,
    OutsideRootsError,
    ServerError,
    ToolMissingError,
    ToolsError,
    UnknownToolError,
    UnreadableFileError,
)
from punie_tools.host import Completed, Host, SpawningHost
from punie_tools.local import LocalHost
from punie_tools.parsers import Evidence, parse_ty
from punie_tools.results import (
    Severity,
    Status,
    ToolResult,
    ToolRun,
    TypeCheckError,
    TypeCheckResult,
)
from punie_tools.toolbox import EFFECTS, Effect, Toolbox

__all__ = [
    "EFFECTS",
    "Completed",
    "Effect",
    "Evidence",
    "Host",
    "LocalHost",
    "MissingFileError",
    "NotTextError",
    "OutsideRootsError",
    "ServerError",
    "Severity",
    "SpawningHost",
    "Status",
    "ToolMissingError",
    "ToolResult",
    "ToolRun",
    "Toolbox",
    "ToolsError",
    "TypeCheckError",
    "TypeCheckResult",
    "UnknownToolError",
    "UnreadableFileError",
    "parse_ty",
]
