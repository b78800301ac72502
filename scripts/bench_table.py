"""Show benchmark results as one table, or compare two collections of them.

`show DIR` prints every row of `DIR/*.json`; `compare OLD NEW` prints how each ratio moved. A row is
{"name", "measured", "peer", "ratio", "bound", "ok", "versions"}: figures of one run, ratio = measured /
peer, bound as a sentence such as "<= 2". Exit code 1 when a bound does not hold.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def main() -> int:
    """Run `show` or `compare`; 0 when every bound holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="one table of all results")
    show.add_argument("folder", type=Path)
    compare = commands.add_parser("compare", help="how each ratio moved")
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "show":
        return show_table(read_rows(arguments.folder))
    compare_tables(read_rows(arguments.old), read_rows(arguments.new))
    return 0


def read_rows(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of every result file in a folder, by package and name."""
    rows = {}
    for file in sorted(folder.glob("*.json")):
        for row in json.loads(file.read_text(encoding="utf-8")):
            rows[f"{file.stem}: {row['name']}"] = row
    return rows


def show_table(rows: dict[str, dict[str, Any]]) -> int:
    """Print the rows; return 1 when a bound does not hold."""
    table = Table("benchmark", "measured", "peer", "ratio", "bound", "holds")
    for name, row in rows.items():
        holds = {True: "yes", False: "[red]no[/]", None: "-"}[row.get("ok")]
        table.add_row(
            name,
            number(row["measured"]),
            number(row["peer"]),
            number(row["ratio"]),
            str(row["bound"]),
            holds,
        )
    console = Console(width=160)
    console.print(table)
    versions = {
        key: value for row in rows.values() for key, value in row.get("versions", {}).items()
    }
    console.print(", ".join(f"{key} {value}" for key, value in sorted(versions.items())))
    return int(any(row.get("ok") is False for row in rows.values()))


def compare_tables(old: dict[str, dict[str, Any]], new: dict[str, dict[str, Any]]) -> None:
    """Print old and new ratio of every benchmark both have."""
    table = Table("benchmark", "old ratio", "new ratio", "new / old")
    for name in sorted({*old} & {*new}):
        before, after = old[name]["ratio"], new[name]["ratio"]
        table.add_row(
            name, number(before), number(after), number(after / before) if before else "-"
        )
    Console(width=140).print(table)


def number(value: float | str | None) -> str:
    """Return a figure as people read it."""
    return (
        f"{value:.4g}"
        if isinstance(value, int | float)
        else str(value if value is not None else "-")
    )


if __name__ == "__main__":
    sys.exit(main())
