"""Parsing 100 000 ty diagnostics against pydantic alone; importing against importing pydantic.

Time is processor time, the best of several runs, and memory the peak of a fresh process over its
size before; both sides take turns, so that the ratio does not depend on the machine. The peer does
the least that any typed parser can: validate the same bytes into one TypedDict for each object.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

RECORDS = 100_000
RUNS = 5
IMPORT_RUNS = 15

_PEER = """
from typing import Annotated
from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict
Place = Annotated[int, Field(strict=True, ge=1)]
class Point(TypedDict):
    line: Place
    column: Place
class Positions(TypedDict):
    begin: Point
    end: Point
class Location(TypedDict):
    path: str
    positions: Positions
class Record(TypedDict):
    check_name: str
    description: str
    severity: str
    fingerprint: str
    location: Location
parse = TypeAdapter(list[Record]).validate_json
"""
_OURS = """
from punie_tools import parse_ty
parse = lambda data: parse_ty(data, b"", 1)
"""
_TIME = """
import sys, time, pathlib
data = pathlib.Path(sys.argv[1]).read_bytes()
parse(data[:data.index(b"}}}}") + 4] + b"]")
started = time.process_time()
kept = parse(data)
print(time.process_time() - started)
"""
_MEMORY = """
import sys, resource, pathlib
def peak():
    # ru_maxrss starts at the size of the process that forked this one; VmHWM does not.
    status = pathlib.Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = pathlib.Path(sys.argv[1]).read_bytes()
parse(data[:data.index(b"}}}}") + 4] + b"]")
before = peak()
kept = parse(data)
print(peak() - before)
"""
_IMPORT = "import time; s = time.perf_counter(); import {}; print(time.perf_counter() - s)"


def document() -> bytes:
    """Return what ty writes for RECORDS diagnostics in 500 files."""
    records = [
        {
            "check_name": "invalid-argument-type",
            "description": "invalid-argument-type: Argument to function `frobnicate` is incorrect: "
            f'Expected `int`, found `Literal["value {number}"]`',
            "severity": "major",
            "fingerprint": f"{number:016x}",
            "location": {
                "path": f"package/module_{number % 500}/implementation.py",
                "positions": {
                    "begin": {"line": number // 500 + 1, "column": 9},
                    "end": {"line": number // 500 + 1, "column": 30},
                },
            },
        }
        for number in range(RECORDS)
    ]
    # Compact, so that the first record can be cut off for the warm-up.
    return json.dumps(records, separators=(",", ":")).encode()


def measured(code: str, *arguments: str) -> float:
    """Return the number a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def best(ours: str, peer: str, runs: int, *arguments: str) -> tuple[float, float]:
    """Return the best of several runs of each, in turn."""
    pairs = [(measured(ours, *arguments), measured(peer, *arguments)) for _ in range(runs)]
    return min(own for own, _ in pairs), min(other for _, other in pairs)


def row(name: str, own: float, other: float, bound: float) -> dict[str, object]:
    """Return one row of the benchmark table."""
    ratio = own / other
    versions = {"python": platform.python_version()}
    versions |= {each: version(each) for each in ("punie-tools", "pydantic", "ty")}
    return {
        "name": name,
        "measured": own,
        "peer": other,
        "ratio": round(ratio, 3),
        "bound": bound,
        "ok": ratio <= bound,
        "versions": versions,
    }


def main() -> int:
    """Measure, print, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the rows")
    options = parser.parse_args()
    file = Path(__file__).parent / "ty-100000.tmp.json"
    file.write_bytes(document())
    try:
        rows = [
            row("parse: time (s)", *best(_OURS + _TIME, _PEER + _TIME, RUNS, str(file)), 1.4),
            row("parse: memory (kB)", *best(_OURS + _MEMORY, _PEER + _MEMORY, 3, str(file)), 1.2),
        ]
    finally:
        file.unlink()
    imports = best(_IMPORT.format("punie_tools"), _IMPORT.format("pydantic"), IMPORT_RUNS)
    rows.append(row("import punie_tools (s)", *imports, 1.3))
    for each in rows:
        print(each["name"], each["ratio"], "ok" if each["ok"] else "TOO MUCH")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    return 0 if all(each["ok"] for each in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
