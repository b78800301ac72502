"""Exactly the assistant's turns are learned, tokenised as the server sees them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.errors import DataError
from punie_train.models.loading import load_base
from punie_train.training.rows import HEAD, Row, make_row, read_rows, shared_prefix


@pytest.fixture(scope="module")
def tokenizer(tiny_moe: Path):
    return load_base(tiny_moe).tokenizer


def test_every_assistant_turn_and_its_end_token_is_supervised_and_nothing_else(tokenizer) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Check types in app.py"},
        {"role": "assistant", "content": '```python\nprint(typecheck("app.py"))\n```'},
        {"role": "user", "content": "```output\n3\n```"},
        {"role": "assistant", "content": "3 errors."},
    ]

    row = make_row({"id": "one", "messages": messages}, tokenizer, 500)

    learned = tokenizer.decode([row.tokens[at] for at in row.supervised])
    assert learned == '```python\nprint(typecheck("app.py"))\n```<|im_end|>3 errors.<|im_end|>'
    assert tokenizer.decode(list(row.tokens)).startswith(
        "<|im_start|>system\nBe brief.<|im_end|>\n"
    )
    assert row.name == "one"


def test_the_tail_of_an_answer_in_prose_may_count_less_and_code_counts_whole(tokenizer) -> None:
    prose = " ".join(f"w{number}" for number in range(30))
    messages = [
        {"role": "user", "content": "What is a decorator?"},
        {"role": "assistant", "content": prose},
        {"role": "user", "content": "Check app.py"},
        {"role": "assistant", "content": f"```python\nprint('{prose}')\n```"},
    ]

    row = make_row({"messages": messages}, tokenizer, 500, tail_weight=0.25)

    in_prose = len(tokenizer.encode(prose, add_special_tokens=False)) + 1  # and the end token
    assert row.weights[:in_prose] == (1.0,) * HEAD + (0.25,) * (in_prose - HEAD)
    assert set(row.weights[in_prose:]) == {1.0}
    assert row.weight == sum(row.weights)
    assert len(row.weights) == len(row.supervised)


@given(
    turns=st.lists(
        st.tuples(
            st.text(min_size=1, max_size=30).filter(lambda text: "<|" not in text),
            st.text(min_size=1, max_size=30).filter(lambda text: "<|" not in text),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_row_is_the_tokens_of_the_rendered_conversation_up_to_its_last_end_token(
    tokenizer, turns: list[tuple[str, str]]
) -> None:
    messages = [
        {"role": role, "content": content}
        for pair in turns
        for role, content in zip(("user", "assistant"), pair, strict=True)
    ]
    try:
        row = make_row({"messages": messages}, tokenizer, 5000)
    except DataError:
        return  # refused because a turn's tokens depend on its surroundings
    text = tokenizer.apply_chat_template(messages, tokenize=False).removesuffix("\n")
    assert list(row.tokens) == tokenizer.encode(text, add_special_tokens=False)


def test_a_record_that_cannot_be_a_row_names_file_and_line(tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
    with pytest.raises(DataError, match=r"train\.jsonl:1: no assistant turn"):
        read_rows(path, tokenizer, 100)
    long = {"role": "assistant", "content": "word " * 40 + "end"}
    path.write_text(json.dumps({"messages": [{"role": "user", "content": "hi"}, long]}) + "\n")
    with pytest.raises(DataError, match=r"train\.jsonl:1: \d+ tokens, more than max_tokens = 16"):
        read_rows(path, tokenizer, 16)
    path.write_text(json.dumps({"messages": [long]}) + "\n")
    with pytest.raises(DataError, match=r"train\.jsonl:1: begins with the assistant's turn"):
        read_rows(path, tokenizer, 100)
    path.write_text("")
    with pytest.raises(DataError, match="no records"):
        read_rows(path, tokenizer, 100)


def test_the_shared_prefix_ends_before_what_predicts_the_first_supervised_token() -> None:
    rows = [Row("a", (1, 2, 3, 4, 5), (3, 4)), Row("b", (1, 2, 3, 9), (3,))]
    assert shared_prefix(rows) == 2
    assert shared_prefix([Row("a", (1, 2, 3), (2,)), Row("b", (1, 7, 3), (2,))]) == 1
    assert shared_prefix([Row("a", (1, 2, 3), (2,))]) == 1
