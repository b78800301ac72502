"""The shared tokens' way through the trained layers, while other cores are already at work on rows.

One core takes the shared tokens up, layer by layer; the others begin with a layer as soon as its state is
there. On the way down it takes what the rows' gradients gave to a layer's state as soon as all of them are
past that layer.

Covered: one step, one core for the shared tokens. A core that fails wakes all that wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Condition
from typing import Any

import numpy as np

from punie_train.training.cpu.attention import Rows, State
from punie_train.training.cpu.layer import Layer, Weights
from punie_train.training.cpu.products import Workspace


class SharedTokens:
    """The shared tokens in one step.

    Args:
        layers: the trained layers.
        below: (tokens, width) what the frozen layers make of the shared tokens.
        lanes: how many cores work on rows.
    """

    def __init__(self, layers: Sequence[Layer], below: np.ndarray, lanes: int) -> None:
        self._layers, self._below = layers, below
        self._states: list[State] = []
        self._kept: list[Any] = []
        self._arrived: list[dict[int, State]] = [{} for _ in layers]
        self._lanes = lanes
        self._failure: BaseException | None = None
        self._changed = Condition()

    @property
    def tokens(self) -> int:
        """How many shared tokens there are."""
        return len(self._below)

    def forward(self, space: Workspace, *, keep: bool) -> None:
        """Compute the states, the first layer's first; what the gradient needs stays in `space`."""
        if not self.tokens:
            self._give([layer.empty_state(0, space.dtype) for layer in self._layers])
            return
        hidden, rows = self._below, Rows([self.tokens], 0)
        nothing = self._layers[0].empty_state(0, space.dtype)
        for layer in self._layers[:-1]:
            out = space.take_single(*hidden.shape)
            kept = layer.forward(hidden, nothing, rows, out, space)
            self._give([kept.attention.state], [kept] if keep else [])
            hidden = out
        state, kept = self._layers[-1].state(hidden, space)
        self._give([state], [kept] if keep else [])

    def _give(self, states: list[State], kept: Sequence[Any] = ()) -> None:
        with self._changed:
            self._states += states
            self._kept += kept
            self._changed.notify_all()

    def state(self, index: int) -> State:
        """Return a layer's state, when it is there."""
        self._wait(lambda: len(self._states) > index)
        return self._states[index]

    def arrive(self, index: int, lane: int, gradient: State) -> None:
        """Tell what a core's rows, all of them, gave to the gradient of a layer's state."""
        with self._changed:
            self._arrived[index][lane] = gradient
            self._changed.notify_all()

    def backward(self, gradients: Sequence[Weights], space: Workspace) -> None:
        """Add the gradient of the layers' weights to `gradients`, the last layer's first.

        Args:
            gradients: for each layer.
            space: the one `forward` was given.
        """
        if not self.tokens:
            return
        hidden = space.take_single(*self._below.shape)
        last = len(self._layers) - 1
        for index in range(last, -1, -1):
            self._wait(lambda there=self._arrived[index]: len(there) == self._lanes)
            layer, kept, arrived = self._layers[index], self._kept[index], self._sum(index)
            if index == last:
                layer.backward_of_state(kept, arrived, hidden, gradients[index], space)
            else:
                nothing = layer.empty_state(0)
                layer.backward(kept, hidden, gradients[index], nothing, space, arrived)

    def _sum(self, index: int) -> State:
        """Return the sum of what arrived at a layer, in an order that does not depend on timing."""
        arrived = [self._arrived[index][lane] for lane in range(self._lanes)]
        return State(
            np.sum([one.keys for one in arrived], axis=0),
            np.sum([one.values for one in arrived], axis=0),
        )

    def fail(self, error: BaseException) -> None:
        """Let all that wait, now or later, fail with this error."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def _wait(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._failure is not None or condition())
            if self._failure is not None:
                raise self._failure
