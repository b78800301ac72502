"""A Llama-like model on an x86 CPU, for replies: the tokens of all of them are one matrix, without padding.

MLX decodes a token in 60 ms and sixteen replies' tokens in 160 where reading all weights once takes 20
(SmolLM2-135M, two cores of an AMD EPYC). Most of the difference is its dispatch of hundreds of small
operations, and MKL's products of few rows. Here a pass is four parallel sections a layer, each one compiled
function (`punie_train.evaluation.packed_kernels`). Every reply has a cache of its own, so replies of any
length share a pass, each with as many tokens as it likes.

Covered: mlx-lm's `llama` in float32 without biases, scaled positions or windows, all weights plain: what full
fine-tuning, fusing and dequantising leave. Not covered: anything else, and machines without Numba or MKL;
`packed_passes` tells, and MLX does it.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from punie_agent.models.dequantized import take_stored
from punie_train.doctor import usable_cores
from punie_train.evaluation.cores import Cores
from punie_train.evaluation.packed_batch import PackedBatch
from punie_train.mlx import ON_CPU, flat, mx
from punie_train.training.cpu.coverage import model_obstacle
from punie_train.training.cpu.products import available, multiply

if TYPE_CHECKING:
    from punie_train.evaluation.packed_codes import Codes

__all__ = ["PackedCache", "PackedPasses", "packed_passes"]

MANY_ROWS = 64
"""From so many rows on, MKL's products are faster."""
FEW_TOKENS = 4
"""The attention of fewer tokens of one conversation takes less time than waking another core."""
_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")
_NORMS = ("input_layernorm.weight", "post_attention_layernorm.weight")
_OTHERS = ("self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
_WEIGHTS = {*_NORMS, *(f"{name}.weight" for name in (*_QKV, *_OTHERS))}
_ROOM = 256
"""Tokens that a cache grows by."""


def packed_passes(model: Any) -> PackedPasses | None:
    """The passes of a model as they are computed here; None where it is left to MLX."""
    here = ON_CPU and available() and find_spec("numba") is not None
    if not here or model_obstacle(model):
        return None
    plain = all(set(flat(layer.parameters())) == _WEIGHTS for layer in model.model.layers)
    return PackedPasses(model) if plain and _is_plain(model.model.embed_tokens) else None


def _is_plain(embedding: Any) -> bool:
    return set(flat(embedding.parameters())) == {"weight"}


class PackedCache:
    """The keys and values of one conversation, of all layers.

    Args:
        layers: how many there are.
        groups: heads of keys in each.
        size: the width of a head.
    """

    def __init__(self, layers: int, groups: int, size: int) -> None:
        self.keys = np.empty((layers, groups, 0, size), np.float32)
        self.values = np.empty((layers, groups, size, 0), np.float32)
        self.offset = 0
        """How many tokens it holds."""

    @property
    def state(self) -> list[mx.array]:
        """What MLX would still have to evaluate: nothing."""
        return []

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self.keys.nbytes + self.values.nbytes

    def is_trimmable(self) -> bool:
        """It can always be shortened."""
        return True

    def trim(self, count: int) -> int:
        """Forget the last tokens; return how many."""
        count = min(count, self.offset)
        self.offset -= count
        return count

    def make_room(self, tokens: int) -> None:
        """Make sure that so many more tokens fit."""
        if self.offset + tokens > self.keys.shape[2]:
            self.move(self.offset + tokens)

    def move(self, tokens: int) -> None:
        """Go on in other arrays, of at least so many tokens."""
        (layers, groups, _, size), old = self.keys.shape, (self.keys, self.values)
        room, held = -(-tokens // _ROOM) * _ROOM, self.offset
        self.keys = np.empty((layers, groups, room, size), np.float32)
        self.values = np.empty((layers, groups, size, room), np.float32)
        self.keys[:, :, :held] = old[0][:, :, :held]
        self.values[..., :held] = old[1][..., :held]

    def __deepcopy__(self, _memo: Any) -> PackedCache:
        """A cache that holds the same and goes on by itself, with room for what comes next."""
        other = copy.copy(self)
        other.move(self.offset + 1)
        return other


@dataclass(frozen=True)
class _Weight:
    """A (width, depth) matrix, and what products of few rows read of it: its codes, or the same."""

    plain: np.ndarray
    few: np.ndarray | Codes

    def __len__(self) -> int:
        return len(self.plain)


@dataclass(frozen=True)
class _Layer:
    attention_norm: np.ndarray
    mlp_norm: np.ndarray
    qkv: tuple[_Weight, _Weight, _Weight]
    o: _Weight
    gate: _Weight
    up: _Weight
    down: _Weight


class PackedPasses:
    """Passes over the tokens of some conversations at once.

    Args:
        model: an mlx-lm model that is covered; its weights are used where they lie.
    """

    def __init__(self, model: Any) -> None:
        # These need Numba, which may not be there.
        from punie_train.evaluation import packed_codes, packed_kernels
        from punie_train.training.cpu.elementwise import normalise
        from punie_train.training.cpu.heads import rotations

        self._kernels, self._normalise, self._rotations = packed_kernels, normalise, rotations
        args, stored = model.args, take_stored(model)
        self._model = model  # whose memory the weights are
        self._embedding = np.asarray(model.model.embed_tokens.weight)
        head = model.model.embed_tokens if args.tie_word_embeddings else model.lm_head
        codes = {name: packed_codes.codes_of(module) for name, module in stored.items()}
        known = {name: each for name, each in codes.items() if each is not None}
        matrices = [
            f"model.layers.{n}.{each}"
            for n in range(len(model.model.layers))
            for each in (*_QKV, *_OTHERS)
        ]
        at_head = "model.embed_tokens" if args.tie_word_embeddings else "lm_head"
        coded = known.keys() >= {at_head, *matrices}
        self._few = packed_codes if coded else packed_kernels
        known = known if coded else {}
        self._head = _weight(head.weight, known.get(at_head))
        self._norm = np.asarray(model.model.norm.weight)
        self._layers = [
            _layer(flat(layer.parameters()), known, f"model.layers.{number}.")
            for number, layer in enumerate(model.model.layers)
        ]
        self._epsilon = args.rms_norm_eps
        self._heads, self._groups = args.num_attention_heads, args.num_key_value_heads
        self._size = args.head_dim or args.hidden_size // self._heads
        self._theta = args.rope_theta
        self._turning = (np.empty((0, self._size // 2), np.float32),) * 2
        self._cores = Cores(usable_cores())

    def new_batch(self) -> PackedBatch:
        """Return an empty batch."""
        return PackedBatch(self)

    def new_cache(self) -> list[PackedCache]:
        """Return the cache of a conversation that has not begun."""
        return [PackedCache(len(self._layers), self._groups, self._size)]

    def look(self, parts: Sequence[tuple[Sequence[int], list[Any], int]]) -> list[np.ndarray]:
        """Read tokens, and return what may follow some of them.

        Args:
            parts: for each conversation the tokens, its cache, which is added to, and after how many of the
                last tokens logits are wanted.

        Returns:
            For each conversation logits of shape (wanted, vocabulary).
        """
        tokens = [token for new, _, _ in parts for token in new]
        rows, caches, at = [], [], 0
        for new, (cache,), _ in parts:
            cache.make_room(len(new))
            rows.append(slice(at, at + len(new)))
            caches.append(cache)
            at += len(new)
        self._turn_up_to(max(cache.offset + len(new) for new, (cache,), _ in parts))
        h = self._embedding[tokens]
        x, rate = np.empty_like(h), np.empty(len(h), np.float32)
        for number, layer in enumerate(self._layers):
            self._normalise(h, layer.attention_norm, self._epsilon, x, rate)
            self._attend(number, layer, x, rows, caches, h)
            self._normalise(h, layer.mlp_norm, self._epsilon, x, rate)
            self._feed_forward(layer, x, h)
        for row, cache in zip(rows, caches, strict=True):
            cache.offset += row.stop - row.start
        last = [
            place for row, part in zip(rows, parts, strict=True) for place in _last(row, part[2])
        ]
        return self._logits(h[last], [wanted for _, _, wanted in parts])

    def _attend(
        self,
        number: int,
        layer: _Layer,
        x: np.ndarray,
        rows: list[slice],
        caches: list[PackedCache],
        h: np.ndarray,
    ) -> None:
        outs = tuple(np.empty((len(x), len(w)), np.float32) for w in layer.qkv)
        self._products(x, layer.qkv, outs)
        q, k, v = (out.reshape(len(x), -1, self._size) for out in outs)
        mixed = np.empty_like(q)
        jobs = list(zip(rows, caches, strict=True))

        def attend(part: int, parts: int) -> None:
            """Take some conversations; of a single one, some groups of heads."""
            groups = 0, self._groups
            some = jobs[len(jobs) * part // parts : len(jobs) * (part + 1) // parts]
            if len(jobs) == 1:
                groups, some = (groups[1] * part // parts, groups[1] * (part + 1) // parts), jobs
            for row, cache in some:
                new, kept = (q[row], k[row], v[row]), (cache.keys[number], cache.values[number])
                self._kernels.attend(new, kept, cache.offset, self._turning, mixed[row], groups)

        self._cores.share(attend, alone=len(jobs) == 1 and len(x) < FEW_TOKENS)
        self._add_product(mixed.reshape(len(x), -1), layer.o, h)

    def _feed_forward(self, layer: _Layer, x: np.ndarray, h: np.ndarray) -> None:
        outs = tuple(np.empty((len(x), len(layer.gate)), np.float32) for _ in range(2))
        if len(x) < MANY_ROWS:
            self._cores.share(
                lambda part, parts: self._few.gated_product(
                    x, layer.gate.few, layer.up.few, outs, part, parts
                )
            )
        else:
            self._products(x, (layer.gate, layer.up), outs)
            self._kernels.gated(*outs)
        self._add_product(outs[0], layer.down, h)

    def _products(
        self, x: np.ndarray, weights: Sequence[_Weight], outs: Sequence[np.ndarray]
    ) -> None:
        if len(x) < MANY_ROWS:
            given = tuple(weight.few for weight in weights)
            self._cores.share(
                lambda part, parts: self._few.products(x, given, tuple(outs), part, parts)
            )
            return
        for weight, out in zip(weights, outs, strict=True):
            multiply(x, weight.plain, out, transpose_b=True)

    def _add_product(self, x: np.ndarray, weight: _Weight, h: np.ndarray) -> None:
        if len(x) >= MANY_ROWS:
            multiply(x, weight.plain, h, transpose_b=True, add=True)
            return
        room = np.empty_like(h)
        self._cores.share(
            lambda part, parts: self._few.added_product(x, weight.few, h, room, part, parts)
        )

    def _logits(self, h: np.ndarray, counts: Sequence[int]) -> list[np.ndarray]:
        x = np.empty_like(h)
        self._normalise(h, self._norm, self._epsilon, x, np.empty(len(h), np.float32))
        logits = np.empty((len(h), len(self._head)), np.float32)
        if len(h):
            self._products(x, (self._head,), (logits,))
        ends = np.cumsum(counts)
        return [logits[end - count : end] for end, count in zip(ends, counts, strict=True)]

    def _turn_up_to(self, positions: int) -> None:
        if positions <= len(self._turning[0]):
            return
        self._turning = self._rotations(self._size, self._theta, -(-positions // _ROOM) * _ROOM)


def _weight(plain: Any, codes: Codes | None) -> _Weight:
    weight = np.asarray(plain)
    return _Weight(weight, weight if codes is None else codes)


def _layer(weights: dict[str, mx.array], codes: Mapping[str, Codes], name: str) -> _Layer:
    matrices = [
        _weight(weights[f"{each}.weight"], codes.get(f"{name}{each}")) for each in (*_QKV, *_OTHERS)
    ]
    norms = (np.asarray(weights[each]) for each in _NORMS)
    q, k, v, o, gate, up, down = matrices
    return _Layer(*norms, (q, k, v), o, gate, up, down)


def _last(row: slice, wanted: int) -> range:
    return range(row.stop - wanted, row.stop)
