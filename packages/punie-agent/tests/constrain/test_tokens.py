"""From characters to tokens: the best token that may come next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from punie_agent.constrain import Constraint, TokenFilter, TokenTexts
from punie_agent.constrain._rules import Kind, Rules, Tool, as_bytes
from punie_agent.constrain._tokens import AGAIN, _byte_level, _sentence_piece
from punie_agent.constrain._words import Words

RULES = Rules(
    {"typecheck": Tool(("path",), returns=Kind("Result"))},
    {"Result": {"error_count": None}},
    Words(map(as_bytes, ["src/actions/", "src/naïve.py"])),
    fresh=False,
)
PIECES = [
    *(chr(byte) for byte in range(256)),
    *(
        "```python\n",
        'typecheck("',
        "src/",
        "r",
        "ractions",
        "act",
        "ions",
        '/")',
        '")\n',
        "```",
        "No",
        "\n",
        None,
    ),
]
END = PIECES.index(None)
TEXTS = TokenTexts(dict(enumerate(PIECES)), [END])


def number(piece: str) -> int:
    return PIECES.index(piece)


def follow(*pieces: str) -> TokenFilter:
    found = TokenFilter(Constraint(RULES), TEXTS)
    for piece in pieces:
        assert found.allows(number(piece)), piece
        found.take(number(piece))
    return found


def test_the_likeliest_allowed_token_is_taken() -> None:
    at_path = follow("```python\n", 'typecheck("', "src/")
    ranked = [number(piece) for piece in ("ractions", "r", "act")]
    assert at_path.best(ranked) == number("act")
    assert at_path.refused == 2


def after_an_output(*pieces: str, start: str = "") -> TokenFilter:
    found = TokenFilter(Constraint(RULES, start=start, answers=True), TEXTS)
    for piece in pieces:
        assert found.allows(number(piece)), piece
        found.take(number(piece))
    return found


@pytest.mark.parametrize("before", [(), ("\n",)], ids=["at once", "after an empty line"])
def test_another_program_after_an_output_is_begun_by_a_model_that_is_sure(
    before: tuple[str, ...],
) -> None:
    here = after_an_output(*before)
    fence, words = number("```python\n"), number("No")
    unsure = {fence: 5.0, number("\n"): 4.5, END: 4.0, words: 3.0}
    assert all(here.allows(token) for token in unsure)
    assert [here.doubt(token) for token in (fence, number("\n"), words)] == [AGAIN, AGAIN, 1.0]
    assert here.nearly(fence, unsure) == words
    assert here.nearly(fence, {fence: 8.0, words: 3.0}) == fence


def test_a_program_is_in_no_doubt_elsewhere() -> None:
    fence = number("```python\n")
    asked_for = after_an_output(start="```python\n")
    for here in (follow(), after_an_output("No", "\n"), asked_for):
        assert here.allows(fence)
        assert here.doubt(fence) == 1.0


def test_a_token_may_end_a_path_and_go_on() -> None:
    assert follow("```python\n", 'typecheck("', "src/", "act", "ions").allows(number('/")'))
    assert not follow("```python\n", 'typecheck("', "src/", "act").allows(number('/")'))


def test_a_character_in_two_tokens_is_followed_byte_by_byte() -> None:
    first, second = as_bytes("ï")
    at_path = follow("```python\n", 'typecheck("', "src/", "n", "a", first)
    assert at_path.allows(number(second))
    assert not at_path.allows(number(first))


def test_a_reply_does_not_end_within_a_literal() -> None:
    assert not follow("```python\n", 'typecheck("').allows(END)
    assert follow("```python\n", 'typecheck("', "src/", "act", "ions", '/")').allows(END)
    assert follow().allows(END)


def test_a_token_that_was_not_allowed_frees_the_rest() -> None:
    lost = follow("```python\n", 'typecheck("')
    lost.take(number("ractions"))
    assert lost.free
    assert lost.allows(number("ractions"))


def test_only_tokens_with_an_allowed_first_byte_are_worth_asking_about() -> None:
    worth = follow("```python\n", 'typecheck("').worth_asking()
    assert set(worth) == {number("s"), number("src/")}
    assert END in follow().worth_asking()


def test_where_nothing_is_allowed_nothing_is_chosen() -> None:
    assert follow("```python\n", 'typecheck("').best([number("r")]) is None


def test_byte_level_pieces_are_read_as_bytes() -> None:
    assert _byte_level("Ġtypec") == " typec"
    assert _byte_level("ĊĊ") == "\n\n"
    assert _byte_level("Ã¯") == as_bytes("ï")
    assert _byte_level("日") is None


def test_sentence_pieces_are_read_as_bytes() -> None:
    assert _sentence_piece("▁naïve") == as_bytes(" naïve")
    assert _sentence_piece("<0x0A>") == "\n"


class Added:
    """A token that was added to a vocabulary."""

    def __init__(self, content: str, special: bool) -> None:
        self.content = content
        self.special = special


class Tokenizer:
    """As much of a Hugging Face tokenizer as is asked for."""

    eos_token_id = 3

    def __init__(self, decoder: str, pieces: Sequence[str]) -> None:
        self._pieces = pieces
        self.decoder = self
        self._state = decoder

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """Itself."""
        return self

    def __getstate__(self) -> Any:
        return self._state.encode()

    def get_vocab(self, with_added_tokens: bool) -> dict[str, int]:
        """The pieces by their numbers."""
        return {piece: number for number, piece in enumerate(self._pieces)}

    def get_added_tokens_decoder(self) -> dict[int, Added]:
        """One control token, one that writes text."""
        return {3: Added("<|im_end|>", True), 4: Added("```", False)}


@pytest.mark.parametrize(
    ("decoder", "piece"),
    [
        ('{"type": "ByteLevel"}', "Ġx"),
        ('{"type": "Sequence", "decoders": [{"type": "Replace"}, {"type": "ByteFallback"}]}', "▁x"),
    ],
)
def test_the_texts_of_a_tokenizer_are_found(decoder: str, piece: str) -> None:
    texts = TokenTexts.of(Tokenizer(decoder, ["a", piece]))
    assert texts is not None
    assert [texts[number] for number in range(5)] == ["a", " x", None, None, "```"]
    assert texts.ends == {3}


def test_a_tokenizer_of_another_kind_is_not_guessed_at() -> None:
    assert TokenTexts.of(Tokenizer('{"type": "WordPiece"}', ["a"])) is None
    assert TokenTexts.of(object()) is None
