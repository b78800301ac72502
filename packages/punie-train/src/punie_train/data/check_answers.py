"""Final answers about types, style and tests, and about repairs, computed from what the checkers returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from punie_train.data.verdicts import Runs, Slots, begun, name_of, need, plural, results


def _checked(runs: Runs) -> dict[str, Any]:
    checks = results(runs, "typecheck")
    need(checks, "typecheck was not called")
    last = checks[-1]
    need(last["status"] in {"clean", "findings"}, f"typecheck ended {last['status']}")
    return last


def _type_errors(path: object, count: int) -> str:
    if not count:
        return f"No type errors in {name_of(path)}."
    return begun(f"{name_of(path)} has {plural(count, 'type error')}.")


def check(slots: Slots, runs: Runs) -> str:
    """How many type errors there are."""
    return _type_errors(slots["path"], _checked(runs)["error_count"])


def listed_errors(what: str) -> Callable[[Slots, Runs], str]:
    """What was listed, without the count, which a small model gets wrong and the list shows anyway."""

    def answer(slots: Slots, runs: Runs) -> str:
        if not _checked(runs)["error_count"]:
            return f"No type errors in {name_of(slots['path'])}."
        return f"That is {what.format(name_of(slots['path']))}."

    return answer


def recovered(answer: Callable[[Slots, Runs], str]) -> Callable[[Slots, Runs], str]:
    """What is answered of a file that was found after all, once it was asked for by its bare name."""

    def of_what_was_found(slots: Slots, runs: Runs) -> str:
        first = results(runs, "typecheck")[0]
        need(first["status"] == "tool_error", "there was nothing to recover from")
        return answer(slots, runs)

    return of_what_was_found


def first_error(slots: Slots, runs: Runs) -> str:
    """Where the first type error is."""
    errors = _checked(runs)["errors"]
    if not errors:
        return f"No type errors in {name_of(slots['path'])}."
    return f"The first type error is in line {errors[0]['line']} of {errors[0]['file']}."


def check_both(slots: Slots, runs: Runs) -> str:
    """How many type errors each of two files has."""
    _checked(runs)
    first, second = (result["error_count"] for result in results(runs, "typecheck"))
    return f"{slots['first']} has {plural(first, 'type error')}, {slots['second']} has {second}."


def is_clean(slots: Slots, runs: Runs) -> str:
    """Whether it type checks; without yes or no, since "is it clean?" and "is anything left?" ask alike."""
    count = _checked(runs)["error_count"]
    if not count:
        return begun(f"{name_of(slots['path'])} passes the type check.")
    return begun(f"{name_of(slots['path'])} does not pass: {plural(count, 'type error')}.")


def errors_by_file(slots: Slots, runs: Runs) -> str:
    """How many files have type errors."""
    files = {error["file"] for error in _checked(runs)["errors"]}
    if not files:
        return f"No file in {name_of(slots['dir'])} has type errors."
    verb = "has" if len(files) == 1 else "have"
    return f"{plural(len(files), 'file')} in {name_of(slots['dir'])} {verb} type errors."


def each_file(slots: Slots, runs: Runs) -> str:
    """That the counts are shown; their sum would have to be computed."""
    _checked(runs)
    if not any(result["error_count"] for result in results(runs, "typecheck")):
        return f"No type errors in the Python files of {name_of(slots['dir'])}."
    return f"That is the number of type errors in each Python file of {name_of(slots['dir'])}."


def size_and_check(slots: Slots, runs: Runs) -> str:
    """How long a file is and how many type errors it has."""
    count = plural(_checked(runs)["error_count"], "type error")
    lines = plural(int(runs[-1].stdout.split()[0]), "line")
    return f"{slots['path']} has {lines} and {count}."


def fix(slots: Slots, runs: Runs) -> str:
    """That it is repaired; refused when it is not."""
    before, after = results(runs, "typecheck")[0], results(runs, "typecheck")[-1]
    need(before["error_count"], "there was nothing to fix")
    wrong = slots["wrong"]
    assert isinstance(wrong, list)
    looks = runs[::2]  # it looks at a finding, then it edits
    need(len(looks) == len(wrong), f"{len(wrong)} places are wrong and {len(looks)} were looked at")
    unseen = [
        piece
        for piece, look in zip(wrong, looks, strict=True)
        if str(piece).splitlines()[0] not in look.stdout
    ]
    need(not unseen, f"what is replaced was not shown: {unseen}")
    need(after["status"] == "clean", f"{after['error_count']} type errors are left")
    return f"Fixed: {slots['path']} has no type errors left."


def coding(slots: Slots, runs: Runs) -> str:
    """Where the function is; refused when it does not type check."""
    need(
        _checked(runs)["status"] == "clean",
        f"the new function does not type check: {_checked(runs)['errors']}",
    )
    return f"The function is in {slots['target']}, and it type checks."


def fixed_after(slots: Slots, runs: Runs) -> str:
    """That it is repaired, where the check was made before; refused when it is not."""
    after = _checked(runs)
    need(after["status"] == "clean", f"{after['error_count']} type errors are left")
    return f"Fixed: {slots['path']} has no type errors left."


def _answered(runs: Runs, tool: str, *statuses: str) -> dict[str, Any]:
    answers = results(runs, tool)
    need(answers, f"{tool} was not called")
    need(answers[-1]["status"] in statuses, f"{tool} ended {answers[-1]['status']}")
    return answers[-1]


def linted(slots: Slots, runs: Runs) -> str:
    """How many lint violations there are."""
    count = _answered(runs, "ruff_check", "clean", "findings")["violation_count"]
    if not count:
        return f"No lint violations in {name_of(slots['path'])}."
    return begun(f"{name_of(slots['path'])} has {plural(count, 'lint violation')}.")


def fixable(slots: Slots, runs: Runs) -> str:
    """How many lint violations can be fixed automatically."""
    result = _answered(runs, "ruff_check", "clean", "findings")
    if not result["fixable_count"]:
        return f"Nothing in {name_of(slots['path'])} is fixable automatically."
    count = plural(result["fixable_count"], "violation")
    return f"{count} in {name_of(slots['path'])} can be fixed automatically."


def lint_clean(slots: Slots, runs: Runs) -> str:
    """Whether the linter passes."""
    count = _answered(runs, "ruff_check", "clean", "findings")["violation_count"]
    if not count:
        return begun(f"{name_of(slots['path'])} is lint clean.")
    return begun(f"{name_of(slots['path'])} is not clean: {plural(count, 'lint violation')}.")


def fix_lint(slots: Slots, runs: Runs) -> str:
    """That it is repaired; refused when it is not."""
    need(results(runs, "ruff_check")[0]["violation_count"], "there was nothing to fix")
    _answered(runs, "ruff_check", "clean")
    return f"Fixed: {slots['path']} has no lint violations left."


def tested(slots: Slots, runs: Runs) -> str:
    """How many tests passed and failed."""
    result = _answered(runs, "pytest_run", "clean", "findings")
    return f"{slots['path']}: {result['passed']} passed, {result['failed']} failed."


def tests_pass(slots: Slots, runs: Runs) -> str:
    """Whether all tests pass."""
    result = _answered(runs, "pytest_run", "clean", "findings")
    if result["success"] and result["passed"] == 1:
        return f"The one test in {slots['path']} passes."
    if result["success"]:
        return f"All {result['passed']} tests in {slots['path']} pass."
    return f"{plural(result['failed'], 'test')} in {slots['path']} failed."


def fix_test(slots: Slots, runs: Runs) -> str:
    """That the tests pass now; refused when they do not."""
    need(results(runs, "pytest_run")[0]["failed"], "there was nothing to fix")
    _answered(runs, "pytest_run", "clean")
    return f"Fixed: the tests in {slots['path']} pass."


def types_and_lint(slots: Slots, runs: Runs) -> str:
    """How many type errors and lint violations there are."""
    errors = _checked(runs)["error_count"]
    violations = _answered(runs, "ruff_check", "clean", "findings")["violation_count"]
    found = f"{plural(errors, 'type error')} and {plural(violations, 'lint violation')}"
    return begun(f"{name_of(slots['path'])} has {found}.")


def types_and_tests(slots: Slots, runs: Runs) -> str:
    """How many type errors there are, and how many tests failed."""
    errors = _checked(runs)["error_count"]
    failed = _answered(runs, "pytest_run", "clean", "findings")["failed"]
    first = f"{slots['first']} has {plural(errors, 'type error')}"
    return f"{first}, {plural(failed, 'test')} failed in {slots['path']}."
