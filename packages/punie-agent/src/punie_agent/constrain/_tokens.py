"""From characters to a model's tokens: which of them may come next.

Greedy decoding needs no mask over the whole vocabulary: the best token that the cursor accepts is found by
asking about the tokens from the most likely one down, and that is nearly always the first. So a constrained
token costs one look at its few characters, wherever it stands, and no table of states is kept.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from punie_agent.constrain._alternative import Alternative
from punie_agent.constrain._rules import as_bytes

if TYPE_CHECKING:
    from punie_agent.constrain._constraint import Constraint
    from punie_agent.constrain._reply import ReplyCursor

__all__ = ["HIGHEST_LOSS", "TokenFilter", "TokenTexts"]

NEARLY, FAR, BROKEN = 20.0, 1000.0, math.inf
"""How many times less likely a token counts than it is, where a literal stops to copy: words that nobody
said, other departures from what was said or shown, and such as can only be wrong (`Departures`)."""
AGAIN = 10.0
"""Another program after an output must be so many times as likely as an answer in words: it acts, and a
model that is not sure has most often been asked for what the output says."""
MOST_OTHERS, HIGHEST_LOSS = 4, 12.0
"""How many alternatives are kept at one place, and up to what loss."""


_NO_ANSWER = ("", "`", "~")
"""How a line begins that may yet open a block of code."""


class TokenTexts:
    """What each token of a vocabulary writes, as bytes; made once for a model.

    Args:
        texts: by token; None for a control token, which writes nothing.
        ends: tokens that end a reply.
    """

    def __init__(self, texts: Mapping[int, str | None], ends: Iterable[int]) -> None:
        self._texts = dict(texts)
        self.ends = frozenset(ends)
        self._by_byte: dict[str, list[int]] = {}
        for token, text in self._texts.items():
            if text:
                self._by_byte.setdefault(text[0], []).append(token)

    def __getitem__(self, token: int) -> str | None:
        """What a token writes; None for control tokens and those the vocabulary lacks."""
        return self._texts.get(token)

    @classmethod
    def of(cls, tokenizer: Any) -> TokenTexts | None:
        """The texts of a Hugging Face tokenizer's tokens; None where it is of a kind not known here.

        Known: byte-level BPE, and SentencePiece with bytes for what it lacks.
        """
        backend: Any = getattr(tokenizer, "backend_tokenizer", None)
        decoder = _decoder(backend)
        text_of = _byte_level if "ByteLevel" in decoder else _sentence_piece
        if not decoder & {"ByteLevel", "ByteFallback", "Metaspace"}:
            return None
        texts: dict[int, str | None] = {
            number: text_of(piece)
            for piece, number in backend.get_vocab(with_added_tokens=False).items()
        }
        for number, added in backend.get_added_tokens_decoder().items():
            texts[number] = None if added.special else as_bytes(added.content)
        ends = getattr(tokenizer, "eos_token_ids", None) or tokenizer.eos_token_id
        return cls(texts, [ends] if isinstance(ends, int) else ends)

    def beginning_with(self, allowed: Callable[[str], bool]) -> list[int]:
        """The tokens whose first byte is allowed."""
        return [
            token for byte, tokens in self._by_byte.items() if allowed(byte) for token in tokens
        ]


class TokenFilter:
    """Keeps one reply to a constraint.

    Args:
        constraint: what constrains the reply.
        texts: the model's vocabulary.

    Attributes:
        alternatives: how else the reply could have gone on, past what it was to begin with.
        refused: how many tokens the model preferred and did not get.
    """

    def __init__(self, constraint: Constraint, texts: TokenTexts) -> None:
        self.alternatives: list[Alternative] = []
        self.refused = 0
        self._texts = texts
        self._cursor: ReplyCursor | None = constraint.cursor()
        self._tried: dict[int, ReplyCursor | None] = {}
        self._said = ""
        self._to_say = as_bytes(constraint.start)
        self._answers = constraint.answers

    @property
    def free(self) -> bool:
        """True where anything may follow."""
        return not self._to_say and (self._cursor is None or self._cursor.free)

    @property
    def in_edit(self) -> bool:
        """True within a text that edits, past what the reply was to begin with."""
        return not self._to_say and self._cursor is not None and self._cursor.in_edit

    def allows(self, token: int) -> bool:
        """Tell whether a token may come next."""
        if self._cursor is None:
            return True
        text = self._texts[token]
        if not text:
            return self._may_end if token in self._texts.ends else self.free
        if token not in self._tried:
            begins = not self._to_say or self._to_say.startswith(text)
            ahead = self._cursor.copy()
            fits = begins and ahead.advance_bytes(text) and not ahead.trapped
            self._tried[token] = ahead if fits else None
        return self._tried[token] is not None

    @property
    def _answer_is_due(self) -> bool:
        """True where a reply to an output begins."""
        return self._answers and not self._to_say and not self._said.strip()

    @property
    def _may_end(self) -> bool:
        return not self._to_say and self._cursor is not None and self._cursor.may_end

    def doubt(self, token: int) -> float:
        """How many times as likely as one in no doubt an allowed token must be; 1 for no doubt."""
        cursor, after = self._cursor, self._tried.get(token)
        if cursor is None or after is None:
            return 1.0
        if self._answer_is_due and (self._texts[token] or "").strip()[:1] in _NO_ANSWER:
            return AGAIN
        here, ahead = cursor.departures, after.departures
        if ahead.breaks > here.breaks:
            return BROKEN
        if ahead.misfits > here.misfits:
            return FAR
        return NEARLY if ahead.strays > here.strays else 1.0

    def take(self, token: int) -> None:
        """Go on by a token. After one that was not allowed, everything is."""
        text = self._texts[token]
        if self._cursor is None or not text:
            return
        allowed = self.allows(token)
        self._cursor = self._tried[token] if allowed else None
        self._to_say = self._to_say.removeprefix(text) if allowed else ""
        self._said += text
        self._tried = {}

    def best(self, ranked: Iterable[int]) -> int | None:
        """The first of some tokens that may come next."""
        for token in ranked:
            if self.allows(token):
                return token
            self.refused += 1
        return None

    def nearly(self, best: int, scores: Mapping[int, float]) -> int:
        """The token that is likeliest once each is as many times less likely as it is in doubt.

        Args:
            best: the likeliest allowed token, which is in doubt.
            scores: logits of tokens, from the likeliest down.

        Returns:
            Such a token; the best one where there is none.
        """
        chosen, highest = best, -math.inf
        if best in scores:
            highest = scores[best] - math.log(self.doubt(best))
        for token, score in scores.items():
            if score <= highest:
                break
            if self._texts[token] and self.allows(token):
                likely = score - math.log(self.doubt(token))
                if likely > highest:
                    chosen, highest = token, likely
        return chosen

    def unbroken(self) -> list[int]:
        """The tokens whose first byte breaks nothing: the right one may be none of the likeliest."""
        cursor = self._cursor
        if cursor is None or self._to_say:
            return []
        breaks = cursor.departures.breaks

        def goes_on(byte: str) -> bool:
            ahead = cursor.copy()
            return ahead.advance_bytes(byte) and ahead.departures.breaks == breaks

        return self._texts.beginning_with(goes_on)

    def note(self, taken: int, scores: Mapping[int, float]) -> None:
        """Keep how else the reply could go on here: the likeliest few tokens beside the one that is taken.

        Args:
            taken: that token.
            scores: logits of tokens, from the likeliest down, that one among them.
        """
        here = scores[taken]
        found: list[tuple[float, int]] = []
        for token, score in scores.items():
            enough = found[MOST_OTHERS - 1][0] if len(found) >= MOST_OTHERS else HIGHEST_LOSS
            if here - score > enough:
                break
            if token != taken and self._texts[token] and self._is_another(token, taken):
                loss = max(here - score, 0.0) + math.log(self.doubt(token))
                found = sorted([*found, (loss, token)])
        for loss, token in found[:MOST_OTHERS]:
            if loss <= HIGHEST_LOSS:
                self._keep(token, loss)

    def _is_another(self, token: int, taken: int) -> bool:
        """True where a token is allowed and says something else: quotes alone are said in several ways."""
        after, other = (self._tried[each] if self.allows(each) else None for each in (token, taken))
        if after is None or other is None or after.at_text_start or other.at_text_start:
            return False
        return after.in_edit or other.in_edit

    def _keep(self, token: int, loss: float) -> None:
        after, text = self._tried[token], self._texts[token]
        assert after is not None
        line, settled = after.replaced or ("", False)
        try:
            start, line = (
                each.encode("latin-1").decode() for each in (self._said + (text or ""), line)
            )
        except UnicodeDecodeError:  # the token ends within a character
            return
        self.alternatives.append(Alternative(start, loss, line, settled))

    def worth_asking(self) -> list[int]:
        """The tokens whose first byte may come next: no others are allowed."""
        cursor = self._cursor
        if cursor is None:
            return []
        if self._to_say:
            return self._texts.beginning_with(self._to_say[0].__eq__)
        found = self._texts.beginning_with(lambda byte: cursor.copy().advance_bytes(byte))
        return [*found, *self._texts.ends] if cursor.may_end else found


def _decoder(backend: Any) -> set[str]:
    """The kinds of the tokenizer's decoders."""
    try:
        state = json.loads(backend.decoder.__getstate__())
    except (AttributeError, TypeError, ValueError):
        return set()
    parts = state.get("decoders", [state])
    return {part.get("type", "") for part in parts}


def _byte_alphabet() -> dict[str, str]:
    """Byte-level BPE's character for each byte, reversed: printable bytes are themselves."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    alphabet = {chr(byte): chr(byte) for byte in own}
    return alphabet | {chr(256 + number): chr(byte) for number, byte in enumerate(others)}


_ALPHABET = _byte_alphabet()


def _byte_level(piece: str) -> str | None:
    try:
        return "".join(_ALPHABET[char] for char in piece)
    except KeyError:
        return None


def _sentence_piece(piece: str) -> str:
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return chr(int(piece[3:5], 16))
    return as_bytes(piece.replace("\u2581", " "))
