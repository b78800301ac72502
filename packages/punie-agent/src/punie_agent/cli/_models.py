"""`punie models`: what can be used by name here, and whether it is still what was registered."""

from __future__ import annotations

import argparse
import json
from typing import Any

from rich.console import Console
from rich.table import Table

from punie_agent.cli._display import plain
from punie_agent.errors import ModelUnavailableError
from punie_agent.models import default_name, registry

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """List the models; returns 1 when one is damaged."""
    rows = [_row(name, verify=options.verify) for name in registry.names()]
    rows.append(
        {"name": "test", "state": "ready", "about": "offline, no weights: tries out a set-up"}
    )
    if options.json:
        print(json.dumps({"default": default_name(), "models": rows}, indent=2))
    else:
        _print(rows)
    return 0 if all(row["state"] == "ready" for row in rows) else 1


def _row(name: str, *, verify: bool) -> dict[str, Any]:
    try:
        found = registry.find(name)
        if verify and registry.files_digest(found.folder) != found.registered_digest:
            return {
                "name": name,
                "state": "changed",
                "about": f"files differ from what was registered: {found.folder}",
            }
    except ModelUnavailableError as error:
        return {"name": name, "state": "missing", "about": str(error)}
    about = f"{found.base} trained in {found.phase}, {_megabytes(found)} MB"
    return {"name": name, "state": "ready", "about": about, "folder": str(found.folder)}


def _megabytes(found: registry.Artefact) -> int:
    return round(
        sum(path.stat().st_size for path in found.folder.iterdir() if path.is_file()) / 1e6
    )


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("model", "state", "what it is"):
        table.add_column(title, overflow="fold")
    default = default_name()
    for row in rows:
        star = " *" if row["name"] == default else ""
        table.add_row(*map(plain, (f"{row['name']}{star}", row["state"], row["about"])))
    console = Console(highlight=False)
    console.print(table)
    console.print(
        "* is used when no --model is given. Folders, URLs and pydantic-ai names work too.",
        style="dim",
    )
