"""The five questions to the language server, in places as people and models name them.

Lines and columns come in and go out 1-based, in code points. A model's columns are often a little
off; the symbol it names is looked for on the line, and the nearest one is meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import AliasPath, BaseModel, Field, TypeAdapter, ValidationError

from punie_tools._runner import R, advised
from punie_tools._ty_server import path_of
from punie_tools.errors import ServerError, ToolMissingError, ToolsError
from punie_tools.paths import display
from punie_tools.results import ToolRun
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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from punie_tools._runner import Runner
    from punie_tools._ty_server import TyServer

__all__ = ["Navigator", "unanswered"]

_KINDS = (
    *("file", "module", "namespace", "package", "class", "method", "property", "field"),
    *("constructor", "enum", "interface", "function", "variable", "constant", "string", "number"),
    *("boolean", "array", "object", "key", "null", "enum_member", "struct", "event", "operator"),
    "type_parameter",
)
_FAR = 2**31
_MARK = "\ufeff"
_TYPESHED = re.compile(r"^.*/typeshed/(?:[0-9a-f]{40}/)?(?=stdlib/|stubs/)")
_FENCE = re.compile(r"\A```(\w*)\n(.*?)\n```\s*", re.DOTALL)


class _Place(BaseModel):
    uri: str
    line: int = Field(validation_alias=AliasPath("range", "start", "line"), ge=0)
    character: int = Field(validation_alias=AliasPath("range", "start", "character"), ge=0)


class _Nested(BaseModel):
    name: str
    kind: int
    line: int = Field(validation_alias=AliasPath("selectionRange", "start", "line"), ge=0)
    end_line: int = Field(validation_alias=AliasPath("range", "end", "line"), ge=0)
    children: list[_Nested] = []


class _Found(BaseModel):
    name: str
    kind: int
    uri: str = Field(validation_alias=AliasPath("location", "uri"))
    line: int = Field(validation_alias=AliasPath("location", "range", "start", "line"), ge=0)


class _Content(BaseModel):
    kind: str = "plaintext"
    value: str


_PLACES: TypeAdapter[list[_Place]] = TypeAdapter(list[_Place])
_NESTED: TypeAdapter[list[_Nested]] = TypeAdapter(list[_Nested])
_FOUND: TypeAdapter[list[_Found]] = TypeAdapter(list[_Found])


class _NoAnswerError(Exception):
    """A question that has no answer, for a reason to tell."""


@dataclass(frozen=True, slots=True)
class Navigator:
    """Asks one server about one workspace."""

    runner: Runner
    server: TyServer

    async def definition(
        self, file_path: str, line: int, column: int, symbol: str
    ) -> GotoDefinitionResult:
        """Return where the symbol at a place is defined."""
        method = "textDocument/definition"
        try:
            places = await self._places(method, file_path, (line, column), symbol)
        except _NO_ANSWERS as error:
            return GotoDefinitionResult(symbol=symbol, **self._failed(method, error))
        return GotoDefinitionResult(symbol=symbol, locations=places, **self._answered(method))

    async def references(
        self, file_path: str, line: int, column: int, symbol: str
    ) -> FindReferencesResult:
        """Return where the symbol at a place is used."""
        method = "textDocument/references"
        try:
            places = await self._places(method, file_path, (line, column), symbol)
        except _NO_ANSWERS as error:
            return FindReferencesResult(symbol=symbol, **self._failed(method, error))
        return FindReferencesResult(symbol=symbol, references=places, **self._answered(method))

    async def hover(self, file_path: str, line: int, column: int, symbol: str) -> HoverResult:
        """Return what the server shows for the symbol at a place."""
        method = "textDocument/hover"
        try:
            raw = await self._ask_at(method, file_path, (line, column), symbol)
            if not raw:
                raise _NoAnswerError(f"nothing is known about {symbol} there.")
            content = _Content.model_validate(raw["contents"])
        except (*_NO_ANSWERS, KeyError, TypeError) as error:
            return HoverResult(symbol=symbol, **self._failed(method, error))
        fence = _FENCE.match(content.value)
        if fence is None:
            text, language = content.value.strip(), content.kind
        else:
            rest = content.value[fence.end() :].strip().removeprefix("---").strip()
            text, language = "\n\n".join(filter(None, [fence[2], rest])), fence[1] or "plaintext"
        return HoverResult(symbol=symbol, content=text, language=language, **self._answered(method))

    async def document_symbols(self, file_path: str) -> DocumentSymbolsResult:
        """Return what a file defines."""
        method = "textDocument/documentSymbol"
        target = self.runner.contain(file_path)
        file = display(target, self.runner.root)
        text = await self.runner.host.read_text(file_path)
        try:
            raw = await self.server.ask_about(target, text, method, {})
            nested = _NESTED.validate_python(raw or [])
        except _NO_ANSWERS as error:
            return DocumentSymbolsResult(file=file, **self._failed(method, error))
        symbols = list(_flat(nested, ""))
        return DocumentSymbolsResult(file=file, symbols=symbols, **self._answered(method))

    async def workspace_symbols(self, query: str) -> WorkspaceSymbolsResult:
        """Return the workspace's symbols that match a query."""
        method = "workspace/symbol"
        try:
            raw = await self.server.ask(method, {"query": query})
            found = _FOUND.validate_python(raw or [])
            symbols = [
                WorkspaceSymbol(
                    name=each.name,
                    kind=_kind(each.kind),
                    file=self._shown(path_of(each.uri)),
                    line=each.line + 1,
                )
                for each in found
            ]
        except _NO_ANSWERS as error:
            return WorkspaceSymbolsResult(query=query, **self._failed(method, error))
        symbols.sort(key=lambda each: (each.file, each.line, each.name))
        return WorkspaceSymbolsResult(query=query, symbols=symbols, **self._answered(method))

    async def _places(
        self, method: str, file_path: str, place: tuple[int, int], symbol: str
    ) -> list[Location]:
        raw = await self._ask_at(method, file_path, place, symbol)
        found = _PLACES.validate_python([raw] if isinstance(raw, dict) else raw or [])
        if not found:
            raise _NoAnswerError(f"nothing is known about {symbol} there.")
        unique = sorted({(path_of(each.uri), each.line, each.character) for each in found})
        texts = {path: await self._text(path) for path in {path for path, _, _ in unique}}
        return [
            self._location(path, line, character, texts[path]) for path, line, character in unique
        ]

    async def _ask_at(
        self, method: str, file_path: str, place: tuple[int, int], symbol: str
    ) -> Any:
        text = await self.runner.host.read_text(file_path)
        line, character = _find(text, place, symbol, file_path)
        params = {
            "position": {"line": line, "character": character},
            "context": {"includeDeclaration": True},
        }
        return await self.server.ask_about(self.runner.contain(file_path), text, method, params)

    def _location(self, path: str, line: int, character: int, text: list[str]) -> Location:
        shown = text[line] if line < len(text) else ""
        if line == 0 and shown.startswith(_MARK):  # no column of any tool's, but the server's
            shown, character = shown.removeprefix(_MARK), max(character - 1, 0)
        return Location(
            file=self._shown(path), line=line + 1, column=character + 1, preview=shown.strip()
        )

    async def _text(self, path: str) -> list[str]:
        """Return the lines of a file of the workspace; none of another, nor of what is no text."""
        if not Path(path).is_relative_to(self.runner.root):
            return []
        try:
            return _lines(await self.runner.host.read_text(path))
        except ToolsError:
            return []

    def _shown(self, path: str) -> str:
        """Return how results name a file; ty unpacks its own stubs into a cache of the user's."""
        return _TYPESHED.sub("typeshed/", display(path, self.runner.root))

    def _answered(self, method: str) -> dict[str, Any]:
        return {"status": "clean", "run": self._run(method)}

    def _failed(self, method: str, error: Exception) -> dict[str, Any]:
        if isinstance(error, _NoAnswerError):
            status, reason = "nothing_checked", str(error)
        elif isinstance(error, (ServerError, ToolMissingError)):
            status, reason = "tool_error", f"{error}."
        else:
            status, reason = "unparsable", f"the language server's answer to {method} is malformed."
        return {"status": status, "parse_error": " ".join(reason.split()), "run": self._run(method)}

    def _run(self, method: str) -> ToolRun:
        return ToolRun(argv=["ty", "server", method], tool_version=self.server.version)


_NO_ANSWERS = (_NoAnswerError, ServerError, ValidationError)


def unanswered(model: type[R], error: ToolsError, **fields: str) -> R:
    """Return the result of a question for which there is no language server."""
    reason = advised(error, "ty") if isinstance(error, ToolMissingError) else f"{error}."
    return model.model_validate({"status": "tool_error", "parse_error": reason, **fields})


def _lines(text: str) -> list[str]:
    """Return lines as the language server counts them: not split at form feeds and the like."""
    return re.split(r"\r\n|\r|\n", text)


def _find(text: str, place: tuple[int, int], symbol: str, file_path: str) -> tuple[int, int]:
    """Return the 0-based place of `symbol` on the line, nearest to the column."""
    # Numbers of hundreds of digits can neither be shown nor become a float.
    line, column = (max(-_FAR, min(each, _FAR)) for each in place)
    lines = _lines(text)
    if not 1 <= line <= len(lines):
        raise _NoAnswerError(f"{file_path} has no line {line}; it has {len(lines)}.")
    name = symbol.rpartition(".")[2] or symbol
    found = [
        each.start() for each in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", lines[line - 1])
    ]
    if not found:
        raise _NoAnswerError(f"{symbol} is not on line {line} of {file_path}.")
    # The column may point into the word, not only at its beginning.
    return line - 1, min(found, key=lambda start: abs(start + (len(name) - 1) / 2 - (column - 1)))


def _kind(number: int) -> str:
    return _KINDS[number - 1] if 1 <= number <= len(_KINDS) else "unknown"


def _flat(symbols: Iterable[_Nested], container: str) -> Iterable[DocumentSymbol]:
    """Yield symbols in the order of the file, each before what is inside of it."""
    for each in sorted(symbols, key=lambda each: (each.line, each.name)):
        yield DocumentSymbol(
            name=each.name,
            kind=_kind(each.kind),
            line=each.line + 1,
            end_line=max(each.end_line, each.line) + 1,
            container=container,
        )
        yield from _flat(each.children, f"{container}.{each.name}" if container else each.name)
