"""What the checker says about the faults of the sources, and requests in which somebody pastes it."""

from __future__ import annotations

import ast
from random import Random

import pytest

from punie_train.data.binders import BINDERS
from punie_train.data.findings import Finding, find_faults
from punie_train.data.repair_bindings import REPAIR_BINDERS
from punie_train.data.scenes import World
from punie_train.data.sources import Module

SHELF = Module(
    stems=("shelf", "rack"),
    text='''
"""Shelves."""


def width(books: list[int]) -> int:
    """Return the width."""
    return sum(books)


def label(name: str, number: int | None = None) -> str:
    return f"{name.upper()} {number}"
''',
    breaks=(
        ("(books: list[int]) -> int", "(books: list[int]) -> str"),
        ("number: int | None = None", "number: int = None"),
        ("name.upper()", "name.uper()"),
        ("sum(books)", "sums(book)"),
        ("str", "int"),
    ),
    tasks=(),
)


def test_each_fault_with_one_finding_has_what_the_checker_says() -> None:
    assert find_faults([SHELF]) == {
        ("shelf", 0): Finding(
            6,
            "invalid-explicit-return",
            "Return type does not match returned value: expected `str`, found `int`",
        ),
        ("shelf", 1): Finding(
            9,
            "invalid-parameter-default",
            "Default value of type `None` is not assignable to annotated parameter type `int`",
        ),
        ("shelf", 2): Finding(
            10, "missing-attribute", "Object of type `str` has no attribute `uper`"
        ),
    }


def test_modules_without_faults_have_no_findings() -> None:
    assert find_faults([]) == {}
    assert find_faults([SHELF.model_copy(update={"breaks": ()})]) == {}


@pytest.fixture(scope="module")
def findings(world: World) -> World:
    return World(world.sources, world.workspaces, find_faults(world.sources.modules))


@pytest.mark.parametrize("seed", range(40))
def test_who_pastes_a_finding_pastes_all_that_must_be_changed(findings: World, seed: int) -> None:
    binding = REPAIR_BINDERS["fix_finding"](Random(seed), findings)
    if binding is None:
        return
    path, shown = str(binding.slots["path"]), str(binding.slots["lines"])
    lines = binding.scene.files[path].splitlines()
    number = int(str(binding.slots["number"]))
    assert lines[:number][-len(shown.splitlines()) :] == shown.splitlines()
    for edit in ast.parse(str(binding.slots["edits"])).body:
        assert isinstance(edit, ast.Assign)
        assert isinstance(edit.value, ast.Call)
        old = ast.literal_eval(edit.value.args[0])
        assert old in [line.strip() for line in shown.splitlines()]
        assert "\n".join(lines).count(old) == 1


def test_findings_are_there_to_be_pasted(findings: World) -> None:
    drawn = [REPAIR_BINDERS["fix_finding"](Random(seed), findings) for seed in range(40)]
    assert sum(each is not None for each in drawn) > 20


def test_without_findings_nothing_is_pasted(world: World) -> None:
    assert REPAIR_BINDERS["fix_finding"](Random(0), world) is None


@pytest.mark.parametrize("seed", range(20))
def test_a_pasted_class_has_the_fields_and_no_docstring(world: World, seed: int) -> None:
    binding = REPAIR_BINDERS["coding_pasted"](Random(seed), world)
    if binding is None:
        return
    source = str(binding.slots["source"])
    (node,) = ast.parse(source).body
    assert isinstance(node, ast.ClassDef)
    assert node.name == binding.slots["symbol"]
    assert ast.get_docstring(node) is None


@pytest.mark.parametrize("intent", ["each_file", "each_named"])
def test_files_checked_one_by_one_are_few(world: World, intent: str) -> None:
    bindings = [BINDERS[intent](Random(seed), world) for seed in range(60)]
    for binding in filter(None, bindings):
        folder = str(binding.slots["dir"]).rstrip("/")
        files = [path for path in binding.scene.python_files if path.startswith(f"{folder}/")]
        assert 2 <= len(files) <= 5
        assert any(
            path.rsplit("/", 1)[-1].startswith(str(binding.slots["letter"])) for path in files
        )
