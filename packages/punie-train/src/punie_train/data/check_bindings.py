"""Bindings about lint findings and tests: modules with known lint faults, test files with known failures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from random import Random

from punie_train.data.bindings import (
    LONGEST_FILE,
    Binder,
    Binding,
    about_file,
    python_folder,
    quoted,
)
from punie_train.data.edits import replace_calls, replacements
from punie_train.data.scenes import World
from punie_train.data.workspaces import Scene

__all__ = ["CHECK_BINDERS"]


def _linted(rng: Random, world: World, count: int) -> tuple[Scene, str, str]:
    """A scene whose added module has lint faults: the scene, the module's path and its right text."""
    while True:
        stage = world.stage(rng, added=1, faults=0)
        assert stage.added is not None
        wrong = right = stage.added.right
        for fault in rng.sample(world.sources.faults.lint, count):
            if fault.place == "imports":
                if fault.wrong not in right:
                    head, _, rest = wrong.partition("\n\n")
                    wrong = f"{head}\n\n{fault.wrong}{rest}"
            else:
                wrong = f"{wrong}\n\n{fault.wrong}"
                right = f"{right}\n\n{fault.right}"
        if len(wrong) <= LONGEST_FILE and (wrong != right or not count):
            scene = Scene(stage.scene.workspace, {stage.added.path: wrong})
            return scene, stage.added.path, right


def lint_target(rng: Random, world: World) -> Binding | None:
    """A file with lint faults or without, or a folder."""
    scene, path, _ = _linted(rng, world, rng.choice((0, 1, 1, 2, 3)))
    if rng.random() < 0.3:
        folder, said = python_folder(rng, scene.folders)
        return Binding(scene, {"path": folder}, {"path": said})
    if rng.random() < 0.2:
        path = rng.choice(scene.python_files)
    return about_file(rng, scene, path)


def fix_lint(rng: Random, world: World) -> Binding | None:
    """A file with lint faults whose right text is known."""
    scene, path, right = _linted(rng, world, rng.choice((1, 1, 2)))
    try:
        pairs = replacements(scene.files[path], right)
    except ValueError:
        return None
    return about_file(rng, scene, path, edits=replace_calls(pairs))


_TEST_FOLDERS = (
    "tests",
    "tests",
    "test",
    "tests/unit",
    "tests/core",
    "tests/api",
    "qa",
    "checks",
    "spec/tests",
)


def _tested(rng: Random, world: World, failures: int) -> tuple[Scene, str, str]:
    """A scene with one more test file: the scene, the file's path and its right text."""
    workspace = world.workspaces[rng.choice(sorted(world.workspaces))]
    test = rng.choice(world.sources.faults.test)
    ending = rng.choice(
        ("", "", "_basic", "_rules", "_edge", f"_{rng.choice(world.sources.names.children)}")
    )
    path = f"{rng.choice(_TEST_FOLDERS)}/test_{test.stem}{ending}.py"
    wrong = test.text
    for right_text, wrong_text in rng.sample(test.breaks, min(failures, len(test.breaks))):
        wrong = wrong.replace(right_text, wrong_text, 1)
    return Scene(workspace, {path: wrong}), path, test.text


def tests_target(rng: Random, world: World) -> Binding | None:
    """A test file, or the folder it is in."""
    scene, path, _ = _tested(rng, world, rng.choice((0, 0, 1, 1, 2)))
    chance = rng.random()
    if chance < 0.35:
        folder = PurePosixPath(path).parent.as_posix()
        path = folder + "/" if rng.random() < 0.5 else folder
    elif chance < 0.5:
        path = rng.choice([each for each in scene.python_files if "test_" in each])
    return about_file(rng, scene, path)


def fix_test(rng: Random, world: World) -> Binding | None:
    """A test file with a wrong expectation."""
    scene, path, right = _tested(rng, world, 1)
    try:
        pairs = replacements(scene.files[path], right)
    except ValueError:
        return None
    return about_file(rng, scene, path, edits=replace_calls(pairs))


def file_and_tests(rng: Random, world: World) -> Binding | None:
    """A Python file to be type-checked, and tests to be run."""
    binding = tests_target(rng, world)
    stage = world.stage(rng, added=1)
    assert binding is not None
    assert stage.added is not None
    if stage.added.path in binding.scene.files:
        return None
    extra = {**binding.scene.extra, stage.added.path: stage.scene.files[stage.added.path]}
    scene = Scene(binding.scene.workspace, extra)
    slots = {**binding.slots, "first": stage.added.path}
    return Binding(scene, slots, {**binding.said, "first": quoted(rng, stage.added.path)})


CHECK_BINDERS: Mapping[str, Binder] = {
    "lint": lint_target,
    "lint_count": lint_target,
    "lint_fixable": lint_target,
    "lint_clean": lint_target,
    "types_and_lint": lint_target,
    "fix_lint": fix_lint,
    "test_run": tests_target,
    "test_failed": tests_target,
    "tests_pass": tests_target,
    "fix_test": fix_test,
    "types_and_tests": file_and_tests,
}
