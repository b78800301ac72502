"""Make `.venv/` at the root: the four packages (editable), their programs, nox, ty and ruff.

Needs only Python >= 3.11 with `venv`; uv is used from PATH when it is new enough, otherwise a pinned
uv is installed into a private environment under `build/bootstrap/`.

The committed `uv.lock` names no package index: its addresses read `https://index.invalid`, so that the
same lock serves behind any mirror. uv rebinds it to the index configured on this machine (a
re-resolution that keeps every pin), and this script refuses to go on when that changed a version or a
hash. `update` writes a new lock: `python3 scripts/bootstrap.py update [PACKAGE...]`.

Covered: bootstrap, lock update and check. Not covered: anything else; make and nox take it from here.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
LOCK = ROOT / "uv.lock"
STAMP = ROOT / ".venv" / "punie-setup.stamp"
UV_VERSION = "0.13.9"
NEUTRAL = "https://index.invalid"


class BootstrapError(Exception):
    """Setting up failed; the message says what to do."""


def main() -> int:
    """Run the command named on the command line; 0 when the environment or lock is as asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sync = commands.add_parser(
        "sync", help="make or refresh .venv (nothing to do: a few milliseconds)"
    )
    sync.add_argument("--accelerator", choices=["auto", "cpu", "cuda13", "metal"], default="auto")
    update = commands.add_parser("update", help="resolve anew and write the neutral uv.lock")
    update.add_argument("packages", nargs="*", help="upgrade these; none: only what is missing")
    commands.add_parser("check", help="fail when uv.lock does not match the pyproject files")
    commands.add_parser("uv", help="print the path of the uv that is used")
    arguments = parser.parse_args()
    BUILD.mkdir(exist_ok=True)
    try:
        with (BUILD / "bootstrap.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            match arguments.command:
                case "sync":
                    sync_environment(arguments.accelerator)
                case "update":
                    update_lock(arguments.packages)
                case "check":
                    check_lock()
                case "uv":
                    print(find_uv())
    except BootstrapError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 2
    return 0


def sync_environment(accelerator: str) -> None:
    """Install what the lock pins, unless the environment was made from the same inputs."""
    extra = detect_accelerator() if accelerator == "auto" else accelerator
    inputs = environment_digest(extra)
    if STAMP.exists() and STAMP.read_text() == inputs:
        return
    STAMP.unlink(missing_ok=True)
    uv = find_uv()
    print(f"setup: installing the locked environment into .venv (accelerator: {extra})", flush=True)
    extras = [] if extra == "metal" else ["--extra", extra]
    with bound_lock(uv):
        run(
            uv,
            "sync",
            "--frozen",
            "--all-packages",
            "--all-groups",
            *extras,
            "--python",
            sys.executable,
        )
    STAMP.write_text(inputs)
    print(
        'setup: .venv is ready; its programs by name: export PATH="$PWD/.venv/bin:$PATH"',
        flush=True,
    )


def update_lock(packages: list[str]) -> None:
    """Resolve anew; keep the pins of everything not named."""
    original = LOCK.read_text() if LOCK.exists() else None
    upgrades = [
        word for name in packages or ["punie-tools"] for word in ("--upgrade-package", name)
    ]
    try:
        run(find_uv(), "lock", *upgrades)
        LOCK.write_text(neutralise(LOCK.read_text()))
    except BaseException:
        if original is not None:
            LOCK.write_text(original)
        raise


def check_lock() -> None:
    """Fail when resolving the pyproject files would change the lock, or when it names an index."""
    text = LOCK.read_text()
    if neutralise(text) != text:
        raise BootstrapError(
            "uv.lock names a package index; run `python3 scripts/bootstrap.py update`."
        )
    with bound_lock(find_uv()):
        pass


@contextmanager
def bound_lock(uv: str) -> Generator[None]:
    """Hold uv.lock bound to this machine's package index; the neutral text is put back after."""
    neutral = neutralise(LOCK.read_text())
    try:
        # Naming a workspace member makes uv resolve again, which rewrites addresses and nothing else.
        run(uv, "lock", "--quiet", "--upgrade-package", "punie-tools")
        changed = pins(tomllib.loads(LOCK.read_text())) ^ pins(tomllib.loads(neutral))
        if changed:
            names = ", ".join(sorted({f"{name} {version}" for name, version, _ in changed})[:8])
            raise BootstrapError(
                f"uv.lock does not match the pyproject files or the package index ({names}). "
                "If you changed dependencies, run `python3 scripts/bootstrap.py update`."
            )
        yield
    finally:
        LOCK.write_text(neutral)


def neutralise(text: str) -> str:
    """Replace the scheme and host of every address in a lock by the neutral one."""
    return re.sub(r'https?://[^/"]+', NEUTRAL, text)


def pins(lock: dict[str, list[dict]]) -> set[tuple[str, str, frozenset[str]]]:
    """Return (name, version, hashes of its files) of each locked package."""
    return {
        (
            package["name"],
            package.get("version", ""),
            frozenset(
                item["hash"]
                for item in [*package.get("wheels", []), package.get("sdist", {})]
                if item
            ),
        )
        for package in lock["package"]
        if "registry" in package["source"]
    }


def find_uv() -> str:
    """Return a uv of the pinned version: from PATH, or from a private environment made now."""
    for candidate in (shutil.which("uv"), str(BUILD / "bootstrap" / "bin" / "uv")):
        if candidate and Path(candidate).exists() and uv_version(candidate) == UV_VERSION:
            return candidate
    private = BUILD / "bootstrap"
    print(f"setup: installing uv {UV_VERSION} into build/bootstrap", flush=True)
    shutil.rmtree(private, ignore_errors=True)
    run(sys.executable, "-m", "venv", str(private))
    run(
        str(private / "bin" / "pip"),
        "install",
        "--quiet",
        "--disable-pip-version-check",
        f"uv=={UV_VERSION}",
    )
    return str(private / "bin" / "uv")


def uv_version(uv: str) -> str:
    """Return the version a uv prints, or an empty string when it cannot be run."""
    try:
        printed = subprocess.run(
            [uv, "--version"], capture_output=True, text=True, check=False
        ).stdout
    except OSError:
        return ""
    words = printed.split()
    return words[1] if len(words) > 1 else ""


def detect_accelerator() -> str:
    """Return the extra of punie-train that fits this machine: metal, cuda13 or cpu."""
    if platform.system() == "Darwin":
        return "metal" if platform.machine() == "arm64" else "cpu"
    return "cuda13" if Path("/proc/driver/nvidia/version").exists() else "cpu"


def environment_digest(extra: str) -> str:
    """Return a digest of everything the environment is made from."""
    digest = hashlib.sha256()
    for path in [
        Path(__file__),
        LOCK,
        *sorted(ROOT.glob("packages/*/pyproject.toml")),
        ROOT / "pyproject.toml",
    ]:
        digest.update(path.read_bytes())
    digest.update(f"{extra} {sys.version} {ROOT}".encode())
    return digest.hexdigest()


def run(*argv: str) -> None:
    """Run a command in the root; raise BootstrapError with the command when it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    environment["UV_PROJECT_ENVIRONMENT"] = str(ROOT / ".venv")
    # What the system trusts, uv trusts too, as git and pip do: a company's proxy.
    environment.setdefault("UV_SYSTEM_CERTS", "1")
    done = subprocess.run(argv, cwd=ROOT, env=environment, check=False)
    if done.returncode:
        raise BootstrapError(
            f"`{' '.join(argv)}` failed with exit code {done.returncode} (see above)."
        )


if __name__ == "__main__":
    sys.exit(main())
