"""`typecheck` against `ty check` itself: what it adds, and what the daemon saves after an edit.

The workspace is a copy of hypothesis and of _pytest (some 60 000 lines of real code), which are
there because the tests need them.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import platform
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from punie_tools import LocalHost, Toolbox

PACKAGES = ("hypothesis", "jsonschema")
ROUNDS = 3
EDITS = 5


def workspace(folder: Path) -> int:
    """Fill a directory with real packages and return their number of lines."""
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin is not None:
            ignored = shutil.ignore_patterns("*.so", "__pycache__", "tests", "vendor")
            shutil.copytree(Path(spec.origin).parent, folder / name, ignore=ignored)
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.py"))


async def overhead(host: LocalHost) -> tuple[float, float]:
    """Return the best seconds of `typecheck` and of `ty check` by itself, in turn."""
    toolbox = Toolbox(host)
    command = ["ty", "check", "--output-format", "gitlab", "--no-progress", "."]
    ours, alone = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        await host.run(command)
        alone.append(time.perf_counter() - started)
        started = time.perf_counter()
        await toolbox.typecheck(".")
        ours.append(time.perf_counter() - started)
    return min(ours), min(alone)


async def after_an_edit(host: LocalHost, file: Path) -> float:
    """Return the median seconds of `typecheck` after one line was added, with the daemon."""
    seconds = []
    async with Toolbox(host, daemon=True) as toolbox:
        first = await toolbox.typecheck(".")
        for number in range(EDITS):
            with file.open("a", encoding="utf-8") as stream:
                stream.write(f"\nedited_{number}: int = 'not a number'\n")
            started = time.perf_counter()
            result = await toolbox.typecheck(".")
            seconds.append(time.perf_counter() - started)
            if result.run.argv[1] != "server":
                raise SystemExit("the daemon did not answer; the benchmark measures nothing")
            if result.error_count != first.error_count + number + 1:
                raise SystemExit("the daemon missed an edit")
    return sorted(seconds)[EDITS // 2]


async def measure() -> list[dict[str, object]]:
    """Return the rows of the benchmark table."""
    with tempfile.TemporaryDirectory() as folder:
        host = LocalHost(folder)
        root = host.roots[0]
        lines = workspace(root)
        ours, alone = await overhead(host)
        edited = await after_an_edit(host, root / "hypothesis" / "core.py")
    versions = {"python": platform.python_version()}
    versions |= {each: version(each) for each in ("punie-tools", "ty", "hypothesis")}
    added = {
        "name": f"typecheck over ty check, {lines} lines (s)",
        "measured": ours,
        "peer": alone,
        "ratio": round(ours / alone, 3),
        "bound": 1.05,
        "ok": ours / alone <= 1.05,
        "versions": versions,
    }
    # The bound of a saving is a lower one; as a ratio to the peer it is 1 / 20.
    saved = {
        "name": "typecheck after an edit, by the daemon (s)",
        "measured": edited,
        "peer": alone,
        "ratio": round(edited / alone, 4),
        "bound": 0.05,
        "ok": edited / alone <= 0.05,
        "versions": versions,
    }
    return [added, saved]


def main() -> int:
    """Measure, print, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    rows = asyncio.run(measure())
    for each in rows:
        print(each["name"], each["ratio"], "ok" if each["ok"] else "TOO MUCH")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    return 0 if all(each["ok"] for each in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
