"""From records to rows of tokens, with exactly the assistant's turns supervised.

A row is tokenised as the server will see it: the text up to the assistant's turn, then the turn and its
end token. Text that would be tokenised differently as a whole is refused, so that what is trained is
what is served.

Covered: chat templates that only append (ChatML and its kin). Not covered: templates that rewrite
earlier turns; they are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from punie_train.artefacts import read_jsonl
from punie_train.errors import DataError

HEAD = 16
"""Tokens of an answer in prose that tell what it is about; what follows is known once they are."""
CODE = "```python"
"""What an answer that acts has in it: records are written by a contract whose calls are fenced."""


@dataclass(frozen=True)
class Row:
    """One training example as tokens.

    Attributes:
        name: the record's id.
        tokens: ids of the whole conversation.
        supervised: positions of the tokens to be learned, ascending; position 0 is never one.
        weights: what each of these counts in the mean; one where nothing is said.
        acts: whether its last turn is a program; an answer in prose otherwise.
    """

    name: str
    tokens: tuple[int, ...]
    supervised: tuple[int, ...]
    weights: tuple[float, ...] = ()
    acts: bool = False

    def __post_init__(self) -> None:
        """Let each supervised token count once where nothing else is said."""
        if not self.weights:
            object.__setattr__(self, "weights", (1.0,) * len(self.supervised))

    @property
    def weight(self) -> float:
        """What the row counts in a batch's mean."""
        return sum(self.weights)


def read_rows(
    path: Path, tokenizer: Any, max_tokens: int, *, tail_weight: float = 1.0
) -> list[Row]:
    """Return the rows of a JSON Lines file of records; see `make_row`.

    Raises:
        DataError: a record cannot be a row, or the file has none.
    """
    one_of_each: dict[int, int] = {}  # a number of its own for each token takes 100 MB
    rows = [
        replace(row, tokens=tuple(one_of_each.setdefault(token, token) for token in row.tokens))
        for row in (
            make_row(record, tokenizer, max_tokens, f"{path}:{number}", tail_weight=tail_weight)
            for number, record in enumerate(read_jsonl(path), start=1)
        )
    ]
    if not rows:
        raise DataError(f"{path}: no records in it; run the merge stage again.")
    return rows


def make_row(
    record: Mapping[str, Any],
    tokenizer: Any,
    max_tokens: int,
    where: str = "record",
    *,
    tail_weight: float = 1.0,
) -> Row:
    """Return one record's row.

    Args:
        record: with `messages`, and an `id` for messages.
        tokenizer: with `apply_chat_template` and `encode`.
        max_tokens: rows longer than this are refused.
        where: file and line, for errors.
        tail_weight: what a token of an answer in prose counts after the first HEAD of them.

    Raises:
        DataError: no assistant turn, a turn that tokenises differently alone and in context, or too long.
    """
    messages = record.get("messages") or []
    tokens: list[int] = []
    supervised: list[int] = []
    weights: list[float] = []
    done, acts = "", False
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        if index == 0:
            raise DataError(f"{where}: begins with the assistant's turn; nothing was asked.")
        before = _render(tokenizer, messages[:index], prompt=True)
        after = _render(tokenizer, messages[: index + 1], prompt=False)
        if not (before.startswith(done) and after.startswith(before)):
            raise DataError(
                f"{where}: the chat template rewrites earlier turns; such are not covered."
            )
        turn, rest = _split_end(after[len(before) :], tokenizer)
        tokens += tokenizer.encode(before[len(done) :], add_special_tokens=False)
        learned = tokenizer.encode(turn, add_special_tokens=False)
        supervised += range(len(tokens), len(tokens) + len(learned))
        acts = CODE in message["content"]
        tail = 1.0 if acts else tail_weight
        weights += [1.0 if place < HEAD else tail for place in range(len(learned))]
        tokens += learned
        done = after[: len(after) - len(rest)]
    if not supervised:
        raise DataError(f"{where}: no assistant turn to learn from.")
    if tokenizer.encode(done, add_special_tokens=False) != tokens:
        raise DataError(
            f"{where}: an assistant turn is tokenised differently alone and in its conversation "
            "(it begins or ends with white space?)."
        )
    if len(tokens) > max_tokens:
        raise DataError(f"{where}: {len(tokens)} tokens, more than max_tokens = {max_tokens}.")
    name = str(record.get("id", where))
    return Row(name, tuple(tokens), tuple(supervised), tuple(weights), acts)


def _render(tokenizer: Any, messages: Sequence[Any], *, prompt: bool) -> str:
    return tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=prompt
    )


def _split_end(text: str, tokenizer: Any) -> tuple[str, str]:
    """Split a rendered turn after its end token; what follows belongs to the template."""
    end = tokenizer.eos_token
    at = text.rfind(end)
    return (text, "") if at < 0 else (text[: at + len(end)], text[at + len(end) :])


def shared_prefix(rows: Sequence[Row]) -> int:
    """Return how many first tokens all rows share, all of them before anything supervised.

    At least one token before the first supervised one stays outside, because its output predicts it.
    """
    first, last = min(row.tokens for row in rows), max(row.tokens for row in rows)
    limit = min(row.supervised[0] - 1 for row in rows)
    for index, (one, other) in enumerate(zip(first, last, strict=False)):
        if index >= limit or one != other:
            return index
    return limit
