"""From a model's logits to the next token of a constrained reply, for mlx-lm.

The likeliest token is nearly always allowed, and then nothing more is looked at, unless it is one of an edit:
there the next likeliest few are noted as alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from punie_agent.constrain._tokens import BROKEN, HIGHEST_LOSS, TokenFilter, TokenTexts

if TYPE_CHECKING:
    from punie_agent.constrain._alternative import Alternative
    from punie_agent.constrain._constraint import Constraint

__all__ = ["LogitsProcessor"]

_ASKED_FIRST = 48
"""How many of the likeliest tokens are asked about before all others."""


class LogitsProcessor:
    """A processor of logits for mlx-lm, for one reply.

    Args:
        constraint: what constrains the reply.
        texts: the model's vocabulary.
        greedy: whether the most likely token is taken; else the likeliest few are all looked at, and
            within code only those that are allowed may be drawn.
    """

    def __init__(self, constraint: Constraint, texts: TokenTexts, *, greedy: bool = True) -> None:
        self._follow = TokenFilter(constraint, texts)
        self._greedy = greedy
        self._begun = False

    @property
    def alternatives(self) -> Sequence[Alternative]:
        """How else the reply could have gone on; see `TokenFilter`."""
        return self._follow.alternatives

    def begin_with(self, tokens: Iterable[int]) -> list[int]:
        """Take tokens as written already; return those that may be, up to one that may not."""
        taken: list[int] = []
        for token in tokens:
            if not self._follow.allows(token):
                break
            self._follow.take(token)
            taken.append(token)
        return taken

    def __call__(self, tokens: Any, logits: Any) -> Any:
        """Return the logits of what may follow the tokens, all others made impossible where that matters."""
        import mlx.core as mx

        follow = self._follow
        if self._begun:
            follow.take(int(tokens[-1].item()))
        self._begun = True
        likeliest: Any = mx.argmax(logits, axis=-1).item()
        plain = follow.allows(likeliest) and self._is_plain(likeliest)
        if plain and not follow.in_edit:
            return logits
        flat = _as_numpy(logits)
        if plain:
            follow.note(likeliest, _ranked(flat, _near(flat)))
            return logits
        first = _ranked(flat, _likeliest(flat))
        if not self._greedy:
            allowed = [token for token in first if follow.allows(token)]
            if allowed:
                return _only(logits, allowed)
        best = follow.best(first)
        if best is None:
            best = follow.best(_ranked(flat, follow.worth_asking()))
            return logits if best is None else _only(logits, [best])
        if follow.doubt(best) > 1.0:
            best = follow.nearly(best, first)
            if follow.doubt(best) == BROKEN:
                best = follow.nearly(best, _ranked(flat, follow.unbroken()))
                first.setdefault(best, float(flat[best]))
        if follow.in_edit:
            follow.note(best, first)
        return _only(logits, [best])

    def _is_plain(self, token: int) -> bool:
        """True where an allowed token is taken, or one drawn, without a look at others."""
        return self._follow.doubt(token) == 1.0 if self._greedy else self._follow.free


def _only(logits: Any, tokens: list[int]) -> Any:
    """The logits of some tokens; all others are made impossible."""
    import mlx.core as mx

    kept = mx.full(logits.shape, -mx.inf, dtype=logits.dtype)
    chosen = mx.array(tokens)
    kept[..., chosen] = logits[..., chosen]
    return kept


def _likeliest(flat: Any) -> list[int]:
    """The tokens that are asked about first, in any order."""
    count = min(_ASKED_FIRST, flat.size)
    return flat.argpartition(-count)[-count:].tolist()


def _near(flat: Any) -> list[int]:
    """The tokens that may be alternatives to the likeliest one, in any order: there are few, mostly."""
    near = (flat >= flat.max() - HIGHEST_LOSS).nonzero()[0]
    if near.size > _ASKED_FIRST:
        near = near[flat[near].argpartition(-_ASKED_FIRST)[-_ASKED_FIRST:]]
    return near.tolist()


def _ranked(flat: Any, among: list[int]) -> dict[int, float]:
    """Some tokens from the likeliest down, with their logits."""
    few = sorted(zip((-flat[among]).tolist(), among, strict=True))
    return {token: -loss for loss, token in few}


def _as_numpy(logits: Any) -> Any:
    """The same numbers in one row, where one can be looked at for next to nothing."""
    import mlx.core as mx
    import numpy as np

    return np.asarray(logits.reshape(-1).astype(mx.float32))
