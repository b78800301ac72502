"""`punie sessions`: the conversations that editors had with Punie on this machine."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from rich.console import Console
from rich.table import Table

from punie_agent.acp.store import SessionHeader, SessionStore
from punie_agent.cli._display import plain, shown
from punie_agent.errors import ConfigError

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """List, show or delete; returns the exit code."""
    store = SessionStore()
    if options.action == "list":
        _list(store, as_json=options.json)
        return 0
    if options.session is None:
        raise ConfigError(
            f"which one? punie sessions {options.action} ID (punie sessions lists them)"
        )
    if options.action == "delete":  # a damaged one, too
        store.delete(options.session)
        print(f"Deleted {options.session}.")
        return 0
    session = store.open(options.session)
    records = session.read()
    if options.json:
        print(json.dumps({**dataclasses.asdict(session.header), "journal": records}, indent=2))
        return 0
    for message in _conversation(records):
        if message.get("role") != "system":
            print(shown(f"--- {message.get('role')}\n{message.get('content')}"))
    return 0


def _conversation(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages that the model saw, after the last time they were replaced as a whole."""
    messages: list[dict[str, Any]] = []
    for record in records:
        if record.get("kind") == "message":
            messages.append(record)
        elif record.get("kind") == "reset":
            messages = list(record.get("messages", []))
    return messages


def _headers(store: SessionStore) -> list[SessionHeader]:
    headers: list[SessionHeader] = []
    cursor: str | None = None
    while True:
        page = store.list(cursor=cursor)
        headers += page.headers
        cursor = page.cursor
        if cursor is None:
            return headers


def _list(store: SessionStore, *, as_json: bool) -> None:
    headers = _headers(store)
    if as_json:
        print(json.dumps([dataclasses.asdict(header) for header in headers], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for title in ("session", "changed", "folder", "title"):
        table.add_column(title, overflow="fold")
    for header in headers:
        table.add_row(header.id, header.updated, *map(plain, (header.cwd, header.title)))
    Console(highlight=False).print(table if headers else "No sessions yet.")
