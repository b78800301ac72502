"""A reply that shall not be one of those before leaves them where another token was nearly as likely."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent.constrain import Constraint, Deviation, TokenFilter, TokenTexts
from punie_agent.constrain._rules import Rules, Tool, as_bytes
from punie_agent.constrain._words import Words

RULES = Rules(
    {"typecheck": Tool(("path",)), "write_file": Tool(("path", "content"))},
    {},
    Words(map(as_bytes, ["src/", "tests/"])),
)
PIECES = ['write_file("', "src/", "tests/", '", "', "int", "in", "t", "str", "ünt", '")', "\n```"]
END = len(PIECES)
TEXTS = TokenTexts({**{n: as_bytes(piece) for n, piece in enumerate(PIECES)}, END: None}, [END])
BEFORE = '```python\nwrite_file("src/", "int")\n```'


def follow(*pieces: str, likely: float = 0.1, before: tuple[str, ...] = (BEFORE,)) -> TokenFilter:
    """Follow a reply that began with some tokens."""
    constraint = Constraint(RULES, begun="```python\n", deviation=Deviation(before, likely))
    found = TokenFilter(constraint, TEXTS)
    for piece in pieces:
        token = PIECES.index(piece)
        assert found.allows(token)
        found.take(token)
    return found


def next_after(follow: TokenFilter, logits: dict[str, float]) -> str:
    """Return the token that is taken, given the logits of some."""
    scores = {PIECES.index(piece): score for piece, score in logits.items()}
    ranked = sorted(scores, key=scores.__getitem__, reverse=True)
    return PIECES[follow.nearly(ranked[0], ranked, scores.__getitem__)]


IN_THE_TEXT = ('write_file("', "src/", '", "')


@pytest.mark.parametrize(
    ("logits", "taken"),
    [
        ({"int": 5.0, "str": 4.0}, "str"),
        ({"int": 5.0, "str": 2.0}, "int"),
        ({"int": 5.0, "in": 4.9, "ünt": 4.0}, "ünt"),
        ({"str": 5.0, "int": 4.0}, "str"),
    ],
    ids=["nearly as likely", "much less", "the same in other tokens", "another one"],
)
def test_a_text_that_was_written_before_gives_way(logits: dict[str, float], taken: str) -> None:
    assert next_after(follow(*IN_THE_TEXT), logits) == taken


def test_less_may_be_asked_of_what_takes_its_place() -> None:
    logits = {"int": 5.0, "str": 2.0}
    assert next_after(follow(*IN_THE_TEXT, likely=0.01), logits) == "str"
    assert next_after(follow(*IN_THE_TEXT, likely=0.0), {"int": 5.0, "str": -90.0}) == "str"


def test_all_replies_before_are_left() -> None:
    other = BEFORE.replace("int", "str")
    logits = {"int": 5.0, "str": 4.9, "ünt": 4.0}
    assert next_after(follow(*IN_THE_TEXT, before=(BEFORE, other)), logits) == "ünt"


def test_what_has_parted_from_them_goes_on_freely() -> None:
    parted = follow(*IN_THE_TEXT, "str")
    assert not any(parted.repeats(token) for token in range(END))


def test_paths_and_code_are_not_parted_from() -> None:
    """Where an edit goes wrong is the text; another file or another call would be another deed."""
    assert not follow().repeats(PIECES.index('write_file("'))
    assert not follow('write_file("').repeats(PIECES.index("src/"))
    assert follow(*IN_THE_TEXT).repeats(PIECES.index("int"))


@pytest.mark.parametrize(
    "begun",
    ["print('", "print(x, sep='", "x = f'"],
    ids=["printed", "how it is printed", "an f-string"],
)
def test_texts_that_edit_nothing_are_not_parted_from(begun: str) -> None:
    before = f"```python\n{begun}int')\n```"
    constraint = Constraint(RULES, begun=f"```python\n{begun}", deviation=Deviation((before,), 0.1))
    found = TokenFilter(constraint, TEXTS)

    assert found.allows(PIECES.index("int"))
    assert not found.repeats(PIECES.index("int"))


def is_repeated(token: str, begun: str, **wanted: Any) -> bool:
    """Tell whether a token repeats something in the arguments of a `replace` that began so."""
    constraint = Constraint(
        RULES,
        begun=f"```python\nx = x.replace({begun}",
        deviation=Deviation(("Something else",), 0.1, **wanted),
    )
    found = TokenFilter(constraint, TokenTexts({0: token, 1: None}, [1]))
    assert found.allows(0)
    return found.repeats(0)


@pytest.mark.parametrize(
    ("old", "begun", "token", "repeats"),
    [
        ("int", "", "int", True),
        ("int", "", "in", True),
        ("int", "", "str", False),
        ("int", "in", "t", True),
        ("int", "int", "')", True),
        ("int", "in", "')", False),
        ("int", "str", "')", False),
    ],
)
def test_another_reply_does_not_replace_a_text_by_itself(
    old: str, begun: str, token: str, repeats: bool
) -> None:
    assert is_repeated(token, f"'{old}', '{begun}") is repeats


LINES = {"line": ("int", ()), "elsewhere": ("", ("int", "in it"))}


@pytest.mark.parametrize(
    ("kind", "begun", "token", "repeats"),
    [
        ("line", "", "in", False),
        ("line", "", "str", True),
        ("line", "in", "t'", False),
        ("line", "in", "'", True),
        ("line", "int", "s", True),
        ("elsewhere", "", "in", True),
        ("elsewhere", "", "str", False),
        ("elsewhere", "in", "t", True),
        ("elsewhere", "in", "'", False),
        ("elsewhere", "int", "', '", True),
        ("elsewhere", "int", "s", False),
    ],
)
def test_it_may_be_said_what_an_edit_replaces_or_does_not(
    kind: str, begun: str, token: str, repeats: bool
) -> None:
    line, elsewhere = LINES[kind]
    found = is_repeated(token, f"'{begun}", line=line, elsewhere=elsewhere)
    assert found is repeats


def test_another_line_may_be_far_less_likely_than_another_edit_of_one() -> None:
    texts = TokenTexts({0: "int", 1: "str", 2: None}, [2])
    scores = {0: 9.0, 1: 1.0}  # a three thousandth
    taken = []
    for begun in ("", "any', '"):
        deviation = Deviation(("```python\nx = x.replace('any', 'int",), 0.1, elsewhere=("int",))
        constraint = Constraint(
            RULES, begun=f"```python\nx = x.replace('{begun}", deviation=deviation
        )
        found = TokenFilter(constraint, texts)
        assert found.allows(0)
        assert found.repeats(0)
        taken.append(found.nearly(0, scores, scores.__getitem__))
    assert taken == [1, 0]


def test_it_travels_with_the_constraint() -> None:
    made = Constraint(RULES, deviation=Deviation((BEFORE, "naïve"), 0.25, "ü", ("a", "b")))
    again = Constraint.from_json(json.loads(json.dumps(made.to_json())))
    assert again.deviation == made.deviation
    plain = replace(made, deviation=None)
    assert "deviation" not in plain.to_json()
    assert Constraint.from_json(plain.to_json()).deviation is None


@given(
    st.one_of(
        st.none(),
        st.text(),
        st.dictionaries(st.sampled_from(["replies", "likely"]), st.none() | st.floats()),
        st.fixed_dictionaries(
            {"replies": st.just([]), "likely": st.just(0.5)},
            optional={
                "line": st.none() | st.text(st.characters(exclude_categories=())),
                "elsewhere": st.none() | st.lists(st.none() | st.text()),
            },
        ),
        st.fixed_dictionaries(
            {
                "replies": st.lists(st.none() | st.text(st.characters(exclude_categories=()))),
                "likely": st.floats() | st.text(),
            }
        ),
    )
)
def test_what_a_client_sends_is_a_deviation_or_refused(data: Any) -> None:
    try:
        found = Deviation.from_json(data)
    except ValueError:
        return
    assert 0 <= found.likely <= 1
    assert all(isinstance(text, str) for text in (*found.replies, found.line, *found.elsewhere))


def test_the_refusal_says_what_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"`replies`.*`likely`, from 0 to 1"):
        Deviation.from_json({"replies": ["a"], "likely": 2})
    with pytest.raises(ValueError, match="surrogates not allowed"):
        Deviation.from_json({"replies": ["\ud800"], "likely": 0.5})
