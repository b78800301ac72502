"""AdamW on one flat array of parameters, in one pass over memory, on all cores.

The numbers are those of `mlx.optimizers.AdamW` with bias correction (Loshchilov and Hutter, 2019,
https://arxiv.org/abs/1711.05101): the decay is of the parameter before the step, and epsilon is added after
the correction.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from itertools import pairwise

import numpy as np

from punie_train.training.cpu.compiled import bits, compiled, stored

BETA_1, EPSILON = 0.9, 1e-8
_NO_HALF = np.empty(0, np.float16)


class AdamW:
    """The moments of parameters, and the steps that use them.

    Args:
        size: how many parameters.
        weight_decay: decoupled decay, times the learning rate.
        beta2: how much of the mean of squares stays at a step.

    Attributes:
        first: the mean of gradients.
        second: the mean of their squares.
        step: steps done.
    """

    def __init__(self, size: int, weight_decay: float, beta2: float) -> None:
        self.first, self.second = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.step, self._decay, self._beta2 = 0, weight_decay, beta2

    def update(
        self,
        parameters: np.ndarray,
        gradient: np.ndarray,
        half: np.ndarray | None,
        factor: float,
        rate: float,
        executor: Executor,
        parts: int,
    ) -> None:
        """Move parameters against `factor` times a gradient.

        Args:
            parameters: flat, changed in place.
            gradient: like the parameters.
            half: the parameters in a half format, if they are wanted; changed too.
            factor: what the gradient is multiplied by first.
            rate: the learning rate.
            executor: runs `parts` calls at once.
            parts: how many.
        """
        self.step += 1
        correction = math.sqrt(1 - self._beta2**self.step)
        step = rate * correction / (1 - BETA_1**self.step)
        keep, epsilon = 1 - rate * self._decay, EPSILON * correction
        numbers = tuple(np.float32(x) for x in (factor, keep, BETA_1, self._beta2, step, epsilon))

        def run(span: slice) -> None:
            moments = self.first[span], self.second[span]
            rounded = _NO_HALF if half is None else half[span]
            _update(parameters[span], gradient[span], *moments, bits(rounded), numbers)

        list(executor.map(run, _spans(len(parameters), parts)))


@compiled
def _update(values, gradient, first, second, half, numbers):
    factor, keep, mean, square, step, epsilon = numbers
    one = np.float32(1)
    for i in range(values.size):
        g = factor * gradient[i]
        m = mean * first[i] + (one - mean) * g
        v = square * second[i] + (one - square) * g * g
        first[i], second[i] = m, v
        values[i] = keep * values[i] - step * m / (np.sqrt(v) + epsilon)
    for i in range(half.size):
        half[i] = stored(values[i], half[i])


def add_and_square(gradients: list[np.ndarray], executor: Executor, parts: int) -> float:
    """Add all gradients to the first, and return the sum of its squares."""
    total, *others = gradients

    def run(span: slice) -> float:
        for other in others[:-1]:
            _add(other[span], total[span])
        if others:  # in one pass: memory is what takes the time
            return float(_add_and_square(others[-1][span], total[span]))
        return float(_sum_of_squares(total[span]))

    return sum(executor.map(run, _spans(len(total), parts)))


def _spans(size: int, parts: int) -> list[slice]:
    bounds = [size * index // parts for index in range(parts + 1)]
    return [slice(at, end) for at, end in pairwise(bounds)]


@compiled
def _add(x, out):
    for i in range(out.size):
        out[i] += x[i]


@compiled
def _add_and_square(x, out):
    total = 0.0
    for first in range(0, out.size, 4096):
        last = min(first + 4096, out.size)
        for i in range(first, last):
            out[i] += x[i]
        part = np.float32(0)
        for i in range(first, last):
            part += out[i] * out[i]
        total += part
    return total


@compiled
def _sum_of_squares(x):
    total = 0.0
    for first in range(0, x.size, 4096):  # in float32 no further
        part = np.float32(0)
        for i in range(first, min(first + 4096, x.size)):
            part += x[i] * x[i]
        total += part
    return total
