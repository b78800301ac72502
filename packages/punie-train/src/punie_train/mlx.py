"""The one place MLX is imported from, so that the fast BLAS is loaded first.

    from punie_train.mlx import mx, nn

`mx.compile` stays off on CPU: it would need a C++ compiler on the user's machine and 25 s of its time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from punie_train.blas import preload

BLAS = preload()
"""The BLAS library MLX's CPU backend uses in this process."""

# MLX orders what it evaluates depth first where a graph is wider than this, and keeps at most ten operations
# waiting: a second stream would get its first only when the other is done, and one core would stay idle.
os.environ.setdefault("MLX_BFS_MAX_WIDTH", "100000")

# The imports must come after what is above, which is the reason for this module.
import mlx.core as mx  # noqa: E402
from mlx import nn  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402

ON_CPU = not (mx.metal.is_available() or mx.cuda.is_available())
"""Whether MLX has no GPU here; then float32 is the only fast type."""

if ON_CPU and os.environ.get("MLX_DISABLE_COMPILE") != "0":
    mx.disable_compile()

__all__ = ["BLAS", "ON_CPU", "flat", "load_arrays", "mx", "nn", "number"]


def flat(tree: Any) -> dict[str, mx.array]:
    """Return a tree of parameters or gradients as a mapping from dotted name to array."""
    return dict(tree_flatten(tree))


def load_arrays(path: Path) -> dict[str, mx.array]:
    """Return the arrays of a safetensors file by name."""
    return cast("dict[str, mx.array]", mx.load(str(path)))


def number(value: mx.array) -> float:
    """Return a real scalar array as a number."""
    return cast("float", value.item())
