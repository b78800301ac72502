"""The errors punie-tools raises: one base, each also the builtin exception it stands for.

Checks (`typecheck`, `ruff_check`, …) do not raise when a tool fails: they return a result whose
`status` says so. These errors are for what has no result to put it in: a file that is not there,
a path outside the workspace, a command that cannot be started.
"""

from __future__ import annotations

__all__ = [
    "MissingFileError",
    "NotTextError",
    "OutsideRootsError",
    "PluginError",
    "ServerError",
    "ToolMissingError",
    "ToolsError",
    "UnknownToolError",
    "UnreadableFileError",
]


class ToolsError(Exception):
    """Base of every error this package raises on purpose."""


class OutsideRootsError(ToolsError, PermissionError):
    """A path that, with its symbolic links resolved, lies outside the workspace roots."""


class MissingFileError(ToolsError, FileNotFoundError):
    """A file or directory that does not exist."""


class UnreadableFileError(ToolsError, OSError):
    """A path the system would not read or write, such as a directory or a protected file."""


class NotTextError(ToolsError, ValueError):
    """A file that is not UTF-8 text."""


class ToolMissingError(ToolsError, FileNotFoundError):
    """A program that is neither in the workspace's environment nor on PATH."""


class UnknownToolError(ToolsError, LookupError):
    """A tool name that the toolbox does not have."""


class PluginError(ToolsError, TypeError):
    """A third party's tool that cannot be loaded or is not one."""


class ServerError(ToolsError, RuntimeError):
    """A language server that died, hung or broke the protocol."""
