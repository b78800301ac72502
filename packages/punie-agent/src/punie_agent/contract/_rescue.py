"""Calls that models write in other forms than they were asked for, read as what they mean.

Covered: Qwen XML (`<function=NAME><parameter=KEY>`), JSON objects with a name and arguments in
`<tool_call>` tags, in a fence, after `[TOOL_CALLS]` or bare (repaired with json-repair when broken),
and a message that is nothing but Python calling a tool. A call of `execute_code` gives its code; a
call of a typed tool becomes one line of Python that makes that call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence

from punie_agent.contract import _python
from punie_agent.contract._reply import Reply

__all__ = ["EXECUTE_CODE", "rescue"]

EXECUTE_CODE = "execute_code"
_XML_CALL = re.compile(r"<function=(?P<name>[\w.-]+)>(?P<body>.*?)(?:</function>|\Z)", re.DOTALL)
_XML_PARAMETER = re.compile(
    r"<parameter=(?P<key>\w+)>\n?(?P<value>.*?)(?:\n?</parameter>|(?=<parameter=)|\Z)", re.DOTALL
)
_XML_CODE = re.compile(
    r"<function=execute_code>\s*<parameter=code>\n(?P<code>.*?)\n</parameter>\s*</function>",
    re.DOTALL,
)
_TAGGED = re.compile(r"<tool_call>\s*(?P<body>.*?)(?:</tool_call>|\Z)", re.DOTALL)
_NAME_KEYS = ("name", "tool", "function", "tool_name")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input")
_LONGEST_JSON = 200_000


def rescue(text: str, *, blocks: Sequence[str], tools: Collection[str]) -> Reply | None:
    """Find a call written in another form; None when the message is a plain answer.

    Args:
        text: the message without reasoning.
        blocks: the bodies of its fenced blocks.
        tools: the functions that code may call.
    """
    return _from_xml(text, tools) or _from_json(text, blocks, tools) or _from_bare_code(text, tools)


def _from_xml(text: str, tools: Collection[str]) -> Reply | None:
    exact = _XML_CODE.search(text)
    if (
        exact is not None and exact["code"].strip()
    ):  # the contract's own form; code may hold any tag
        rest = len(_XML_CALL.findall(text, exact.end()))
        return Reply(_before(text, exact.start()), exact["code"], form="xml", ignored=rest)
    calls = list(_XML_CALL.finditer(text))
    if not calls:
        return None
    first = calls[0]
    arguments: dict[str, object] = {
        match["key"]: match["value"] for match in _XML_PARAMETER.finditer(first["body"])
    }
    code = _code_of(first["name"], arguments, tools)
    if code is None:
        return None
    closed = "</function>" in first.group()
    return Reply(
        _before(text, first.start()), code, form="xml", cut=not closed, ignored=len(calls) - 1
    )


def _before(text: str, position: int) -> str:
    return text[:position].replace("<tool_call>", "").strip()


def _from_json(text: str, blocks: Sequence[str], tools: Collection[str]) -> Reply | None:
    for start, candidate in _json_candidates(text, blocks):
        for call in _objects(candidate):
            code = _code_of_object(call, tools)
            if code is not None:
                return Reply(
                    text=text[:start].strip().removesuffix("```").strip(), code=code, form="json"
                )
    return None


def _json_candidates(text: str, blocks: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Pieces that may hold a call, with the place where the prose before them ends."""
    for match in _TAGGED.finditer(text):
        yield match.start(), match["body"]
    marker = text.find("[TOOL_CALLS]")
    if marker != -1:
        yield marker, text[marker + len("[TOOL_CALLS]") :]
    for body in blocks:
        if body.lstrip().startswith(("{", "[")):
            fence = text.rfind("\n", 0, max(text.find(body) - 1, 0))
            yield max(fence, 0), body
    stripped = text.lstrip()
    if stripped.startswith(("{", "[{")):
        yield len(text) - len(stripped), stripped


def _objects(candidate: str) -> list[dict[str, object]]:
    candidate = candidate.strip()
    if not candidate or len(candidate) > _LONGEST_JSON:
        return []
    try:
        value = json.loads(candidate, strict=False)
    except (ValueError, RecursionError):
        value = _repaired(candidate)
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, dict)]


def _repaired(candidate: str) -> object:
    from json_repair import repair_json

    try:
        return repair_json(candidate, return_objects=True)
    except (ValueError, RecursionError, IndexError):
        return None


def _code_of_object(call: dict[str, object], tools: Collection[str]) -> str | None:
    if isinstance(call.get("function"), dict):  # OpenAI's nesting
        call = {str(key): value for key, value in dict(call["function"]).items()}  # ty: ignore
    name = next((call[key] for key in _NAME_KEYS if isinstance(call.get(key), str)), None)
    if not isinstance(name, str):
        return None
    arguments = next((call[key] for key in _ARGUMENT_KEYS if key in call), {})
    if isinstance(arguments, str):
        if name == EXECUTE_CODE and not arguments.lstrip().startswith("{"):
            arguments = {"code": arguments}
        else:
            arguments = next(iter(_objects(arguments)), {})
    if not isinstance(arguments, dict):
        return None
    return _code_of(name, {str(key): value for key, value in arguments.items()}, tools)


def _code_of(name: str, arguments: dict[str, object], tools: Collection[str]) -> str | None:
    if name == EXECUTE_CODE:
        code = arguments.get("code", arguments.get("python", ""))
        return _unfenced(code) if isinstance(code, str) and code.strip() else None
    if name not in tools or not all(key.isidentifier() for key in arguments):
        return None
    return _python.call_text(name, arguments)


def _unfenced(code: str) -> str:
    lines = code.strip().splitlines()
    if lines[0].lstrip().startswith("```"):
        lines = lines[1:]
        if lines and lines[-1].strip() == "```":
            lines = lines[:-1]
    return "\n".join(lines).strip() or "pass"


def _from_bare_code(text: str, tools: Collection[str]) -> Reply | None:
    code = text.strip().strip("`").strip()
    if code and _python.parses(code) and _python.calls_any(code, tools):
        return Reply(text="", code=code, form="bare code")
    return None
