"""Groups keep what their codes can hold, and never more error than MLX's own quantisation."""

from __future__ import annotations

import pytest

from punie_train.mlx import mx, number
from punie_train.training.affine import quantize_affine


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("group_size", [32, 64])
def test_the_error_is_no_larger_than_mlx_makes_it(bits: int, group_size: int) -> None:
    weight = mx.random.normal((2, 24, 192), key=mx.random.key(bits))
    found = quantize_affine(weight, bits=bits, group_size=group_size, dtype=mx.float32)
    own = mx.dequantize(
        *mx.quantize(weight, group_size=group_size, bits=bits), group_size=group_size, bits=bits
    )
    whole = mx.dequantize(
        found.weight, found.scales, found.biases, group_size=group_size, bits=bits
    )
    assert whole.shape == weight.shape
    assert mx.sum(mx.square(whole - weight)).item() == pytest.approx(found.error, rel=1e-3)
    assert found.error <= number(mx.sum(mx.square(own - weight))) * 1.0001


def test_weights_that_were_four_bit_before_are_kept_exactly_in_five() -> None:
    packed, scales, biases = mx.quantize(mx.random.normal((64, 576)), group_size=32, bits=4)
    scales, biases = (each.astype(mx.float16).astype(mx.float32) for each in (scales, biases))
    weight = mx.dequantize(packed, scales, biases, group_size=32, bits=4)
    found = quantize_affine(weight, bits=5, group_size=32, dtype=mx.float16)
    # A group that does not span its grid may miss it; the others are exact.
    assert found.error / number(mx.sum(mx.square(weight))) < 1e-6


def test_constant_and_zero_groups_have_no_error() -> None:
    weight = mx.concatenate([mx.zeros((2, 64)), mx.full((2, 64), 0.25)])
    found = quantize_affine(weight, bits=4, group_size=64, dtype=mx.bfloat16)
    assert found.error == 0
