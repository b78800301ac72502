"""`punie init`: register with an editor, the change shown and agreed to first."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from punie_agent.editors import command, register_with

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Show the change, ask, write; returns the exit code."""
    file = Path(options.file) if options.file else None
    change = register_with(options.editor, command(options.model), file=file)
    if not change.needed:
        print(f"{change.path} has Punie already. {change.hint}.")
        return 0
    console = Console(highlight=False, soft_wrap=True)
    console.print(Syntax(change.diff, "diff", theme="ansi_dark", background_color="default"))
    if options.dry_run:
        return 0
    if not options.yes and not _agreed(change.path):
        print("Nothing was written.", file=sys.stderr)
        return 1
    backup = change.apply()
    print(f"Wrote {change.path}" + (f" (the old one is {backup})" if backup is not None else ""))
    print(f"{change.hint}.")
    return 0


def _agreed(path: Path) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():
        print("No terminal to ask on; write with --yes.", file=sys.stderr)
        return False
    print(f"Write this to {path}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
