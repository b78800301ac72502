"""Publishing, against a real local index: all four packages, leaf first, then an install by name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import PROGRAMS, git

Runner = Callable[..., subprocess.CompletedProcess[str]]
PACKAGES = ("punie-tools", "punie-sandbox", "punie-agent", "punie-train")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a package index on loopback that takes uploads and knows no other index."""
    folder = tmp_path_factory.mktemp("index")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [
            *(
                PROGRAMS / "pypi-server",
                "run",
                "-i",
                "127.0.0.1",
                "-p",
                str(port),
                "--disable-fallback",
            ),
            *("-a", ".", "-P", ".", str(folder)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    while not _answers(address):
        assert server.poll() is None, "the index did not start"
    yield address
    server.terminate()
    server.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def dated(repository: Path) -> Path:
    """The copy of the repository, in which every package's changelog gives the release its date."""
    for changelog in repository.glob("packages/*/CHANGELOG.md"):
        text = changelog.read_text()
        changelog.write_text(text.replace("## 0.1.0 (unreleased)", "## 0.1.0 (2026-12-01)"))
    git(repository, "commit", "-qam", "Release")
    return repository


@pytest.fixture
def publish(dated: Path, index: str, run: Runner) -> Runner:
    """Publish a package of the copy to the local index."""

    def call(package: str, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(
            *(sys.executable, "scripts/release.py", "publish", package, "--repository", index),
            *options,
            cwd=dated,
            check=check,
            TWINE_USERNAME="local",
            TWINE_PASSWORD="local",
        )

    return call


def test_a_package_whose_sibling_is_not_on_the_index_is_refused(publish: Runner) -> None:
    done = publish("punie-train", check=False)
    assert done.returncode == 1
    assert "which is not on the index; publish it first" in done.stderr


def test_a_dirty_tree_is_refused(publish: Runner, repository: Path) -> None:
    stray = repository / "stray.txt"
    stray.write_text("not committed\n")
    done = publish("punie-tools", check=False)
    stray.unlink()
    assert (done.returncode, done.stderr) == (
        1,
        "release: the working tree has changes; commit or remove them first.\n",
    )


def test_a_version_without_a_changelog_entry_is_refused(publish: Runner, repository: Path) -> None:
    project = repository / "packages/punie-tools/pyproject.toml"
    project.write_text(project.read_text().replace('version = "0.1.0"', 'version = "0.1.99"'))
    git(repository, "commit", "-qam", "Raise the version and forget the changelog")
    done = publish("punie-tools", check=False)
    git(repository, "revert", "--no-edit", "HEAD")
    assert done.stderr == "release: packages/punie-tools/CHANGELOG.md has no entry `## 0.1.99`.\n"


def test_an_entry_that_is_not_dated_yet_is_refused(publish: Runner, repository: Path) -> None:
    changelog = repository / "packages/punie-tools/CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("(2026-12-01)", "(unreleased)"))
    git(repository, "commit", "-qam", "Take the date back")
    done = publish("punie-tools", check=False)
    git(repository, "revert", "--no-edit", "HEAD")
    assert done.stderr == (
        "release: packages/punie-tools/CHANGELOG.md: the entry `## 0.1.0 (unreleased)` has no date; "
        "is this the release?\n"
    )


def test_an_address_that_is_no_index_is_refused_where_a_missing_package_is_not(
    publish: Runner, index: str
) -> None:
    done = publish("punie-tools", "--index", f"{index}/nothing/here", check=False)
    assert done.returncode == 1
    assert "is no package index; give the right one with --index" in done.stderr


def test_a_dry_run_checks_everything_and_uploads_nothing(publish: Runner, index: str) -> None:
    done = publish("punie-tools", "--dry-run")
    assert "punie-tools 0.1.0: everything holds; not uploaded (--dry-run)" in done.stdout
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{index}/simple/punie-tools/", timeout=30)


def test_all_four_are_published_leaf_first_and_the_agent_installs_by_name(
    publish: Runner, index: str, run: Runner, tmp_path: Path
) -> None:
    for package in PACKAGES:
        publish(package)
    again = publish("punie-tools", check=False)
    assert (
        again.stderr == "release: punie-tools 0.1.0 is on the index already; raise its version.\n"
    )

    uv = PROGRAMS / "uv"
    clean = dict.fromkeys(("VIRTUAL_ENV", "PYTHONPATH"), "")
    run(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path, **clean)
    python = tmp_path / "venv/bin/python"
    run(
        *(
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            python,
            "--index",
            f"{index}/simple/",
            "punie-agent",
        ),
        cwd=tmp_path,
        **clean,
    )
    doctor = run(tmp_path / "venv/bin/punie", "doctor", cwd=tmp_path, **clean)
    for found in ("✓ Python: ", "✓ punie-agent: 0.1.0", "✓ ty: ", "✓ sandbox: runs code"):
        assert found in doctor.stdout
    assert (
        os.fspath(tmp_path / "venv")
        in run(python, "-c", "import punie_agent; print(punie_agent.__file__)", cwd=tmp_path).stdout
    )
