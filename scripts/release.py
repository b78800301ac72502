"""Check and publish the distributions of one package.

`check DIST` asserts the exact files of every sdist and wheel in a folder and that sibling version ranges
admit the workspace's versions. `publish PACKAGE --repository URL` builds, checks and uploads one package,
and refuses a dirty tree, a version that exists on the index, a changelog without a dated entry for the
version, or a sibling of which the index has no version that satisfies the range. User name and password
come from TWINE_USERNAME and TWINE_PASSWORD; the release workflow stops before the upload (`--dry-run`) and
leaves that to trusted publishing.

Covered: what must be true before an upload. Not covered: raising versions, tags, release notes.
"""

from __future__ import annotations

import argparse
import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from email.message import Message
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("punie-tools", "punie-sandbox", "punie-agent", "punie-train")
# uv_build writes pyproject.toml with what it resolved, and keeps the original beside it.
SDIST_EXTRAS = {"PKG-INFO", "pyproject.toml", "pyproject.toml.orig", "README.md", "LICENSE"}
WHEEL_EXTRAS = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
# Where uploads to these hosts can be read; of any other repository it is URL/simple.
INDEXES = {
    "upload.pypi.org": "https://pypi.org/simple",
    "test.pypi.org": "https://test.pypi.org/simple",
}


class ReleaseError(Exception):
    """A distribution is not fit to be published; the message says why."""


def main() -> int:
    """Run `check` or `publish`; 0 when everything holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser(
        "check", help="assert the files and metadata of built distributions"
    )
    check.add_argument("dist", type=Path)
    publish = commands.add_parser("publish", help="build, check and upload one package")
    publish.add_argument("package", choices=PACKAGES)
    publish.add_argument("--repository", required=True, metavar="URL", help="where to upload")
    publish.add_argument(
        "--index", metavar="URL", help="its simple index (default: PyPI's, or URL/simple)"
    )
    publish.add_argument("--dry-run", action="store_true", help="everything but the upload")
    arguments = parser.parse_args()
    try:
        if arguments.command == "check":
            check_folder(arguments.dist)
        else:
            publish_package(
                arguments.package, arguments.repository, arguments.index, dry_run=arguments.dry_run
            )
    except ReleaseError as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


def check_folder(dist: Path) -> None:
    """Check every distribution in a folder.

    Raises:
        ReleaseError: a file is missing or too many, or a range does not admit a workspace version.
    """
    found = sorted([*dist.glob("*.whl"), *dist.glob("*.tar.gz")])
    if not found:
        raise ReleaseError(f"{dist} holds no distributions; run `nox -s build`.")
    for path in found:
        package, files, metadata = read_distribution(path)
        expected = expected_files(package, sdist=path.suffix == ".gz")
        if files != expected:
            raise ReleaseError(
                f"{path.name}: missing {sorted(expected - files)[:5]}, "
                f"not expected {sorted(files - expected)[:5]}."
            )
        check_ranges(package, metadata)
        print(f"{path.name}: {len(files)} files as expected")


def read_distribution(path: Path) -> tuple[str, set[str], Message]:
    """Return package name, file names (without the top folder of a sdist) and metadata."""
    if path.suffix == ".gz":
        name, _ = parse_sdist_filename(path.name)
        with tarfile.open(path) as archive:
            files = {
                member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()
            }
            top = path.name.removesuffix(".tar.gz")
            handle = archive.extractfile(f"{top}/PKG-INFO")
            text = handle.read().decode() if handle else ""
        return name, files, email.message_from_string(text)
    name, *_ = parse_wheel_filename(path.name)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        info = next(entry for entry in names if entry.endswith(".dist-info/METADATA"))
        files = {
            re.sub(r"^[^/]+\.dist-info/", "@", entry) for entry in names if not entry.endswith("/")
        }
        return name, files, email.message_from_bytes(archive.read(info))


def expected_files(package: str, *, sdist: bool) -> set[str]:
    """Return the files a distribution must hold: the tracked sources, and what the format adds."""
    folder = f"packages/{package}/src"
    tracked = git("ls-files", "--cached", folder).splitlines()
    sources = {name.removeprefix(f"{folder}/") for name in tracked}
    if sdist:
        return {f"src/{name}" for name in sources} | SDIST_EXTRAS
    return sources | {f"@{name}" for name in WHEEL_EXTRAS}


def check_ranges(package: str, metadata: Message) -> None:
    """Assert that every sibling is required with a range that admits the workspace's version."""
    for line in metadata.get_all("Requires-Dist", []):
        requirement = Requirement(line)
        if requirement.name not in PACKAGES:
            continue
        if not requirement.specifier:
            raise ReleaseError(f"{package} requires {requirement.name} without a version range.")
        if workspace_version(requirement.name) not in requirement.specifier:
            raise ReleaseError(
                f"{package} requires {requirement}, but the workspace has "
                f"{workspace_version(requirement.name)}."
            )


def publish_package(package: str, repository: str, index: str | None, *, dry_run: bool) -> None:
    """Build, check and upload one package.

    Raises:
        ReleaseError: any of the conditions in the module's description does not hold.
    """
    if git("status", "--porcelain"):
        raise ReleaseError("the working tree has changes; commit or remove them first.")
    version = workspace_version(package)
    check_changelog(package, version)
    simple = (index or index_of(repository)).rstrip("/")
    if version in published_versions(simple, package):
        raise ReleaseError(f"{package} {version} is on the index already; raise its version.")
    dist = ROOT / "build" / "publish" / package
    shutil.rmtree(dist, ignore_errors=True)
    uv = os.environ.get("UV") or shutil.which("uv") or "uv"
    command(uv, "build", "--quiet", "--out-dir", str(dist), f"packages/{package}")
    (dist / ".gitignore").unlink(missing_ok=True)
    check_folder(dist)
    check_siblings(package, simple, next(dist.glob("*.whl")))
    files = [str(path) for path in sorted(dist.iterdir())]
    twine = [sys.executable, "-m", "twine"]
    command(*twine, "check", "--strict", *files)
    if dry_run:
        print(f"{package} {version}: everything holds; not uploaded (--dry-run)")
        return
    command(
        *twine,
        "upload",
        "--non-interactive",
        "--disable-progress-bar",
        "--repository-url",
        repository,
        *files,
    )
    print(f"published {package} {version}")


def check_changelog(package: str, version: Version) -> None:
    """Assert that a package's changelog has an entry for a version, with the date of its release."""
    name = f"packages/{package}/CHANGELOG.md"
    changelog = (ROOT / name).read_text(encoding="utf-8")
    entry = re.search(rf"^## {re.escape(str(version))}(?![\w.])(.*)$", changelog, re.MULTILINE)
    if entry is None:
        raise ReleaseError(f"{name} has no entry `## {version}`.")
    if not re.search(r"\d{4}-\d\d-\d\d", entry[1]):
        raise ReleaseError(f"{name}: the entry `{entry[0]}` has no date; is this the release?")


def index_of(repository: str) -> str:
    """Return the simple index on which uploads to a repository appear."""
    known = INDEXES.get(urllib.parse.urlsplit(repository).hostname or "")
    return known or f"{repository.rstrip('/')}/simple"


def check_siblings(package: str, simple: str, wheel: Path) -> None:
    """Assert that the index has a version of every sibling that the package's range admits."""
    _, _, metadata = read_distribution(wheel)
    for requirement in map(Requirement, metadata.get_all("Requires-Dist", [])):
        if requirement.name in PACKAGES:
            versions = published_versions(simple, requirement.name)
            if not any(version in requirement.specifier for version in versions):
                raise ReleaseError(
                    f"{package} needs {requirement}, which is not on the index; publish it first."
                )


def published_versions(simple: str, package: str) -> set[Version]:
    """Return the versions of a package on a simple index (PEP 503); none when it is unknown there."""
    if not simple.startswith(("http://", "https://")):
        raise ReleaseError(f"{simple} is not an http(s) address.")
    page = read_page(f"{simple}/{package}/")
    if page is None:
        # An address that is no index at all would make every version look new.
        if read_page(f"{simple}/", method="HEAD") is None:
            raise ReleaseError(f"{simple} is no package index; give the right one with --index.")
        return set()
    names = re.findall(r">\s*([^<>\s]+)\s*</a>", page)
    wheels = {parse_wheel_filename(name)[1] for name in names if name.endswith(".whl")}
    return wheels | {parse_sdist_filename(name)[1] for name in names if name.endswith(".tar.gz")}


def read_page(address: str, *, method: str = "GET") -> str | None:
    """Return a page; None when the server says that there is none."""
    request = urllib.request.Request(address, method=method, headers={"Accept": "text/html"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 (scheme checked)
            return response.read().decode()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise ReleaseError(f"{address}: {error}") from None
    except OSError as error:
        raise ReleaseError(f"{address} cannot be reached: {error}") from None


def workspace_version(package: str) -> Version:
    """Return the version in a package's pyproject.toml."""
    table = tomllib.loads(
        (ROOT / "packages" / package / "pyproject.toml").read_text(encoding="utf-8")
    )
    return Version(table["project"]["version"])


def git(*arguments: str) -> str:
    """Return what git prints in the root."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def command(*argv: str) -> None:
    """Run a command in the root; raise ReleaseError when it fails."""
    if subprocess.run(argv, cwd=ROOT, check=False).returncode:
        raise ReleaseError(f"`{' '.join(argv[:4])} …` failed (see above).")


if __name__ == "__main__":
    sys.exit(main())
