"""Models behind an OpenAI-compatible URL: LM Studio, Ollama, llama.cpp, vLLM, mlx_lm.server.

A small client of its own, and not a provider library, because local servers differ in exactly the
places where those are strict: missing usage, no `[DONE]` or nothing but that at the end, reasoning in other
fields, text in parts, errors as plain text, one whole answer in place of a stream. Covered: streaming chat
completions, which model is there, its context length where the server says it. A tool call that a server made
of what the model wrote becomes text again. Not covered: asking for native tool calls (the contract's fenced
code needs none).
"""

from __future__ import annotations

import base64
import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from punie_agent.errors import ModelError, ModelUnavailableError
from punie_agent.models._protocol import Message, ModelReply, Usage

if TYPE_CHECKING:
    import httpx2

__all__ = ["OpenAIModel", "alternating"]

_CONNECT_SECONDS = 5.0
_SILENCE_SECONDS = 600.0  # a long prompt on a slow machine answers late
_OVERLOADED = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_FOUND = 404  # some servers list nothing
_END = "[DONE]"
_CONTEXT_KEYS = (
    "max_model_len",
    "context_length",
    "max_context_length",
    "loaded_context_length",
    "n_ctx",
)


class OpenAIModel:
    """Talks to one model of an OpenAI-compatible server.

    Args:
        url: the API's root, for example `http://localhost:1234/v1`.
        model: the model's name there; None takes the only one the server has.
        api_key: sent as a bearer token when given; `OPENAI_API_KEY` is never sent to such a URL.
        temperature: None leaves it to the server.
        how_to_start: one clause for the message when the server is down.
    """

    sees_images = True

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        api_key: str | None = None,
        temperature: float | None = None,
        how_to_start: str = "start the server, or choose another model",
    ) -> None:
        self.url = url.rstrip("/")
        self.name = model or self.url
        self.context_limit: int | None = None
        self._model = model
        self._api_key = api_key
        self._temperature = temperature
        self._how_to_start = how_to_start
        self._client: httpx2.AsyncClient | None = None
        self._probed = False

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        more: Mapping[str, Any] | None = None,
        on_event: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> ModelReply:
        """Answer, streaming.

        Args:
            messages: see `ChatModel.reply`, as the others.
            on_text: see there.
            on_thought: see there.
            max_tokens: see there.
            more: fields of the request that only this server knows.
            on_event: called with each event of the answer, for fields that only this server sends.

        Raises:
            ModelUnavailableError: nothing answers at the URL, or it has no such model.
            ModelError: the server answered with an error, or stopped in the middle.
        """
        await self._probe()
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [_wire(message) for message in alternating(messages)],
            "stream": True,
            "stream_options": {"include_usage": True},
            **(more or {}),
        }
        if max_tokens is not None:
            body["max_tokens"] = max_tokens
        if self._temperature is not None:
            body["temperature"] = self._temperature
        answer = _Answer(on_text, on_thought)
        async for event in self._events(body, answer.end):
            answer.take(event)
            if on_event is not None:
                on_event(event)
        if not answer.complete:
            message = f"the model at {self.url} stopped in the middle of its answer"
            raise ModelError(message, transient=True)
        return answer.reply()

    async def aclose(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> httpx2.AsyncClient:
        import httpx2

        if self._client is None:
            headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
            timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
            # What is said to this machine is no business of a proxy, whatever the environment says.
            away = not _on_this_machine(httpx2.URL(self.url).host)
            self._client = httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=away)
        return self._client

    async def _probe(self) -> None:
        """Once: find the model's name where none was given, and its context length."""
        if self._probed:
            return
        listed = await self._listed()
        if self._model is None:
            self._model = self._only(listed)
            self.name = self._model
        about = next((each for each in listed if each.get("id") == self._model), {})
        sizes = [about.get(key) for key in _CONTEXT_KEYS]
        self.context_limit = next(
            (size for size in sizes if isinstance(size, int) and size > 0), None
        )
        self._probed = True

    async def _listed(self) -> list[dict[str, Any]]:
        import httpx2

        try:
            self._check_port(httpx2.URL(self.url).port)
            response = await self._open().get(f"{self.url}/models")
        except (httpx2.RequestError, httpx2.InvalidURL) as error:
            raise self._unreachable(error) from error
        if self._model is None and not response.is_success and response.status_code != _NOT_FOUND:
            raise ModelUnavailableError(
                f"{self.url} answered {response.status_code} when it was asked for its models: "
                f"{_short(response.text)}; put that right, or name one: {self.url}#NAME"
            )
        try:
            data = response.json()["data"] if response.is_success else []
        except (ValueError, KeyError, TypeError):
            data = []
        return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []

    def _check_port(self, port: int | None) -> None:
        # The system's own refusal comes as an OverflowError, in a group of exceptions for some hosts.
        if port is not None and not 0 < port < 65536:
            raise ModelUnavailableError(
                f"no model server can be at {self.url}: ports go from 1 to 65535, not {port}; "
                "correct the model's address"
            )

    def _only(self, listed: list[dict[str, Any]]) -> str:
        names = [str(each["id"]) for each in listed if "id" in each]
        if len(names) == 1:
            return names[0]
        if not names:
            raise ModelUnavailableError(f"{self.url} lists no models; name one: {self.url}#NAME")
        listed_names = ", ".join(names)
        raise ModelUnavailableError(
            f"{self.url} has {len(names)} models; name one, as in {self.url}#{names[0]} "
            f"(it has: {listed_names})"
        )

    async def _events(
        self, body: dict[str, Any], ended: Callable[[], None]
    ) -> AsyncIterator[dict[str, Any]]:
        """The events of the answer; `ended` is called where the server says that it is whole."""
        import httpx2

        try:
            async with self._open().stream(
                "POST", f"{self.url}/chat/completions", json=body
            ) as response:
                if not response.is_success:
                    text = (await response.aread()).decode(errors="replace")
                    raise ModelError(
                        f"{self.url} answered {response.status_code}: {_short(text)}",
                        transient=response.status_code in _OVERLOADED,
                    )
                async for line in _payloads(_lines(response.aiter_bytes())):
                    if line == _END:
                        ended()
                    elif (event := _event(line)) is not None:
                        yield event
        except httpx2.ConnectError as error:
            raise self._unreachable(error) from error
        except httpx2.RequestError as error:
            reason = str(error) or type(error).__name__
            message = f"the connection to {self.url} broke: {reason}"
            raise ModelError(message, transient=True) from error

    def _unreachable(self, error: Exception) -> ModelUnavailableError:
        reason = str(error) or type(error).__name__
        return ModelUnavailableError(
            f"no model server answers at {self.url} ({reason}); {self._how_to_start}"
        )


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Answer:
    """Collects the pieces of one streamed answer."""

    def __init__(
        self, on_text: Callable[[str], None] | None, on_thought: Callable[[str], None] | None
    ) -> None:
        self._text = _Pieces(on_text)
        self._thought = _Pieces(on_thought)
        self._usage = Usage(requests=1)
        self._calls: dict[object, list[str]] = {}
        self._finish: str | None = None

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def end(self) -> None:
        """The server says that this is all: some say nothing else at the end."""
        self._finish = self._finish or "stop"

    def take(self, event: dict[str, Any]) -> None:
        """Add one event.

        Raises:
            ModelError: the server reports an error inside the stream, or the event has another form.
        """
        if event.get("error") is not None:
            raise ModelError(f"the model server reports: {_short(json.dumps(event['error']))}")
        usage = event.get("usage")
        if isinstance(usage, dict):
            self._usage = Usage(
                _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), 1
            )
        choices = event.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            return
        delta = choices[0].get("delta") or {}
        if not delta and not self._text.text:  # a stream may end with the whole message once more
            delta = choices[0].get("message") or {}
        if not isinstance(delta, dict):
            raise _broken(json.dumps(event))
        self._text.add(_text_of(delta.get("content")))
        self._take_calls(delta.get("tool_calls"))
        self._thought.add(delta.get("reasoning_content") or delta.get("reasoning"))
        self._finish = choices[0].get("finish_reason") or self._finish

    def _take_calls(self, pieces: object) -> None:
        """Add pieces of tool calls: name and arguments, each in as many pieces as the server likes."""
        for piece in pieces if isinstance(pieces, list) else ():
            function = piece.get("function") if isinstance(piece, dict) else None
            if isinstance(function, dict):
                call = self._calls.setdefault(piece.get("index", piece.get("id")), ["", ""])
                for number, key in enumerate(("name", "arguments")):
                    value = function.get(key)
                    call[number] += value if isinstance(value, str) else _json(value)

    def reply(self) -> ModelReply:
        """The whole answer; the first tool call in it is text that the contract's parser knows."""
        for name, arguments in list(self._calls.values())[:1]:
            call = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
            self._text.add(f"\n\n<tool_call>{call}</tool_call>")
        finish = "length" if self._finish == "length" else "stop"
        return ModelReply(self._text.text, self._usage, self._thought.text, finish)


class _Pieces:
    """Text as it arrives. JSON can spell half a character, which nothing can store or send on.

    A half at the end of a piece waits for its other half; one that stays alone is replaced.
    """

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._half = ""
        self.text = ""

    def add(self, piece: object) -> None:
        """Take the next piece, if it is one."""
        if not isinstance(piece, str) or not piece:
            return
        piece, self._half = self._half + piece, ""
        if "\ud800" <= piece[-1] <= "\udbff":
            piece, self._half = piece[:-1], piece[-1]
        whole = piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        self.text += whole
        if whole and self._tell is not None:
            self._tell(whole)


def alternating(messages: Sequence[Message]) -> list[Message]:
    """The conversation with neighbours of one role joined: many chat templates insist on it."""
    joined: list[Message] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            last = joined.pop()
            message = Message(  # noqa: PLW2901 - the joined message takes its place
                message.role, f"{last.content}\n\n{message.content}", last.images + message.images
            )
        joined.append(message)
    return joined


def _wire(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}]
    for image in message.images:
        data = base64.b64encode(image.data).decode()
        url = f"data:{image.media_type};base64,{data}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": message.role, "content": parts}


def _text_of(content: object) -> object:
    """What a message says, for those servers too that send it as a list of parts."""
    if not isinstance(content, list):
        return content
    parts = (part.get("text") for part in content if isinstance(part, dict))
    return "".join(part for part in parts if isinstance(part, str))


def _json(value: object) -> str:
    return "" if value is None else json.dumps(value)


async def _payloads(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """What the lines of an event stream carry, or the one JSON object that a server sent in place of one."""
    whole: list[str] = []
    streams = False
    async for line in lines:
        if line.startswith("data:"):
            streams = True
            yield line.removeprefix("data:").strip()
        elif not streams and (whole or line.lstrip().startswith("{")):
            whole.append(line)
    if whole and not streams:
        yield "\n".join(whole)
        yield _END


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The lines of an event stream. Only a newline ends one: texts hold other ends of lines as they are."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")


def _event(payload: str) -> dict[str, Any] | None:
    """One event of the stream; None for what carries nothing, or is no object."""
    if not payload:
        return None
    try:
        event = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise _broken(payload) from error
    return event if isinstance(event, dict) else None


def _broken(event: str) -> ModelError:
    return ModelError(f"the model server sent a broken event: {_short(event)}")


def _count(usage: dict[str, Any], key: str) -> int:
    value = usage.get(key)
    return value if isinstance(value, int) else 0


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else f"{text[:300]}…"
