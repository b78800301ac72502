"""`punie trace`: switch traces on or off, look at them, and hand them to the training kit."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from punie_agent import traces
from punie_agent.cli._display import plain, shown
from punie_agent.errors import ConfigError
from punie_agent.paths import write_whole

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Run one action; returns the exit code."""
    if options.action == "on":
        print(f"Traces are on. They stay on this machine, secrets redacted, in {traces.enable()}")
    elif options.action == "off":
        traces.disable()
        print("Traces are off. Those already stored are kept.")
    elif options.action == "show":
        _show(options)
    else:
        _export(options)
    return 0


def _show(options: argparse.Namespace) -> None:
    if options.target is not None:
        trace = traces.read(options.target)
        if options.json:
            print(json.dumps(trace.data, indent=2, ensure_ascii=False))
            return
        for message in trace.data["messages"]:
            if message["role"] != "system":
                print(shown(f"--- {message['role']}\n{message['content']}"))
        print(f"--- {trace.verdict}")
        return
    found = list(traces.stored())
    if options.json:
        print(
            json.dumps(
                [{"id": each.id, **each.data} for each in found], indent=2, ensure_ascii=False
            )
        )
        return
    table = Table(box=None, pad_edge=False)
    for title in ("trace", "outcome", "model", "prompt"):
        table.add_column(title, overflow="fold")
    for each in found:
        prompt = " ".join(str(each.data.get("prompt", "")).split())
        model = str(each.data.get("model", ""))
        table.add_row(each.id, each.verdict, plain(model), plain(prompt[:60]))
    state = "on" if traces.enabled() else "off"
    Console(highlight=False).print(table if found else f"No traces yet; they are {state}.")


def _export(options: argparse.Namespace) -> None:
    if options.target is None:
        raise ConfigError("where to? punie trace export FILE (- for standard output)")
    chosen = [each for each in traces.stored() if options.outcome in {"all", each.verdict}]
    lines = "".join(
        json.dumps({"id": each.id, **each.data}, ensure_ascii=False, sort_keys=True) + "\n"
        for each in chosen
    )
    if options.target == "-":
        sys.stdout.write(lines)
        return
    write_whole(Path(options.target), lines)
    print(f"Wrote {len(chosen)} traces to {options.target}", file=sys.stderr)
