"""Results: counts that cannot disagree, and schemas that every result meets."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema.protocols import Validator
from pydantic import BaseModel, ValidationError

import punie_tools
from punie_tools import (
    EFFECTS,
    LintResult,
    TestCase,
    TestResult,
    Toolbox,
    ToolResult,
    TypeCheckError,
    TypeCheckResult,
)
from punie_tools._calls import name_of, result_schema

MODELS = sorted(
    (
        model
        for model in (getattr(punie_tools, name) for name in punie_tools.__all__)
        if isinstance(model, type) and issubclass(model, ToolResult) and model is not ToolResult
    ),
    key=lambda model: model.__name__,
)

#: The fields users know, and the two that every result has: nothing else is visible to a model.
VOCABULARY = {
    "TypeCheckResult": {"success", "error_count", "warning_count", "errors", "parse_error"},
    "LintResult": {"success", "violation_count", "fixable_count", "violations", "parse_error"},
    "TestResult": {
        *("success", "passed", "failed", "errors", "skipped", "duration", "tests", "parse_error"),
    },
    "GitStatusResult": {"success", "clean", "file_count", "files", "parse_error"},
    "GitDiffResult": {"success", "file_count", "additions", "deletions", "files", "parse_error"},
    "GitLogResult": {"success", "commits", "commit_count", "parse_error"},
}


def fields(model: type[ToolResult]) -> set[str]:
    return {*model.model_fields, *model.model_computed_fields}


@pytest.mark.parametrize("name", sorted(VOCABULARY))
def test_a_result_has_the_fields_users_know(name: str) -> None:
    assert fields(getattr(punie_tools, name)) == VOCABULARY[name] | {"status", "run"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_result_has_a_status_and_evidence_and_cannot_be_changed(
    model: type[ToolResult],
) -> None:
    assert {"success", "status", "parse_error", "run"} <= fields(model)
    assert model.model_config.get("frozen")


def test_success_means_clean_and_nothing_else() -> None:
    for status in punie_tools.Status.__args__:
        if status != "findings":
            assert TypeCheckResult(status=status).success == (status == "clean")


def test_a_status_that_contradicts_the_list_is_refused() -> None:
    error = TypeCheckError(file="a.py", line=1, column=1, severity="error", code="x", message="m")
    with pytest.raises(ValidationError, match="status clean with 1 diagnostics"):
        TypeCheckResult(status="clean", errors=[error])
    with pytest.raises(ValidationError, match="status findings with 0 diagnostics"):
        TypeCheckResult(status="findings")
    with pytest.raises(ValidationError, match="status findings with 0 violations"):
        LintResult(status="findings")
    with pytest.raises(ValidationError, match="status clean with 1 failed"):
        TestResult(status="clean", tests=[TestCase(name="t", outcome="failed")])


@pytest.mark.parametrize("name", list(EFFECTS))
def test_every_exported_schema_is_a_valid_schema(toolbox: Toolbox, name: str) -> None:
    [function] = toolbox.functions([name])
    schema = result_schema(function)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def value(annotation: Any, metadata: Sequence[object] = ()) -> st.SearchStrategy:
    """Return a strategy for a field's type; Hypothesis alone knows no default factories."""
    if get_origin(annotation) is list:
        return st.lists(value(*get_args(annotation)), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return built(annotation)
    if get_origin(annotation) in {Union, UnionType}:
        return st.one_of(*map(value, get_args(annotation)))
    if get_origin(annotation) is Annotated:
        return value(*get_args(annotation)[:1])
    simple: dict[object, st.SearchStrategy] = {
        str: st.text(),
        float: st.floats(0, 1e9),
        int: st.integers(1, 2**31 - 1),
    }
    if any(getattr(each, "pattern", None) for each in metadata):  # a commit's hash
        return st.text("0123456789abcdef", min_size=40, max_size=40)
    return simple[annotation] if annotation in simple else st.from_type(annotation)


def built(model: type[BaseModel]) -> st.SearchStrategy:
    """Return a strategy for a model whose status agrees with its lists."""

    def make(**fields: object) -> BaseModel:
        try:
            return model(**fields)
        except ValidationError:
            return model(**{**fields, "status": "tool_error"})

    fields = model.model_fields.items()
    return st.builds(make, **{name: value(f.annotation, f.metadata) for name, f in fields})


@cache
def validator(model: type[ToolResult]) -> Validator:
    return jsonschema.Draft202012Validator(model.model_json_schema(mode="serialization"))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@settings(max_examples=20)
@given(data=st.data())
def test_any_result_meets_its_schema_and_survives_json(
    model: type[ToolResult], data: st.DataObject
) -> None:
    result = data.draw(built(model))
    validator(model).validate(result.model_dump(mode="json"))
    assert model.model_validate_json(result.model_dump_json()) == result


def test_the_toolbox_lists_its_functions_in_the_documented_order(toolbox: Toolbox) -> None:
    assert [name_of(each) for each in toolbox.functions()] == list(EFFECTS)
    names = ["write_file", "typecheck"]
    assert [name_of(each) for each in toolbox.functions(names)] == names
    with pytest.raises(punie_tools.UnknownToolError, match="there is no tool 'rm'; there are read"):
        toolbox.functions(["rm"])


def test_every_public_name_can_be_imported() -> None:
    assert {name for name in punie_tools.__all__ if not hasattr(punie_tools, name)} == set()
    assert set(punie_tools.__all__) <= set(dir(punie_tools))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = punie_tools.nothing
