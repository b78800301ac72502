"""Any model that pydantic-ai knows, by its name there: `openai:gpt-5`, `anthropic:…`, `ollama:…`.

Code is written through the provider's native tool calling (`execute_code`). The conversation itself
stays text in the contract's chat format: a call is written as a fenced block, and read back from it when
the history is sent again, so a conversation can change models at any point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from punie_agent.contract._parse import split_call
from punie_agent.errors import ModelError, ModelUnavailableError
from punie_agent.models._openai import alternating
from punie_agent.models._protocol import Message, ModelReply, Usage

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage
    from pydantic_ai.models import Model

__all__ = ["PydanticAIModel"]

_TOOL = "execute_code"
_FENCED = "\n\n```python\n{code}\n```"


class PydanticAIModel:
    """A pydantic-ai model, with native tool calls for code.

    Args:
        model: a name such as "openai:gpt-5", or a pydantic-ai model object.
        name: what to call it when a model object is given.
    """

    contract_data: ClassVar[Mapping[str, str]] = {"call_format": "native"}
    context_limit: int | None = None
    sees_images = True

    def __init__(self, model: str | Model, *, name: str | None = None) -> None:
        self.name = name or (model if isinstance(model, str) else model.model_name)
        self._given = model
        self._model: Model | None = None

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
    ) -> ModelReply:
        """Answer, streaming.

        Raises:
            ModelUnavailableError: the provider is not installed, has no key or cannot be reached.
            ModelError: the provider refused the request.
        """
        from pydantic_ai.direct import model_request_stream
        from pydantic_ai.exceptions import AgentRunError, UserError

        answer = _Answer(on_text, on_thought)
        settings: Any = {"max_tokens": max_tokens} if max_tokens is not None else None
        try:
            stream = model_request_stream(
                self._resolved(),
                to_pydantic_ai(alternating(messages)),
                model_settings=settings,
                model_request_parameters=_parameters(),
            )
            async with stream as response:
                async for event in response:
                    answer.take(event)
                return answer.reply(response.get())
        except UserError as error:
            raise ModelUnavailableError(
                f"the model {self.name!r} cannot be used: {error}"
            ) from error
        except AgentRunError as error:
            raise ModelError(f"the model {self.name!r} failed: {error}") from error

    def _resolved(self) -> Model:
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model

        if self._model is None:
            try:
                self._model = infer_model(self._given)
            except (UserError, ImportError, ValueError) as error:
                raise ModelUnavailableError(
                    f"the model {self.name!r} cannot be used: {error}"
                ) from error
        return self._model


def _parameters() -> Any:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    tool = ToolDefinition(
        name=_TOOL,
        description="Check and run Python with the functions of the system prompt; returns what it printed.",
        parameters_json_schema={
            "type": "object",
            "properties": {"code": {"type": "string", "description": "Python code"}},
            "required": ["code"],
            "additionalProperties": False,
        },
    )
    return ModelRequestParameters(function_tools=[tool], allow_text_output=True)


class _Answer:
    """Collects one streamed answer and writes a tool call in the contract's form."""

    def __init__(
        self, on_text: Callable[[str], None] | None, on_thought: Callable[[str], None] | None
    ) -> None:
        self._on_text = on_text
        self._on_thought = on_thought
        self._told = ""

    def take(self, event: Any) -> None:
        """Tell the prose and the reasoning of one stream event."""
        from pydantic_ai import messages as ai

        part = getattr(event, "part", None) if isinstance(event, ai.PartStartEvent) else None
        delta = event.delta if isinstance(event, ai.PartDeltaEvent) else None
        if isinstance(part, ai.TextPart):
            self._tell(part.content)
        elif isinstance(delta, ai.TextPartDelta):
            self._tell(delta.content_delta)
        elif isinstance(part, ai.ThinkingPart) and part.content and self._on_thought is not None:
            self._on_thought(part.content)
        elif (
            isinstance(delta, ai.ThinkingPartDelta)
            and delta.content_delta
            and self._on_thought is not None
        ):
            self._on_thought(delta.content_delta)

    def _tell(self, piece: str) -> None:
        self._told += piece
        if piece and self._on_text is not None:
            self._on_text(piece)

    def reply(self, response: Any) -> ModelReply:
        """The whole answer, from the response that the stream led to."""
        text = "".join(_texts(response))
        rest = text[len(self._told) :] if text.startswith(self._told) else ""
        self._tell(rest)
        usage = Usage(response.usage.input_tokens, response.usage.output_tokens, 1)
        thought = "".join(
            part.content for part in response.parts if part.part_kind == "thinking" and part.content
        )
        finish = "length" if getattr(response, "finish_reason", None) == "length" else "stop"
        return ModelReply(text, usage, thought, finish)


def _texts(response: Any) -> Iterator[str]:
    """The prose, then the first tool call as a code block."""
    calls = []
    for part in response.parts:
        if part.part_kind == "text":
            yield part.content
        elif part.part_kind == "tool-call":
            calls.append(part)
    for call in calls[:1]:
        yield _call_text(call)


def _call_text(call: Any) -> str:
    import json

    if call.tool_name == _TOOL:
        arguments = _arguments(call)
        code = arguments.get("code")
        if isinstance(code, str) and code.strip():
            return _FENCED.format(code=code.strip("\n"))
    # Another name, or broken arguments: the contract's parser rescues what can be rescued.
    return "\n\n" + json.dumps({"name": call.tool_name, "arguments": call.args})


def _arguments(call: Any) -> dict[str, Any]:
    try:
        return call.args_as_dict()
    except (ValueError, AssertionError):
        return {}


def to_pydantic_ai(messages: Sequence[Message]) -> list[ModelMessage]:
    """The conversation as pydantic-ai messages, code blocks turned back into native calls."""
    from pydantic_ai import messages as ai

    converted: list[ModelMessage] = []
    call_id: str | None = None
    for number, message in enumerate(messages):
        if message.role == "system":
            converted.append(ai.ModelRequest(parts=[ai.SystemPromptPart(message.content)]))
        elif message.role == "user":
            if call_id is not None:
                part: Any = ai.ToolReturnPart(
                    tool_name=_TOOL, content=message.content, tool_call_id=call_id
                )
            else:
                part = ai.UserPromptPart(_content(message))
            converted.append(ai.ModelRequest(parts=[part]))
            call_id = None
        else:
            prose, code = split_call(message.content)
            parts: list[Any] = [ai.TextPart(prose)] if prose or code is None else []
            if code is not None and number + 1 < len(messages):
                call_id = f"call_{number}"
                parts.append(
                    ai.ToolCallPart(tool_name=_TOOL, args={"code": code}, tool_call_id=call_id)
                )
            converted.append(ai.ModelResponse(parts=parts))
    return converted


def _content(message: Message) -> Any:
    from pydantic_ai.messages import BinaryContent

    if not message.images:
        return message.content
    images = [
        BinaryContent(data=image.data, media_type=image.media_type) for image in message.images
    ]
    return [message.content, *images]
