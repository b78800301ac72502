"""`punie doctor`: is everything there, and does it work?"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from rich.console import Console

from punie_agent.cli._display import plain
from punie_agent.contract import Contract
from punie_agent.editors import usual_file
from punie_agent.errors import ContractError, ModelUnavailableError
from punie_agent.models import default_name, registry
from punie_agent.paths import data_dir
from punie_agent.workbench import toolbox_for
from punie_sandbox import Sandbox
from punie_tools import LocalHost

__all__ = ["run"]

_ENOUGH_DISK = 2_000_000_000
State = Literal["ok", "warning", "problem"]
_MARKS: dict[State, str] = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `fix` says what to do when it is not well."""

    what: str
    state: State
    detail: str
    fix: str = ""


def run(options: argparse.Namespace) -> int:
    """Look at everything; returns 1 when something is a problem."""
    findings = [
        *_versions(),
        *_programs(),
        *_editors(),
        *_folders(),
        *_training_kit(),
        *_models(),
        asyncio.run(_sandbox(Path(options.cwd))),
    ]
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for each in findings:
            console.print(f"{_MARKS[each.state]} ", end="")
            console.print(plain(f"{each.what}: {each.detail}"))
            if each.fix:
                console.print(plain(f"  → {each.fix}"))
    return 1 if any(each.state == "problem" for each in findings) else 0


def _versions() -> Iterator[Finding]:
    yield Finding("Python", "ok", f"{platform.python_version()} ({sys.executable})")
    packages = (
        "punie-agent",
        "punie-sandbox",
        "punie-tools",
        "pydantic-ai-slim",
        "agent-client-protocol",
    )
    for name in packages:
        yield Finding(name, "ok", version(name))
    try:
        yield Finding("mlx-lm", "ok", version("mlx-lm"))
    except PackageNotFoundError:
        yield Finding(
            "mlx-lm", "warning", "not installed", "pip install mlx-lm, to use local models"
        )


def _programs() -> Iterator[Finding]:
    for name, use in (
        ("ty", "typecheck"),
        ("ruff", "ruff_check"),
        ("pytest", "pytest_run"),
        ("git", "git_status"),
    ):
        found = shutil.which(name) or _beside_python(name)
        if found is not None:
            yield Finding(name, "ok", f"{_version_of(found)} ({found})")
        else:
            fix = "install git" if name == "git" else f"uv add --dev {name}"
            yield Finding(name, "warning", f"not found; {use} will say so", fix)


def _beside_python(name: str) -> str | None:
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else None


def _version_of(program: str) -> str:
    """What a program says about its version, in one line."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run: {error}"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "says no version"


def _editors() -> Iterator[Finding]:
    found = list(_found_editors())
    yield from found
    if not found:
        yield Finding("editors", "ok", "none found", "after installing one: punie init zed")


def _found_editors() -> Iterator[Finding]:
    for editor, program in (("zed", "zed"), ("jetbrains", ""), ("neovim", "nvim")):
        path = usual_file(editor)
        if not (path.parent.is_dir() or (program and shutil.which(program))):
            continue
        try:
            registered = path.is_file() and "punie" in path.read_text(encoding="utf-8").lower()
        except (OSError, UnicodeDecodeError) as error:
            yield Finding(editor, "warning", f"{path}: {error}")
            continue
        if registered:
            yield Finding(editor, "ok", f"knows Punie ({path})")
        else:
            yield Finding(editor, "warning", "does not know Punie yet", f"punie init {editor}")


def _folders() -> Iterator[Finding]:
    folder = data_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free
    except OSError as error:
        fix = "set PUNIE_DATA_DIR to a folder of yours"
        yield Finding("data folder", "problem", f"{folder}: {error}", fix)
        return
    yield Finding("data folder", "ok", str(folder))
    enough = free > _ENOUGH_DISK
    yield Finding("free disk", "ok" if enough else "warning", f"{free / 1e9:.1f} GB")


def _training_kit() -> Iterator[Finding]:
    """Device and BLAS, as the training kit measures them, where that is installed."""
    program = shutil.which("punie-train") or _beside_python("punie-train")
    if program is None:
        return
    try:
        done = subprocess.run(
            [program, "doctor", "--json"], capture_output=True, timeout=120, check=True
        )
        told = json.loads(done.stdout)
        detail = f"{told['device']}, BLAS {told['blas']}, {told['gflops']:.0f} GFLOP/s"
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        yield Finding("MLX", "warning", f"punie-train doctor failed: {error}")
        return
    yield Finding("MLX", "ok", detail)


def _models() -> Iterator[Finding]:
    for name in registry.names():
        try:
            found = registry.find(name)
        except ModelUnavailableError as error:
            yield Finding(f"model {name}", "problem", str(error))
            continue
        yield _contract_of(found)
    made = bool(registry.names())
    detail = default_name() if made else f"{default_name()}; no model was made or registered here"
    fix = (
        "" if made else "make phase23 in a clone of Punie, or --model with a name of `punie models`"
    )
    yield Finding("default model", "ok", detail, fix)


def _contract_of(found: registry.Artefact) -> Finding:
    what = f"model {found.name}"
    if found.contract is None:
        return Finding(what, "ok", f"{found.folder} (no contract of its own)")
    try:
        contract = Contract.from_json(found.contract, toolbox_for(LocalHost(Path())))
    except ContractError as error:
        fix = "install the package that adds the tool, or choose another model"
        return Finding(what, "problem", str(error), fix)
    if contract.digest() != found.contract_digest:
        return Finding(
            what, "warning", "trained with another contract than this Punie speaks", "make it again"
        )
    return Finding(what, "ok", f"{found.folder}, contract {contract.digest()[:19]}")


async def _sandbox(folder: Path) -> Finding:
    from punie_agent.contract import standard_functions

    functions = standard_functions(toolbox_for(LocalHost(folder)))
    async with Sandbox(functions) as sandbox:
        result = await sandbox.run("print(6 * 7)")
    if result.stdout.strip() == "42":
        return Finding("sandbox", "ok", f"runs code, {len(functions)} functions")
    return Finding("sandbox", "problem", f"{result.status}: {result.error}")
