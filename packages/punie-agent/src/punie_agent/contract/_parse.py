"""From a model's message to a `Reply`: the contract's own forms first, then the rescues.

Covered: fenced Python (also unclosed, with odd info strings, with fences inside strings), reasoning
in `<think>` tags, chat-template residue. `_rescue` covers calls written as JSON, XML or bare code.
Not covered: judging whether the code is right; the sandbox's check does that.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace

from punie_agent.contract import _python, _rescue
from punie_agent.contract._reply import Reply

__all__ = ["parse"]

_PYTHON_INFO = frozenset({"python", "py", "python3", "execute_code", "tool_code"})
_FENCE = re.compile(r"^[ \t]*(?P<ticks>`{3,}|~{3,})[ \t]*(?P<info>[^\n`]*)$", re.MULTILINE)
_THINK = re.compile(r"<think>(.*?)(?:</think>|\Z)", re.DOTALL)
_RESIDUE = re.compile(
    r"<\|(?:im_end|im_start|endoftext|eot_id|end_of_text|eom_id)\|>(?:assistant\n)?"
)


@dataclass(frozen=True, slots=True)
class _Block:
    """One fenced block: where it starts and ends in the message, and what it holds."""

    start: int
    end: int
    info: str
    body: str
    closed: bool


def parse(text: str, *, tools: Collection[str]) -> Reply:
    """Understand one model message.

    Args:
        text: the message as the model wrote it.
        tools: the names of the functions that code may call, to tell an action from an example.

    Returns:
        The reply; `code` is None when the message is a plain answer. Never raises.
    """
    text, thought = _without_reasoning(_RESIDUE.sub("", text))
    blocks = _blocks(text)
    actions = [block for block in blocks if _is_action(block, tools)]
    if actions:
        first = actions[0]
        form = "fenced" if first.info in _PYTHON_INFO else "bare fence"
        return Reply(
            text=text[: first.start].strip(),
            code=_dedented(first.body),
            thought=thought,
            form=form,
            cut=not first.closed,
            ignored=len(actions) - 1,
        )
    rescued = _rescue.rescue(text, blocks=[block.body for block in blocks], tools=tools)
    if rescued is not None:
        return replace(rescued, thought=thought)
    return Reply(text=text.strip(), thought=thought)


def _without_reasoning(text: str) -> tuple[str, str]:
    thoughts = [match.strip() for match in _THINK.findall(text)]
    rest = _THINK.sub("", text)
    if "</think>" in rest:  # some chat templates open the tag in the prompt
        head, _, rest = rest.partition("</think>")
        thoughts.insert(0, head.strip())
    return rest, "\n\n".join(thought for thought in thoughts if thought)


def _is_action(block: _Block, tools: Collection[str]) -> bool:
    if not block.body.strip():
        return False
    if block.info in _PYTHON_INFO:
        return _python.acts(_dedented(block.body), tools)
    if block.info:
        return False
    # A fence without a language is code only when it is whole Python that calls a tool.
    body = _dedented(block.body)
    return _python.parses(body) and _python.calls_any(body, tools)


def _dedented(body: str) -> str:
    lines = body.strip("\n").splitlines()
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    margin = min(indents, default=0)
    return "\n".join(line[margin:] for line in lines).strip()


def _blocks(text: str) -> list[_Block]:
    """All fenced blocks, a fence inside a Python string not ending its block."""
    found: list[_Block] = []
    position = 0
    while (opening := _FENCE.search(text, position)) is not None:
        block = _block_at(text, opening)
        found.append(block)
        position = block.end
    return found


def _block_at(text: str, opening: re.Match[str]) -> _Block:
    ticks = opening["ticks"]
    words = opening["info"].strip().lower().split()
    info = words[0] if words else ""
    start = opening.end() + 1
    closings = [
        match
        for match in _FENCE.finditer(text, min(start, len(text)))
        if match["ticks"].startswith(ticks) and not match["info"].strip()
    ]
    if not closings:
        return _Block(opening.start(), len(text), info, text[start:], closed=False)
    chosen = closings[0]
    if info in _PYTHON_INFO and not _python.parses(_dedented(text[start : chosen.start()])):
        # The first closing fence may stand inside a string that the code writes to a file.
        for later in closings[1:8]:
            if _python.parses(_dedented(text[start : later.start()])):
                chosen = later
                break
    return _Block(opening.start(), chosen.end(), info, text[start : chosen.start()], closed=True)


def split_call(text: str) -> tuple[str, str | None]:
    """Prose and code of a message that `Contract.format_call` wrote: one block, at the very end."""
    blocks = _blocks(text)
    if not blocks:
        return text.strip(), None
    last = blocks[-1]
    if last.info not in _PYTHON_INFO or not last.closed or text[last.end :].strip():
        return text.strip(), None
    return text[: last.start].strip(), _dedented(last.body)
