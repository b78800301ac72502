"""The engine for Llama-like models on x86 CPUs: rows shared among cores, gradients by hand, MKL's products.

Results do not depend on timing: which rows a core takes, and in what order sums are made, follow from the
batch alone, so a resumed run gives the same bits.

Covered: what `punie_train.training.cpu.coverage.obstacle` lets through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import numpy as np

from punie_train.doctor import usable_cores
from punie_train.errors import TrainingError
from punie_train.mlx import flat, mx
from punie_train.progress import Progress
from punie_train.training.activations import Store
from punie_train.training.cpu.adamw import AdamW, add_and_square
from punie_train.training.cpu.attention import Heads, Rows, State
from punie_train.training.cpu.compiled import BFLOAT16, flush_denormals
from punie_train.training.cpu.elementwise import convert, gather, normalise, normalise_backward
from punie_train.training.cpu.heads import Rotation
from punie_train.training.cpu.layer import Layer, Projection
from punie_train.training.cpu.loss import losses_and_gradient
from punie_train.training.cpu.packing import Pack, in_packs, pack, share
from punie_train.training.cpu.parameters import Parameters
from punie_train.training.cpu.products import (
    Precision,
    Workspace,
    fastest,
    has_bfloat16,
    use_threads,
)
from punie_train.training.cpu.shared import SharedTokens
from punie_train.training.distributed import local_ranks
from punie_train.training.engine import Job, clipping
from punie_train.training.loss import output_weight
from punie_train.training.memory import give_back_freed

SEEN = 1900
"""So many tokens seen make attention as dear as a layer's products (SmolLM2-135M, two cores)."""
_DTYPES: dict[Precision, np.dtype] = {
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": BFLOAT16,
}
MOST_CORES = 8
"""Each core has a gradient of its own, as large as what is trained."""


def _start_lane() -> None:
    use_threads(1)
    flush_denormals()


class _Lane:
    """What one core has of its own: memory and a gradient."""

    def __init__(
        self, parameters: Parameters, layers: Sequence[Layer], first: int, dtype: Any
    ) -> None:
        self.space, self.skipped = Workspace(dtype), 0
        self.gradient, self.fresh = parameters.zeros(), True
        self.weights = [
            parameters.gradient(first + index, self.gradient) for index in range(len(layers))
        ]

    def start(self) -> None:
        """Begin a step: what is first added to the gradient takes the place of the last one."""
        self.skipped, self.fresh = 0, True

    def settle(self) -> None:
        """Let the gradient be zero where nothing was added to it."""
        if self.fresh:
            self.gradient[...] = 0
            self.fresh = False


class CpuEngine:
    """See `punie_train.training.engine.Engine`."""

    name: str
    pads = False
    parameters: Parameters
    """What is trained, by name and as one flat array."""

    def __init__(self, job: Job) -> None:
        self._job, self._config = job, job.config
        precision = fastest() if job.config.precision == "auto" else job.config.precision
        if precision == "bfloat16" and not has_bfloat16():
            raise TrainingError(
                'precision = "bfloat16": this CPU has no AVX512-BF16 to multiply it with; '
                'take "auto", which chooses what is fastest here'
            )
        in_half = precision != "float32"
        self.name = f"cpu, {precision} products" if in_half else "cpu"
        self._model, args = job.loaded.model, job.loaded.model.args
        cores = max(usable_cores() // local_ranks(), 1)
        self._cores = job.config.streams or min(cores, MOST_CORES)
        self._executor = ThreadPoolExecutor(self._cores, initializer=_start_lane)
        self._shared = len(job.shared)
        self._own = [len(row.tokens) - self._shared for row in job.rows]
        self._store = Store(job.config.cache_mb << 20)
        self.parameters = Parameters(self._model, job.config.scale)
        size = args.head_dim or args.hidden_size // args.num_attention_heads
        self._heads = Heads(args.num_attention_heads, args.num_key_value_heads, size)
        self._rotation = Rotation(size, args.rope_theta, max(len(row.tokens) for row in job.rows))
        self._dtype = _DTYPES[precision]
        self._half = np.empty(self.parameters.size, self._dtype) if in_half else None
        self._take_half()
        self._first = len(self._model.layers) - job.layers
        self._trained = [
            self._layer(index) for index in range(self._first, len(self._model.layers))
        ]
        self._lanes = [
            _Lane(self.parameters, self._trained, self._first, self._dtype)
            for _ in range(self._cores)
        ]
        self._space = Workspace(self._dtype)
        self._optimizer = AdamW(self.parameters.size, job.config.weight_decay, job.config.beta2)
        weight = np.asarray(output_weight(self._model).astype(mx.float32))
        self._output = Projection(weight).in_half(self._dtype) if in_half else Projection(weight)
        self._norm = np.asarray(self._model.model.norm.weight)
        self._embeddings = np.asarray(self._model.model.embed_tokens.weight)
        self._below = np.empty((0, args.hidden_size), np.float32)
        # Logits are computed forth and back; each trained weight forth, back, and once for its gradient.
        trained = sum(value.size for value in flat(self._model.layers[-1].parameters()).values())
        self._output_cost = 2 * weight.size / (3 * trained * job.layers)
        self.parameters.release()

    def _take_half(self) -> None:
        """Let products in a half format know weights that were not made by a step."""
        if self._half is not None:
            convert(self.parameters.values, self._half)

    def _layer(self, index: int) -> Layer:
        weights = self.parameters.layer(index, self._half)
        return Layer(weights, self._heads, self._rotation, self._model.args.rms_norm_eps)

    # --- the frozen layers ----------------------------------------------------------------------

    def prepare(self, rows: Sequence[int], progress: Progress) -> None:
        """Compute what the frozen layers make of rows, once."""
        frozen = [self._layer(index) for index in range(self._first)]
        with self._all_threads():
            self._below, states = self._through(frozen, self._embeddings[list(self._job.shared)])
        groups = in_packs(rows, self._own)
        spaces: SimpleQueue[Workspace] = SimpleQueue()
        for lane in self._lanes:
            spaces.put(lane.space)

        def run(group: Sequence[int]) -> np.ndarray:
            space = spaces.get()
            try:
                return self._frozen(frozen, states, self._pack(group), space)
            finally:
                spaces.put(space)

        with progress.task("frozen layers", len(rows)) as task:
            for group, hidden in zip(groups, self._executor.map(run, groups), strict=True):
                ends = np.cumsum([self._own[row] for row in group])
                for row, output in zip(group, np.split(hidden, ends[:-1]), strict=True):
                    self._store.keep(row, output)
                task.advance(len(group))
        if rows:
            self._warm_up(rows[0])
        give_back_freed()  # compiling takes 140 MB that steps would not use

    def _warm_up(self, row: int) -> None:
        """Compile or load what steps need, and touch their memory: the first one then takes no longer."""
        self.gradient([row])
        one, half = np.zeros(1, np.float32), None if self._half is None else self._half[:1].copy()
        AdamW(1, 0.0, self._config.beta2).update(one, one.copy(), half, 1.0, 0.0, self._executor, 1)

    def _frozen(
        self, layers: Sequence[Layer], states: Sequence[State], packed: Pack, space: Workspace
    ) -> np.ndarray:
        hidden = self._embeddings[packed.tokens]
        other = np.empty_like(hidden)
        for layer, state in zip(layers, states, strict=True):
            layer.forward(hidden, state, packed.rows, other, space)
            space.back()
            hidden, other = other, hidden
        return hidden

    def _through(
        self, layers: Sequence[Layer], hidden: np.ndarray
    ) -> tuple[np.ndarray, list[State]]:
        """Return what layers make of the shared tokens, and their states in each."""
        states = []
        for layer in layers:
            out = np.empty_like(hidden)
            state = layer.empty_state(0, self._dtype)
            if self._shared:
                found = layer.forward(hidden, state, Rows([len(hidden)], 0), out, self._space)
                state = State(
                    found.attention.state.keys.copy(), found.attention.state.values.copy()
                )
                self._space.back()
            states.append(state)
            hidden = out
        return hidden, states

    # --- the trained layers ---------------------------------------------------------------------

    def step(self, number: int, batch: Sequence[int], rate: float) -> tuple[float, float]:
        """Take a step along the weighted mean gradient of the batch's supervised tokens, clipped."""
        del number  # there is no dropout
        loss, gradient, squares = self.gradient(self._job.ranks.mine(batch))
        if self._job.ranks.size > 1:
            loss = self._job.ranks.sum_number(loss)
            gradient[...] = np.asarray(self._job.ranks.sum(mx.array(gradient)))
            squares = add_and_square([gradient], self._executor, self._cores)
        weight = sum(self._job.rows[row].weight for row in batch)
        norm = math.sqrt(squares) / weight
        factor = clipping(norm, self._config.clip_norm) / weight
        self._optimizer.update(
            self.parameters.values, gradient, self._half, factor, rate, self._executor, self._cores
        )
        return loss, norm

    @property
    def skipped(self) -> int:
        """How many rows of the last step were not learned from, because they were known."""
        return sum(lane.skipped for lane in self._lanes)

    def gradient(self, rows: Sequence[int]) -> tuple[float, np.ndarray, float]:
        """Return rows' weighted loss, its flat gradient and the sum of its squares, until the next call."""
        shared = SharedTokens(self._trained, self._below, self._cores)
        lots = self._lots(rows)

        def run(index: int) -> float:
            lane = self._lanes[index]
            lane.start()
            states = [layer.empty_state(self._shared) for layer in self._trained]
            if index == 0:
                self._space.back()
                shared.forward(self._space, keep=self._config.shared_gradient)
            loss = 0.0
            for number, part in enumerate(lots[index], start=1):
                last = number == len(lots[index])
                loss += self._pack_gradient(index, part, shared, states, last=last)
            if not lots[index]:
                for layer, state in enumerate(states):
                    shared.arrive(layer, index, state)
            lane.settle()
            if index == 0 and self._config.shared_gradient:
                shared.backward(lane.weights, self._space)
            return loss

        loss = sum(self._each_lane(run, shared))
        parts = [lane.gradient for lane in self._lanes]
        return loss, parts[0], add_and_square(parts, self._executor, self._cores)

    def _each_lane(self, run: Callable[[int], float], shared: SharedTokens) -> list[float]:
        """Run a function for each lane at once, and return what each returned."""

        def guarded(index: int) -> float:
            try:
                return run(index)
            except BaseException as error:
                shared.fail(error)  # or the others would wait for ever
                raise

        return list(self._executor.map(guarded, range(self._cores)))

    def _lots(self, rows: Sequence[int]) -> list[list[list[int]]]:
        """Return each lane's packs of rows; the first has the shared tokens too."""
        costs = [self._cost(self._own[row], len(self._job.rows[row].supervised)) for row in rows]
        of_shared = self._cost(self._shared, 0) / (1 if self._config.shared_gradient else 3)
        before = [of_shared, *[0.0] * (self._cores - 1)]
        return [
            in_packs([rows[index] for index in part], self._own) for part in share(costs, before)
        ]

    def _cost(self, own: int, supervised: int) -> float:
        """Return what a row costs, in tokens: scores grow with all that is seen, logits are dear."""
        return own * (1 + (self._shared + own) / SEEN) + self._output_cost * supervised

    def _pack_gradient(
        self,
        index: int,
        rows: Sequence[int],
        shared: SharedTokens,
        to_states: Sequence[State],
        *,
        last: bool,
    ) -> float:
        """Return the summed loss of a pack of rows, and add its gradient to a lane's.

        Args:
            index: the lane.
            rows: the pack's rows.
            shared: gives the shared tokens' states.
            to_states: gradients of these, are added to.
            last: whether the lane has no other pack after this one.
        """
        lane, packed = self._lanes[index], self._pack(rows)
        space = lane.space
        space.back()
        hidden, kept = self._hidden(rows), []
        for number, layer in enumerate(self._trained):
            out = space.take_single(*hidden.shape)
            kept.append(layer.forward(hidden, shared.state(number), packed.rows, out, space))
            hidden = out
        losses, of_chosen = self._losses(hidden, packed, space)
        hidden[...] = 0
        hidden[packed.positions] = of_chosen
        learned = packed.worth(losses, self._config.skip_below)
        lane.skipped += len(rows) - len(learned)
        if learned and len(learned) < len(rows):
            tokens = packed.rows.tokens_of(learned)
            hidden = gather(hidden, tokens, space)
            for part in kept:
                part.keep(learned, tokens, space)
        for number in reversed(range(len(self._trained))):
            layer, to_state = self._trained[number], to_states[number]
            if learned:
                gradient, fresh = lane.weights[number], lane.fresh
                layer.backward(kept[number], hidden, gradient, to_state, space, fresh=fresh)
            if last:
                shared.arrive(number, index, to_state)
        lane.fresh = lane.fresh and not learned
        return float(losses.sum())

    def _losses(
        self, hidden: np.ndarray, packed: Pack, space: Workspace
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return weighted losses and their gradient at the supervised places of the last layer's outputs."""
        chosen = hidden[packed.positions]
        normed, rate = np.empty(chosen.shape, space.dtype), np.empty(len(chosen), np.float32)
        normalise(chosen, self._norm, self._model.args.rms_norm_eps, normed, rate)
        losses = losses_and_gradient(normed, self._output, packed.targets, packed.weights, space)
        gradient = np.zeros_like(chosen)
        normalise_backward(chosen, rate, self._norm, normed, gradient, None)
        return losses, gradient

    def loss(self, rows: Sequence[int]) -> float:
        """Return the weighted sum of rows' losses, of this rank alone."""
        shared = SharedTokens(self._trained, self._below, self._cores)
        lots = self._lots(rows)

        def run(index: int) -> float:
            space, total = self._lanes[index].space, 0.0
            if index == 0:
                self._space.back()
                shared.forward(self._space, keep=False)
            for part in lots[index]:
                packed, hidden = self._pack(part), self._hidden(part)
                for number, layer in enumerate(self._trained):
                    out = np.empty_like(hidden)
                    space.back()
                    layer.forward(hidden, shared.state(number), packed.rows, out, space)
                    hidden = out
                space.back()
                total += float(self._losses(hidden, packed, space)[0].sum())
            return total

        return sum(self._each_lane(run, shared))

    def _pack(self, rows: Sequence[int]) -> Pack:
        return pack([self._job.rows[row] for row in rows], self._shared)

    def _hidden(self, rows: Sequence[int]) -> np.ndarray:
        return np.concatenate([self._store[row] for row in rows])

    @contextmanager
    def _all_threads(self) -> Generator[None]:
        """Let products of the calling thread use all cores; the lanes rest meanwhile."""
        use_threads(self._cores)
        try:
            yield
        finally:
            use_threads(0)

    # --- state ----------------------------------------------------------------------------------

    def weights(self) -> dict[str, mx.array]:
        """Return what is trained by name; the model has the same values afterwards."""
        named = self.parameters.named()
        self._model.load_weights(list(named.items()), strict=False)
        return named

    def snapshot(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Return views of what is trained by name, and of the optimizer's state."""
        optimizer = self._optimizer
        step = np.array(optimizer.step, np.int32)
        state = {"step": step, "first": optimizer.first, "second": optimizer.second}
        return self.parameters.views(self.parameters.values), state

    def load(self, weights: Mapping[str, mx.array | np.ndarray], optimizer: Any) -> None:
        """Go on from these weights and this state."""
        self.parameters.load(weights)
        self._take_half()
        self._optimizer.step = int(optimizer["step"].item())
        self._optimizer.first[...] = np.asarray(optimizer["first"])
        self._optimizer.second[...] = np.asarray(optimizer["second"])

    def close(self) -> None:
        """Give memory, files and threads back."""
        self._executor.shutdown(cancel_futures=True)
        self._store.close()
