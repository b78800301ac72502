"""No parser ever raises, and nothing but a whole, clean report ever reads as success.

`nox -s fuzz` runs these for long; the everyday run is short.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from jsonschema.protocols import Validator

from punie_tools import PARSERS, Evidence, ToolResult

pytestmark = pytest.mark.fuzz

#: The exit codes with which each tool says that it did its work.
ANSWERS = {tool: {0, 1} for tool in PARSERS} | {
    "git-status": {0},
    "git-log": {0},
    "coverage": {0, 2},
}
#: Tools that write nothing when all is well, so that nothing but the exit code tells.
SILENT = {"git-diff", "mypy"}

_bytes = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [b"", b"[]", b"{}", b"[{}]", b"null", b"\xef\xbb\xbf[]", b"[" * 9000, b"[NaN]"]
    ),
)
_exit_codes = st.one_of(st.integers(-64, 300), st.sampled_from([0, 1, 2, 101, 128, 130, -9]))
_evidence = st.builds(
    Evidence,
    argv=st.lists(st.text(), max_size=3).map(tuple),
    tool_version=st.none() | st.sampled_from(["0.0.1a21", "0.0.105", "x"]) | st.text(),
    duration=st.none() | st.floats(0, 1e6),
    timed_out=st.booleans(),
    cut=st.booleans(),
    root=st.none() | st.sampled_from([Path("/w"), Path("/")]),
)


@cache
def validator(model: type[ToolResult]) -> Validator:
    return jsonschema.Draft202012Validator(model.model_json_schema(mode="serialization"))


def check(result: ToolResult) -> None:
    """Hold what must hold of every result whatever it came from."""
    assert result.success == (result.status == "clean")
    if result.status not in {"clean", "findings"}:
        assert result.parse_error
        assert "\n" not in result.parse_error
    validator(type(result)).validate(result.model_dump(mode="json"))
    assert type(result).model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("tool", sorted(PARSERS))
@given(stdout=_bytes, stderr=_bytes, exit_code=_exit_codes, evidence=_evidence)
def test_any_output_gives_a_result(tool, stdout, stderr, exit_code, evidence) -> None:
    result = PARSERS[tool](stdout, stderr, exit_code, evidence)
    check(result)
    if exit_code not in ANSWERS[tool] or evidence.timed_out or evidence.cut:
        assert not result.success


@given(data=st.data(), exit_code=_exit_codes, evidence=_evidence)
def test_an_exit_code_that_is_no_answer_is_never_success(
    recording, data, exit_code, evidence
) -> None:
    assume(exit_code not in ANSWERS[recording.tool])
    stdout = data.draw(st.sampled_from([recording.stdout, b"[]", b""]))
    result = PARSERS[recording.tool](stdout, b"", exit_code, evidence)
    check(result)
    assert not result.success
    # Both can find something with exit code 2 too: a module that pytest cannot collect or mypy
    # cannot parse.
    assert result.status != "findings" or (recording.tool, exit_code) in {
        ("pytest", 2),
        ("mypy", 2),
    }


def test_no_truncated_report_of_findings_is_ever_success(recording) -> None:
    if recording.tool in {"git-status", "git-log"}:
        cuts = [n for n in range(len(recording.stdout)) if recording.stdout[n - 1 : n] != b"\0"]
    else:
        cuts = list(range(len(recording.stdout)))
    step = max(1, len(cuts) // 400)
    for cut in [*cuts[::step], *cuts[-50:]]:
        for exit_code in {recording.exit_code, 0}:
            if recording.tool in SILENT and cut == 0 and exit_code == 0:
                continue  # that is what it writes when all is well
            if recording.tool == "coverage" and exit_code == 0:
                continue  # the whole report is no finding without the exit code that says so
            result = PARSERS[recording.tool](recording.stdout[:cut], b"", exit_code)
            assert not result.success, (cut, exit_code)


@given(data=st.data())
def test_flipped_bytes_of_findings_are_never_success(recording, data) -> None:
    mutated = bytearray(recording.stdout)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(mutated) - 1))
        mutated[place] = data.draw(st.integers(0, 255))
    result = PARSERS[recording.tool](bytes(mutated), b"", recording.exit_code)
    check(result)
    if recording.exit_code:
        assert not result.success or recording.tool == "git-diff"


ODD_VALUES = [
    "NaN", "Infinity", "1e999", "123456789012345678901234567890", "-1", "0", "1.5", "null",
    "true", '"\\ud800"', '"\\u0000"', '""', "[]", "{}", "[" * 2000 + "]" * 2000, '"x"',
]  # fmt: skip


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Return the paths of all values in a JSON document."""
    found = [path]
    items = (
        value.items()
        if isinstance(value, dict)
        else (enumerate(value) if isinstance(value, list) else ())
    )
    for key, inner in items:
        found += places(inner, (*path, key))
    return found


def replaced(document: object, path: tuple, text: str) -> bytes:
    """Return the JSON of a document in which one value is other JSON text."""
    marker = "@@odd@@"
    if not path:
        return text.encode()
    target = document
    for key in path[:-1]:
        target = target[key]  # ty: ignore[not-subscriptable]
    kept, target[path[-1]] = target[path[-1]], marker  # ty: ignore[not-subscriptable, invalid-assignment]
    result = json.dumps(document).replace(f'"{marker}"', text)
    target[path[-1]] = kept  # ty: ignore[invalid-assignment]
    return result.encode()


@given(data=st.data())
def test_odd_values_in_a_report_of_findings_are_never_success(recording, data) -> None:
    if recording.tool in {"pytest", "mypy"}:
        lines = recording.stdout.splitlines()
        number = data.draw(st.integers(0, len(lines) - 1))
        prefix, chosen, rest = lines[:number], lines[number], lines[number + 1 :]
    elif recording.stdout.startswith((b"[", b"{")):
        prefix, chosen, rest = [], recording.stdout, []
    else:
        return
    document = json.loads(chosen)
    path = data.draw(st.sampled_from(places(document)))
    text = data.draw(st.sampled_from(ODD_VALUES))
    mutated = b"\n".join([*prefix, replaced(document, path, text), *rest])
    if recording.tool in {"pytest", "git-diff"}:
        codes = {1}  # what changes only names or counts of a report is still a report
    else:
        codes = {0, recording.exit_code} - ({0} if recording.tool == "coverage" else set())
    for exit_code in codes:
        result = PARSERS[recording.tool](mutated, b"", exit_code)
        check(result)
        emptied = text == "[]" and exit_code == 0  # `{"errors": []}` is what no error looks like
        assert not result.success or emptied


@given(data=st.data())
def test_duplicate_keys_a_bom_and_trailing_data_are_survived(recording, data) -> None:
    stdout = recording.stdout
    mutated = data.draw(
        st.sampled_from(
            [
                b"\xef\xbb\xbf" + stdout,
                stdout + stdout,
                stdout + b"x",
                stdout.replace(b'"code":', b'"code": 1, "code":'),
                stdout.replace(b'"line":', b'"line": "x", "line":'),
                stdout.replace(b"\n", b"\r\n"),
                stdout.decode("utf-8", "replace").encode("utf-16"),
                b"\0" + stdout,
            ]
        )
    )
    result = PARSERS[recording.tool](mutated, b"", recording.exit_code)
    check(result)
    if recording.exit_code:
        assert not result.success or recording.tool == "git-diff"
