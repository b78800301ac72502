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

from punie_agent.constrain._rules import as_bytes

if TYPE_CHECKING:
    from punie_agent.constrain._constraint import Constraint
    from punie_agent.constrain._reply import ReplyCursor

__all__ = ["TokenFilter", "TokenTexts", "logits_processor"]

_ASKED_FIRST = 48
NEARLY, FAR, BROKEN = 20.0, 1000.0, math.inf
"""A token so many times as likely as another is still exchanged for it, where only that one copies: words
that nobody said, departures from what was shown, and those in the middle of a text that was quoted so far,
which replaces nothing then."""
OTHER_LINE = 1e-4
"""How likely a token must be, beside the likeliest, for another text to be replaced than that one's."""


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
    """

    def __init__(self, constraint: Constraint, texts: TokenTexts) -> None:
        self._texts = texts
        self._cursor: ReplyCursor | None = constraint.cursor()
        self._tried: dict[int, ReplyCursor | None] = {}
        self._deviation = constraint.deviation
        self._said = constraint.begun
        self.refused = 0
        """How many tokens the model preferred and did not get."""

    @property
    def free(self) -> bool:
        """True where anything may follow."""
        return self._cursor is None or self._cursor.free

    def allows(self, token: int) -> bool:
        """Tell whether a token may come next."""
        if self._cursor is None:
            return True
        text = self._texts[token]
        if not text:
            return self._cursor.may_end if token in self._texts.ends else self._cursor.free
        if token not in self._tried:
            ahead = self._cursor.copy()
            fits = ahead.advance_bytes(text) and not ahead.trapped
            self._tried[token] = ahead if fits else None
        return self._tried[token] is not None

    def doubt(self, token: int) -> float:
        """How many times as likely as one that copies an allowed token must be; 1 for no doubt."""
        cursor, after = self._cursor, self._tried.get(token)
        if cursor is None or after is None:
            return 1.0
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
        self._said += text
        self._cursor = self._tried[token] if self.allows(token) else None
        self._tried = {}

    def repeats(self, token: int) -> bool:
        """Tell whether a token of an edit says what an earlier reply said, or what the edit replaces.

        Of the text that is to be replaced it is told whether that shall be another one.
        """
        here, after = self._cursor, self._tried.get(token)
        if self._deviation is None or here is None or not here.in_edit:
            return False
        if after is not None and (after.idling or after.idle > here.idle):
            return True
        if after is not None and self._choosing and after.replaced is not None:
            text, complete = after.replaced
            return self._deviation.replaces_another(text, complete=complete)
        return self._deviation.repeated_by(self._said + (self._texts[token] or ""))

    @property
    def _choosing(self) -> bool:
        """True within the text that is to be replaced, where it is said which one that shall be."""
        said = self._deviation is not None and (self._deviation.line or self._deviation.elsewhere)
        place = None if self._cursor is None else self._cursor.replaced
        return bool(said) and place is not None and not place[1]

    def best(self, ranked: Iterable[int]) -> int | None:
        """The first of some tokens that may come next."""
        for token in ranked:
            if self.allows(token):
                return token
            self.refused += 1
        return None

    def nearly(self, best: int, ranked: Iterable[int], score: Callable[[int], float]) -> int:
        """The first token that is in no doubt, repeats nothing, and is nearly as likely as the best one.

        Where the best one repeats an earlier reply, see `_parting`.

        Args:
            best: the likeliest allowed token, which is in doubt or repeats an earlier reply.
            ranked: tokens from the likeliest down.
            score: a token's logit.

        Returns:
            Such a token; the best one where there is none.
        """
        if self._deviation is not None and self.repeats(best):
            likely = OTHER_LINE if self._choosing else self._deviation.likely
            return self._parting(best, likely, ranked, score)
        enough = score(best) - math.log(self.doubt(best))
        for token in ranked:
            if score(token) < enough:
                break
            if self.allows(token) and self.doubt(token) == 1.0 and not self.repeats(token):
                return token
        return best

    def _parting(
        self, best: int, likely: float, ranked: Iterable[int], score: Callable[[int], float]
    ) -> int:
        """The likeliest token that repeats nothing, one in doubt by so much less likely; else the best one.

        Args:
            best: the likeliest allowed token.
            likely: how likely another one must be, beside it.
            ranked: tokens from the likeliest down.
            score: a token's logit.
        """
        times = max(self.doubt(best), 1 / likely if likely else math.inf)
        found, highest = best, score(best) - math.log(times)
        for token in ranked:
            if score(token) < highest:
                break
            if self.allows(token) and not self.repeats(token):
                certain = score(token) - math.log(self.doubt(token))
                if (
                    certain >= highest and certain > -math.inf
                ):  # of a broken text it is infinitely less
                    found, highest = token, certain
        return found

    def worth_asking(self) -> list[int]:
        """The tokens whose first byte may come next: no others are allowed."""
        cursor = self._cursor
        if cursor is None:
            return []
        found = self._texts.beginning_with(lambda byte: cursor.copy().advance_bytes(byte))
        return [*found, *self._texts.ends] if cursor.may_end else found


def logits_processor(
    constraint: Constraint, texts: TokenTexts, *, greedy: bool = True
) -> Callable[[Any, Any], Any]:
    """A processor of logits for mlx-lm, for one reply.

    Args:
        constraint: what constrains the reply.
        texts: the model's vocabulary.
        greedy: whether the most likely token is taken; else the likeliest few are all looked at, and
            within code only those that are allowed may be drawn.
    """
    import mlx.core as mx

    follow = TokenFilter(constraint, texts)
    begun = False

    def process(tokens: Any, logits: Any) -> Any:
        nonlocal begun
        if begun:
            follow.take(int(tokens[-1].item()))
        begun = True
        likeliest: Any = mx.argmax(logits, axis=-1).item()
        if follow.allows(likeliest) and (
            follow.free
            or (greedy and follow.doubt(likeliest) == 1.0 and not follow.repeats(likeliest))
        ):
            return logits
        first = _ranked(logits, None)
        if not greedy:
            allowed = [token for token in first if follow.allows(token)]
            if allowed:
                return _only(logits, allowed)
        best = follow.best(first)
        if best is None:
            best = follow.best(_ranked(logits, follow.worth_asking()))
        elif follow.doubt(best) > 1.0 or follow.repeats(best):
            flat = logits.reshape(-1)
            best = follow.nearly(best, first, lambda token: flat[token].item())
        return logits if best is None else _only(logits, [best])

    return process


def _only(logits: Any, tokens: list[int]) -> Any:
    """The logits of some tokens; all others are made impossible."""
    import mlx.core as mx

    kept = mx.full(logits.shape, -mx.inf, dtype=logits.dtype)
    chosen = mx.array(tokens)
    kept[..., chosen] = logits[..., chosen]
    return kept


def _ranked(logits: Any, among: list[int] | None) -> list[int]:
    """The likeliest tokens, or all of some, from the likeliest down."""
    import mlx.core as mx

    flat = -logits.reshape(-1)
    if among is None:
        count = min(_ASKED_FIRST, flat.size)
        few = mx.argpartition(flat, count - 1)[:count]
    else:
        few = mx.array(among, dtype=mx.uint32)
    return [] if few.size == 0 else few[mx.argsort(flat[few])].tolist()  # ty: ignore


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
