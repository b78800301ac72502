"""The final answer of an executed example: short, and computed from what the tools returned.

`answer_for` also judges the run: what an example must have shown is checked here, and an example that did
not show it is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from punie_sandbox import RunResult

__all__ = ["Refused", "answer_for"]

Slots = Mapping[str, object]
Runs = Sequence[RunResult]


class Refused(Exception):  # noqa: N818 - it is a verdict, not an error of the program
    """The run did not show what the example is about."""


def plural(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _results(runs: Runs, tool: str) -> list[dict[str, Any]]:
    return [
        call.result
        for run in runs
        for call in run.calls
        if call.name == tool and call.error is None
    ]


def _need(condition: object, reason: str) -> None:
    if not condition:
        raise Refused(reason)


def _name(path: object) -> str:
    return "the project" if path == "." else str(path)


def _checked(runs: Runs) -> dict[str, Any]:
    results = _results(runs, "typecheck")
    _need(results, "typecheck was not called")
    last = results[-1]
    _need(last["status"] in {"clean", "findings"}, f"typecheck ended {last['status']}")
    return last


def _type_errors(path: object, count: int) -> str:
    if not count:
        return f"No type errors in {_name(path)}."
    return _start(f"{_name(path)} has {plural(count, 'type error')}.")


def check(slots: Slots, runs: Runs) -> str:
    """How many type errors there are."""
    return _type_errors(slots["path"], _checked(runs)["error_count"])


def listed_errors(what: str) -> Callable[[Slots, Runs], str]:
    """What was listed, without the count, which a small model gets wrong and the list shows anyway."""

    def answer(slots: Slots, runs: Runs) -> str:
        if not _checked(runs)["error_count"]:
            return f"No type errors in {_name(slots['path'])}."
        return f"That is {what.format(_name(slots['path']))}."

    return answer


def first_error(slots: Slots, runs: Runs) -> str:
    """Where the first type error is."""
    errors = _checked(runs)["errors"]
    if not errors:
        return f"No type errors in {_name(slots['path'])}."
    return f"The first type error is in line {errors[0]['line']} of {errors[0]['file']}."


def check_both(slots: Slots, runs: Runs) -> str:
    """How many type errors each of two files has."""
    _checked(runs)
    first, second = (result["error_count"] for result in _results(runs, "typecheck"))
    return f"{slots['first']} has {plural(first, 'type error')}, {slots['second']} has {second}."


def is_clean(slots: Slots, runs: Runs) -> str:
    """Whether it type checks; without yes or no, since "is it clean?" and "is anything left?" ask alike."""
    count = _checked(runs)["error_count"]
    if not count:
        return _start(f"{_name(slots['path'])} passes the type check.")
    return _start(f"{_name(slots['path'])} does not pass: {plural(count, 'type error')}.")


def errors_by_file(slots: Slots, runs: Runs) -> str:
    """How many files have type errors."""
    files = {error["file"] for error in _checked(runs)["errors"]}
    if not files:
        return f"No file in {_name(slots['dir'])} has type errors."
    verb = "has" if len(files) == 1 else "have"
    return f"{plural(len(files), 'file')} in {_name(slots['dir'])} {verb} type errors."


def each_file(slots: Slots, runs: Runs) -> str:
    """That the counts are shown; their sum would have to be computed."""
    _checked(runs)
    if not any(result["error_count"] for result in _results(runs, "typecheck")):
        return f"No type errors in the Python files of {_name(slots['dir'])}."
    return f"That is the number of type errors in each Python file of {_name(slots['dir'])}."


def size_and_check(slots: Slots, runs: Runs) -> str:
    """How long a file is and how many type errors it has."""
    count = plural(_checked(runs)["error_count"], "type error")
    lines = plural(int(runs[-1].stdout.split()[0]), "line")
    return f"{slots['path']} has {lines} and {count}."


def fix(slots: Slots, runs: Runs) -> str:
    """That it is repaired; refused when it is not."""
    before, after = _results(runs, "typecheck")[0], _results(runs, "typecheck")[-1]
    _need(before["error_count"], "there was nothing to fix")
    wrong = slots["wrong"]
    assert isinstance(wrong, list)
    unseen = [piece for piece in wrong if str(piece).splitlines()[0] not in runs[0].stdout]
    _need(not unseen, f"what is replaced was not shown: {unseen}")
    _need(after["status"] == "clean", f"{after['error_count']} type errors are left")
    return f"Fixed: {slots['path']} has no type errors left."


def coding(slots: Slots, runs: Runs) -> str:
    """Where the function is; refused when it does not type check."""
    _need(
        _checked(runs)["status"] == "clean",
        f"the new function does not type check: {_checked(runs)['errors']}",
    )
    return f"The function is in {slots['target']}, and it type checks."


def fixed_after(slots: Slots, runs: Runs) -> str:
    """That it is repaired, where the check was made before; refused when it is not."""
    after = _checked(runs)
    _need(after["status"] == "clean", f"{after['error_count']} type errors are left")
    return f"Fixed: {slots['path']} has no type errors left."


def _answered(runs: Runs, tool: str, *statuses: str) -> dict[str, Any]:
    results = _results(runs, tool)
    _need(results, f"{tool} was not called")
    _need(results[-1]["status"] in statuses, f"{tool} ended {results[-1]['status']}")
    return results[-1]


def linted(slots: Slots, runs: Runs) -> str:
    """How many lint violations there are."""
    count = _answered(runs, "ruff_check", "clean", "findings")["violation_count"]
    if not count:
        return f"No lint violations in {_name(slots['path'])}."
    return _start(f"{_name(slots['path'])} has {plural(count, 'lint violation')}.")


def fixable(slots: Slots, runs: Runs) -> str:
    """How many lint violations can be fixed automatically."""
    result = _answered(runs, "ruff_check", "clean", "findings")
    if not result["fixable_count"]:
        return f"Nothing in {_name(slots['path'])} is fixable automatically."
    count = plural(result["fixable_count"], "violation")
    return f"{count} in {_name(slots['path'])} can be fixed automatically."


def lint_clean(slots: Slots, runs: Runs) -> str:
    """Whether the linter passes."""
    count = _answered(runs, "ruff_check", "clean", "findings")["violation_count"]
    if not count:
        return _start(f"{_name(slots['path'])} is lint clean.")
    return _start(f"{_name(slots['path'])} is not clean: {plural(count, 'lint violation')}.")


def fix_lint(slots: Slots, runs: Runs) -> str:
    """That it is repaired; refused when it is not."""
    _need(_results(runs, "ruff_check")[0]["violation_count"], "there was nothing to fix")
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
    _need(_results(runs, "pytest_run")[0]["failed"], "there was nothing to fix")
    _answered(runs, "pytest_run", "clean")
    return f"Fixed: the tests in {slots['path']} pass."


def types_and_lint(slots: Slots, runs: Runs) -> str:
    """How many type errors and lint violations there are."""
    errors = _checked(runs)["error_count"]
    violations = _answered(runs, "ruff_check", "clean", "findings")["violation_count"]
    found = f"{plural(errors, 'type error')} and {plural(violations, 'lint violation')}"
    return _start(f"{_name(slots['path'])} has {found}.")


def types_and_tests(slots: Slots, runs: Runs) -> str:
    """How many type errors there are, and how many tests failed."""
    errors = _checked(runs)["error_count"]
    failed = _answered(runs, "pytest_run", "clean", "findings")["failed"]
    first = f"{slots['first']} has {plural(errors, 'type error')}"
    return f"{first}, {plural(failed, 'test')} failed in {slots['path']}."


def _start(sentence: str) -> str:
    return (
        sentence.replace("the project", "The project", 1)
        if sentence.startswith("the ")
        else sentence
    )


def _lines(runs: Runs) -> list[str]:
    return [line for line in runs[-1].stdout.splitlines() if line.strip()]


def found(what: str) -> Callable[[Slots, Runs], str]:
    """How many lines or files a search found."""

    def answer(slots: Slots, runs: Runs) -> str:  # noqa: ARG001 - all answers are called alike
        lines = _lines(runs)
        if lines and lines[-1].startswith("[exit code"):
            _need(
                lines[-1] == "[exit code 1]" and len(lines) == 1, f"the search failed: {lines[-1]}"
            )
            lines = []
        return f"Found {plural(len(lines), what)}." if lines else f"No {what} found."

    return answer


def located(slots: Slots, runs: Runs) -> str:
    """Where a file lies."""
    lines = _lines(runs)
    _need(lines and not lines[-1].startswith("[exit code"), "the file was not found")
    if len(lines) == 1:
        return f"{slots['name']} is at {lines[0].removeprefix('./')}."
    return f"Found {len(lines)} files called {slots['name']}."


def used(slots: Slots, runs: Runs) -> str:
    """In how many lines a name is used; its own definition is no use."""
    definition = re.compile(rf":\d+:\s*(class|def) {slots['symbol']}\b")
    uses = [line for line in _lines(runs) if not definition.search(line)]
    if not uses:
        return f"{slots['symbol']} is used nowhere but where it is defined."
    return f"{slots['symbol']} is used in {plural(len(uses), 'line')}."


def defined(slots: Slots, runs: Runs) -> str:
    """Where a name is defined."""
    place = _lines(runs)[0].split(":") if runs[-1].stdout.strip() else []
    _need(
        len(place) > 2 and place[0].removeprefix("./") == slots["path"],
        "the definition was not found",
    )
    return f"{slots['symbol']} is defined in {slots['path']}, line {place[1]}."


def shown(slots: Slots, runs: Runs) -> str:
    """Which file was shown."""
    _need(_results(runs, "read_file"), "nothing was read")
    return f"That is {slots['path']}."


def show_symbol(slots: Slots, runs: Runs) -> str:
    """Which file the symbol is in; refused when another file was shown."""
    read = [
        call.arguments["path"] for run in runs for call in run.calls if call.name == "read_file"
    ]
    _need([path.removeprefix("./") for path in read] == [slots["path"]], f"read {read} instead")
    return f"{slots['symbol']} is in {slots['path']}."


def recovered_read(slots: Slots, runs: Runs) -> str:
    """Where the file was after all."""
    _need(runs[0].status == "error" and runs[-1].ok, "there was nothing to recover from")
    return f"That is {slots['path']}."


def recovered_check(slots: Slots, runs: Runs) -> str:
    """How many type errors the file has that was found after all."""
    _need(
        _results(runs, "typecheck")[0]["status"] == "tool_error",
        "there was nothing to recover from",
    )
    return _type_errors(slots["path"], _checked(runs)["error_count"])


def head(slots: Slots, runs: Runs) -> str:
    """Which lines were shown, or that the file has no more."""
    count = len(str(_results(runs, "read_file")[-1]).splitlines())
    if count <= int(str(slots["count"])):
        return f"That is all of {slots['path']}: {plural(count, 'line')}."
    return f"Those are the first {slots['count']} lines of {slots['path']}."


def counted(slots: Slots, runs: Runs) -> str:
    """How long the file is."""
    return f"{slots['path']} has {plural(int(runs[-1].stdout), 'line')}."


def ran(slots: Slots, runs: Runs) -> str:
    """That the command ran."""
    command = slots.get("command") or f"python {slots['path']}"
    lines = _lines(runs)
    if lines and lines[-1].startswith("[exit code"):
        return f"{command} ended with {lines[-1].strip('[]')}."
    return f"That is the output of {command}." if lines else f"{command} printed nothing."


def listed(slots: Slots, runs: Runs) -> str:
    """How many entries the folder has."""
    lines = _lines(runs)
    _need(lines and not lines[-1].startswith("[exit"), "the folder could not be listed")
    return f"{_name(slots['dir'])} has {plural(len(lines), 'entry').replace('entrys', 'entries')}.".replace(
        "the project", "The project"
    )


def formatted(slots: Slots, runs: Runs) -> str:
    """Whether the formatter would change something."""
    text = runs[-1].stdout
    _need("formatted" in text, f"ruff did not answer: {text[:80]}")
    if "would be reformatted" in text or "[exit code 1]" in text:
        return _start(f"{_name(slots['path'])} needs reformatting.")
    return _start(f"{_name(slots['path'])} is formatted.")


def _wrote(runs: Runs) -> str:
    written = _results(runs, "write_file")
    _need(written, "nothing was written")
    return str(written[-1])


def wrote(slots: Slots, runs: Runs) -> str:
    """What was written."""
    _wrote(runs)
    return f"Wrote {slots['path']}."


def appended(slots: Slots, runs: Runs) -> str:
    """What was added."""
    _wrote(runs)
    return f"Added the line to {slots['path']}."


def replaced(slots: Slots, runs: Runs) -> str:
    """What was replaced; refused when nothing changed."""
    before = _results(runs, "read_file")[0]
    _need(str(slots["old"]) in before, "there was nothing to replace")
    _wrote(runs)
    return f"Replaced {slots['old']} with {slots['new']} in {slots['path']}."


def printed(slots: Slots, runs: Runs) -> str:  # noqa: ARG001 - one signature for all
    """For an intent that has no answer of its own; refused when no program printed anything."""
    _need(any(run.stdout.strip() for run in runs), "no program printed anything")
    return "Done."


_ANSWERS: Mapping[str, Callable[[Slots, Runs], str]] = {
    "read_file": shown,
    "read_head": head,
    "count_lines": counted,
    "show_symbol": show_symbol,
    "recover_read": recovered_read,
    "write_text": wrote,
    "append_line": appended,
    "replace_text": replaced,
    "create_function": wrote,
    "run_command": ran,
    "run_script": ran,
    "list_dir": listed,
    "check_format": formatted,
    "find_python": found("Python file"),
    "find_files": found("file"),
    "find_named": located,
    "grep_text": found("line"),
    "find_definition": defined,
    "find_usages": used,
    "check": check,
    "list_errors": listed_errors("every type error in {}, with its line"),
    "first_error": first_error,
    "check_both": check_both,
    "count_errors": check,
    "is_clean": is_clean,
    "errors_by_file": errors_by_file,
    "errors_by_code": check,
    "messages": listed_errors("the message of every type error in {}"),
    "positions": listed_errors("where the type errors in {} are"),
    "flagged_lines": listed_errors("the code in {} that has type errors"),
    "each_file": each_file,
    "each_named": each_file,
    "size_and_check": size_and_check,
    "find_check": check,
    "recover": recovered_check,
    "fix": fix,
    "fix_finding": fixed_after,
    "coding": coding,
    "coding_pasted": coding,
    "lint": linted,
    "lint_count": linted,
    "lint_fixable": fixable,
    "lint_clean": lint_clean,
    "fix_lint": fix_lint,
    "test_run": tested,
    "test_failed": tested,
    "tests_pass": tests_pass,
    "fix_test": fix_test,
    "types_and_lint": types_and_lint,
    "types_and_tests": types_and_tests,
    "then_fix": fixed_after,
    "then_verify": is_clean,
    "then_check": check,
    "then_show": shown,
}

_MAY_FAIL_FIRST = {"recover_read"}


def answer_for(intent: str, slots: Slots, runs: Runs) -> str:
    """Return the final answer of an exchange.

    Raises:
        Refused: a program failed, or did not show what the example is about.
    """
    for number, run in enumerate(runs):
        if run.ok or (number == 0 and intent in _MAY_FAIL_FIRST):
            continue
        said = "; ".join(str(each) for each in run.diagnostics) or str(run.error)
        raise Refused(f"program {number + 1} ended {run.status}: {said}")
    return _ANSWERS.get(intent, printed)(slots, runs)
