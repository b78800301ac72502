"""What the benchmarks share: rows of the table, and the command line that writes them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

__all__ = ["out_of", "row", "written"]


def row(
    name: str, measured: float, peer: float, *, packages: Sequence[str], most: float | None = None,
    least: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A row of the table.

    Args:
        name: what was measured.
        measured: milliseconds here.
        peer: milliseconds of the peer.
        packages: whose versions belong to the figures.
        most: how many times as long as the peer it may take.
        least: how many times as long the peer must take.
    """
    ratio = measured / peer if most is not None else peer / measured
    return {
        "name": name,
        "measured": round(measured, 3),
        "peer": round(peer, 3),
        "ratio": round(ratio, 2),
        "bound": f"<= {most:g}" if most is not None else f">= {least:g}",
        "ok": ratio <= most if most is not None else ratio >= (least or 0),
        "versions": {package: version(package) for package in packages},
    }


def out_of(description: str | None) -> Path:
    """The file that the command line names."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path, required=True)
    return parser.parse_args().json


def written(rows: Sequence[dict[str, Any]], out: Path) -> int:
    """Write and print the rows; 0 when every bound holds."""
    out.write_text(json.dumps(rows, indent=2) + "\n")
    for each in rows:
        print(
            f"{each['name']:<60} {each['measured']:>9} {each['peer']:>9} {each['ratio']:>6} {each['bound']}"
        )
    return 0 if all(each["ok"] for each in rows) else 1
