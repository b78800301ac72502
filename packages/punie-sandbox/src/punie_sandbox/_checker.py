"""The type check of one snippet, against the stubs and the live variables; nothing of it runs.

The checker lives in a worker of its own. Each snippet is put behind a first line that calls a host
function: type checking and parsing happen when the feed starts, then the call suspends and is answered with
an exception. So nothing accumulates in the checker's session, and it stays warm.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import json
from typing import Any, Protocol

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncMontySession,
    ExternalModule,
    MontyComplete,
    MontyCrashedError,
    MontyRuntimeError,
    MontySyntaxError,
    MontyTypingError,
)

from punie_sandbox._builtins import BUILTINS
from punie_sandbox._functions import AMBIENT, ExternalFunctions
from punie_sandbox._hints import with_hint
from punie_sandbox._idioms import find_idioms
from punie_sandbox._modules import PROVIDED, importing_code, provided_in, stubs_of
from punie_sandbox._source import REMEMBERED, Source, column_of, read_source
from punie_sandbox._worker import Worker, begin_feed
from punie_sandbox.records import Diagnostic

__all__ = ["Checker"]

_GATE = "punie_gate"
_LIMITS: Any = {"max_feed_duration_secs": 5.0, "max_memory": 512 << 20, "max_suspensions": 10**9}
_CACHE_SIZE = 256
_UNSUPPORTED = "unsupported-syntax"
_CRASHED = "check-crashed"


async def _module(name: str) -> ExternalModule:
    return ExternalModule({}, stubs=stubs_of(name))


_MODULES: Any = {name: functools.partial(_module, name) for name in PROVIDED}


class Office(Protocol):
    """Where checkers get their workers from."""

    @property
    def wanted(self) -> bool:
        """Whether another checker waits for a worker."""
        ...

    async def take_for_checker(self, **options: Any) -> Worker:
        """A worker, as soon as one is free."""
        ...


class Checker:
    """Checks snippets in a warm session; starts a new one when the old one dies."""

    def __init__(self, office: Office, functions: ExternalFunctions) -> None:
        self._office = office
        self._functions = functions
        self._stubs = f"{functions.stubs()}\n{BUILTINS}\ndef {_GATE}() -> Any: ...\n"
        self._worker: Worker | None = None
        self._turn = asyncio.Lock()
        self._seen: dict[tuple[str, frozenset[str], frozenset[str]], tuple[Diagnostic, ...]] = {}

    @property
    def warm(self) -> bool:
        """Whether it holds a worker."""
        return self._worker is not None

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._turn.locked()

    async def check(
        self, code: str, names: frozenset[str], suspending: frozenset[str] = frozenset()
    ) -> tuple[Diagnostic, ...]:
        """The findings for one snippet; asked again, the answer is remembered.

        Args:
            code: the snippet.
            names: the variables that are alive.
            suspending: which of them are functions that call the host.
        """
        key = (code, names, suspending)
        if key in self._seen:
            return self._seen[key]
        async with self._turn:
            found = await self._check(*key)
            if self._office.wanted:
                await self.close()
        crashed = any(each.code == _CRASHED for each in found)
        if len(code) <= REMEMBERED and not crashed:
            if len(self._seen) >= _CACHE_SIZE:
                self._seen.pop(next(iter(self._seen)))
            self._seen[key] = found
        return found

    async def _check(
        self, code: str, names: frozenset[str], suspending: frozenset[str]
    ) -> tuple[Diagnostic, ...]:
        source = read_source(code)
        if source.error is not None:
            line, column, message = source.error
            return (Diagnostic(line, column, "invalid-syntax", message),)
        idioms = find_idioms(source, self._functions, suspending, names)
        types = [
            with_hint(d, self._functions) for d in await self._check_types(code, sorted(names))
        ]
        types = _without_false(types, source)
        if any(found.code == _UNSUPPORTED for found in idioms):  # said better, and with its place
            types = [found for found in types if found.code != _UNSUPPORTED]
        lines = {found.line for found in idioms}
        # what a line's idiom explains, the type checker and the parser need not say again
        found = [*idioms, *(d for d in types if d.line not in lines)]
        return tuple(sorted(found, key=lambda d: (d.line, d.column)))

    async def _check_types(self, code: str, names: list[str]) -> list[Diagnostic]:
        # a module is looked for where the top level imports it, and not for the sake of a function's import
        modules = importing_code(provided_in(read_source(code)))
        live = "".join(f"{name} = {_GATE}()\n" for name in names)
        prefix = f"{_GATE}()\n{AMBIENT}{modules}{live}"
        offset = prefix.count("\n")
        try:
            await self._feed_once_more(prefix + code)
        except MontyTypingError as error:
            return [_from_ty(item, offset) for item in json.loads(error.display())]
        except MontySyntaxError as error:
            return [_from_frames(error, "invalid-syntax", str(error), offset)]
        except MontyRuntimeError as error:
            return _from_runtime(error, code, offset)
        except MontyCrashedError:
            await self.close()
            return [Diagnostic(1, 1, _CRASHED, "the checker died on this code and was replaced")]
        except BaseException:  # cancelled, say: the session is in the middle of something
            await self.close(kill=True)
            raise
        return []

    async def _feed_once_more(self, code: str) -> None:
        """Feed the code; to a new worker, if a warm one is found dead, which may have been so before."""
        if self.warm:
            try:
                return await self._feed(code)
            except MontyCrashedError:
                await self.close()
        return await self._feed(code)

    async def _feed(self, code: str) -> None:
        session = await self._open()
        snapshot = await begin_feed(session, code, print_callback=lambda *_: None)
        while not isinstance(snapshot, MontyComplete):
            if isinstance(snapshot, AsyncFunctionSnapshot) and snapshot.is_os_function:
                snapshot = await snapshot.resume_auto()
            elif isinstance(snapshot, AsyncFunctionSnapshot):
                snapshot = await snapshot.resume({"exc_type": "RuntimeError", "message": _GATE})
            else:  # pragma: no cover - the gate is the first thing that can suspend
                await self.close()
                return

    async def _open(self) -> AsyncMontySession:
        if self._worker is None:
            self._worker = await self._office.take_for_checker(
                limits=_LIMITS,
                type_check=True,
                type_check_stubs=self._stubs,
                type_check_format="json",
                external_modules=_MODULES,
            )
        return self._worker.session

    async def close(self, *, kill: bool = False) -> None:
        """Give the worker back, or end it if it may be busy."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.give_back(kill=kill)


def _without_false(found: list[Diagnostic], source: Source) -> list[Diagnostic]:
    """The findings without those that are known to be wrong.

    Inside `print(reduce(lambda ...))` the checker takes what `print` accepts, any object, for the type of the
    lambda's parameters.
    """
    if source.tree is None or not any("`object`" in each.message for each in found):
        return found
    lambdas = [node for node in ast.walk(source.tree) if isinstance(node, ast.Lambda)]
    lines = {line for node in lambdas for line in range(node.lineno, (node.end_lineno or 0) + 1)}
    return [
        each
        for each in found
        if "`object`" not in each.message
        or each.line not in lines
        or not any(_spans(source.code, node, each.line, each.column) for node in lambdas)
    ]


def _spans(code: str, node: ast.Lambda, line: int, column: int) -> bool:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    begin = node.lineno, column_of(code, node.lineno, node.col_offset)
    end = node.end_lineno, column_of(code, node.end_lineno, node.end_col_offset)
    return begin <= (line, column) < end


def _from_runtime(error: MontyRuntimeError, code: str, offset: int) -> list[Diagnostic]:
    inner = error.exception()
    if isinstance(inner, RuntimeError) and str(inner) == _GATE:
        return []
    if isinstance(inner, NotImplementedError):
        return [_unsupported(code, str(inner))]
    return [_from_frames(error, "check-failed", f"{type(inner).__name__}: {inner}", offset)]


def _from_ty(item: dict[str, Any], offset: int) -> Diagnostic:
    location = item.get("location") or {"row": offset + 1, "column": 1}
    line = max(1, location["row"] - offset)
    return Diagnostic(line, location["column"], item.get("code") or "type-error", item["message"])


def _from_frames(
    error: MontySyntaxError | MontyRuntimeError, code: str, message: str, offset: int
) -> Diagnostic:
    frames = error.traceback()
    line, column = (frames[-1].line - offset, frames[-1].column) if frames else (1, 1)
    return Diagnostic(max(1, line), column, code, message)


_NODES: dict[str, tuple[type[ast.AST], ...]] = {
    "class inheritance": (ast.ClassDef,),
    "yield": (ast.Yield, ast.YieldFrom),
    "del": (ast.Delete,),
    "async with": (ast.AsyncWith,),
    "async for": (ast.AsyncFor,),
    "exception groups": (ast.TryStar,),
}


def _unsupported(code: str, message: str) -> Diagnostic:
    """The parser says what it does not support but not where: the first such node is the place."""
    tree = read_source(code).tree
    kinds = next((nodes for words, nodes in _NODES.items() if words in message), ())
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, kinds) and (
            not isinstance(node, ast.ClassDef) or node.bases or node.keywords
        ):
            line, offset = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
            return Diagnostic(line, column_of(code, line, offset), _UNSUPPORTED, message)
    return Diagnostic(1, 1, _UNSUPPORTED, message)
