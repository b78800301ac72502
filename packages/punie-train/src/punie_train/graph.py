"""What a run is made of, and which of it is fresh.

A run is one phase on one base model; everything it makes lies in `build/<phase>-<model>/`. Each stage has

- `stages/<stage>.lock.json`: all the stage depends on besides earlier stages: its slice of the phase
  file, digests of its source folders, its version, the contract digest, library versions. Rewritten only
  when its content changes, so that `make` compares time stamps and means content.
- `stages/<stage>.done.json`: written last, with the lock it was made from, the digest of its output,
  wall time and peak memory.
- `stages/<stage>.digest`: the output's digest, rewritten only when the output differs; later stages
  depend on it, so a stage that ran again and made the same thing re-runs nothing after it.

Covered: locks, staleness and its reasons. Not covered: running stages (`punie_train.stages`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_train.artefacts import digest_file, digest_folder, write_json
from punie_train.errors import PhaseError
from punie_train.phase import Phase, read_phase

if TYPE_CHECKING:
    from punie_train.models import BaseModelSpec

SUITE_WORKSPACES = "suite-"
"""Prefix of the workspaces that only evaluation may see."""
CONCEPTS = "concepts.toml"
"""The bank of reference answers beside the suites; it holds no queries."""


@dataclass(frozen=True)
class Stage:
    """One link of the chain.

    Attributes:
        name: as in `make phase23-NAME`.
        revision: raised by hand when the stage's code changes what it makes.
        after: the stages whose outputs it reads.
        output: what it makes, relative to the run's folder.
        counted: the files of the output that its digest is of; not those that hold times.
        inputs: which lock entries it has besides its own configuration (see `Run.facts`).
    """

    name: str
    revision: int
    after: tuple[str, ...]
    output: str
    inputs: tuple[str, ...]
    counted: str = "**/*"


STAGES: Mapping[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("base", 1, (), "base", ("base_model", "mlx-lm")),
        Stage(
            "generate",
            1,
            (),
            "data/generated.jsonl",
            ("sources", "workspaces", "contract", "tools"),
        ),
        Stage("merge", 1, ("generate", "base"), "data/merged", ("contract",)),
        Stage("train", 1, ("base", "merge"), "adapter", ("mlx-lm",), "*.safetensors"),
        Stage("fuse", 1, ("base", "train"), "fused", ("mlx-lm",)),
        Stage("quantize", 1, ("fuse",), "quantized", ("mlx-lm", "contract")),
        Stage(
            "validate",
            1,
            ("merge", "train", "fuse", "quantize"),
            "scores.json",
            ("suites", "suite-workspaces", "contract", "tools", "mlx-lm"),
        ),
        Stage("report", 2, ("validate",), "report.html", ()),
    )
}


@dataclass(frozen=True)
class Freshness:
    """How a stage stands: `fresh`, `stale`, `missing`, `running` or `waiting`, and why."""

    stage: str
    state: str
    reason: str


class Run:
    """One phase on one base model, and where its files lie.

    Args:
        root: the repository (or any folder with `data/` laid out like it).
        phase: the phase's name.
        model: a model name of `punie_train.models`, or a path to an mlx-lm model folder.
        data: the data variant, or an empty string.
    """

    def __init__(self, root: Path, phase: str, model: str, data: str = "") -> None:
        self.root = root
        self.model = model
        self.model_name = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(model).name).strip("-") or "model"
        self.phase: Phase = read_phase(
            root / "data/phases" / f"{phase}.toml", data=data, model=self.model_name
        )
        self.variant = f"{phase}-{data}" if data else phase
        self.name = f"{self.model_name}-{self.variant}"
        self.folder = root / "build" / f"{self.variant}-{self.model_name}"

    def path(self, stage: str) -> Path:
        """Return what a stage makes; every run shares the base model's folder."""
        if stage == "base":
            return self.root / "build/models" / self.model_name
        return self.folder / STAGES[stage].output

    def lock_path(self, stage: str) -> Path:
        """Return the stage's lock file."""
        return self._records(stage) / f"{stage}.lock.json"

    def done_path(self, stage: str) -> Path:
        """Return the file that says a stage finished."""
        return self._records(stage) / f"{stage}.done.json"

    def digest_path(self, stage: str) -> Path:
        """Return the file later stages depend on."""
        return self._records(stage) / f"{stage}.digest"

    def _records(self, stage: str) -> Path:
        # The base model is made once for all phases, so what is known about it lies beside it.
        if stage == "base":
            return self.root / "build/models/stages" / self.model_name
        return self.folder / "stages"

    @property
    def suite_paths(self) -> list[Path]:
        """Return the suite files of the phase.

        Raises:
            PhaseError: a suite the phase names does not exist.
        """
        paths = [self.root / "data/suites" / f"{name}.toml" for name in self.phase.suites]
        for path in paths:
            if not path.exists():
                raise PhaseError(f"{self.phase.source}: suites: {path} does not exist.")
        return paths

    @property
    def all_suites(self) -> list[Path]:
        """Return every suite there is: no phase may train on the queries of any."""
        folder = self.root / "data/suites"
        return [path for path in sorted(folder.glob("*.toml")) if path.name != CONCEPTS]

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """Return everything locks are made of, by name; computed once."""
        return dict(self._facts())

    def _facts(self) -> Iterator[tuple[str, Any]]:
        # The base model first: where its weights cannot be had, that is said before anything is hashed.
        from punie_train.evaluation.suite import suite_files
        from punie_train.models import resolve_base

        workspaces = self.root / "data/workspaces"
        yield "base_model", base_identity(resolve_base(self.model))
        yield "mlx-lm", _versions("mlx", "mlx-lm")
        yield "tools", {**_versions("ty", "ruff", "pytest", "pydantic-monty"), **plugin_versions()}
        yield "contract", contract_digest(self.phase)
        yield "sources", digest_folder(self.root / "data/sources")
        folders = sorted(path for path in workspaces.iterdir() if path.is_dir())
        yield (
            "workspaces",
            {f.name: digest_folder(f) for f in folders if not f.name.startswith(SUITE_WORKSPACES)},
        )
        yield (
            "suite-workspaces",
            {f.name: digest_folder(f) for f in folders if f.name.startswith(SUITE_WORKSPACES)},
        )
        concepts = self.root / "data/suites" / CONCEPTS
        asked = [file for path in self.suite_paths for file in suite_files(path)]
        judged_by = [*asked, *([concepts] if concepts.exists() else [])]
        yield "suites", {path.stem: digest_file(path) for path in judged_by}

    def lock(self, name: str) -> dict[str, Any]:
        """Return the content of a stage's lock."""
        stage = STAGES[name]
        lock: dict[str, Any] = {"stage": name, "revision": stage.revision}
        if name in self.phase.stages:
            lock["config"] = self.phase.config(name).model_dump(mode="json")
        lock.update({key: self.facts[key] for key in stage.inputs})
        return lock

    def write_locks(self) -> None:
        """Bring every lock up to date; a lock whose content is unchanged keeps its time stamp.

        A lock that is changed back to what the finished stage was made from becomes older than the
        stage again, and a finished stage whose output was removed is forgotten.
        """
        for name in STAGES:
            lock, path, done = self.lock(name), self.lock_path(name), self.done_path(name)
            record = _read(done)
            if record is not None and not self.path(name).exists():
                done.unlink()
                record = None
            if _read(path) != lock:
                write_json(path, lock)
            if (
                record is not None
                and record["lock"] == lock
                and path.stat().st_mtime > done.stat().st_mtime
            ):
                moment = done.stat().st_mtime_ns - 1
                os.utime(path, ns=(moment, moment))

    def finish(self, name: str, *, seconds: float, peak_memory_bytes: int) -> None:
        """Record that a stage is done; its digest file changes only when its output did."""
        digest = self.digest(name)
        if (
            not self.digest_path(name).exists()
            or self.digest_path(name).read_text().strip() != digest
        ):
            temporary = self.digest_path(name).with_suffix(".tmp")
            temporary.write_text(digest + "\n")
            temporary.replace(self.digest_path(name))
        record = {
            "stage": name,
            "lock": _read(self.lock_path(name)) or self.lock(name),
            "inputs": {earlier: self.output_digest(earlier) for earlier in STAGES[name].after},
            "output": digest,
            "seconds": round(seconds, 3),
            "peak_memory_bytes": peak_memory_bytes,
        }
        write_json(self.done_path(name), record)

    def digest(self, name: str) -> str:
        """Return the digest of what a stage made, as it lies there now."""
        path = self.path(name)
        return digest_folder(path, STAGES[name].counted) if path.is_dir() else digest_file(path)

    def output_digest(self, stage: str) -> str | None:
        """Return the digest of a finished stage's output, or None."""
        record = _read(self.done_path(stage))
        return record["output"] if record else None

    def running(self) -> str | None:
        """Return the stage a living process is working on, or None."""
        status = _read(self.folder / "status.json")
        if status is None or status["state"] != "running":
            return None
        try:
            os.kill(status["pid"], 0)
        except OSError:
            return None
        return status["stage"]

    def freshness(self) -> list[Freshness]:
        """Return how each stage stands, in the order they run."""
        rows: list[Freshness] = []
        unfinished: set[str] = set()
        for name, stage in STAGES.items():
            row = self._freshness(name, stage, unfinished)
            if row.state != "fresh":
                unfinished.add(name)
            rows.append(row)
        return rows

    def _freshness(self, name: str, stage: Stage, unfinished: set[str]) -> Freshness:
        record = _read(self.done_path(name))
        if record is None:
            return self._unmade(name)
        if not self.path(name).exists():
            return Freshness(
                name, "missing", f"{self.path(name).relative_to(self.root)} was removed"
            )
        changes = list(differences(record["lock"], self.lock(name)))
        changes += [
            f"{earlier} made something new"
            for earlier in stage.after
            if earlier not in unfinished
            and record["inputs"].get(earlier) != self.output_digest(earlier)
        ]
        if changes:
            return Freshness(name, "stale", "; ".join(changes[:3]))
        pending = [earlier for earlier in stage.after if earlier in unfinished]
        if pending:
            return Freshness(name, "waiting", f"{pending[0]} will run again")
        return Freshness(name, "fresh", f"made in {record['seconds']:.0f} s")

    def _unmade(self, name: str) -> Freshness:
        if self.running() == name:
            return Freshness(name, "running", "`make watch` follows it")
        partial = self.path(name).with_name(self.path(name).name + ".tmp").exists()
        return Freshness(
            name, "missing", "interrupted; it will resume" if partial else "never made"
        )


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Yield what changed between two locks, as `config.bits: 5 -> 6`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif old != new:
        yield f"{at}: {_short(old)} -> {_short(new)}"


def base_identity(spec: BaseModelSpec) -> dict[str, Any]:
    """Return what a base model is known by; of a local folder also its files' sizes and times.

    A digest of a local folder's weights would read gigabytes at every `make`; the one of what was made
    from it is recorded when the stage finishes.
    """
    identity: dict[str, Any] = asdict(spec)
    if spec.kind == "folder":
        files = sorted(path for path in Path(spec.origin).iterdir() if path.is_file())
        identity["files"] = {
            path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in files
        }
    return identity


def contract_digest(phase: Phase) -> str:
    """Return the digest of the contract a phase's examples are written in."""
    from punie_train.data import contract_for

    return contract_for(phase.config("generate")).digest()


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:12] + "…"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def plugin_versions() -> dict[str, str]:
    """Return the versions of the distributions that add tools (entry points `punie_tools.tools`)."""
    found = (entry.dist for entry in entry_points(group="punie_tools.tools"))
    return {dist.name: dist.version for dist in found if dist is not None}


def _versions(*names: str) -> dict[str, str | None]:
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
