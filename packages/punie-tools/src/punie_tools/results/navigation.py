"""The results of the language server's five questions. Lines and columns are 1-based."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, computed_field

from punie_tools.results.base import ToolResult

__all__ = [
    "DocumentSymbol",
    "DocumentSymbolsResult",
    "FindReferencesResult",
    "GotoDefinitionResult",
    "HoverResult",
    "Location",
    "WorkspaceSymbol",
    "WorkspaceSymbolsResult",
]

_Place = Annotated[int, Field(ge=1)]


class Location(BaseModel):
    """A place in a file, and the line of text it is on."""

    model_config = ConfigDict(frozen=True)

    file: Annotated[str, Field(description="Relative to the workspace, absolute outside it.")]
    line: _Place
    column: _Place
    preview: Annotated[str, Field(description="That line, stripped.")] = ""


class GotoDefinitionResult(ToolResult):
    """Where the symbol at a place is defined."""

    symbol: str
    locations: list[Location] = Field(default_factory=list)


class FindReferencesResult(ToolResult):
    """Where the symbol at a place is used, its definition included."""

    symbol: str
    references: list[Location] = Field(default_factory=list)

    @computed_field(description="Number of references.")
    @property
    def reference_count(self) -> int:
        """Number of references."""
        return len(self.references)


class HoverResult(ToolResult):
    """What the language server shows for the symbol at a place."""

    symbol: str
    content: str = ""
    language: Annotated[str, Field(description="Of the content: python, markdown, …")] = ""


class DocumentSymbol(BaseModel):
    """A class, function or variable a file defines."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Annotated[str, Field(description="class, function, method, variable, …")]
    line: _Place
    end_line: _Place
    container: Annotated[str, Field(description="Dotted name of what it is inside of.")] = ""


class DocumentSymbolsResult(ToolResult):
    """What a file defines, in the order of the file."""

    file: str
    symbols: list[DocumentSymbol] = Field(default_factory=list)

    @computed_field(description="Number of symbols.")
    @property
    def symbol_count(self) -> int:
        """Number of symbols."""
        return len(self.symbols)


class WorkspaceSymbol(BaseModel):
    """A symbol found anywhere in the workspace."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Annotated[str, Field(description="class, function, method, variable, …")]
    file: str
    line: _Place


class WorkspaceSymbolsResult(ToolResult):
    """The workspace's symbols that match a query."""

    query: str
    symbols: list[WorkspaceSymbol] = Field(default_factory=list)

    @computed_field(description="Number of symbols.")
    @property
    def symbol_count(self) -> int:
        """Number of symbols."""
        return len(self.symbols)
