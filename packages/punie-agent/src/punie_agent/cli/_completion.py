"""`punie completion`: a script that lets a shell complete commands and options."""

from __future__ import annotations

import argparse

import shtab

from punie_agent.cli._parser import build_parser

__all__ = ["run"]


def run(options: argparse.Namespace) -> int:
    """Print the script; returns the exit code."""
    print(shtab.complete(build_parser(), shell=options.shell))
    return 0
