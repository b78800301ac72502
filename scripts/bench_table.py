"""Show benchmark results as one table, or compare two collections of them.

`show DIR` prints every row of `DIR/*.json`, by benchmark, each under the sentence that names its peers and
over the versions that were measured. `compare OLD NEW` prints how each ratio moved, and which way is better.

A row is {"name", "measured", "peer", "ratio", "bound", "ok", "versions"}: two figures of one run in the unit
that the name gives, their ratio, and its bound, "<= 2" or ">= 0.6" (a number alone is an upper bound). The
sign says which way is better. Exit code of `show`: 1 when a bound does not hold, 2 with nothing to show.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
WITHIN_NOISE = 0.1
"""Ratios of two runs that differ by less than this part are called the same."""


@dataclass(frozen=True)
class Row:
    """One measured thing beside its peer."""

    benchmark: str
    """The benchmark it comes from, `punie-tools-parsing`."""
    name: str
    measured: float
    peer: float
    ratio: float
    bound: str
    holds: bool
    versions: dict[str, str]

    @property
    def less_is_better(self) -> bool:
        """Whether the bound is an upper one."""
        return self.bound.startswith("<")


def main() -> int:
    """Run `show` or `compare`."""
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
    folders = [arguments.folder] if arguments.command == "show" else [arguments.old, arguments.new]
    for folder in folders:
        if not list(folder.glob("*.json")):
            print(f"bench: {folder} holds no results; `nox -s bench` makes some.", file=sys.stderr)
            return 2
    if arguments.command == "show":
        return show_tables(read_rows(arguments.folder))
    compare_tables(read_rows(arguments.old), read_rows(arguments.new))
    return 0


def read_rows(folder: Path) -> list[Row]:
    """Return the rows of every result file in a folder, by file."""
    return [
        Row(
            benchmark=file.stem,
            name=each["name"],
            measured=each["measured"],
            peer=each["peer"],
            ratio=each["ratio"],
            bound=as_bound(each["bound"]),
            holds=each["ok"],
            versions=each["versions"],
        )
        for file in sorted(folder.glob("*.json"))
        for each in json.loads(file.read_text(encoding="utf-8"))
    ]


def as_bound(value: str | float) -> str:
    """Return a bound with its sign; a number alone is an upper bound."""
    return value if isinstance(value, str) else f"<= {value:g}"


def as_figure(value: float) -> str:
    """Return a figure with four digits, as people write it."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def describe(benchmark: str) -> str:
    """Return the first sentence of a benchmark's script, which names the peers; empty when there is none."""
    for package in (ROOT / "packages").iterdir():
        short = benchmark.removeprefix(f"{package.name}-")
        script = package / "benchmarks" / f"bench_{short}.py"
        if script.is_file():
            text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
            return text.partition("\n\n")[0].replace("\n", " ")
    return ""


def show_tables(rows: list[Row]) -> int:
    """Print the rows; return 1 when a bound does not hold."""
    width = max(len(row.name) for row in rows)
    console = Console(width=max(110, width + 50), highlight=False)  # every figure stays whole
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        mine = [row for row in rows if row.benchmark == benchmark]
        console.print(f"\n[bold]{escape(benchmark)}[/]")
        if sentence := describe(benchmark):
            console.print(escape(sentence))
        table = Table(box=None, pad_edge=False)
        table.add_column("", min_width=width)
        for title in ("Punie", "peer", "ratio", "bound"):
            table.add_column(title, justify="right", min_width=8)
        table.add_column("holds")
        for row in mine:
            figures = [as_figure(value) for value in (row.measured, row.peer, row.ratio)]
            table.add_row(
                escape(row.name), *figures, row.bound, "yes" if row.holds else "[bold red]NO[/]"
            )
        console.print(table)
        versions = {name: number for row in mine for name, number in row.versions.items()}
        listed = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
        console.print(f"[dim]{escape(listed)}[/]")
    failed = [row for row in rows if not row.holds]
    console.print(f"\n{len(rows) - len(failed)} of {len(rows)} bounds hold.")
    return int(bool(failed))


def compare_tables(old: list[Row], new: list[Row]) -> None:
    """Print old and new ratio of every benchmark, and what only one of them has."""
    before = {(row.benchmark, row.name): row for row in old}
    after = {(row.benchmark, row.name): row for row in new}
    table = Table(box=None, pad_edge=False)
    table.add_column("ratio to the peer")
    for title in ("old", "new", "new / old"):
        table.add_column(title, justify="right")
    table.add_column("")
    for key in dict.fromkeys([*before, *after]):
        first, second = before.get(key), after.get(key)
        cells = [as_figure(row.ratio) if row else "-" for row in (first, second)]
        moved, verdict = "-", "only in old" if first else "only in new"
        if first and second:
            moved = f"{second.ratio / first.ratio:.2f}" if first.ratio else "-"
            verdict = judge(first, second)
        table.add_row(escape(": ".join(key)), *cells, moved, verdict)
    width = max(len(": ".join(key)) for key in {*before, *after})
    Console(width=width + 50, highlight=False).print(table)


def judge(old: Row, new: Row) -> str:
    """Return `same`, `better` or `worse`, by the direction of the bound."""
    if abs(new.ratio - old.ratio) <= WITHIN_NOISE * abs(old.ratio):
        return "same"
    return "better" if (new.ratio < old.ratio) == new.less_is_better else "worse"


if __name__ == "__main__":
    sys.exit(main())
