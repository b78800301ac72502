"""A reply says how else an edit in it could have gone on, and can be asked to go on so."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent.constrain import Alternative, Constraint, TokenFilter, TokenTexts
from punie_agent.constrain._copying import Told
from punie_agent.constrain._rules import Rules, Tool, as_bytes
from punie_agent.constrain._words import Words

RULES = Rules(
    {"typecheck": Tool(("path",)), "write_file": Tool(("path", "content"))},
    {},
    Words(map(as_bytes, ["src/", "tests/"])),
)
PIECES = ['write_file("', "src/", "tests/", '", "', "int", "in", "t", "str", "ünt", '")', "\n```"]
PIECES += ["```python\n", "half"]
END = len(PIECES)
HALF = {PIECES.index("half"): as_bytes("ü")[0]}
TEXTS = TokenTexts({**{n: as_bytes(x) for n, x in enumerate(PIECES)}, **HALF, END: None}, [END])
BEGUN = "```python\n"


def follow(*pieces: str, begun: str = BEGUN, start: str = "", rules: Rules = RULES) -> TokenFilter:
    """Follow a reply that began with some tokens."""
    found = TokenFilter(Constraint(rules, begun=begun, start=start), TEXTS)
    for piece in pieces:
        token = PIECES.index(piece)
        assert found.allows(token)
        found.take(token)
    return found


def noted(follow: TokenFilter, taken: str, logits: Mapping[str, float]) -> list[Alternative]:
    """Return the alternatives to a token, given the logits of some."""
    scores = {PIECES.index(piece): score for piece, score in logits.items()}
    scores = dict(sorted(scores.items(), key=lambda pair: -pair[1]))
    follow.note(PIECES.index(taken), scores)
    return follow.alternatives


def test_the_likeliest_tokens_beside_the_one_taken_are_kept_with_what_they_lose() -> None:
    logits = {"int": 5.0, "str": 4.0, "ünt": 3.5, "in": 3.0, "t": 2.0, '")': 1.0}
    here = follow('write_file("', "src/", '", "')
    assert noted(here, "int", logits) == [
        Alternative('write_file("src/", "str', 1.0),
        Alternative('write_file("src/", "ünt', 1.5),
        Alternative('write_file("src/", "in', 2.0),
        Alternative('write_file("src/", "t', 3.0),
    ]


@pytest.mark.parametrize(
    ("other", "score"),
    [("str", -8.0), ("\n```", 4.0), ("half", 4.0)],
    ids=["a hundred thousandth as likely", "not allowed", "half a character"],
)
def test_what_is_out_of_the_question_is_no_alternative(other: str, score: float) -> None:
    here = follow('write_file("', "src/", '", "')
    assert noted(here, "int", {"int": 5.0, other: score}) == []


def test_a_token_in_doubt_loses_more() -> None:
    rules = Rules(RULES.tools, {}, RULES.paths, told=Told(Words(["int"])))
    here = follow('write_file("', "src/", '", "', rules=rules)
    (found,) = noted(here, "int", {"int": 5.0, "str": 4.0})
    assert found == Alternative('write_file("src/", "str', 1.0 + math.log(20))


def test_a_token_in_doubt_that_is_taken_leaves_one_that_is_not_without_a_loss() -> None:
    rules = Rules(RULES.tools, {}, RULES.paths, told=Told(Words(["int"])))
    here = follow('write_file("', "src/", '", "', rules=rules)
    logits = {"int": 5.5, "str": 5.0}
    assert noted(here, "str", logits) == [Alternative('write_file("src/", "int', 0.0)]


@pytest.mark.parametrize(
    ("begun", "within"),
    [
        ('write_file("', False),
        ('write_file("src/", "', True),
        ("print('", False),
        ("print(x, sep='", False),
        ("x = f'", False),
        ("x = x.replace('", True),
        ("x", False),
    ],
)
def test_only_texts_that_edit_have_alternatives(begun: str, within: bool) -> None:
    """Another file or another call would be another deed, and what is printed changes nothing."""
    assert follow(begun=BEGUN + begun).in_edit is within


@pytest.mark.parametrize(
    ("begun", "line", "settled"),
    [
        ("'x", "xstr", False),
        ("'in', '", "in", True),
        ("'in', 'x'.replace('", "str", False),
    ],
)
def test_an_alternative_tells_the_text_that_it_replaces_and_whether_that_is_all_of_it(
    begun: str, line: str, settled: bool
) -> None:
    here = follow(begun=f"{BEGUN}x = x.replace({begun}")
    (found,) = noted(here, "int", {"int": 1.0, "str": 1.0})
    assert (found.line, found.settled) == (line, settled)


@pytest.mark.parametrize(
    ("begun", "taken", "other", "kept"),
    [
        ("x = x.replace('", "int", "''", False),
        ("x = x.replace('", "''", "int", False),
        ("x = x.replace('in", "'", "')", False),
        ("x = x.replace('in", "'", "t", True),
        ("x = x.replace('in", "t", "'", True),
    ],
    ids=["opening", "opened", "both end it", "goes on", "ends"],
)
def test_quotes_alone_are_no_alternative(begun: str, taken: str, other: str, kept: bool) -> None:
    texts = TokenTexts({0: taken, 1: other, 2: None}, [2])
    found = TokenFilter(Constraint(RULES, begun=BEGUN + begun), texts)
    assert found.allows(0)
    assert found.allows(1)
    found.note(0, {0: 1.0, 1: 1.0})
    assert bool(found.alternatives) is kept


QUOTES = "'" * 3


def test_nothing_is_noted_in_the_midst_of_closing_quotes() -> None:
    assert follow(begun=f"{BEGUN}x = x.replace({QUOTES}in").in_edit
    assert not follow(begun=f"{BEGUN}x = x.replace({QUOTES}in'").in_edit


def test_a_reply_begins_as_it_is_asked_to_and_goes_on_freely() -> None:
    start = '```python\nwrite_file("src/", "str'
    here = follow(begun="", start=start)
    written = []
    for wanted in ["```python\n", 'write_file("', "src/", '", "', "str"]:
        assert not here.free
        assert not here.in_edit
        allowed = [piece for piece in PIECES if here.allows(PIECES.index(piece))]
        assert allowed == [wanted]
        assert PIECES.index(wanted) in here.worth_asking()
        assert not here.allows(END)
        here.take(PIECES.index(wanted))
        written.append(wanted)
    assert "".join(written) == start
    assert here.in_edit
    assert [piece for piece in ("int", "t", '")', "\n```") if here.allows(PIECES.index(piece))] == [
        "int",
        "t",
        '")',
    ]
    assert noted(here, "int", {"int": 1.0, "t": 0.5}) == [Alternative(start + "t", 0.5)]


def test_what_a_reply_is_to_begin_with_may_be_written_in_any_tokens() -> None:
    here = follow('write_file("', "src/", '", "', start='write_file("src/", "int")')
    assert [piece for piece in PIECES if here.allows(PIECES.index(piece))] == ["int", "in"]
    here.take(PIECES.index("in"))
    assert [piece for piece in PIECES if here.allows(PIECES.index(piece))] == ["t"]


def test_after_a_token_that_does_not_begin_so_everything_is_allowed() -> None:
    """Whoever decodes has the last word, as with any constraint."""
    here = follow(start='write_file("src/')
    here.take(PIECES.index("str"))
    assert here.free
    assert here.allows(PIECES.index("\n```"))


def test_what_a_reply_is_to_begin_with_travels_with_the_constraint() -> None:
    made = Constraint(RULES, start="naïve")
    again = Constraint.from_json(json.loads(json.dumps(made.to_json())))
    assert again.start == "naïve"
    assert "start" not in Constraint(RULES).to_json()
    with pytest.raises(ValueError, match="surrogates not allowed"):
        Constraint.from_json({**made.to_json(), "start": "\ud800"})


@given(st.text(), st.floats(0, 1e6), st.text(), st.booleans())
def test_an_alternative_travels_as_json(start: str, loss: float, line: str, settled: bool) -> None:
    made = Alternative(start, loss, line, settled)
    assert Alternative.from_json(json.loads(json.dumps(made.to_json()))) == made


@given(
    st.one_of(
        st.none(),
        st.text(),
        st.fixed_dictionaries(
            {},
            optional={
                "start": st.none() | st.text(st.characters(exclude_categories=())),
                "loss": st.none() | st.floats() | st.integers() | st.booleans(),
                "line": st.none() | st.text(st.characters(exclude_categories=())),
                "settled": st.none() | st.booleans(),
            },
        ),
    )
)
def test_what_a_server_sends_is_an_alternative_or_refused(data: Any) -> None:
    try:
        found = Alternative.from_json(data)
    except ValueError as error:
        assert "`loss`, from 0 on" in str(error)  # noqa: PT017 - both ways are right
        return
    assert found.loss >= 0
    (found.start + found.line).encode()
