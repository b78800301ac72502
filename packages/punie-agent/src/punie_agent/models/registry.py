"""What `make` built and where it is: `punie.json` inside a model's folder, and the user's register.

A model artefact is an mlx-lm model folder with a `punie.json` that says what it is: name, phase, base,
the contract it was trained with and that contract's digest, digests of what it was made from, versions
of what made it. Registering it writes `<data dir>/models/<name>.json` with its folder and the digest of
its files, so that `punie ask --model <name>` finds it and notices when it is not the same any more.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_agent.errors import ModelUnavailableError
from punie_agent.paths import data_dir, write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from punie_agent.contract import Contract

__all__ = [
    "DESCRIPTION",
    "Artefact",
    "artefact",
    "files_digest",
    "find",
    "named",
    "names",
    "register",
    "registered",
    "write_description",
]

DESCRIPTION = "punie.json"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Artefact:
    """A model folder and what is known about it.

    Attributes:
        folder: where the mlx-lm model is.
        name: what it is called, for example "smollm2-phase23".
        phase: the phase it was made in; "" when it was not made by `make`.
        base: the model it was made from.
        contract: the contract's JSON, None when it was not trained with one.
        contract_digest: what that contract's digest was when it was trained.
        digests: digests of what it was made from.
        made_with: versions of what made it.
        registered_digest: digest of its files when it was registered; None when it is not.
    """

    folder: Path
    name: str
    phase: str = ""
    base: str = ""
    contract: Mapping[str, Any] | None = None
    contract_digest: str | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    made_with: Mapping[str, str] = field(default_factory=dict)
    registered_digest: str | None = None


def write_description(
    folder: Path,
    *,
    name: str,
    phase: str,
    base: str,
    contract: Contract,
    digests: Mapping[str, str],
    made_with: Mapping[str, str],
) -> None:
    """Write `punie.json` into a model folder.

    Args:
        folder: an mlx-lm model folder.
        name: what the model is called.
        phase: the phase it was made in.
        base: the name of the model it was made from.
        contract: the contract its training data was written with.
        digests: digests of what it was made from, by name.
        made_with: versions of the packages that made it.

    Raises:
        OSError: the file cannot be written.
    """
    description = {
        "name": name,
        "phase": phase,
        "base": base,
        "contract": contract.to_json(),
        "contract_digest": contract.digest(),
        "digests": dict(digests),
        "made_with": dict(made_with),
    }
    write_whole(folder / DESCRIPTION, json.dumps(description, indent=2, sort_keys=True) + "\n")


def artefact(folder: Path) -> Artefact:
    """What is in a model folder; one without `punie.json` is a model that was made elsewhere.

    Raises:
        ModelUnavailableError: there is no mlx-lm model, or its `punie.json` is damaged.
    """
    folder = folder.expanduser().resolve()
    if not (folder / "config.json").is_file():
        raise ModelUnavailableError(f"{folder} holds no mlx-lm model: it has no config.json")
    path = folder / DESCRIPTION
    if not path.is_file():
        return Artefact(folder, folder.name)
    data = _object(path)
    contract, digest = data.get("contract"), data.get("contract_digest")
    return Artefact(
        folder=folder,
        name=str(data.get("name", folder.name)),
        phase=str(data.get("phase", "")),
        base=str(data.get("base", "")),
        contract=contract if isinstance(contract, dict) else None,
        contract_digest=digest if isinstance(digest, str) else None,
        digests=_texts(data.get("digests")),
        made_with=_texts(data.get("made_with")),
    )


def register(folder: Path) -> Path:
    """Enter a model folder with a `punie.json` into the register; returns the entry's file.

    Raises:
        ModelUnavailableError: the folder holds no described model.
    """
    found = artefact(folder)
    if not (found.folder / DESCRIPTION).is_file():
        raise ModelUnavailableError(
            f"{found.folder} has no {DESCRIPTION}; write it before registering"
        )
    entry = data_dir() / "models" / f"{_safe(found.name)}.json"
    content = {"path": str(found.folder), "digest": files_digest(found.folder)}
    write_whole(entry, json.dumps(content, indent=2) + "\n")
    return entry


def names() -> list[str]:
    """The names in the register, sorted, also those whose folder is gone."""
    folder = data_dir() / "models"
    return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []


def find(name: str) -> Artefact:
    """The registered model of this name.

    Raises:
        ModelUnavailableError: it is not registered, or its folder is gone or damaged.
    """
    entry = data_dir() / "models" / f"{_safe(name)}.json"
    if not entry.is_file():
        known = ", ".join(names()) or "none"
        raise ModelUnavailableError(f"no model {name!r} is registered here (registered: {known})")
    data = _object(entry)
    folder = Path(str(data.get("path", "")))
    if not (folder / "config.json").is_file():
        raise ModelUnavailableError(
            f"the model {name!r} was at {folder} and is gone; make it again, or delete {entry}"
        )
    if not (folder / DESCRIPTION).is_file():
        raise ModelUnavailableError(
            f"the model {name!r} at {folder} has no {DESCRIPTION} any more; make it again, or delete {entry}"
        )
    found = artefact(folder)
    return replace(found, registered_digest=str(data.get("digest", "")) or None)


def named(name: str) -> Artefact | None:
    """The registered model of this name, else the model in the folder that it names, else None.

    The register comes first and a folder needs a slash, so that no folder which happens to lie in the
    project, or which a cloned repository brought along, stands in for a model that was chosen by name.

    Raises:
        ModelUnavailableError: it is registered and gone, or damaged.
    """
    if name in names():
        return find(name)
    folder = Path(name).expanduser()
    is_path = name.startswith(("/", "./", "../", "~")) or ("/" in name and ":" not in name)
    return artefact(folder) if is_path and (folder / "config.json").is_file() else None


def registered() -> list[Artefact]:
    """All registered models that are there; entries that cannot be read are left out."""
    found = []
    for name in names():
        try:
            found.append(find(name))
        except ModelUnavailableError:
            continue
    return found


def files_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a model's files, `punie.json` included.

    `README.md` tells people about the model, its scores among it; it is no part of what the model is.
    """
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.name != "README.md":
            one = hashlib.sha256()
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    one.update(chunk)
            total.update(f"{path.name}\0{one.hexdigest()}\n".encode())
    return "sha256:" + total.hexdigest()


def _object(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnavailableError(f"{path} cannot be read: {error}") from None
    if not isinstance(data, dict):
        raise ModelUnavailableError(f"{path} holds no JSON object")
    return data


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(each) for key, each in value.items()} if isinstance(value, dict) else {}


def _safe(name: str) -> str:
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise ModelUnavailableError(f"{name!r} cannot be the name of a model")
    return name
