"""`test`: a model without weights, to try Punie and an editor's set-up before any model is there.

It says what it is. It understands "Check types in PATH", "Read PATH" and "Write TEXT to PATH" and acts
on them with the real tools; anything else gets a sentence that lists these three. The same
conversation always gets the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from punie_agent.models._protocol import Message, ModelReply, Usage

__all__ = ["OfflineModel"]

_WHO = "I am Punie's offline test model: no language model, three fixed skills."
_HELP = (
    f'{_WHO} Try "Check types in PATH", "Read PATH" or "Write TEXT to PATH". '
    "A real model is chosen with --model, in an editor with /model; `punie models` lists those that are here."
)
_PROBLEMS = ("Stopped", "Not run,", "Error: ")
_CHECK = re.compile(r"check types (?:in|of) (?P<path>.+)", re.IGNORECASE)
_READ = re.compile(r"read (?P<path>.+)", re.IGNORECASE)
_WRITE = re.compile(r"write (?P<text>.+) to (?P<path>\S+)", re.IGNORECASE | re.DOTALL)
_CHECK_CODE = """\
result = typecheck({path!r})
print(f"{{result.status}}: {{result.error_count}} errors, {{result.warning_count}} warnings")
for each in result.errors:
    print(f"{{each.file}}:{{each.line}}:{{each.column}}: {{each.severity}}[{{each.code}}] {{each.message}}")
if result.parse_error:
    print(result.parse_error)"""


class OfflineModel:
    """A deterministic stand-in for a language model, with real tool calls."""

    name = "test"
    context_limit: int | None = None

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,  # noqa: ARG002 - the protocol's signature
        max_tokens: int | None = None,  # noqa: ARG002 - its answers are short
    ) -> ModelReply:
        """Answer the last user message; the text arrives word by word, as from a real model."""
        text = _answer([message for message in messages if message.role == "user"])
        if on_text is not None:
            for piece in re.findall(r"\s*\S+|\s+$", text):
                on_text(piece)
        spent = sum(len(message.content.split()) for message in messages)
        return ModelReply(text, Usage(spent, len(text.split()), 1))


def _answer(said: Sequence[Message]) -> str:
    last = said[-1].content.strip() if said else ""
    problems = [line for line in last.splitlines() if line.startswith(_PROBLEMS)]
    if problems and last.startswith(("```output", *_PROBLEMS)):
        return f"That did not work. {problems[-1]}"
    if last.startswith("```output"):
        return "Done. What the tools printed is shown above."
    code = _code_for(last)
    if code is None:
        return _HELP
    return f"{_WHO} This is a real tool call:\n\n```python\n{code}\n```"


def _code_for(request: str) -> str | None:
    if match := _WRITE.fullmatch(request):
        return f"print(write_file({_path(match['path'])!r}, {_plain(match['text'])!r}))"
    if match := _CHECK.fullmatch(request):
        return _CHECK_CODE.format(path=_path(match["path"]))
    if match := _READ.fullmatch(request):
        return f"print(read_file({_path(match['path'])!r}))"
    return None


def _plain(text: str) -> str:
    text = text.strip()
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`"
    return text[1:-1] if quoted else text


def _path(text: str) -> str:
    return _plain(text.strip().rstrip("?!").removesuffix(".")) or "."
