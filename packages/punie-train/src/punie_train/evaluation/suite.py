"""Suites: queries with the behaviour that is expected of a model, read strictly from TOML.

A suite is a frozen file. It never holds an answer: what a query's answer is gets computed at scoring
time, by running the query's `truth` program in a fresh copy of its workspace with the real tools.

Covered: the format (these classes are its definition, `suite_schema()` its JSON Schema), reading, and
checks that need only the file. Not covered: whether the reference solutions pass; `validate` runs them.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from punie_train.errors import EvaluationError, faults

_PLACEHOLDER = re.compile(r"@([a-z_]+)@")
STANDARD_TOOLS = ("typecheck", "read_file", "write_file", "run_command")

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Argument(_Strict):
    """What one argument of a call may be; exactly one key.

    A plain value in the file stands for `path` when the parameter is a path, else for `equals`.
    """

    path: str | None = Field(None, description="this path, however it is spelt")
    covers: str | None = Field(None, description="this path or a folder that holds it")
    equals: Any = Field(None, description="this value")
    regex: str | None = Field(None, description="a text in which this pattern is found")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("give exactly one of path, covers, equals, regex")
        return self


class CallPattern(_Strict):
    """A call that would do: the tool, and what is asked of its arguments."""

    tool: Name = Field(description="name of the tool")
    args: dict[str, Argument | str | int | float | bool] = Field(
        default_factory=dict, description="arguments that matter; others may be anything"
    )
    command: str | None = Field(
        None,
        description="for run_command: a pattern found in the whole command line, its words joined "
        "by single spaces",
    )


class Step(_Strict):
    """One thing that must be done: any of these calls."""

    any: list[CallPattern] = Field(min_length=1, description="calls of which one must succeed")


class Category(_Strict):
    """A group of queries with a threshold."""

    id: Name
    title: str
    target: int = Field(ge=0, description="correct answers hoped for")
    minimum: int = Field(ge=0, description="correct answers below which the suite fails")


class After(_Strict):
    """What must hold in the workspace after the turn."""

    may_change: list[str] = Field(
        default_factory=list, description="glob patterns of files that may be changed or made"
    )
    must_change: list[str] = Field(
        default_factory=list, description="glob patterns, each of which must match a changed file"
    )
    clean: list[str] = Field(
        default_factory=list, description="paths that must type-check without an error"
    )
    changed_clean: bool = Field(False, description="every changed Python file must type-check")
    keeps: list[str] = Field(
        default_factory=list,
        description="Python files that must keep every function, class and parameter they had, "
        "and gain no suppression comment, cast or Any",
    )
    tests: list[str] = Field(default_factory=list, description="test files that must pass")
    probe: str = Field(
        "",
        description="a Python program run in the workspace with the changed files as arguments; "
        "its exit code must be 0, its last line says what is wrong",
    )


class Query(_Strict):
    """One query and the behaviour that is expected."""

    id: Name
    category: Name
    behaviour: Name = Field(description="what is exercised, such as field-access")
    prompt: str = Field(min_length=3)
    workspace: Name | None = Field(None, description="instead of the suite's")
    answer: Literal["tools", "direct"] = Field(
        description="whether tools must be used, or no code may be written at all"
    )
    concept: Name | None = Field(
        None, description="direct: the entry of the concept bank the answer must be about"
    )
    steps: list[Step] = Field(default_factory=list, description="calls that must be made")
    in_order: bool = Field(False, description="the steps must be made in this order")
    allow: list[CallPattern] = Field(
        default_factory=list, description="calls with effects that are allowed but not needed"
    )
    forbid: list[CallPattern] = Field(
        default_factory=list, description="calls that must not be made"
    )
    reads: list[list[Name]] = Field(
        default_factory=list,
        description="fields of results that the code must read: one of each group",
    )
    truth: str = Field(
        "", description="a program that prints the facts (see facts.Truth) as JSON, in the sandbox"
    )
    after: After = Field(default_factory=After)
    solution: list[str] = Field(
        default_factory=list, description="programs a perfect model would write, one a run"
    )
    solution_answer: str = Field("Done.", description="what it would say at the end")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.answer == "direct":
            if not self.concept:
                raise ValueError("a direct query names its concept")
            if self.steps or self.solution or self.truth:
                raise ValueError("a direct query has no steps, solution or truth")
        elif not (self.steps and self.solution):
            raise ValueError("a query for tools has steps and a solution")
        elif not (self.truth or self.after.must_change):
            raise ValueError("a query for tools has a truth, or files that must change")
        return self


class Suite(_Strict):
    """A frozen set of queries."""

    format: Literal[1] = Field(description="version of this format")
    name: Name
    title: str
    workspace: Name = Field(description="folder of the workspaces folder the queries run in")
    tools: list[Name] = Field(
        default=list(STANDARD_TOOLS), description="tools the model is given, in this order"
    )
    concepts: str | None = Field(
        None, description="file of the concept bank, relative to the suite's own folder"
    )
    rewords: str | None = Field(
        None,
        description="file of another suite, beside this one, whose queries are asked in other words: "
        "all but their prompts is taken from there, and `[prompts]` has a prompt by id",
    )
    prelude: str = Field("", description="put before every truth program of the suite")
    categories: list[Category] = Field(min_length=1)
    queries: list[Query] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ids = [query.id for query in self.queries]
        if len(set(ids)) != len(ids):
            twice = sorted({name for name in ids if ids.count(name) > 1})
            raise ValueError(f"query ids occur twice: {', '.join(twice)}")
        sizes = {
            category.id: sum(query.category == category.id for query in self.queries)
            for category in self.categories
        }
        if unknown := {query.category for query in self.queries} - set(sizes):
            raise ValueError(f"queries name unknown categories: {', '.join(sorted(unknown))}")
        for category in self.categories:
            if not category.minimum <= category.target <= sizes[category.id]:
                raise ValueError(
                    f"category {category.id}: minimum <= target <= {sizes[category.id]} must hold"
                )
        if not self.concepts and any(query.concept for query in self.queries):
            raise ValueError("direct queries need `concepts`, the file of the concept bank")
        return self

    def workspace_of(self, query: Query) -> str:
        """Return the name of the workspace a query runs in."""
        return query.workspace or self.workspace


def load_suite(path: Path) -> Suite:
    """Read a suite, its kinds expanded.

    Raises:
        EvaluationError: the file is missing, is not TOML or breaks the format; the message names each key.
    """
    try:
        return Suite.model_validate(expand_kinds(_read(path)))
    except ValidationError as error:
        raise EvaluationError(explain(path, error)) from None
    except ValueError as error:
        raise EvaluationError(f"{path}: {error}.") from None


def read_prompts(path: Path) -> list[str]:
    """Return what a suite asks, read as `load_suite` reads it; nothing else of it needs to be valid.

    Raises:
        EvaluationError: the file is missing, is not TOML, or has a query whose prompt cannot be read.
    """
    try:
        queries = expand_kinds(_read(path)).get("queries", [])
        return [_prompt(query) for query in _tables(queries)]
    except ValueError as error:
        raise EvaluationError(f"{path}: {error}.") from None


def _tables(queries: Any) -> list[dict[str, Any]]:
    if not isinstance(queries, list) or not all(isinstance(query, dict) for query in queries):
        raise ValueError("`queries` is a list of tables")
    return queries


def _prompt(query: dict[str, Any]) -> str:
    prompt = query.get("prompt")
    if not isinstance(prompt, str):
        raise ValueError(f"query {query.get('id')!r} has no prompt")  # noqa: TRY004 - a fault of the file
    return prompt


def suite_files(path: Path) -> list[Path]:
    """Return the files that say what a suite asks: its own, and that of the suite it rewords.

    Raises:
        EvaluationError: the file is missing or is not TOML.
    """
    base = _reworded(_toml(path), path)
    return [path] if base is None else [path, base]


def _reworded(data: dict[str, Any], path: Path) -> Path | None:
    return path.parent / str(data["rewords"]) if "rewords" in data else None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode())
    except FileNotFoundError:
        raise EvaluationError(
            f"{path}: there is no such suite; give the path of a TOML file."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: not valid TOML ({error}).") from None


def _read(path: Path) -> dict[str, Any]:
    """A suite's data, with what it takes from the suite that it rewords."""
    data = _toml(path)
    other = _reworded(data, path)
    if other is None:
        return data
    base = _toml(other)
    prompts = data.pop("prompts", {})
    if not isinstance(prompts, dict):
        raise ValueError("`prompts` is a table of prompts by id")  # noqa: TRY004 - a fault of the file
    asked = [query for query in base.get("queries", []) if isinstance(query, dict)]
    known = {query.get("id"): query for query in asked}
    if unknown := sorted(set(prompts) - set(known)):
        raise ValueError(f"{data['rewords']} has no query {', '.join(unknown)}")
    queries = [known[name] | {"prompt": prompt} for name, prompt in prompts.items()]
    return base | data | {"queries": queries}


def expand_kinds(data: dict[str, Any]) -> dict[str, Any]:
    """Return a suite's data with every query of a kind written out.

    A suite may name kinds, each a table with keys of a query whose texts hold `@NAME@`. A query with
    `kind = "..."` takes the kind's keys, `@NAME@` replaced by `vars.NAME`, and puts its own over them.

    Raises:
        ValueError: a kind is not there, or a name has no value.
    """
    kinds = data.get("kinds")
    if not isinstance(kinds, dict):
        return data
    queries = [
        _expanded(query, kinds) if "kind" in query else query
        for query in _tables(data.get("queries", []))
    ]
    return {**{key: value for key, value in data.items() if key != "kinds"}, "queries": queries}


def _expanded(query: dict[str, Any], kinds: dict[str, Any]) -> dict[str, Any]:
    name, where = query["kind"], f"query {query.get('id')!r}"
    if not isinstance(name, str) or name not in kinds:
        raise ValueError(f"{where}: there is no kind {name!r}; there are {', '.join(kinds)}")
    values = query.get("vars", {})
    if not (isinstance(values, dict) and isinstance(kinds[name], dict)):
        raise ValueError(f"{where}: `vars` is a table, and so is kind {name!r}")  # noqa: TRY004 - as above

    def replace(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise ValueError(f"{where}: kind {name!r} needs vars.{found[1]}")
        return str(values[found[1]])

    def filled(value: Any) -> Any:
        match value:
            case str():
                return _PLACEHOLDER.sub(replace, value)
            case list():
                return [filled(part) for part in value]
            case dict():
                return {key: filled(part) for key, part in value.items()}
            case _:
                return value

    own = {key: value for key, value in query.items() if key not in {"kind", "vars"}}
    return {**filled(kinds[name]), **own}


def explain(path: Path, error: ValidationError) -> str:
    """Return one message that lists the faults of a file with their places."""
    return f"{path}: does not follow the format: {faults(error)}."


def suite_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a suite file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Suite.model_json_schema()}
