"""The result models: what every tool of the toolbox returns."""

from punie_tools.results.base import FAILED, Status, ToolResult, ToolRun
from punie_tools.results.coverage import CoverageFile, CoverageResult
from punie_tools.results.cst import CstAddImportResult, CstFindResult, CstMatch, CstRenameResult
from punie_tools.results.diagnostics import (
    Diagnostic,
    DiagnosticFix,
    DiagnosticReport,
    DiagnosticTool,
)
from punie_tools.results.git import (
    ChangeKind,
    DiffFile,
    GitCommit,
    GitDiffResult,
    GitFileStatus,
    GitLogResult,
    GitStatusResult,
)
from punie_tools.results.lint import FormatResult, LintResult, LintViolation
from punie_tools.results.navigation import (
    DocumentSymbol,
    DocumentSymbolsResult,
    FindReferencesResult,
    GotoDefinitionResult,
    HoverResult,
    Location,
    WorkspaceSymbol,
    WorkspaceSymbolsResult,
)
from punie_tools.results.tests import Outcome, TestCase, TestResult
from punie_tools.results.typecheck import Severity, TypeCheckError, TypeCheckResult

__all__ = [
    "FAILED",
    "ChangeKind",
    "CoverageFile",
    "CoverageResult",
    "CstAddImportResult",
    "CstFindResult",
    "CstMatch",
    "CstRenameResult",
    "Diagnostic",
    "DiagnosticFix",
    "DiagnosticReport",
    "DiagnosticTool",
    "DiffFile",
    "DocumentSymbol",
    "DocumentSymbolsResult",
    "FindReferencesResult",
    "FormatResult",
    "GitCommit",
    "GitDiffResult",
    "GitFileStatus",
    "GitLogResult",
    "GitStatusResult",
    "GotoDefinitionResult",
    "HoverResult",
    "LintResult",
    "LintViolation",
    "Location",
    "Outcome",
    "Severity",
    "Status",
    "TestCase",
    "TestResult",
    "ToolResult",
    "ToolRun",
    "TypeCheckError",
    "TypeCheckResult",
    "WorkspaceSymbol",
    "WorkspaceSymbolsResult",
]
