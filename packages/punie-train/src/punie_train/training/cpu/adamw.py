"""AdamW on one flat array of parameters, part by part in the cache, on all cores.

The numbers are those of `mlx.optimizers.AdamW` with bias correction (Loshchilov and Hutter, 2019,
https://arxiv.org/abs/1711.05101): the decay is of the parameter before the step, and epsilon is added after
the correction.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor

import numpy as np

from punie_train.training.cpu.products import add_scaled

PART = 1 << 18
"""Parameters that are updated at a time. Smaller parts would fit the second-level cache, but each operation
takes Python's lock, and cores that take it every few microseconds mostly wait for each other."""
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class AdamW:
    """The moments of parameters, and the steps that use them.

    Args:
        size: how many parameters.
        weight_decay: decoupled decay, times the learning rate.

    Attributes:
        first: the mean of gradients.
        second: the mean of their squares.
        step: steps done.
    """

    def __init__(self, size: int, weight_decay: float) -> None:
        self.first, self.second = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.step, self._decay = 0, weight_decay

    def update(
        self,
        parameters: np.ndarray,
        gradient: np.ndarray,
        factor: float,
        rate: float,
        executor: Executor,
        parts: int,
    ) -> None:
        """Move parameters against `factor` times a gradient.

        Args:
            parameters: flat, changed in place.
            gradient: like the parameters; zero afterwards.
            factor: what the gradient is multiplied by first.
            rate: the learning rate.
            executor: runs `parts` calls at once.
            parts: how many.
        """
        self.step += 1
        size = len(parameters)
        bounds = [size * index // parts for index in range(parts + 1)]

        def run(index: int) -> None:
            for at in range(bounds[index], bounds[index + 1], PART):
                span = slice(at, min(at + PART, bounds[index + 1]))
                self._update(parameters[span], gradient[span], span, factor, rate)

        list(executor.map(run, range(parts)))

    def _update(
        self, parameters: np.ndarray, gradient: np.ndarray, span: slice, factor: float, rate: float
    ) -> None:
        first, second = self.first[span], self.second[span]
        if self._decay:
            parameters *= 1 - rate * self._decay
        add_scaled(gradient, (1 - BETA_1) * factor, first, BETA_1)
        gradient *= gradient
        add_scaled(gradient, (1 - BETA_2) * factor**2, second, BETA_2)
        correction = math.sqrt(1 - BETA_2**self.step)
        np.sqrt(second, out=gradient)
        gradient += EPSILON * correction
        np.divide(first, gradient, out=gradient)
        add_scaled(gradient, -rate * correction / (1 - BETA_1**self.step), parameters)
        gradient[...] = 0  # while it is in the cache


def add_and_square(gradients: list[np.ndarray], executor: Executor, parts: int) -> float:
    """Add all gradients to the first, zero the others, and return the sum of the first's squares."""
    total = gradients[0]
    bounds = [len(total) * index // parts for index in range(parts + 1)]

    def run(index: int) -> float:
        squares = 0.0
        for at in range(bounds[index], bounds[index + 1], PART):
            span = slice(at, min(at + PART, bounds[index + 1]))
            for other in gradients[1:]:
                total[span] += other[span]
                other[span] = 0
            squares += float(np.einsum("i,i->", total[span], total[span]))
        return squares

    return sum(executor.map(run, range(parts)))
