"""Parse `ty check --output-format gitlab`.

Covered: every ty that has the gitlab format (0.0.1a21 and later). Success needs exit code 0 and a
whole, empty JSON list (or, from a ty older than 0.0.14, no output at all).

Not covered here: notebooks, whose places gitlab loses (see `punie_tools.parsers.sarif`), and older
ty (see `punie_tools.parsers.concise`).
"""

from __future__ import annotations

import re
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import AliasPath, FailFast, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic's own; typing's lacks what it needs on 3.11

from punie_tools.parsers._evidence import NO_EVIDENCE, Evidence, Verdict, died, failed, not_a_report
from punie_tools.paths import display
from punie_tools.results.typecheck import Severity, TypeCheckError, TypeCheckResult

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["parse_ty"]

_NO_FILES = b"No python files found"
_NOTHING = Verdict(
    "nothing_checked", "ty found no Python file under that path; nothing was checked."
)
_CRASH_CODES = frozenset({101})
_MAX_LINE = 2**31 - 1
_SEVERITIES: dict[str, Severity] = {
    "blocker": "error",
    "critical": "error",
    "major": "error",
    "minor": "warning",
    "info": "info",
}

_Position = Annotated[int, Field(strict=True, ge=1, le=_MAX_LINE)]


def _at(*path: str) -> AliasPath:
    return AliasPath("location", "positions", *path)


class _Record(TypedDict):
    """One gitlab record, flattened while it is validated: one dict instead of five.

    The keys are the fields of `TypeCheckError`, so that the dict can become its contents.
    """

    file: Annotated[str, Field(validation_alias=AliasPath("location", "path"))]
    line: Annotated[_Position, Field(validation_alias=_at("begin", "line"))]
    column: Annotated[_Position, Field(validation_alias=_at("begin", "column"))]
    severity: Literal["blocker", "critical", "major", "minor", "info"]
    code: Annotated[str, Field(min_length=1, validation_alias="check_name")]
    message: Annotated[str, Field(validation_alias="description")]


_RECORDS = TypeAdapter(Annotated[list[_Record], FailFast()])


class _Checked(NamedTuple):
    verdict: Verdict
    records: list[_Record]


def parse_ty(
    stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence = NO_EVIDENCE
) -> TypeCheckResult:
    """Return what `ty check --output-format gitlab` said.

    Args:
        stdout: Its standard output, whole.
        stderr: Its standard error.
        exit_code: Its exit code.
        evidence: How it was run; `root` makes absolute paths relative.
    """
    verdict, records = _check(stdout, stderr, exit_code, evidence)
    return TypeCheckResult(
        status=verdict.status,
        parse_error=evidence.told(verdict),
        errors=_errors(records, evidence.root),
        run=evidence.run(stderr, exit_code),
    )


def _check(stdout: bytes, stderr: bytes, exit_code: int, evidence: Evidence) -> _Checked:
    """Return the verdict and the diagnostics that could be read, whatever the verdict."""
    if verdict := died("ty", exit_code, evidence, crash_codes=_CRASH_CODES):
        return _Checked(verdict, [])
    if exit_code not in {0, 1, 2}:
        return _Checked(failed("ty", stderr, exit_code), [])
    if not stdout.strip():
        return _Checked(_empty(stderr, exit_code, evidence.tool_version), [])
    try:
        records = _RECORDS.validate_json(stdout)
    except ValidationError as error:
        return _Checked(not_a_report("ty", error), [])
    return _judge(records, stderr, exit_code)


def _judge(records: list[_Record], stderr: bytes, exit_code: int) -> _Checked:
    """Return the verdict on a whole report."""
    unread = [each for each in records if each["code"] == "io" or not each["file"]]
    if unread:
        kept = [each for each in records if each["code"] != "io" and each["file"]]
        said = _message(unread[0]["code"], unread[0]["message"])
        return _Checked(Verdict("tool_error", f"ty could not read a path: {said}."), kept)
    if any(each["severity"] in {"critical", "blocker"} for each in records):
        verdict = Verdict("crashed", "ty hit an error of its own while checking.")
    elif exit_code == 2:
        verdict = failed("ty", stderr, exit_code)
    elif records:
        verdict = Verdict("findings")
    elif exit_code == 1:
        reason = "ty reported a problem (exit code 1), and its report names none."
        verdict = Verdict("unparsable", reason)
    elif _NO_FILES in stderr:
        verdict = _NOTHING
    else:
        verdict = Verdict("clean")
    return _Checked(verdict, records)


def _empty(stderr: bytes, exit_code: int, version: str | None) -> Verdict:
    """Return the verdict on no output at all, which only an old ty means as `clean`."""
    if exit_code == 2:
        return failed("ty", stderr, exit_code)
    if exit_code == 0 and _NO_FILES in stderr:
        return _NOTHING
    if exit_code == 0 and version is not None and _older_than_0_0_14(version):
        return Verdict("clean")
    return Verdict("unparsable", f"ty wrote no report (exit code {exit_code}).")


def _older_than_0_0_14(version: str) -> bool:
    found = re.match(r"0\.0\.(\d+)", version)
    return found is not None and int(found[1]) < 14


def _message(code: str, description: str) -> str:
    """Return a description without the `<code>: ` that gitlab's format puts before it."""
    return description.removeprefix(f"{code}: ")


_place = itemgetter("file", "line", "column")
_whole = itemgetter("file", "line", "column", "code", "message")
_new_error = partial(TypeCheckError.__new__, TypeCheckError)
_set = object.__setattr__
_FIELDS_SET = set(TypeCheckError.model_fields)


def _errors(records: list[_Record], root: Path | None) -> list[TypeCheckError]:
    """Return the diagnostics in a fixed order."""
    shown: dict[str, str] = {}
    last: tuple[object, ...] = ("", 0, 0)
    in_order = True
    for record in records:
        path = record["file"]
        record["file"] = shown.get(path) or shown.setdefault(path, display(path, root))
        record["message"] = _message(record["code"], record["message"])
        place = _place(record)
        in_order = in_order and last < place
        last = place
    if not in_order:  # ty sorts by itself, but for what stands at the same place
        records = sorted(records, key=_whole)
    return [_error(record) for record in records]


def _error(record: _Record) -> TypeCheckError:
    """Return the diagnostic of a validated record: what `model_construct` does, in a third of it.

    Every field was validated with the record, and is not validated again.
    """
    fields: dict[str, object] = {**record, "severity": _SEVERITIES[record["severity"]]}
    error = _new_error()
    _set(error, "__dict__", fields)
    _set(error, "__pydantic_fields_set__", _FIELDS_SET)
    _set(error, "__pydantic_extra__", None)
    _set(error, "__pydantic_private__", None)
    return error
