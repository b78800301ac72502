"""The final answer of an executed example: short, and computed from what the tools returned.

`answer_for` also judges the run: what an example must have shown is checked here, and an example that did
not show it is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from punie_train.data import check_answers as checks
from punie_train.data import text_answers as texts
from punie_train.data.verdicts import Refused, Runs, Slots, need

__all__ = ["Refused", "answer_for"]


def printed(slots: Slots, runs: Runs) -> str:  # noqa: ARG001 - one signature for all
    """For an intent that has no answer of its own; refused when no program printed anything."""
    need(any(run.stdout.strip() for run in runs), "no program printed anything")
    return "Done."


_ANSWERS: Mapping[str, Callable[[Slots, Runs], str]] = {
    "read_file": texts.shown,
    "read_head": texts.head,
    "count_lines": texts.counted,
    "show_symbol": texts.show_symbol,
    "recover_read": texts.recovered_read,
    "write_text": texts.wrote,
    "append_line": texts.appended,
    "replace_text": texts.replaced,
    "create_function": texts.wrote,
    "run_command": texts.ran,
    "run_script": texts.ran,
    "list_dir": texts.listed,
    "check_format": texts.formatted,
    "find_python": texts.found("Python file"),
    "find_files": texts.found("file"),
    "find_named": texts.located,
    "grep_text": texts.found("line"),
    "find_definition": texts.defined,
    "find_usages": texts.used,
    "check": checks.check,
    "list_errors": checks.listed_errors("every type error in {}, with its line"),
    "first_error": checks.first_error,
    "check_both": checks.check_both,
    "count_errors": checks.check,
    "is_clean": checks.is_clean,
    "errors_by_file": checks.errors_by_file,
    "errors_by_code": checks.check,
    "messages": checks.listed_errors("the message of every type error in {}"),
    "positions": checks.listed_errors("where the type errors in {} are"),
    "flagged_lines": checks.listed_errors("the code in {} that has type errors"),
    "each_file": checks.each_file,
    "each_named": checks.each_file,
    "size_and_check": checks.size_and_check,
    "find_check": checks.check,
    "recover": checks.recovered(checks.check),
    "recover_clean": checks.recovered(checks.is_clean),
    "recover_count": checks.recovered(checks.check),
    "recover_list": checks.recovered(checks.listed_errors("every type error in {}, with its line")),
    "recover_messages": checks.recovered(
        checks.listed_errors("the message of every type error in {}")
    ),
    "fix": checks.fix,
    "fix_finding": checks.fixed_after,
    "coding": checks.coding,
    "coding_pasted": checks.coding,
    "lint": checks.linted,
    "lint_count": checks.linted,
    "lint_fixable": checks.fixable,
    "lint_clean": checks.lint_clean,
    "fix_lint": checks.fix_lint,
    "test_run": checks.tested,
    "test_failed": checks.tested,
    "tests_pass": checks.tests_pass,
    "fix_test": checks.fix_test,
    "types_and_lint": checks.types_and_lint,
    "types_and_tests": checks.types_and_tests,
    "then_fix": checks.fixed_after,
    "then_verify": checks.is_clean,
    "then_check": checks.check,
    "then_show": texts.shown,
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
