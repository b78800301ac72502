"""What stage locks are made of besides configuration: digests of sources, of the contract, versions.

Covered: looking each one up. Not covered: which stage depends on which (`punie_train.graph.STAGES`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_train.artefacts import digest_file, digest_folder

if TYPE_CHECKING:
    from punie_train.graph import Run
    from punie_train.models import BaseModelSpec
    from punie_train.phase import Phase

SUITE_WORKSPACES = "suite-"
"""Prefix of the workspaces that no example is drawn from."""
CONCEPTS = "concepts.toml"
"""The bank of reference answers beside the suites; it holds no queries."""


def look_up(fact: str, run: Run) -> Any:
    """Return one of the things that a run's locks are made of, as it is now."""
    return _LOOK_UP[fact](run)


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


def plugin_versions() -> dict[str, str]:
    """Return the versions of the distributions that add tools (entry points `punie_tools.tools`)."""
    found = (entry.dist for entry in entry_points(group="punie_tools.tools"))
    return {dist.name: dist.version for dist in found if dist is not None}


def workspace_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return digests of workspaces: of their files, and of the list of faults beside them."""
    found = {}
    for path in (folder / name for name in sorted(names)):
        faults = path.with_name(f"{path.name}.toml")
        if path.is_dir():
            found[path.name] = digest_folder(path)
        if faults.is_file():
            found[faults.name] = digest_file(faults)
    return found


def _base_model(run: Run) -> dict[str, Any]:
    from punie_train.models import resolve_base

    return base_identity(resolve_base(run.model))


def _tools(_: Run) -> dict[str, str | None]:
    return {**_versions("ty", "ruff", "pytest", "pydantic-monty"), **plugin_versions()}


def _workspaces(run: Run) -> dict[str, str]:
    folder = run.root / "data/workspaces"
    lists = {path.stem for path in folder.glob("*.toml")}
    names = lists | {path.name for path in folder.iterdir() if path.is_dir()}
    drawn_from = (name for name in names if not name.startswith(SUITE_WORKSPACES))
    return workspace_digests(folder, drawn_from)


def _suite_workspaces(run: Run) -> dict[str, str]:
    """Return digests of the workspaces that queries of the run's suites are asked in."""
    from punie_train.evaluation.suite import load_suite

    suites = [load_suite(path) for path in run.suite_paths]
    names = {suite.workspace_of(query) for suite in suites for query in suite.queries}
    return workspace_digests(run.root / "data/workspaces", names)


def _suites(run: Run) -> dict[str, str]:
    from punie_train.evaluation.suite import suite_files

    concepts = run.root / "data/suites" / CONCEPTS
    asked = [file for path in run.suite_paths for file in suite_files(path)]
    judged_by = [*asked, *([concepts] if concepts.exists() else [])]
    return {path.stem: digest_file(path) for path in judged_by}


def _versions(*names: str) -> dict[str, str | None]:
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


_LOOK_UP: Mapping[str, Callable[[Run], Any]] = {
    "base_model": _base_model,
    "mlx-lm": lambda _: _versions("mlx", "mlx-lm"),
    "tools": _tools,
    "contract": lambda run: contract_digest(run.phase),
    "sources": lambda run: digest_folder(run.root / "data/sources"),
    "workspaces": _workspaces,
    "suite-workspaces": _suite_workspaces,
    "suites": _suites,
}
