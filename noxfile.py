"""Environments and checks. `nox -l` lists the sessions; `make` owns everything that is built from data.

The everyday sessions are `tests` and `integration`; the others are run by name. Every session installs
what `uv.lock` pins, and packages always as the wheels users would get, never from the source tree.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False
nox.options.sessions = ["tests", "integration"]
nox.options.download_python = "never"
# uv trusts the certificates the system trusts, as git and pip do (a company's proxy).
os.environ.setdefault("UV_SYSTEM_CERTS", "1")

ROOT = Path(__file__).parent
WHEELS = ROOT / "build" / "wheels"
BENCH = ROOT / "build" / "bench"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = sorted({"3.11", "3.12", "3.13", RUNNING})
# Leaf first: the order in which they are built, tested and published.
SIBLINGS: dict[str, tuple[str, ...]] = {
    "punie-tools": (),
    "punie-sandbox": (),
    "punie-agent": ("punie-tools", "punie-sandbox"),
    "punie-train": ("punie-tools", "punie-sandbox", "punie-agent"),
}
PACKAGES = list(SIBLINGS)
CHECKED = ["packages", "scripts", "tests", "noxfile.py"]


def project(package: str) -> dict:
    """Return the [project] table and dependency groups of a package."""
    return tomllib.loads((ROOT / "packages" / package / "pyproject.toml").read_text())


def extras_here() -> str:
    """Return the extra of punie-train that fits this machine."""
    if sys.platform == "darwin":
        return ""
    return "[cuda13]" if Path("/proc/driver/nvidia/version").exists() else "[cpu]"


def constraints() -> Path:
    """Write the pins of uv.lock as a constraints file; packages pinned twice are left to the resolver."""
    versions: dict[str, set[str]] = {}
    for entry in tomllib.loads((ROOT / "uv.lock").read_text())["package"]:
        if "registry" in entry["source"]:
            versions.setdefault(entry["name"], set()).add(entry["version"])
    path = ROOT / "build" / "constraints.txt"
    path.parent.mkdir(exist_ok=True)
    lines = [
        f"{name}=={next(iter(found))}"
        for name, found in sorted(versions.items())
        if len(found) == 1
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def build_wheels(session: nox.Session, *packages: str) -> list[Path]:
    """Build the wheels of packages from their source distributions and return their paths."""
    paths = []
    for package in packages:
        folder = WHEELS / package
        session.run_install(
            *("uv", "build", "--quiet", "--no-config", "--clear", "--out-dir", str(folder)),
            str(ROOT / "packages" / package),
            external=True,
        )
        paths.append(next(folder.glob("*.whl")))
    return paths


def install_wheels(
    session: nox.Session, packages: tuple[str, ...], *, groups: tuple[str, ...] = ("test",)
) -> None:
    """Install packages as wheels (their siblings too), with their dependency groups, as uv.lock pins them."""
    needed = [
        name for name in PACKAGES if name in packages or any(name in SIBLINGS[p] for p in packages)
    ]
    wheels = dict(zip(needed, build_wheels(session, *needed), strict=True))
    requirements = [
        f"{name}{extras_here() if name == 'punie-train' else ''} @ {wheel.as_uri()}"
        for name, wheel in wheels.items()
    ]
    for package in packages:
        found = project(package).get("dependency-groups", {})
        requirements += [line for group in groups for line in found.get(group, [])]
    session.install(*requirements, "--constraint", str(constraints()))


@nox.session(python=PYTHONS)
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def tests(session: nox.Session, package: str) -> None:
    """Test a package as its users get it: the wheel alone, in a bare environment."""
    install_wheels(session, (package,))
    session.run("python", "-I", "-c", f"import {package.replace('-', '_')}")
    with session.chdir(ROOT / "packages" / package):
        session.run("python", "-m", "pytest", "-q", *session.posargs, env=_environment())


@nox.session
def integration(session: nox.Session) -> None:
    """Test what crosses packages: all wheels together, the make graph, editors' clients."""
    install_wheels(session, tuple(PACKAGES))
    session.install(
        "nox[uv]", "packaging", "pypiserver", "twine", "--constraint", str(constraints())
    )
    arguments = ["-q", *(session.posargs or ["tests"])]
    if shutil.which("npm") is None:
        session.warn(
            "npm is not here: the tests with editors' clients (tests/acp_clients) DO NOT RUN."
        )
        arguments.append("--ignore=tests/acp_clients")
    session.run("python", "-m", "pytest", *arguments, env=_environment())


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Check style, the direction of imports, and that uv.lock is current and names no index."""
    session.run(_tool("ruff"), "check", ".", external=True)
    session.run(_tool("ruff"), "format", "--check", ".", external=True)
    session.run(_tool("lint-imports"), "--config", "importlinter.toml", external=True)
    session.run(sys.executable, "scripts/bootstrap.py", "check", external=True)


@nox.session(default=False, venv_backend="none")
def typecheck(session: nox.Session) -> None:
    """Check all packages with ty in the workspace's environment."""
    session.run(_tool("ty"), "check", "--python", sys.prefix, *CHECKED, external=True)


@nox.session(default=False)
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def fuzz(session: nox.Session, package: str) -> None:
    """Run the property tests long."""
    install_wheels(session, (package,))
    with session.chdir(ROOT / "packages" / package):
        environment = {**_environment(), "HYPOTHESIS_PROFILE": "fuzz"}
        session.run("python", "-m", "pytest", "-q", *session.posargs, env=environment)


@nox.session(default=False)
def matrix(session: nox.Session) -> None:
    """Compare punie-tools with many versions of ty, ruff and pytest, and on real packages (10 minutes)."""
    install_wheels(session, ("punie-tools",))
    session.install("pip", "uv", "--constraint", str(constraints()))
    with session.chdir(ROOT / "packages" / "punie-tools"):
        session.run(
            "python", "-m", "pytest", "-q", "differential", *session.posargs, env=_environment()
        )


@nox.session(default=False, python=PYTHONS)
@nox.parametrize("package", PACKAGES, ids=PACKAGES)
def minimums(session: nox.Session, package: str) -> None:
    """Test a package with the lowest versions its metadata admits."""
    # To the resolver a wheel's requirements are not direct, so the package's own are named beside it.
    table = project(package)
    own = [line for line in table["project"]["dependencies"] if not line.startswith("punie-")]
    if package == "punie-train" and (extra := extras_here()):
        own += table["project"]["optional-dependencies"][extra.strip("[]")]
    names = [*SIBLINGS[package], package]
    wheels = build_wheels(session, *names)
    requirements = [f"{name} @ {wheel.as_uri()}" for name, wheel in zip(names, wheels, strict=True)]
    test = table["dependency-groups"]["test"]
    session.install(*requirements, *own, *test, "--resolution", "lowest-direct")
    with session.chdir(ROOT / "packages" / package):
        session.run("python", "-m", "pytest", "-q", *session.posargs, env=_environment())


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure beside named peers: `nox -s bench`, `-- PACKAGE…`, or `-- compare OLD NEW`."""
    arguments = list(session.posargs)
    script = str(ROOT / "scripts" / "bench_table.py")
    if arguments[:1] == ["compare"]:
        session.run(sys.executable, script, *arguments, external=True)
        return
    if unknown := set(arguments) - set(PACKAGES):
        session.error(f"no package {', '.join(sorted(unknown))}; there are {', '.join(PACKAGES)}")
    packages = tuple(arguments or PACKAGES)
    install_wheels(session, packages)
    session.install("uv", "--constraint", str(constraints()))  # makes environments for the peers
    BENCH.mkdir(parents=True, exist_ok=True)
    without: list[str] = []
    for package in packages:
        for file in sorted((ROOT / "packages" / package / "benchmarks").glob("bench_*.py")):
            out = BENCH / f"{package}-{file.stem.removeprefix('bench_')}.json"
            out.unlink(
                missing_ok=True
            )  # a benchmark that fails must not leave the last one's figures
            command = ("python", str(file), "--json", str(out))
            ran = session.run(*command, env=_environment(), success_codes=range(256))
            if ran and not out.exists():
                without.append(out.stem)
    codes = [0, 1] if without else [0]  # 1: a bound does not hold
    session.run(sys.executable, script, "show", str(BENCH), external=True, success_codes=codes)
    if without:
        session.error(f"no figures from {', '.join(without)}")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build sdist and wheel of each package into dist/ and check what is in them."""
    session.install("twine>=6")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for package in PACKAGES:
        session.run(
            "uv",
            "build",
            "--quiet",
            "--out-dir",
            str(ROOT / "dist"),
            f"packages/{package}",
            external=True,
        )
    files = sorted(
        str(path) for path in (ROOT / "dist").glob("*.*") if path.suffix in {".whl", ".gz"}
    )
    session.run("twine", "check", "--strict", *files)
    session.run(sys.executable, "scripts/release.py", "check", "dist", external=True)


@nox.session(default=False)
def publish(session: nox.Session) -> None:
    """Publish a package, leaf first: `nox -s publish -- PACKAGE --repository URL`."""
    session.install("twine>=6")
    session.run(
        *("python", "scripts/release.py", "publish", *session.posargs),
        env={"UV": shutil.which("uv") or _tool("uv")},
    )


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """Build the documentation site into build/site, warnings as errors, nothing fetched while building."""
    # The reference is read from the sources without importing them, so no package is installed here.
    session.install(
        "griffe-pydantic>=1.1,<2",
        "mkdocs>=1.6,<2",
        "mkdocs-material>=9.6,<10",
        "mkdocstrings[python]>=1,<2",
        "ruff",  # formats the signatures
        *("--constraint", str(constraints())),
    )
    site = ROOT / "build" / "site"
    environment = {"NO_MKDOCS_2_WARNING": "1"}
    session.run(
        "mkdocs", "build", "--strict", "--site-dir", str(site), *session.posargs, env=environment
    )
    loaded = re.compile(r"""<(?:script|link|img)\b[^>]*\b(?:src|href)=["']?https?://[^>]*>""")
    for page in site.rglob("*.html"):
        if found := loaded.findall(page.read_text(encoding="utf-8")):
            session.error(f"{page.relative_to(site)} loads from elsewhere: {found[0]}")


def _environment() -> dict[str, str | None]:
    """Return what tests see of the outside: nothing is fetched from a hub, nothing compiled."""
    return {
        "HF_HUB_OFFLINE": "1",
        "MLX_DISABLE_COMPILE": "1",
        "PYTHONWARNINGS": None,
        "PYTHONPATH": None,
    }


def _tool(name: str) -> str:
    """Return a program of the workspace's environment, which runs nox itself."""
    return str(Path(sys.executable).with_name(name))
