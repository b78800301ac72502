"""`punie acp`: the server for editors. Nothing heavy may be imported on this way."""

from __future__ import annotations

import argparse

from punie_agent.acp import serve
from punie_agent.models import default_name

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Serve until the editor leaves; returns the exit code."""
    return serve(model=options.model or default_name())
