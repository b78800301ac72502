"""The program `punie`."""

from punie_agent.cli._main import main

__all__ = ["main"]
