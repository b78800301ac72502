"""The manifest of behaviours and the tests, held against each other."""

import ast
import tomllib
from pathlib import Path

HERE = Path(__file__).parent


def manifest() -> set[str]:
    areas = tomllib.loads((HERE / "behaviours.toml").read_text(encoding="utf-8"))
    return {f"{area}.{name}" for area, behaviours in areas.items() for name in behaviours}


def named_by_tests() -> dict[str, str | None]:
    """The behaviour each test names, by test."""
    named: dict[str, str | None] = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith(
                "test_"
            ):
                _, found, name = (ast.get_docstring(node) or "").partition("behaviour: ")
                named[f"{path.name}::{node.name}"] = name.strip(" .\n") if found else None
    return named


def test_every_behaviour_has_a_test_and_every_test_names_a_behaviour() -> None:
    """behaviour: behaviours.manifest."""
    names = named_by_tests()
    assert [test for test, name in names.items() if name is None] == []
    assert set(names.values()) - manifest() == set()
    assert manifest() - set(names.values()) - {"readme.examples"} == set()
