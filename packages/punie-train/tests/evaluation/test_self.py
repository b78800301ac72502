"""The checklist tells good models from bad ones before it is used on any."""

from __future__ import annotations

from collections.abc import Callable

from punie_agent.testing import ScriptedModel
from punie_train.evaluation.arena import Arena
from punie_train.evaluation.play import LoadedSuite, play_suite, reference_play
from punie_train.evaluation.suite import Query

PROSE = (
    "Of course. Let me know if there is anything else that you would like me to do for you today."
)


async def outcome(
    checklist: LoadedSuite, arena: Arena, replies: Callable[[Query], list[str]]
) -> dict[str, bool]:
    score = await play_suite(
        checklist, arena, lambda query: arena.play(query, ScriptedModel(replies(query))), at_once=2
    )
    return {category.id: category.ok for category in score.categories}


async def test_the_reference_solutions_pass_every_query(
    checklist: LoadedSuite, arena: Arena
) -> None:
    score = await play_suite(checklist, arena, reference_play(checklist, arena), at_once=2)

    assert [query.id for query in score.queries if not query.passed] == []
    assert (score.passed, score.total, score.ok) == (15, 15, True)
    assert [(c.id, c.passed, c.total, c.ok) for c in score.categories] == [
        ("A", 5, 5, True),
        ("B", 5, 5, True),
        ("C", 5, 5, True),
    ]
    assert score.flags == {}


async def test_an_empty_model_fails_every_category(checklist: LoadedSuite, arena: Arena) -> None:
    assert await outcome(checklist, arena, lambda query: [""]) == {
        "A": False,
        "B": False,
        "C": False,
    }


async def test_a_model_that_never_uses_tools_fails_every_category(
    checklist: LoadedSuite, arena: Arena
) -> None:
    assert await outcome(checklist, arena, lambda query: [PROSE]) == {
        "A": False,
        "B": False,
        "C": False,
    }


async def test_a_model_that_answers_well_but_never_uses_tools_fails(
    checklist: LoadedSuite, arena: Arena
) -> None:
    def replies(query: Query) -> list[str]:
        assert checklist.judge is not None
        return [checklist.judge.reference(query.concept) if query.concept else PROSE]

    assert await outcome(checklist, arena, replies) == {"A": False, "B": False, "C": False}


async def test_a_model_that_always_type_checks_fails_every_category(
    checklist: LoadedSuite, arena: Arena
) -> None:
    call = arena.contract().format_call(
        'r = typecheck(".")\nprint(r.error_count)\nfor e in r.errors:\n    print(e.file, e.line, e.message)'
    )

    assert await outcome(checklist, arena, lambda query: [call, "Done."]) == {
        "A": False,
        "B": False,
        "C": False,
    }
