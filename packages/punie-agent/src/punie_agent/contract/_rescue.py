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
_JSON = json.JSONDecoder(strict=False)
_STRING = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' """, re.DOTALL | re.VERBOSE)


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
    closed = "</function>" in first.group()
    code = _code_of(first["name"], arguments, tools)
    if code is None:
        begun = not closed and first["name"] in {EXECUTE_CODE, *tools}
        return Reply(text.strip(), form="xml", cut=True) if begun else None
    return Reply(
        _before(text, first.start()), code, form="xml", cut=not closed, ignored=len(calls) - 1
    )


def _before(text: str, position: int) -> str:
    return text[:position].replace("<tool_call>", "").strip()


def _from_json(text: str, blocks: Sequence[str], tools: Collection[str]) -> Reply | None:
    begun = False
    for start, candidate in _json_candidates(text, blocks):
        objects, closed = _objects(candidate)
        for call in objects:
            code, whole = _code_of_object(call, tools)
            if code is not None:
                before = text[:start].strip().removesuffix("```").strip()
                return Reply(text=before, code=code, form="json", cut=not (closed and whole))
            begun |= not (closed and whole) and _names_a_function(call, tools)
    return Reply(text=text.strip(), form="json", cut=True) if begun else None


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


def _objects(candidate: str) -> tuple[list[dict[str, object]], bool]:
    """The JSON objects at the start of a text, repaired where broken; and whether the last one ends."""
    candidate = candidate.strip()
    if not candidate or len(candidate) > _LONGEST_JSON:
        return [], True
    try:
        # What follows a whole call is another call, which is not run, or noise.
        value, _ = _JSON.raw_decode(candidate)
        closed = True
    except (ValueError, RecursionError):
        value = _repaired(candidate)
        closed = _closes(candidate)
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, dict)], closed


def _closes(broken: str) -> bool:
    """True when every string and bracket of broken JSON is closed again: it was not cut off."""
    rest = _STRING.sub("", broken)
    opened, closed = (sum(map(rest.count, brackets)) for brackets in ("{[", "}]"))
    return opened <= closed and not {'"', "'"} & set(rest)


def _repaired(candidate: str) -> object:
    from json_repair import repair_json

    try:
        return repair_json(candidate, return_objects=True)
    except (ValueError, RecursionError, IndexError):
        return None


def _code_of_object(call: dict[str, object], tools: Collection[str]) -> tuple[str | None, bool]:
    """The code that a call means; and whether its arguments, where they are JSON in a string, end."""
    call = _unnested(call)
    name, closed = _name_of(call), True
    if name is None:
        return None, closed
    arguments = next((call[key] for key in _ARGUMENT_KEYS if key in call), {})
    if isinstance(arguments, str):
        if name == EXECUTE_CODE and not arguments.lstrip().startswith("{"):
            arguments = {"code": arguments}
        else:
            objects, closed = _objects(arguments)
            arguments = next(iter(objects), {})
    if not isinstance(arguments, dict):
        return None, closed
    return _code_of(name, {str(key): value for key, value in arguments.items()}, tools), closed


def _unnested(call: dict[str, object]) -> dict[str, object]:
    nested = call.get("function")  # OpenAI's nesting
    return {str(key): value for key, value in nested.items()} if isinstance(nested, dict) else call


def _name_of(call: dict[str, object]) -> str | None:
    names = (call.get(key) for key in _NAME_KEYS)
    return next((name for name in names if isinstance(name, str)), None)


def _names_a_function(call: dict[str, object], tools: Collection[str]) -> bool:
    return _name_of(_unnested(call)) in {EXECUTE_CODE, *tools}


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
