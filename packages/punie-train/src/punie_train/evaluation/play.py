"""Playing a suite: all its queries against one model, many turns at once, each scored as it ends.

Covered: a suite and a way to get a model for each query. Not covered: loading models (`validate`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from punie_train.artefacts import digest_file
from punie_train.errors import EvaluationError
from punie_train.evaluation.answers import AnswerJudge, load_bank
from punie_train.evaluation.calls import describe
from punie_train.evaluation.flags import chosen_tool, expected_tool, red_flags
from punie_train.evaluation.scores import CheckScore, QueryScore, RunRecord, SuiteScore, suite_score
from punie_train.evaluation.scoring import Check, passed, score
from punie_train.evaluation.suite import Query, Suite, load_suite, suite_files
from punie_train.evaluation.turn import Turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from punie_agent.models import ChatModel
    from punie_train.evaluation.arena import Arena, Played
    from punie_train.progress import Task

LONGEST_SHOWN = 4000
"""Characters of a run's output that the transcript keeps."""


Play = Callable[[Query], Awaitable["Played"]]
"""Plays the turn of a query, however it reaches the model."""


def with_model(arena: Arena, model: ChatModel) -> Play:
    """Return the player that asks one model every query, in this process."""
    return lambda query: arena.play(query, model)


@dataclass(frozen=True)
class LoadedSuite:
    """A suite read from a file, with the judge of its direct answers.

    Attributes:
        suite: the queries.
        path: where it was read from.
        judge: judges direct answers; None when the suite has no concept bank.
    """

    suite: Suite
    path: Path
    judge: AnswerJudge | None

    def digest(self) -> str:
        """Return the SHA-256 of the suite's file, and after plus signs those of the files it names."""
        files = suite_files(self.path)
        if self.suite.concepts is not None:
            files.append(self.path.parent / self.suite.concepts)
        return "+".join(map(digest_file, files))


def open_suite(path: Path) -> LoadedSuite:
    """Read a suite and its concept bank.

    Raises:
        EvaluationError: a file is missing, breaks its format, or a query names an unknown concept.
    """
    suite = load_suite(path)
    if suite.concepts is None:
        return LoadedSuite(suite, path, None)
    bank = load_bank(path.parent / suite.concepts)
    known = {concept.id for concept in bank.concepts}
    unknown = sorted({q.concept for q in suite.queries if q.concept and q.concept not in known})
    if unknown:
        raise EvaluationError(f"{path}: {suite.concepts} has no entry {', '.join(unknown)}.")
    return LoadedSuite(suite, path, AnswerJudge(bank))


async def play_suite(
    loaded: LoadedSuite,
    arena: Arena,
    play: Play,
    *,
    at_once: int,
    task: Task | None = None,
    queries: Sequence[Query] | None = None,
) -> SuiteScore:
    """Play queries of a suite and count the verdicts.

    Args:
        loaded: the suite.
        arena: where turns are played.
        play: plays the turn of one query; see `with_model`.
        at_once: turns played at the same time.
        task: shows progress, one step a query.
        queries: only these; all by default.

    Raises:
        EvaluationError: a query's own truth program fails.
    """
    started = time.monotonic()
    gate = asyncio.Semaphore(at_once)
    done = 0

    async def one(query: Query) -> QueryScore:
        nonlocal done
        async with gate:
            result = await play_query(loaded, arena, query, play)
        done += result.passed
        if task is not None:
            task.advance(passed=done)
        return result

    chosen = loaded.suite.queries if queries is None else queries
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(query)) for query in chosen]
    except* EvaluationError as errors:
        raise errors.exceptions[0] from None
    return suite_score(loaded.suite, [each.result() for each in tasks], time.monotonic() - started)


async def play_query(loaded: LoadedSuite, arena: Arena, query: Query, play: Play) -> QueryScore:
    """Play one query and score the turn."""
    truth = await arena.truth(query)
    played = await play(query)
    checks = await score(query, played, truth, arena, loaded.judge)
    return _record(query, played.turn, checks, str(played.root))


def _record(query: Query, turn: Turn, checks: list[Check], root: str) -> QueryScore:
    def tidy(text: str) -> str:
        text = text.replace(root, ".")
        return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "\n[cut]"

    return QueryScore(
        id=query.id,
        category=query.category,
        behaviour=query.behaviour,
        prompt=query.prompt,
        passed=passed(checks),
        checks=[CheckScore(name=c.name, ok=c.ok, detail=tidy(c.detail)) for c in checks],
        expected_tool=expected_tool(query),
        chosen_tool=chosen_tool(turn),
        flags=red_flags(query, turn),
        runs=[
            RunRecord(
                code=run.code,
                status=run.status,
                shown=tidy(run.shown),
                calls=[describe(call) for call in run.calls],
                problems=[tidy(problem) for problem in run.problems],
            )
            for run in turn.runs
        ],
        answer=tidy(turn.final_text),
        stop_reason=turn.stop_reason,
        problem=tidy(turn.problem),
        seconds=turn.seconds,
        output_tokens=turn.output_tokens,
    )


def reference_play(loaded: LoadedSuite, arena: Arena) -> Play:
    """Return the player of the suite's own solutions, which must pass everything.

    Direct queries are answered with the concept bank's first answer.
    """
    from punie_agent.testing import ScriptedModel

    contract = arena.contract()

    def model(query: Query) -> ChatModel:
        if query.answer == "direct":
            assert loaded.judge is not None
            assert query.concept is not None
            return ScriptedModel([loaded.judge.reference(query.concept)])
        calls = [contract.format_call(code) for code in query.solution]
        return ScriptedModel([*calls, query.solution_answer])

    return lambda query: arena.play(query, model(query))
