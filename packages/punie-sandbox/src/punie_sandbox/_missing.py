"""Names that the type checker knows and the interpreter lacks, each with what to write instead.

The checker reads the standard library's stubs, so that it says nothing about these; without a finding they
would be surprises of a run. A test holds the tables against the interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["MISSING", "MISSING_MODULES", "instead_of"]

_FIELDS = "name the fields: `{'line': x.line, ...}`"
_LEAVE_OUT = "leave it out"
_PLAIN = "annotate with the plain class, such as `dict`, `list` or `str`"
_PATHS = "use `Path`: it only computes names here"
_FLAGS = "write the flag into the pattern, as in `(?x)`"

MISSING: Mapping[str, Mapping[str, str]] = {
    "collections.abc": dict.fromkeys(
        [
            "AsyncGenerator", "AsyncIterable", "AsyncIterator", "Awaitable", "Buffer", "ByteString",
            "Collection", "Container", "Coroutine", "Hashable", "ItemsView", "KeysView",
            "MappingView", "MutableMapping", "MutableSequence", "MutableSet", "Reversible", "Sized",
            "ValuesView",
        ],
        _PLAIN,
    ),
    "dataclasses": {
        **dict.fromkeys(["asdict", "astuple", "fields"], _FIELDS),
        **dict.fromkeys(["Field", "InitVar", "KW_ONLY"], _LEAVE_OUT),
        "make_dataclass": "write the class",
        "replace": "make a new instance: `Name(x.a, b=...)`; results of tools cannot be changed",
    },
    "datetime": {
        "UTC": "write `from datetime import timezone`, and `timezone.utc`",
        "tzinfo": "use `timezone`",
        "MINYEAR": "write 1",
        "MAXYEAR": "write 9999",
    },
    "json": dict.fromkeys(["JSONDecoder", "JSONEncoder"], "use `json.loads` and `json.dumps`"),
    "pathlib": {
        **dict.fromkeys(
            ["PosixPath", "PurePath", "PurePosixPath", "PureWindowsPath", "WindowsPath"], _PATHS
        ),
        "UnsupportedOperation": "catch `OSError`",
    },
    "re": {
        **dict.fromkeys(["L", "LOCALE", "U", "UNICODE", "VERBOSE", "X", "RegexFlag"], _FLAGS),
        "purge": _LEAVE_OUT,
        "subn": "use `re.sub`, and `len(re.findall(...))` for the number",
    },
    "typing": {
        **dict.fromkeys(
            [
                "AbstractSet", "AnyStr", "AsyncContextManager", "AsyncGenerator", "AsyncIterable",
                "AsyncIterator", "Awaitable", "BinaryIO", "ByteString", "ChainMap", "Collection",
                "Container", "ContextManager", "Coroutine", "Counter", "DefaultDict", "Deque", "Hashable",
                "IO", "ItemsView", "KeysView", "LiteralString", "MappingView", "Match", "MutableMapping",
                "MutableSequence", "MutableSet", "OrderedDict", "Pattern", "Reversible", "Sized",
                "SupportsAbs", "SupportsBytes", "SupportsComplex", "SupportsFloat", "SupportsIndex",
                "SupportsInt", "SupportsRound", "Text", "TextIO", "ValuesView",
            ],
            _PLAIN,
        ),
        **dict.fromkeys(
            [
                "Concatenate", "ForwardRef", "NotRequired", "ParamSpec", "ParamSpecArgs", "ParamSpecKwargs",
                "Required", "TypeAlias", "TypeGuard", "TypeVarTuple", "Unpack", "assert_never",
                "assert_type", "clear_overloads", "dataclass_transform", "final", "get_args", "get_origin",
                "get_overloads", "get_protocol_members", "get_type_hints", "is_protocol", "is_typeddict",
                "no_type_check", "no_type_check_decorator", "overload", "override", "reveal_type",
                "runtime_checkable", "NoDefault", "ReadOnly", "TypeAliasType", "TypeIs",
            ],
            _LEAVE_OUT,
        ),
        "cast": "annotate the variable instead: `x: Name = ...`",
        "NamedTuple": "write `@dataclass` above a plain class",
        "NewType": "write `Name = ...`",
        "TypedDict": "use a plain dict, or `@dataclass` above a plain class",
    },
}  # fmt: skip


MISSING_MODULES: Mapping[str, str] = {
    "_typeshed": _PLAIN,
    "abc": "write a plain class",
    "builtins": "use the names without importing them",
    "collections.abc": "write `from collections.abc import ...`",
    "genericpath": "use `os.path`",
    "json.decoder": "use `json.JSONDecodeError`",
    "types": "use plain classes",
    "typing_extensions": "import from `typing`",
}
"""Modules that cannot be imported, by what to write instead; `collections.abc` only as a whole."""


def instead_of(module: str, name: str) -> str | None:
    """What to write instead of a name that the interpreter lacks; None for other names."""
    return MISSING.get(module, {}).get(name)
