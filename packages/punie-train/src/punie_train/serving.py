"""Serving a model with the engine that also scores it: what `punie` waits for is what was measured.

punie-agent's model server asks the entry points of the group `punie_agent.engines` for a faster form of the
model it has loaded. This is the one for x86 CPUs: a Llama in float32 whose passes are those of
`punie_train.evaluation.packed`, called the way mlx-lm's `generate_step` calls a model.

Covered: one conversation at a time. Not covered: batches, and inputs that are no tokens, which the model
itself computes.
"""

from __future__ import annotations

from typing import Any

from punie_train.evaluation.decoding import PROMPT_TOKENS, Passes, read
from punie_train.evaluation.packed import PackedCache, packed_passes
from punie_train.mlx import mx

__all__ = ["PackedModel", "on_cpu"]


def on_cpu(model: Any) -> PackedModel | None:
    """A form of a model that is faster on this machine; None where there is none.

    Args:
        model: an mlx-lm model in float32.
    """
    passes = packed_passes(model)
    return None if passes is None else PackedModel(model, passes)


class PackedModel:
    """A model as mlx-lm's generation knows it, computed by other passes.

    Args:
        model: the mlx-lm model; all but calls is its own.
        passes: compute the calls.
    """

    def __init__(self, model: Any, passes: Passes) -> None:
        self._model = model
        self._passes = passes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def make_cache(self) -> list[Any]:
        """Return the cache of a conversation that has not begun."""
        return self._passes.new_cache()

    def __call__(self, tokens: mx.array, cache: Any = None, **others: Any) -> mx.array:
        """Return what may follow the last token, as logits of shape (1, 1, vocabulary).

        That is all that generation looks at. Where the cache is not one of its own, the model answers itself,
        with logits for each token.
        """
        own = isinstance(cache, list) and len(cache) == 1 and isinstance(cache[0], PackedCache)
        if not own or others:
            return self._model(tokens, cache=cache, **others)
        numbers: Any = tokens.reshape(-1).tolist()
        last = (len(numbers) - 1) // PROMPT_TOKENS * PROMPT_TOKENS
        read(self._passes, numbers[:last], cache)
        (logits,) = self._passes.look([(numbers[last:], cache, 1)])
        return mx.array(logits)[None]
