"""`typecheck` against `ty check` itself: what it adds, and what the daemon saves after an edit.

The overhead is measured on libcst (some 60 000 lines), the savings on hypothesis and jsonschema (some
50 000); both are there because the tests need them. After an edit there are two figures: when the
answer is asked for a second later, as a person or a model does, and when it is asked for at once. The
second one is bounded by `ty server`, which alone needs a tenth of what `ty check` needs.
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

CHECKED = ("libcst",)
EDITED = ("hypothesis", "jsonschema")
ROUNDS = 12
EDITS = 9
THINKING_S = 1.0


def workspace(folder: Path, packages: tuple[str, ...]) -> int:
    """Fill a directory with real packages and return their number of lines."""
    for name in packages:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise SystemExit(f"{name} is not installed; the benchmark needs its sources")
        ignored = shutil.ignore_patterns("*.so", "__pycache__", "tests", "vendor")
        shutil.copytree(Path(spec.origin).parent, folder / name, ignore=ignored)
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.py"))


async def alone(host: LocalHost) -> float:
    """Return the seconds of `ty check` by itself."""
    started = time.perf_counter()
    await host.run(["ty", "check", "--output-format", "gitlab", "--no-progress", "."])
    return time.perf_counter() - started


async def overhead(host: LocalHost) -> tuple[float, float]:
    """Return the best seconds of `typecheck` and of `ty check` by itself, in turn."""
    toolbox = Toolbox(host)
    own, other = [], []
    for _ in range(ROUNDS):
        other.append(await alone(host))
        started = time.perf_counter()
        await toolbox.typecheck(".")
        own.append(time.perf_counter() - started)
    return min(own), min(other)


async def after_an_edit(host: LocalHost, file: Path, pause: float) -> float:
    """Return the median seconds of `typecheck`, asked `pause` seconds after a line was added."""
    seconds = []
    async with Toolbox(host, daemon=True) as toolbox:
        before = (await toolbox.typecheck(".")).error_count
        for number in range(EDITS):
            with file.open("a", encoding="utf-8") as stream:
                stream.write(f"\nedited_{number}: int = 'not a number'\n")
            await asyncio.sleep(pause)
            started = time.perf_counter()
            result = await toolbox.typecheck(".")
            seconds.append(time.perf_counter() - started)
            if result.run.argv[1] != "server":
                raise SystemExit("the daemon did not answer; the benchmark measures nothing")
            if result.error_count != before + number + 1:
                raise SystemExit("the daemon missed an edit")
    return sorted(seconds)[EDITS // 2]


def row(name: str, own: float, other: float, bound: float) -> dict[str, object]:
    """Return one row of the benchmark table."""
    versions = {"python": platform.python_version()}
    versions |= {each: version(each) for each in ("punie-tools", "ty", *CHECKED, *EDITED)}
    return {
        "name": name,
        "measured": own,
        "peer": other,
        "ratio": round(own / other, 4),
        "bound": bound,
        "ok": own / other <= bound,
        "versions": versions,
    }


async def measure() -> list[dict[str, object]]:
    """Return the rows of the benchmark table."""
    with tempfile.TemporaryDirectory() as folder:
        lines = workspace(Path(folder), CHECKED)
        own, other = await overhead(LocalHost(folder))
    rows = [row(f"typecheck over ty check, {lines} lines (s)", own, other, 1.05)]
    with tempfile.TemporaryDirectory() as folder:
        lines = workspace(Path(folder), EDITED)
        host = LocalHost(folder)
        whole = min([await alone(host) for _ in range(5)])
        file = host.roots[0] / "hypothesis" / "core.py"
        # The bound of a saving is a lower one, 20 times; as a ratio to the peer it is 1 / 20.
        for when, pause in (("a second after an edit", THINKING_S), ("at once after an edit", 0)):
            seconds = await after_an_edit(host, file, pause)
            rows.append(row(f"typecheck {when}, {lines} lines (s)", seconds, whole, 0.05))
    return rows


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
