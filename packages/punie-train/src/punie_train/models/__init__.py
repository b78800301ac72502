"""Base models: what they are called, where they come from, how they become mlx-lm folders, how they speak."""

from __future__ import annotations

from punie_train.blas import preload
from punie_train.models.prepare import prepare_base
from punie_train.models.spec import KNOWN, BaseModelSpec, resolve_base

__all__ = ["KNOWN", "BaseModelSpec", "prepare_base", "resolve_base"]

# Submodules import parts of MLX in alphabetical order; the fast BLAS must be there before any of them.
preload()
