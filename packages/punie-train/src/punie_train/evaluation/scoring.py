"""Scoring: whether a turn did what its query asks, as a list of checks that each say why.

A query is passed when every check holds. Calls, arguments, fields, printed facts and files decide. Of prose,
numbers that are claimed must be true, and a direct answer must be about the question and neither too short
nor without an end; how it is worded is not judged.

Covered: the verdict on one turn. Not covered: playing it (`arena`) and counting verdicts (`scores`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from punie_agent.rehearsal import lost_names
from punie_train.evaluation.answers import AnswerJudge, degenerate
from punie_train.evaluation.calls import EXTRA_CALLS, describe, missing_steps, unwanted_calls
from punie_train.evaluation.claims import false_claims
from punie_train.evaluation.facts import Fact, Output, Truth, says_everything
from punie_train.evaluation.places import beyond, changes
from punie_train.evaluation.turn import Turn, fields_read

if TYPE_CHECKING:
    from punie_train.evaluation.arena import Arena, Played
    from punie_train.evaluation.suite import Query, Step


@dataclass(frozen=True)
class Check:
    """One thing that was checked.

    Attributes:
        name: what was checked, such as "facts".
        ok: whether it holds.
        detail: why not; empty when it holds.
    """

    name: str
    ok: bool
    detail: str = ""


def passed(checks: list[Check]) -> bool:
    """Tell whether all checks hold, and there are any."""
    return bool(checks) and all(check.ok for check in checks)


async def score(
    query: Query, played: Played, truth: Truth | None, arena: Arena, judge: AnswerJudge | None
) -> list[Check]:
    """Check a turn against what its query asks.

    Args:
        query: what was asked.
        played: the turn and what it left in its copy of the workspace.
        truth: what must have been shown, if the query says so.
        arena: runs the type checker, tests and probes on the copy.
        judge: judges direct answers; needed only for those.
    """
    checks = [_finished(played.turn)]
    if query.answer == "direct":
        checks += _direct(query, played.turn, judge)
    else:
        checks += _acted(query, played.turn, str(played.root), arena.reading_tools)
        checks += list(_shown(played.turn, truth))
    checks += await _left_behind(query, played, arena)
    return checks


def _finished(turn: Turn) -> Check:
    if turn.problem:
        return Check("finished", False, turn.problem)
    if turn.stop_reason != "end_turn":
        return Check("finished", False, f"the turn ended by {turn.stop_reason}")
    if turn.runs and turn.runs[-1].status != "ok":
        why = "; ".join(turn.runs[-1].problems)
        return Check("finished", False, f"the last program ended as {turn.runs[-1].status}: {why}")
    if loop := degenerate(turn.final_text):
        return Check("finished", False, f"final answer: {loop}")
    return Check("finished", True)


def _direct(query: Query, turn: Turn, judge: AnswerJudge | None) -> list[Check]:
    assert judge is not None
    assert query.concept is not None
    verdict = judge.judge(turn.final_text, query.concept, query.prompt)
    return [
        Check(
            "no code",
            not turn.runs,
            "code was run for a question that needs none" if turn.runs else "",
        ),
        Check("about the question", verdict.ok, "" if verdict.ok else verdict.reason),
    ]


def _acted(query: Query, turn: Turn, root: str, reading_tools: frozenset[str]) -> list[Check]:
    missing = missing_steps(query.steps, turn.calls, in_order=query.in_order, root=root)
    unwanted = unwanted_calls(
        query.steps, query.allow, query.forbid, turn.calls, root, reading_tools
    )
    if not unwanted and len(turn.calls) > len(query.steps) + EXTRA_CALLS:
        unwanted = list(turn.calls[len(query.steps) + EXTRA_CALLS :])
    checks = [
        Check("calls", not missing, "; ".join(f"not called: {_wanted(step)}" for step in missing)),
        Check(
            "no other calls",
            not unwanted,
            "; ".join(f"not asked for: {describe(c)}" for c in unwanted),
        ),
    ]
    if query.reads:
        read: frozenset[str] = frozenset().union(
            *(fields_read(run.code) for run in turn.runs if run.status == "ok")
        )
        unread = [group for group in query.reads if not read.intersection(group)]
        detail = "; ".join(f"no field read of: {', '.join(group)}" for group in unread)
        checks.append(Check("fields", not unread, detail))
    return checks


def _wanted(step: Step) -> str:
    return " or ".join(
        f"{pattern.tool}({', '.join([*pattern.args, *([pattern.command] if pattern.command else [])])})"
        for pattern in step.any
    )


def _shown(turn: Turn, truth: Truth | None) -> Iterator[Check]:
    if truth is None:
        return
    output = Output(turn.shown)
    missing = min((output.says(facts) for facts in truth.facts), key=len)
    yield Check("facts", not missing, _not_shown(missing))
    last = Output(turn.last_shown)
    said = [fact for fact in truth.never if not last.says([fact])]
    yield Check("nothing else", not said, f"also shown: {said[0]}" if said else "")
    known = [value for call in turn.calls for value in (dict(call.arguments), call.result)]
    guessing = says_everything(turn.shown, known)
    yield Check("no guessing", not guessing, "it lists numbers no tool gave" if guessing else "")
    wrong = false_claims(turn.final_text, truth.counts)
    yield Check("claims", not wrong, "; ".join(wrong))


def _not_shown(missing: list[Fact]) -> str:
    if not missing:
        return ""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"not shown: {missing[0]}{more}"


async def _left_behind(query: Query, played: Played, arena: Arena) -> list[Check]:
    after = query.after
    changed = changes(played.before, played.after)
    strange = beyond(changed, after.may_change)
    absent = [glob for glob in after.must_change if len(beyond(changed, [glob])) == len(changed)]
    details = [f"{path} was changed" for path in strange]
    details += [f"nothing changed that matches {glob}" for glob in absent]
    checks = [Check("files", not details, "; ".join(details))]
    present = [path for path in changed if path in played.after]
    clean = after.clean + ([p for p in present if p.endswith(".py")] if after.changed_clean else [])
    if clean:
        errors = [error for path in clean for error in await arena.errors_in(played.root, path)]
        checks.append(Check("type-checks", not errors, "; ".join(errors[:3])))
    original = arena.workspaces / arena.suite.workspace_of(query)
    checks += [_kept(path, played, original) for path in after.keeps]
    if after.tests:
        argv = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *after.tests]
        checks.append(await _succeeds("tests", played.root, argv, arena))
    if after.probe:
        checks.append(await _succeeds("works", played.root, ["-c", after.probe, *present], arena))
    return checks


def _kept(path: str, played: Played, original: Path) -> Check:
    if played.before.get(path) == played.after.get(path):
        return Check("kept", True)
    target = played.root / path
    try:
        new = target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return Check("kept", False, f"{path} cannot be read any more")
    lost = lost_names((original / path).read_text(encoding="utf-8"), new)
    return Check("kept", not lost, f"{path} lost {', '.join(lost)}" if lost else "")


async def _succeeds(name: str, root: Path, argv: list[str], arena: Arena) -> Check:
    done = await arena.command(root, argv)
    if done.exit_code == 0:
        return Check(name, True)
    text = (done.stdout + done.stderr).decode(errors="replace").strip()
    lines = [line for line in text.splitlines() if line.strip()]
    return Check(name, False, lines[-1] if lines else f"exit code {done.exit_code}")
