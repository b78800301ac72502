"""Renders the signatures that the desk bot is shown."""

from __future__ import annotations


def render_signature(name: str, parameters: dict[str, str], returns: str) -> str:
    """Return one signature as a line of Python."""
    inside = ", ".join(f"{key}: {value}" for key, value in parameters.items())
    return f"def {name}({inside}) -> {returns}: ..."


def render_all(functions: dict[str, dict[str, str]]) -> str:
    """Return every signature, one a line."""
    lines = [render_signature(name, parameters) for name, parameters in functions.items()]
    return "\n".join(lines)


def longest_line(text: str) -> int:
    """Return the length of the longest line."""
    widest: str = max(len(line) for line in text.splitlines())
    return len(widest)


HEADER = render_signature("search", {"query": "str"}, 200)


def banner() -> str:
    """Return the first line of the rendered file."""
    return HEADER.splitlines()[0].uppercase()
