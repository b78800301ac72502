"""Hints: what to write instead, for findings of the type checker and for errors of a run."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping

from punie_sandbox._functions import ExternalFunctions
from punie_sandbox.records import Diagnostic

__all__ = ["hint_for_error", "with_hint"]

MODULES = (
    "asyncio, base64, bisect, collections, contextlib, copy, csv, dataclasses, datetime, decimal, difflib, "
    "fnmatch, functools, hashlib, heapq, itertools, json, math, operator, os.path, pathlib, random, re, "
    "statistics, string, textwrap, time, tomllib, typing"
)

_MODULE_HINTS: Mapping[str, str] = {
    "subprocess": "programs run only through the tools",
    "shutil": "files are reached only through the tools",
    "glob": "files are reached only through the tools; `fnmatch` compares names",
    "tempfile": "files are reached only through the tools",
    "enum": "use string constants or a dict",
    "logging": "use `print`",
    "pprint": "use `print`, or `json.dumps(data, indent=2)`",
    "warnings": "use `print`",
    "uuid": "use a text of your own; `random` makes numbers",
    "shlex": "use `str.split` and f-strings",
    "html": "use `.replace(...)` for each character",
    "io": "collect the parts in a list, and `''.join` them",
    "keyword": "write the words into a set",
    "types": "use plain classes",
    "traceback": "print the exception: `print(type(e).__name__, e)`",
    "ast": "work on the text with `re` and string methods",
    "argparse": "assign the values directly",
    "unittest": "use `assert`",
    "pytest": "tests run only through the tools",
    "abc": "write a plain class",
    "inspect": "work on the text with `re` and string methods",
    "threading": "calls run one after another",
    "concurrent": "calls run one after another; use a loop",
    "requests": "there is no network",
    "urllib": "there is no network",
    "httpx": "there is no network",
}

_NAME_HINTS: Mapping[str, str] = {
    "open": "files are reached only through the tools",
    "input": "nobody can answer; assign the value",
    "exit": "let the code end",
    "quit": "let the code end",
    "callable": "test with `hasattr(x, '__call__')`, or leave the test out",
    "issubclass": "compare with `is`",
    "vars": "read the attributes by name",
    "dir": "read the attributes by name",
    "globals": "use the variables by name",
    "locals": "use the variables by name",
    "super": "classes cannot inherit here",
    "bytearray": "use `bytes`",
    "memoryview": "use `bytes`",
    "compile": "call functions instead",
    "breakpoint": "use `print`",
    "__import__": "write `import ...`",
    "asyncio": "add `import asyncio`",
    "os": "add `import os`",
    "sys": "add `import sys`",
    "time": "add `import time`",
    "random": "add `import random`",
    "collections": "add `import collections`",
    "itertools": "add `import itertools`",
    "functools": "add `import functools`",
    "OrderedDict": "use a plain dict: it keeps its order",
    "defaultdict": "add `from collections import defaultdict`",
    "Counter": "add `from collections import Counter`",
}


def with_hint(diagnostic: Diagnostic, functions: ExternalFunctions) -> Diagnostic:
    """The same finding with a hint, where one is known."""
    if diagnostic.hint is not None:
        return diagnostic
    for pattern, make in _PATTERNS:
        found = pattern.search(diagnostic.message)
        if found:
            hint = make(functions, *found.groups())
            if hint:
                return Diagnostic(
                    diagnostic.line, diagnostic.column, diagnostic.code, diagnostic.message, hint
                )
    return diagnostic


def _module(_: ExternalFunctions, name: str) -> str:
    root = name.partition(".")[0]
    return _MODULE_HINTS.get(root, f"these can be imported: {MODULES}")


def _name(functions: ExternalFunctions, name: str) -> str | None:
    if name in _NAME_HINTS:
        return _NAME_HINTS[name]
    close = difflib.get_close_matches(name, functions.names, 1, 0.7)
    return f"the tool is called `{close[0]}`" if close else None


def _attribute(functions: ExternalFunctions, owner: str, name: str) -> str | None:
    record = functions.records.get(owner)
    if record is None:
        return None
    names = [field.name for field in record.fields]
    close = difflib.get_close_matches(name, names, 1, 0.6)
    listed = f"{owner} has " + ", ".join(f".{field}" for field in names)
    return f"did you mean `.{close[0]}`? {listed}" if close else listed


def _container(functions: ExternalFunctions, owner: str) -> str | None:
    record = functions.records.get(owner)
    if record is None:
        return None
    lists = [field.name for field in record.fields if field.type.stub.startswith("list[")]
    if lists:
        return f"{owner} is an object; its list is `.{lists[0]}`"
    return f"{owner} is an object; read its attributes: " + ", ".join(
        f".{field.name}" for field in record.fields
    )


def _subscript(functions: ExternalFunctions, owner: str) -> str | None:
    record = functions.records.get(owner)
    if record is None:
        return None
    return "read attributes, not keys: " + ", ".join(f".{field.name}" for field in record.fields)


def _optional(_: ExternalFunctions, name: str) -> str:
    return f"it can be None: test it first, as in `if x is not None:` before `x.{name}`"


def _signature(functions: ExternalFunctions, name: str) -> str | None:
    function = functions.get(name)
    return function.signature if function else None


_PATTERNS: list[tuple[re.Pattern[str], Callable[..., str | None]]] = [
    (re.compile(r"Cannot resolve imported module `([\w.]+)`"), _module),
    (re.compile(r"Name `(\w+)` used when not defined"), _name),
    (re.compile(r"Attribute `(\w+)` is not defined on `None`"), _optional),
    (re.compile(r"Object of type `(\w+)` has no attribute `(\w+)`"), _attribute),
    (re.compile(r"Object of type `(\w+)` is not iterable"), _container),
    (re.compile(r"Expected `Sized`, found `(\w+)`"), _container),
    (re.compile(r"[Cc]annot subscript object of type `(\w+)`"), _subscript),
    (re.compile(r"Module `collections` has no member `(OrderedDict)`"), _name),
    (re.compile(r"Module `sys` has no member `(exit)`"), _name),
    (
        re.compile(r"Module `os` has no member"),
        lambda _: "files and programs are reached only through the tools",
    ),
    (re.compile(r"is not awaitable"), lambda _: "leave `await` out: this is a plain function"),
    (re.compile(r"is not awaited"), lambda _: "write `await` before the call"),
    (re.compile(r"of function `(\w+)`"), _signature),
    (re.compile(r"[Aa]rgument to function `(\w+)`"), _signature),
    (re.compile(r"[Tt]oo many positional arguments to function `(\w+)`"), _signature),
    (
        re.compile(r"No overload of function `(gather)`"),
        lambda _, __: "these are plain functions: call them one after another, in a list",
    ),
    (
        re.compile(r"Object of type `Literal\[.*has no attribute `(?:value|name)`"),
        lambda _: "it is the text itself: leave the attribute out",
    ),
    (
        re.compile(r"Module `functools` has no member `(?:wraps|update_wrapper)`"),
        lambda _: "leave the decorator out",
    ),
    (
        re.compile(r"Module `difflib` has no member"),
        lambda _: "use `unified_diff`, `get_close_matches` or `SequenceMatcher`",
    ),
    (
        re.compile(r"Module `collections` has no member"),
        lambda _: "use a dict, a list or a plain class",
    ),
    (
        re.compile(r"Property `(\w+)` defined in `\w+` is read-only"),
        lambda _, __: "results cannot be changed; assign to a variable",
    ),
]

_ERRORS: list[tuple[re.Pattern[str], str]] = [
    (
        re.compile(r"cannot suspend in this synchronous context"),
        "call the tool in a loop or comprehension first, and pass the values on",
    ),
    (
        re.compile(r"exceptions can only be called with"),
        "give an exception one text: `raise ValueError(f'...')`",
    ),
    (
        re.compile(r"callable replacement is not yet supported"),
        "use a replacement string, or loop over `re.finditer(...)`",
    ),
    (re.compile(r"'list' object is not an iterator"), "write `next(iter(items), None)`"),
    (
        re.compile(r"^type object '(?:str|list|dict|set)' has no attribute"),
        "call the method on a value: `lambda x: x.lower()`",
    ),
    (
        re.compile(r"no __dict__ for setting new attributes"),
        "results cannot be changed; assign to a variable",
    ),
    (
        re.compile(r"^Permission denied|is not supported in this environment"),
        "files and the system are reached only through the tools",
    ),
    (re.compile(r"not JSON serializable"), "name the fields: `{'line': x.line, ...}`"),
    (
        re.compile(r"^JSONEncoder.*unexpected keyword"),
        "make dicts, lists and text of the values first: `str(x)`, `{'line': x.line, ...}`",
    ),
    (
        re.compile(r"'datetime.datetime' has no attribute '(?:utcnow|today)'"),
        "write `datetime.now()`, or `datetime.now(timezone.utc)`",
    ),
    (
        re.compile(r"^(?:dataclass|field)\(\) does not yet support"),
        "leave the option out; sort with `key=lambda x: x.field`",
    ),
    (re.compile(r"^'_io.TextIOWrapper' object"), "use `print(..., end='')`"),
    (
        re.compile(r"object has no attribute '__dict__'"),
        "name the fields: `{'line': x.line, ...}`",
    ),
    (
        re.compile(r"^'function' object has no attribute '__(?:name|doc)__'"),
        "write the name as text",
    ),
    (
        re.compile(r"^isinstance\(\) arg 2 must be"),
        "test for a plain class: `dict`, `list`, `str`, or a tuple of them",
    ),
    (
        re.compile(r"set\.(?:union|intersection|update)\(\) takes exactly one"),
        "take one at a time: `for part in parts: found |= part`",
    ),
    (
        re.compile(r"object has no attribute '(?:add_note|__class__|__cause__|__context__)'"),
        "print the exception: `print(type(e).__name__, e)`",
    ),
    (
        re.compile(
            r"^(?:type object '(?:int|float|bytes|datetime\.\w+)'|module '\w+') has no attribute"
        ),
        "it does not exist here: write it out with what does",
    ),
    (re.compile(r"^No module named|^cannot import name"), f"these can be imported: {MODULES}"),
]


_KINDS = {kind.__name__: kind for kind in (str, list, dict, set, tuple, int, float, bytes)}
_NO_ATTRIBUTE = re.compile(r"^'(\w+)' object has no attribute '(\w+)'")


def hint_for_error(message: str) -> str | None:
    """The hint for an error of a run, if one is known."""
    missing = _NO_ATTRIBUTE.match(message)
    if missing and not missing[2].startswith("__") and hasattr(_KINDS.get(missing[1]), missing[2]):
        name = missing[2]
        return (
            f"`.{name}` does not exist here, or only as a call: write `lambda x: value.{name}(x)`"
        )
    if missing and missing[1] == "PosixPath":
        return "paths only compute names here: `fnmatch` matches names, files are reached through the tools"
    return next((hint for pattern, hint in _ERRORS if pattern.search(message)), None)
