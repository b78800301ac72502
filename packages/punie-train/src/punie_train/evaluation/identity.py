"""Identity: which model is scored, proven by digests of what is loaded, and which contract it was taught.

Covered: model folders and adapter folders. Not covered: servers; nothing is asked of one here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_train.artefacts import digest_folder
from punie_train.errors import EvaluationError
from punie_train.evaluation.scores import Identity
from punie_train.models.card import CARD

WEIGHTS = "*.safetensors"
DESCRIPTION = "punie.json"
MANY_BITS = 64


@dataclass(frozen=True)
class Candidate:
    """A model to score: the folder with its weights, and the adapter on it if there is one.

    Attributes:
        name: its role or name, such as "quantized".
        folder: the mlx-lm model folder to load.
        adapter: the adapter folder to load on it, or None.
    """

    name: str
    folder: Path
    adapter: Path | None = None

    @property
    def path(self) -> Path:
        """The folder the candidate is about: the adapter's if there is one."""
        return self.adapter or self.folder


def candidates(models: dict[str, Path]) -> list[Candidate]:
    """Return the models to score; an adapter folder is put on the model named "base".

    Raises:
        EvaluationError: a folder is neither a model nor an adapter, or an adapter has no base.
    """
    found = []
    for name, path in models.items():
        if (path / "config.json").is_file():
            found.append(Candidate(name, path))
        elif (path / "adapter_config.json").is_file():
            if "base" not in models:
                raise EvaluationError(
                    f"{path}: an adapter is scored on its base; give the model named `base` too."
                )
            found.append(Candidate(name, models["base"], path))
        else:
            raise EvaluationError(f"{path}: neither a model folder nor an adapter folder.")
    return found


def identify(candidate: Candidate, contract_digest: str) -> Identity:
    """Return the digests of what a candidate loads, and whether it was taught the contract it is asked under.

    Args:
        candidate: the model.
        contract_digest: of the contract it will be spoken to with.
    """
    path = candidate.path
    digest = digest_folder(path, without=CARD)
    if candidate.adapter is not None:
        digest = f"{digest}+{digest_folder(candidate.folder, without=CARD)}"
    size = sum(file.stat().st_size for file in path.glob(WEIGHTS))
    parameters = count_parameters(candidate.folder)
    bits = 8 * size / parameters if parameters and candidate.adapter is None else None
    trained = _trained_digest(path)
    return Identity(
        path=path.name,
        digest=digest,
        contract_digest=contract_digest,
        trained_contract_digest=trained,
        contract_matches=None if not (trained and contract_digest) else trained == contract_digest,
        bytes=size,
        bits_per_weight=bits if bits is None or bits < MANY_BITS else None,
        parameters=parameters,
    )


def trained_tools(candidate: Candidate) -> list[str] | None:
    """Return the tools of the contract a model was taught, as its `punie.json` says; None without one."""
    contract = _description(candidate.path).get("contract")
    tools = contract.get("tools") if isinstance(contract, dict) else None
    return [str(name) for name in tools] if isinstance(tools, list) else None


def _trained_digest(folder: Path) -> str | None:
    value = _description(folder).get("contract_digest")
    return value if isinstance(value, str) else None


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise EvaluationError(f"{path}: damaged; make the model again.") from None
    return value if isinstance(value, dict) else {}


def count_parameters(folder: Path) -> int | None:
    """Return the number of weights of a model folder, from the headers of its safetensors files.

    Packed weights count as what they stand for; scales and biases of quantisation do not count. None when
    a header cannot be read.
    """
    total = 0
    for file in sorted(folder.glob(WEIGHTS)):
        try:
            header = _header(file)
        except (OSError, ValueError):
            return None
        scales = {name.removesuffix(".scales") for name in header if name.endswith(".scales")}
        bits = _bits(folder)
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            stem = name.rpartition(".")[0]
            if stem in scales and name.endswith((".scales", ".biases")):
                continue
            count = 1
            for length in entry["shape"]:
                count *= length
            packed = stem in scales and name.endswith(".weight")
            total += count * 32 // bits.get(stem, bits[""]) if packed else count
    return total or None


def _header(file: Path) -> dict[str, dict[str, list[int]]]:
    with file.open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        return json.loads(handle.read(length))


def _bits(folder: Path) -> dict[str, int]:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    table = config.get("quantization") or {}
    bits = {"": int(table.get("bits", 32))}
    bits.update(
        {name: int(value["bits"]) for name, value in table.items() if isinstance(value, dict)}
    )
    return bits
