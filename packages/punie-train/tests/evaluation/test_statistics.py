"""Intervals hold the share, narrow with more trials, and the exact test is the binomial one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.evaluation.statistics import mcnemar_p, wilson_interval


def test_known_intervals() -> None:
    assert wilson_interval(5, 5) == pytest.approx((0.5655, 1.0), abs=1e-4)
    assert wilson_interval(0, 5) == pytest.approx((0.0, 0.4345), abs=1e-4)
    assert wilson_interval(216, 240) == pytest.approx((0.8555, 0.9319), abs=1e-3)
    assert wilson_interval(0, 0) == (0.0, 1.0)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share_and_mirrors(pair: tuple[int, int]) -> None:
    passed, total = pair
    low, high = wilson_interval(passed, total)

    assert 0 <= low <= passed / total + 1e-12
    assert passed / total <= high + 1e-12
    assert wilson_interval(total - passed, total) == pytest.approx((1 - high, 1 - low))


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="6 of 5"):
        wilson_interval(6, 5)
    with pytest.raises(ValueError, match="negative"):
        mcnemar_p(-1, 2)


def test_known_p_values() -> None:
    assert mcnemar_p(0, 0) == 1.0
    assert mcnemar_p(0, 5) == pytest.approx(0.0625)
    assert mcnemar_p(0, 6) == pytest.approx(0.03125)
    assert mcnemar_p(3, 3) == 1.0
    assert mcnemar_p(2, 9) == mcnemar_p(9, 2)
