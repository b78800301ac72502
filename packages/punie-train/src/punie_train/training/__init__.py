"""Training, fusing and quantising: correct losses, exact resume, gates on what comes out."""

from __future__ import annotations

from punie_train.training.config import FuseConfig, QuantizeConfig, TrainConfig

__all__ = ["FuseConfig", "QuantizeConfig", "TrainConfig"]
