"""A client of language servers over standard streams, and diagnostics as `ty check` words and places them.

Covered: requests, notifications, the server's own requests, a server that dies, hangs or writes
nonsense (every waiting request then fails with `ServerError`), an event loop that ends (the process
then ends with it). Not covered: cancelling requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import AliasPath, BaseModel, Field

from punie_tools._process import kill_group
from punie_tools.errors import ServerError
from punie_tools.results.typecheck import Severity, TypeCheckError

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Iterable, Mapping

__all__ = ["LspClient", "LspDiagnostic", "type_errors"]

_SEVERITIES: Mapping[int, Severity] = {1: "error", 2: "warning", 3: "info"}
_HINT = 4
# The command line's report has the first message alone.
_ASIDES = re.compile(r"\n\n(?:info|help|note|warning|error): ")

_MAX_BODY = 512 * 1024 * 1024
_MAX_HEADER_LINES = 32
_EXIT_GRACE_S = 2.0
_KILLED_GRACE_S = 10.0
_CHUNK = 1024 * 1024
_METHOD_NOT_FOUND = -32601
#: The content was modified, or the server cancelled: files changed under the question; ask again.
_ASK_AGAIN = frozenset({-32801, -32802})
_MAX_ASKED = 20


class _ChangedError(ServerError):
    """Files changed while the server was about to answer."""


class LspClient:
    """One conversation with one server process.

    Attributes:
        registrations: What the server registered for, as it spelled that.
    """

    def __init__(self, process: Process, *, timeout: float) -> None:
        """Begin reading from a process with piped streams.

        Args:
            process: The server; it leads its own process group.
            timeout: Seconds after which an unanswered request fails.
        """
        self.registrations: list[Any] = []
        self._process = process
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._failure: ServerError | None = None
        self._reader = asyncio.create_task(self._read())

    @property
    def alive(self) -> bool:
        """Whether requests can still be answered."""
        return self._failure is None

    async def request(self, method: str, params: object) -> Any:
        """Return the result of a request.

        Raises:
            ServerError: The server refused, died, hung or broke the protocol.
        """
        for _ in range(_MAX_ASKED - 1):
            with contextlib.suppress(_ChangedError):
                return await self._request(method, params)
        return await self._request(method, params)

    async def _request(self, method: str, params: object) -> Any:
        self._last_id += 1
        number = self._last_id
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            await self._send({"id": number, "method": method, "params": params})
            return await asyncio.wait_for(answer, self._timeout)
        except TimeoutError:
            self._fail(f"the language server did not answer {method} in {self._timeout:g} s")
            raise ServerError(str(self._failure)) from None
        finally:
            self._waiting.pop(number, None)

    async def notify(self, method: str, params: object) -> None:
        """Send a notification.

        Raises:
            ServerError: The server is gone.
        """
        await self._send({"method": method, "params": params})

    async def close(self, *, politely: bool = True) -> None:
        """End the conversation and the process; politely means to ask the server first."""
        if self._loop is not asyncio.get_running_loop():
            self._abandon()
            return
        try:
            if self.alive and politely:
                with contextlib.suppress(ServerError, TimeoutError):
                    await asyncio.wait_for(self.request("shutdown", None), _EXIT_GRACE_S)
                    await self.notify("exit", None)
                    await asyncio.wait_for(self._process.wait(), _EXIT_GRACE_S)
        finally:  # whoever is cancelled meanwhile leaves no process behind
            self._fail("the language server was closed")
            self._reader.cancel()  # which ends the process
        await asyncio.wait([self._reader])
        await self._end()

    def _abandon(self) -> None:
        """Leave a process whose event loop has ended, where nothing can be awaited any more."""
        self._failure = self._failure or ServerError("the language server's event loop has ended")
        self._waiting.clear()
        if self._process.returncode is None:
            kill_group(self._process.pid)
        if self._process.stdin is not None:
            with contextlib.suppress(RuntimeError):  # a closed loop calls nothing back
                self._process.stdin.close()

    async def _end(self) -> None:
        """End the process, and wait until the event loop has let go of its pipes."""
        if self._process.returncode is None:
            kill_group(self._process.pid)
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(self._ended(), _KILLED_GRACE_S)

    async def _ended(self) -> None:
        stdout = self._process.stdout
        # Reading stops where much is unread, and with it the end would never be seen.
        while stdout is not None and await stdout.read(_CHUNK):
            pass
        await self._process.wait()

    async def _send(self, message: dict[str, object]) -> None:
        if self._failure is not None:
            raise ServerError(str(self._failure))
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            await stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            self._fail(f"the language server is gone ({error})")
            raise ServerError(str(self._failure)) from error

    async def _read(self) -> None:
        try:
            while True:
                await self._take(await self._message())
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            self._fail("the language server died")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            self._fail(f"the language server broke the protocol ({error})")
        except ServerError:
            pass  # it was gone when we answered it; the failure is noted
        except asyncio.CancelledError:  # ours, or the event loop's that ends
            self._fail("the language server was closed")
            await self._end()  # after the loop's end there is nobody to do it
            raise

    async def _message(self) -> dict[str, Any]:
        stdout = self._process.stdout
        assert stdout is not None
        length = None
        for _ in range(_MAX_HEADER_LINES):
            line = await stdout.readuntil(b"\r\n")
            if line == b"\r\n":
                break
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length":
                length = int(value)
        if length is None or not 0 <= length <= _MAX_BODY:
            raise ValueError(f"a message of length {length}")
        message = json.loads(await stdout.readexactly(length))
        if not isinstance(message, dict):
            raise TypeError("a message that is not an object")
        return message

    async def _take(self, message: dict[str, Any]) -> None:
        if "method" in message:
            if message["method"] == "client/registerCapability":
                self.registrations += message["params"]["registrations"]
            if "id" in message:
                await self._send({"id": message["id"], **_reply(message)})
            return
        answer = self._waiting.get(message["id"])
        if answer is None or answer.done():
            return
        if "error" in message:
            error = message["error"]
            kind = _ChangedError if error.get("code") in _ASK_AGAIN else ServerError
            said = error.get("message", "no reason given")
            answer.set_exception(kind(f"the language server refused: {said}"))
        else:
            answer.set_result(message.get("result"))

    def _fail(self, reason: str) -> None:
        if self._failure is None:
            self._failure = ServerError(reason)
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ServerError(str(self._failure)))


def _reply(message: dict[str, Any]) -> dict[str, object]:
    """Return the answer to a request of the server's: no settings, and yes to what it tells us."""
    method = message["method"]
    if method == "workspace/configuration":
        return {"result": [{} for _ in message["params"]["items"]]}
    if method in {
        "client/registerCapability",
        "client/unregisterCapability",
        "window/workDoneProgress/create",
        "workspace/diagnostic/refresh",
    }:
        return {"result": None}
    return {"error": {"code": _METHOD_NOT_FOUND, "message": f"{method} is not supported"}}


class LspDiagnostic(BaseModel):
    """What is read of a diagnostic; lines and columns are 0-based."""

    message: str
    severity: int = Field(1, ge=1, le=_HINT)
    code: str | int | None = None
    line: int = Field(validation_alias=AliasPath("range", "start", "line"), ge=0)
    character: int = Field(validation_alias=AliasPath("range", "start", "character"), ge=0)


def type_errors(
    found: Iterable[LspDiagnostic], file: str, *, mark: int = 0
) -> list[TypeCheckError]:
    """Return the diagnostics of one file, sorted, without what `ty check` does not report.

    Args:
        found: Diagnostics of `ty server`.
        file: How the file is shown.
        mark: How many columns of its first line the server counts that the command line does not.
    """
    errors = [
        TypeCheckError(
            file=file,
            line=each.line + 1,
            column=each.character + 1 - (mark if each.line == 0 and each.character else 0),
            severity=_SEVERITIES[each.severity],
            code=str(each.code or ""),
            message=_ASIDES.split(each.message, maxsplit=1)[0],
        )
        for each in found
        if each.severity != _HINT
    ]
    return sorted(errors, key=lambda each: (each.line, each.column, each.code, each.message))
