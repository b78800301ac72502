"""What a run is made of, and which of it is fresh.

A run is one phase on one base model; everything it makes lies in `build/<phase>-<model>/`. Each stage has

- `stages/<stage>.lock.json`: all the stage depends on besides earlier stages: its slice of the phase
  file, digests of its source folders, its version, the contract digest, library versions. Rewritten only
  when its content changes, so that `make` compares time stamps and means content.
- `stages/<stage>.done.json`: written last, with the lock and the inputs it was made from, as they were
  when the making began, the digest of its output, wall time and peak memory. It is not there while the
  stage runs again.
- `stages/<stage>.digest`: the output's digest, rewritten only when the output differs; later stages
  depend on it, so a stage that ran again and made the same thing re-runs nothing after it.

Covered: locks, staleness and its reasons. Not covered: what locks are made of (`punie_train.facts`), and
running stages (`punie_train.stages`).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_train.artefacts import digest_file, digest_folder, held, write_json
from punie_train.errors import PhaseError
from punie_train.facts import CONCEPTS, look_up
from punie_train.phase import Phase, read_phase


@dataclass(frozen=True)
class Stage:
    """One link of the chain.

    Attributes:
        name: as in `make phase23-NAME`.
        revision: raised by hand when the stage's code changes what it makes.
        after: the stages whose outputs it reads.
        output: what it makes, relative to the run's folder.
        counted: the files of the output that its digest is of; not those that hold times.
        inputs: which lock entries it has besides its own configuration (see `Run.fact`).
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
class Taken:
    """What a stage is made from, as it was when the making began.

    Attributes:
        lock: the content of its lock.
        inputs: the digests of the earlier stages' outputs, by stage.
    """

    lock: Mapping[str, Any]
    inputs: Mapping[str, str]


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
        self._facts: dict[str, Any] = {}

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

    @property
    def base_lock(self) -> Path:
        """Return the file that whoever makes the base model holds: all runs share its folder."""
        return self._records("base") / ".lock"

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

    def fact(self, name: str) -> Any:
        """Return one of the things locks are made of; looked up once."""
        if name not in self._facts:
            self._facts[name] = look_up(name, self)
        return self._facts[name]

    def lock(self, name: str) -> dict[str, Any]:
        """Return the content of a stage's lock."""
        return self._lock(name, self.fact)

    def _lock(self, name: str, fact: Callable[[str], Any]) -> dict[str, Any]:
        stage = STAGES[name]
        lock: dict[str, Any] = {"stage": name, "revision": stage.revision}
        if name in self.phase.stages:
            lock["config"] = self.phase.config(name).model_dump(mode="json")
        lock.update({key: fact(key) for key in stage.inputs})
        return lock

    def write_locks(self) -> None:
        """Bring every lock up to date; a lock whose content is unchanged keeps its time stamp.

        Make knows time stamps only, so they are made to say what the records say. A lock that is changed
        back to what the finished stage was made from becomes older than the stage again; one that was
        changed while the stage was at work becomes younger. A finished stage whose output was removed is
        forgotten.
        """
        # The base model first: where its weights cannot be had, that is said before anything is hashed.
        locks = {name: self.lock(name) for name in STAGES}
        # Two runs on one base write the same lock of it.
        with held(self._records("base") / ".locks", wait=lambda: None):
            for name, lock in locks.items():
                self._write_lock(name, lock)

    def _write_lock(self, name: str, lock: Mapping[str, Any]) -> None:
        path, done = self.lock_path(name), self.done_path(name)
        record, mark = _read(done), _identity(done)
        if record is not None and not self.path(name).exists():
            done.unlink(missing_ok=True)
            record = None
        if _read(path) != lock:
            write_json(path, lock)
        if record is None or mark is None:
            return
        _, made = mark
        younger = path.stat().st_mtime_ns > made
        if younger == self._made_from(record, lock):
            moment = made - 1 if younger else max(time.time_ns(), made + 1)
            os.utime(path, ns=(moment, moment))

    def _made_from(self, record: Mapping[str, Any], lock: Mapping[str, Any]) -> bool:
        """Return whether a stage was made from a lock and from its inputs, those that are made."""
        inputs = {earlier: self.output_digest(earlier) for earlier in record["inputs"]}
        return record["lock"] == lock and all(
            digest in (None, record["inputs"][earlier]) for earlier, digest in inputs.items()
        )

    def is_made(self, name: str) -> bool:
        """Return whether what a stage makes is there, made from what its lock says now."""
        record = _read(self.done_path(name))
        return (
            record is not None
            and self.path(name).exists()
            and self._made_from(record, self.lock(name))
        )

    def take(self, name: str) -> Taken:
        """Return what a stage is about to be made from; sources are looked at anew.

        What is edited while the stage is at work is not what it was made from, or not all of it; so this
        is called before, by whoever holds the run's folder, and given to `finish`.

        Raises:
            PhaseError: an earlier stage is not made.
        """
        inputs = {}
        for earlier in STAGES[name].after:
            digest = self.output_digest(earlier)
            if digest is None:
                raise PhaseError(
                    f"{name} needs {earlier}, which is not made; run `make {self.variant}`."
                )
            inputs[earlier] = digest
        return Taken(self._lock(name, lambda fact: look_up(fact, self)), inputs)

    @contextmanager
    def making(self, name: str) -> Generator[None]:
        """Take the mark of a finished stage away while it is made again.

        A process that is killed after the artefact was replaced then leaves none that speaks of the old
        one. What fails or is interrupted before it replaced anything gets the mark back.
        """
        done = self.done_path(name)
        aside = done.with_name(f"{done.name}.aside")
        aside.unlink(missing_ok=True)  # of a process that was killed
        before = _identity(self.path(name))
        if done.exists():
            done.replace(aside)
        try:
            yield
        except BaseException:
            if aside.exists() and before is not None and _identity(self.path(name)) == before:
                aside.replace(done)
            raise
        finally:
            aside.unlink(missing_ok=True)

    def finish(self, name: str, taken: Taken, *, seconds: float, peak_memory_bytes: int) -> None:
        """Record that a stage is done; its digest file changes only when its output did.

        Args:
            name: the stage.
            taken: what it was made from.
            seconds: how long it took.
            peak_memory_bytes: most memory in use.
        """
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
            "lock": taken.lock,
            "inputs": taken.inputs,
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
        return status["stage"] if is_alive(status["pid"]) else None

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


def is_alive(pid: int) -> bool:
    """Return whether there is such a process."""
    try:
        os.kill(pid, 0)
    except PermissionError:  # someone else's
        return True
    except OSError:
        return False
    return True


def differences(old: Any, new: Any, at: str = "") -> Iterator[str]:
    """Yield what changed between two locks, as `config.bits: 5 -> 6`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from differences(old.get(key), new.get(key), f"{at}.{key}" if at else str(key))
    elif old != new:
        yield f"{at}: {_short(old)} -> {_short(new)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else text[:12] + "…"


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file or folder from one that is moved in its place: number and time."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns
