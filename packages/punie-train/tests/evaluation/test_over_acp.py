"""A turn over the protocol is scored as the same turn in this process."""

from __future__ import annotations

import pytest

from punie_agent.models import OfflineModel
from punie_train.evaluation.arena import Arena
from punie_train.evaluation.over_acp import acp_argv, through_acp
from punie_train.evaluation.play import LoadedSuite, play_query, with_model
from punie_train.evaluation.scores import queries_by_id


@pytest.mark.parametrize(
    ("query", "passes"), [("A1", True), ("C1", True), ("B2", False), ("C3", False)]
)
async def test_an_editor_sees_what_the_scorer_sees(
    query: str, passes: bool, checklist: LoadedSuite, arena: Arena
) -> None:
    asked = queries_by_id(checklist.suite)[query]

    here = await play_query(checklist, arena, asked, with_model(arena, OfflineModel()))
    there = await play_query(checklist, arena, asked, through_acp(arena, acp_argv("test")))

    assert there.passed is here.passed is passes
    assert [run.code for run in there.runs] == [run.code for run in here.runs]
    assert [run.calls for run in there.runs] == [run.calls for run in here.runs]
    assert [check.name for check in there.checks] == [check.name for check in here.checks]


async def test_an_agent_that_cannot_start_fails_the_query(
    checklist: LoadedSuite, arena: Arena
) -> None:
    asked = queries_by_id(checklist.suite)["C1"]

    score = await play_query(checklist, arena, asked, through_acp(arena, acp_argv("no-such-model")))

    assert not score.passed
    assert score.problem
