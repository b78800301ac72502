"""What a record must look like, and that it speaks of the contract it was made for.

Covered: the shape (JSON Schema), the order of roles, that every code block was run with exactly that code
and its result follows (a drill ends with its first program), that the programs call only tools of the
contract, and that the check which the sandbox makes before a run (ty on the stubs: parameters, fields,
types) found nothing. Not covered: what is said in prose.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import jsonschema

from punie_agent.contract import Contract
from punie_sandbox import RunResult

__all__ = ["RECORD_SCHEMA", "contract_problems", "shape_problems", "user_prompts"]

_TEXT = {"type": "string", "minLength": 1}

RECORD_SCHEMA: Mapping[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Training record",
    "type": "object",
    "additionalProperties": False,
    "required": [
        "id", "category", "intent", "workspace", "files", "tools", "prompt", "messages", "trace", "source",
        "licence",
    ],
    "properties": {
        "id": _TEXT,
        "category": _TEXT,
        "intent": _TEXT,
        "workspace": {"type": ["string", "null"]},
        "files": {"type": "object", "additionalProperties": {"type": "string"}},
        "tools": {"type": "array", "items": _TEXT, "minItems": 1, "uniqueItems": True},
        "prompt": {"type": "string", "pattern": r"\w"},
        "messages": {
            "type": "array",
            "minItems": 3,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["role", "content"],
                "properties": {
                    "role": {"enum": ["system", "user", "assistant"]},
                    "content": {"type": "string", "pattern": r"\S"},
                },
            },
        },
        "trace": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["version", "status", "code", "stdout", "calls", "diagnostics", "error"],
            },
        },
        "source": _TEXT,
        "licence": _TEXT,
        "drill": {"const": True},
    },
}  # fmt: skip
"""The JSON Schema of one line of a data file."""


_DRILL = 3
"""Messages of a drill: the system's, the user's, and the program."""


@cache
def _validator() -> jsonschema.protocols.Validator:
    return jsonschema.Draft202012Validator(dict(RECORD_SCHEMA))


def shape_problems(record: Mapping[str, Any]) -> list[str]:
    """Say what is wrong with a record's shape; nothing when it is right."""
    problems = [
        f"{'/'.join(map(str, error.absolute_path)) or 'record'}: {error.message[:200]}"
        for error in _validator().iter_errors(record)
    ]
    if problems:
        return problems
    roles = [message["role"] for message in record["messages"]]
    expected = ["system"] + ["user", "assistant"] * ((len(roles) - 1) // 2)
    if roles != expected:
        problems.append(
            f"messages: roles must be system, then user and assistant in turn, not {roles}"
        )
    elif record["messages"][1]["content"] != record["prompt"]:
        problems.append("prompt: is not the first message of the user")
    return problems


def contract_problems(record: Mapping[str, Any], contract: Contract) -> list[str]:
    """Say where a record departs from the contract; nothing when it does not."""
    problems = []
    if record["messages"][0]["content"] != contract.system_prompt:
        problems.append("the system prompt is not the contract's")
    if tuple(record["tools"]) != contract.tools:
        problems.append(f"made for the tools {record['tools']}, not for {list(contract.tools)}")
    messages = record["messages"]
    try:
        runs = [RunResult.from_json(item) for item in record["trace"]]
    except (KeyError, TypeError, ValueError) as error:
        return [*problems, f"its trace cannot be read: {error}"]
    if record.get("drill"):
        return problems + _drill_problems(messages, runs, contract)
    return problems + _run_problems(messages, runs, contract)


def _run_problems(
    messages: Sequence[Mapping[str, str]], runs: Sequence[RunResult], contract: Contract
) -> list[str]:
    """Say where a conversation is not that of its runs."""
    problems = []
    programs = _programs(messages, contract)
    if len(programs) != len(runs):
        problems.append(f"{len(programs)} programs but {len(runs)} runs")
    for number, ((code, told), run) in enumerate(zip(programs, runs, strict=False), start=1):
        if run.code.strip() != code.strip():
            problems.append(f"program {number} is not the one that was run")
        if told != contract.format_result(run):
            problems.append(f"program {number} is not followed by its own result")
        if run.diagnostics:
            problems.append(f"program {number} does not type check: {run.diagnostics[0]}")
    if (
        messages[-1]["role"] != "assistant"
        or contract.parse(messages[-1]["content"]).code is not None
    ):
        problems.append("the last message is not a plain answer")
    return problems + [
        each for code, _ in programs for each in _unknown_calls(code, contract.tools)
    ]


def _drill_problems(
    messages: Sequence[Mapping[str, str]], runs: Sequence[RunResult], contract: Contract
) -> list[str]:
    """Say where a drill is not one: a request and the first of the programs that were run for it."""
    code = contract.parse(messages[-1]["content"]).code
    if len(messages) != _DRILL or code is None or not runs:
        return ["a drill is a request and one program that was run"]
    problems = []
    if runs[0].code.strip() != code.strip():
        problems.append("program 1 is not the one that was run")
    for number, run in enumerate(runs, start=1):
        if run.diagnostics:
            problems.append(f"program {number} does not type check: {run.diagnostics[0]}")
        problems += _unknown_calls(run.code, contract.tools)
    return problems


def _programs(messages: Sequence[Mapping[str, str]], contract: Contract) -> list[tuple[str, str]]:
    """Return the programs of a conversation, each with the message that follows it."""
    found = []
    for place, message in enumerate(messages):
        code = contract.parse(message["content"]).code if message["role"] == "assistant" else None
        if code is not None:
            following = messages[place + 1]["content"] if place + 1 < len(messages) else ""
            found.append((code, following))
    return found


_PROGRAM = re.compile(r"```(?:python|py)\b")
"""A fence whose output comes back; one of any other language is part of an answer."""


def user_prompts(record: Mapping[str, Any]) -> list[str]:
    """Return what the user asked, without the messages that tell what a program printed."""
    return [
        message["content"]
        for before, message in pairwise(record["messages"])
        if message["role"] == "user"
        and (before["role"] == "system" or not _PROGRAM.search(before["content"]))
    ]


def _unknown_calls(code: str, tools: Iterable[str]) -> list[str]:
    """Names called like tools that neither the contract, nor Python, nor the program itself defines."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError) as error:  # the check before the run said so, too
        return [f"a program is not Python: {error}"]
    known = {*tools, *dir(builtins)}
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                known.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                known.add(name)
            case ast.ClassDef(name=name) | ast.MatchAs(name=str(name)):
                known.add(name)
            case ast.alias(name=name, asname=other):
                known.add(other or name.partition(".")[0])
            case _:
                continue
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return [f"calls {name}(), which is no tool of the contract" for name in sorted(called - known)]
