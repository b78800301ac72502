"""The type check of one snippet, against the stubs and the live variables; nothing of it runs.

The checker lives in a worker of its own. Each snippet is put behind a first line that calls a host
function: type checking and parsing happen when the feed starts, then the call suspends and is answered with
an exception. So nothing accumulates in the checker's session, and it stays warm.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import json
import os
import signal
from typing import Any

from pydantic_monty import (
    AsyncFunctionSnapshot,
    AsyncMonty,
    AsyncMontySession,
    ExternalModule,
    MontyComplete,
    MontyCrashedError,
    MontyError,
    MontyRuntimeError,
    MontySyntaxError,
    MontyTypingError,
)

from punie_sandbox._builtins import BUILTINS
from punie_sandbox._functions import AMBIENT, ExternalFunctions
from punie_sandbox._hints import with_hint
from punie_sandbox._idioms import find_idioms
from punie_sandbox._modules import PROVIDED, stubs_of
from punie_sandbox._source import Source, read_source
from punie_sandbox.records import Diagnostic

__all__ = ["Checker"]

_GATE = "punie_gate"
_LIMITS: Any = {"max_feed_duration_secs": 10.0, "max_memory": 512 << 20, "max_suspensions": 10**9}
_CACHE_SIZE = 256
_UNSUPPORTED = "unsupported-syntax"


async def _module(name: str) -> ExternalModule:
    return ExternalModule({}, stubs=stubs_of(name))


_MODULES: Any = {name: functools.partial(_module, name) for name in PROVIDED}


class Checker:
    """Checks snippets in a warm session; starts a new one when the old one dies."""

    def __init__(self, pool: AsyncMonty, functions: ExternalFunctions) -> None:
        self._pool = pool
        self._functions = functions
        self._stubs = f"{functions.stubs()}\n{BUILTINS}\ndef {_GATE}() -> Any: ...\n"
        self._session: AsyncMontySession | None = None
        self._worker: int | None = None
        self._turn = asyncio.Lock()
        self._seen: dict[tuple[str, frozenset[str], frozenset[str]], tuple[Diagnostic, ...]] = {}

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
        idioms = find_idioms(source, self._functions, suspending)
        types = [
            with_hint(d, self._functions) for d in await self._check_types(code, sorted(names))
        ]
        types = [found for found in types if not _is_false(found, source)]
        if any(found.code == _UNSUPPORTED for found in idioms):  # said better, and with its place
            types = [found for found in types if found.code != _UNSUPPORTED]
        lines = {found.line for found in idioms}
        # what a line's idiom explains, the type checker and the parser need not say again
        found = [*idioms, *(d for d in types if d.line not in lines)]
        return tuple(sorted(found, key=lambda d: (d.line, d.column)))

    async def _check_types(self, code: str, names: list[str]) -> list[Diagnostic]:
        prefix = "".join([f"{_GATE}()\n", AMBIENT, *(f"{name} = {_GATE}()\n" for name in names)])
        offset = prefix.count("\n")
        try:
            await self._feed(prefix + code)
        except MontyTypingError as error:
            return [_from_ty(item, offset) for item in json.loads(error.display())]
        except MontySyntaxError as error:
            return [_from_frames(error, "invalid-syntax", str(error), offset)]
        except MontyRuntimeError as error:
            return _from_runtime(error, code, offset)
        except MontyCrashedError:
            await self.close()
            return [
                Diagnostic(1, 1, "check-crashed", "the checker died on this code and was replaced")
            ]
        return []

    async def _feed(self, code: str) -> None:
        session = await self._open()
        snapshot = await session.feed_start(code, print_callback=lambda *_: None)
        while not isinstance(snapshot, MontyComplete):
            if isinstance(snapshot, AsyncFunctionSnapshot) and snapshot.is_os_function:
                snapshot = await snapshot.resume_auto()
            elif isinstance(snapshot, AsyncFunctionSnapshot):
                snapshot = await snapshot.resume({"exc_type": "RuntimeError", "message": _GATE})
            else:  # pragma: no cover - the gate is the first thing that can suspend
                await self.close()
                return

    async def _open(self) -> AsyncMontySession:
        if self._session is None:
            session = self._pool.checkout(
                limits=_LIMITS,
                type_check=True,
                type_check_stubs=self._stubs,
                type_check_format="json",
                external_modules=_MODULES,
            )
            self._session = await session.__aenter__()
            self._worker = self._session.worker_pid
        return self._session

    async def close(self, *, kill: bool = False) -> None:
        """Give the worker back, or end it if it may be busy."""
        session, self._session = self._session, None
        if session is None:
            return
        if kill and self._worker is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._worker, signal.SIGKILL)
        with contextlib.suppress(MontyError, RuntimeError):  # it is gone, which is what was wanted
            await session.__aexit__(None, None, None)


def _is_false(found: Diagnostic, source: Source) -> bool:
    """Whether a finding is known to be wrong.

    Inside `print(reduce(lambda ...))` the checker takes what `print` accepts, any object, for the type of the
    lambda's parameters.
    """
    if "`object`" not in found.message or source.tree is None:
        return False
    return any(
        isinstance(node, ast.Lambda) and _spans(node, found.line, found.column)
        for node in ast.walk(source.tree)
    )


def _spans(node: ast.Lambda, line: int, column: int) -> bool:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return (
        (node.lineno, node.col_offset)
        <= (line, column - 1)
        < (node.end_lineno, node.end_col_offset)
    )


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
            return Diagnostic(
                getattr(node, "lineno", 1),
                getattr(node, "col_offset", 0) + 1,
                _UNSUPPORTED,
                message,
            )
    return Diagnostic(1, 1, _UNSUPPORTED, message)
