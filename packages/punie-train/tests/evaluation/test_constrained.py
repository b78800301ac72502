"""A model kept to a constraint, with real weights that know nothing: every word of it is the constraint's."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from punie_agent.constrain import Constraint, LogitsProcessor, TokenTexts
from punie_agent.constrain._copying import Told
from punie_agent.constrain._rules import Rules, Tool
from punie_agent.constrain._words import Words
from punie_agent.errors import ModelError
from punie_agent.models import Message, registry
from punie_agent.models._served import ServedModel
from punie_train.evaluation.arena import Arena
from punie_train.evaluation.batching import BatchedModel
from punie_train.evaluation.play import LoadedSuite
from punie_train.mlx import mx

RULES = Rules(
    {"typecheck": Tool(("path",))}, {}, Words(["src/actions/", "tests/test_app.py"]), fresh=False
)


IN_THE_CALL = Constraint(RULES, begun='```python\ntypecheck("')
PATHS = ('src/actions/"', 'tests/test_app.py"')
MESSAGES = [Message("user", "Check src/actions/ please")]


async def test_a_model_that_knows_nothing_writes_one_of_the_paths(tiny_model: Path) -> None:
    """Constrained and free conversations share a batch; only the constrained ones change."""
    with BatchedModel(tiny_model, max_tokens=16, batch=4) as model:
        free = (await model.reply(MESSAGES)).text
        held, also_free = await asyncio.gather(
            model.reply(MESSAGES, constraint=IN_THE_CALL), model.reply(MESSAGES)
        )
    assert held.text.startswith(PATHS)
    assert also_free.text == free


def test_what_a_perfect_model_would_write_first_can_be_written(
    checklist: LoadedSuite, arena: Arena, workspaces: Path
) -> None:
    suite, contract = checklist.suite, arena.contract()
    solved = [query for query in suite.queries if query.solution]
    for query in solved:
        root = workspaces / suite.workspace_of(query)
        constraint = Constraint.of(contract, [Message("user", query.prompt)], root)
        program = query.solution[0].strip("\n")
        assert constraint.cursor().accepts(contract.format_call(program)), query.prompt
    assert len(solved) > 5


async def test_a_served_model_is_kept_to_the_constraint_of_its_request(tiny_model: Path) -> None:
    model = ServedModel(registry.artefact(tiny_model))
    try:
        free = (await model.reply(MESSAGES, max_tokens=24)).text
        held = (await model.reply(MESSAGES, max_tokens=24, constraint=IN_THE_CALL)).text
        again = (await model.reply(MESSAGES, max_tokens=24)).text
        with pytest.raises(ModelError, match=r"400.*cannot begin"):
            await model.reply(MESSAGES, constraint=Constraint(RULES, begun="```python\n)"))
    finally:
        await model.aclose()
    assert held.startswith(PATHS)
    assert free == again


IN_A_TEXT = Constraint(RULES, begun='```python\nnote = "')


async def test_a_model_goes_on_as_an_alternative_says_here_and_served(tiny_model: Path) -> None:
    served = ServedModel(registry.artefact(tiny_model))
    try:
        with BatchedModel(tiny_model, max_tokens=8) as model:
            first = await model.reply(MESSAGES, constraint=IN_A_TEXT)
            other = first.alternatives[0]
            asked = replace(IN_A_TEXT, start=other.start)
            second = await model.reply(MESSAGES, constraint=asked)
        over_there = [
            await served.reply(MESSAGES, max_tokens=8, constraint=each)
            for each in (IN_A_TEXT, asked)
        ]
    finally:
        await served.aclose()
    assert not first.text.startswith(other.start)
    assert second.text.startswith(other.start)
    assert all(each.start.startswith(other.start) for each in second.alternatives)
    # mlx-lm's server drops the space that an answer begins with
    assert [each.text for each in over_there] == [each.text.lstrip() for each in (first, second)]
    here = [each.start for each in first.alternatives]
    there = [each.start for each in over_there[0].alternatives]
    assert there[: len(here)] == here  # it looks a token further than it may write


@pytest.fixture
def texts() -> TokenTexts:
    return TokenTexts({0: "lib", 1: "src/", 2: "tests/", 3: "!", 4: None}, [4])


@pytest.mark.parametrize(
    ("logits", "chosen"), [([9, 1, 5, 7, 8], 2), ([0, 9, 5, 7, 8], 1), ([9, 2, 1, 3, 3], 1)]
)
def test_the_likeliest_allowed_token_has_the_highest_logit(
    texts: TokenTexts, logits: list[float], chosen: int
) -> None:
    process = LogitsProcessor(IN_THE_CALL, texts)
    kept = process(mx.array([3]), mx.array([logits]))
    assert mx.argmax(kept).item() == chosen


def test_what_is_drawn_at_random_is_allowed_too(texts: TokenTexts) -> None:
    process = LogitsProcessor(IN_THE_CALL, texts, greedy=False)
    kept = process(mx.array([3]), mx.array([[1.0, 9.0, 2.0, 3.0, 4.0]]))
    assert mx.isinf(kept).tolist() == [[True, False, False, True, True]]


def test_allowed_logits_are_left_as_they_are(texts: TokenTexts) -> None:
    logits = mx.array([[1.0, 9.0, 2.0, 3.0, 4.0]])
    assert LogitsProcessor(IN_THE_CALL, texts)(mx.array([3]), logits) is logits


@pytest.mark.parametrize(("score", "taken"), [(4.0, 2), (0.0, 1)])
def test_greedy_decoding_copies_and_drawing_is_left_alone(score: float, taken: int) -> None:
    rules = Rules({"run": Tool(("command",))}, {}, told=Told(Words(["grep", "midnight"])))
    texts = TokenTexts({0: "x", 1: "th", 2: "i", 3: None}, [3])
    begun = Constraint(rules, begun='```python\nrun("grep m')
    found = {}
    for greedy in (True, False):
        process = LogitsProcessor(begun, texts, greedy=greedy)
        logits = mx.array([[-9.0, 5.0, score, -9.0]])
        found[greedy] = mx.argmax(process(mx.array([0]), logits)).item()
    assert found == {True: taken, False: 1}
