"""Training, fusing and quantising: correct losses, exact resume, gates on what comes out."""

from __future__ import annotations

from pathlib import Path

from punie_train.blas import preload
from punie_train.progress import Progress
from punie_train.training.config import FuseConfig, QuantizeConfig, TrainConfig

__all__ = ["FuseConfig", "QuantizeConfig", "TrainConfig", "fuse", "quantize", "train"]

# Submodules import parts of MLX in alphabetical order; the fast BLAS must be there before any of them.
preload()


def train(config: TrainConfig, *, base: Path, data: Path, out: Path, progress: Progress) -> None:
    """Train an adapter folder; see `punie_train.training.loop.train`."""
    from punie_train.training.loop import train as run

    run(config, base=base, data=data, out=out, progress=progress)


def fuse(config: FuseConfig, *, base: Path, adapter: Path, out: Path, progress: Progress) -> None:
    """Fuse an adapter into its base; see `punie_train.training.fusing.fuse`."""
    from punie_train.training.fusing import fuse as run

    run(config, base=base, adapter=adapter, out=out, progress=progress)


def quantize(config: QuantizeConfig, *, model: Path, out: Path, progress: Progress) -> None:
    """Quantise a fused model; see `punie_train.training.quantizing.quantize`."""
    from punie_train.training.quantizing import quantize as run

    run(config, model=model, out=out, progress=progress)
