"""Phase files: what differs between phases, read strictly.

A phase file (`data/phases/phase23.toml`) has one table per stage, an optional `extends`, and overrides:
`[data.NAME.STAGE]` for `make … DATA=NAME` and `[models.NAME.STAGE]` for `make … MODEL=NAME`. Later
tables win, key by key, in the order: the phase it extends, the phase, the data variant, the model.

Covered: reading, merging, and checking every key against the stage's own configuration class. Not
covered: running anything (`punie_train.stages`) or deciding what is stale (`punie_train.graph`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from punie_train.errors import PhaseError

CONFIG_CLASSES = {
    "generate": "punie_train.data:GenerateConfig",
    "merge": "punie_train.data:MergeConfig",
    "train": "punie_train.training:TrainConfig",
    "fuse": "punie_train.training:FuseConfig",
    "quantize": "punie_train.training:QuantizeConfig",
    "validate": "punie_train.evaluation:ValidateConfig",
}
"""Where the configuration class of each stage lives; imported only when it is needed."""

_TOP_LEVEL = {"description", "extends", "suites", "data", "models", *CONFIG_CLASSES}


class _Phase(BaseModel):
    model_config = ConfigDict(extra="forbid")

    description: str = ""
    suites: list[str] = []


@dataclass(frozen=True)
class Phase:
    """One phase, resolved for a data variant and a base model.

    Attributes:
        name: the file's stem, such as `phase23`.
        description: one line for people.
        suites: names of the evaluation suites (`data/suites/NAME.toml`).
        stages: the merged table of each stage, as plain values.
        source: the file it was read from.
    """

    name: str
    description: str
    suites: tuple[str, ...]
    stages: Mapping[str, dict[str, Any]] = field(hash=False)
    source: Path

    def config(self, stage: str) -> Any:
        """Return the stage's configuration object.

        Raises:
            PhaseError: a key is unknown or a value is wrong; the message names file, table and key.
        """
        module, _, name = CONFIG_CLASSES[stage].partition(":")
        config_class = getattr(import_module(module), name)
        try:
            return config_class.model_validate(self.stages.get(stage, {}))
        except ValidationError as error:
            raise PhaseError(_explain(self.source, stage, error)) from None


def read_phase(path: Path, *, data: str = "", model: str = "") -> Phase:
    """Read a phase file and resolve it for a data variant and a base model.

    Args:
        path: the TOML file.
        data: the data variant (`DATA=`), empty for the phase's own composition.
        model: the base model (`MODEL=`); a model the phase says nothing about gets no overrides.

    Raises:
        PhaseError: the file is missing, is not TOML, has an unknown key, or has no such variant.
    """
    table = _read_tables(path, seen=())
    stages = {name: dict(_table(path, name, table.get(name, {}))) for name in CONFIG_CLASSES}
    variants = _table(path, "data", table.get("data", {}))
    models = _table(path, "models", table.get("models", {}))
    if data and data not in variants:
        known = ", ".join(sorted(variants)) or "none"
        raise PhaseError(f"{path}: there is no data variant {data!r} (known: {known}).")
    for section, name, chosen in (("data", data, variants), ("models", model, models)):
        overrides = _table(path, f"{section}.{name}", chosen.get(name, {}))
        for stage, values in overrides.items():
            if stage not in stages:
                raise PhaseError(
                    f"{path}: [{section}.*.{stage}] names no stage; stages are {', '.join(stages)}."
                )
            over = _table(path, f"{section}.{name}.{stage}", values)
            stages[stage] = merge_tables(stages[stage], over)
    try:
        head = _Phase.model_validate(
            {key: table[key] for key in ("description", "suites") if key in table}
        )
    except ValidationError as error:
        raise PhaseError(_explain(path, "", error)) from None
    return Phase(
        name=path.stem,
        description=head.description,
        suites=tuple(head.suites),
        stages=stages,
        source=path,
    )


def _table(path: Path, name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise PhaseError(f"{path}: [{name}] must be a table, not {type(value).__name__}.")
    return value


def _read_tables(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    if path in seen:
        raise PhaseError(f"{path}: `extends` goes round in a circle.")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml"))) or "none"
        raise PhaseError(f"{path}: no such phase file (known phases: {known}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PhaseError(f"{path}: not valid TOML: {error}.") from None
    unknown = sorted(set(table) - _TOP_LEVEL)
    if unknown:
        raise PhaseError(
            f"{path}: unknown key {unknown[0]!r}; a phase file knows {', '.join(sorted(_TOP_LEVEL))}."
        )
    parent = table.pop("extends", None)
    if parent is None:
        return table
    if not isinstance(parent, str) or not parent or Path(parent).name != parent:
        raise PhaseError(f"{path}: `extends` names a phase beside this one, not {parent!r}.")
    return merge_tables(_read_tables(path.with_name(f"{parent}.toml"), (*seen, path)), table)


def merge_tables(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `over` laid on top: tables are merged key by key, everything else is replaced.

    An empty table replaces too: `drills = {}` is how a variant has none.
    """
    merged = dict(base)
    for key, value in over.items():
        ours = merged.get(key)
        merged[key] = (
            merge_tables(ours, value)
            if isinstance(ours, dict) and isinstance(value, dict) and value
            else value
        )
    return merged


def _explain(source: Path, stage: str, error: ValidationError) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"])
        where = f"[{stage}] {key}" if stage else key
        what = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{source}: {where}: {what}")
    return "\n".join(lines)
