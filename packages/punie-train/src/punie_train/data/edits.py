"""From a wrong and a right text to the shortest `replace` calls that turn one into the other."""

from __future__ import annotations

from difflib import SequenceMatcher

from punie_train.data.sources import literal

__all__ = ["replace_calls", "replacements"]


def replacements(wrong: str, right: str) -> list[tuple[str, str]]:
    """Return (old, new) pairs; each old stands exactly once where it is replaced.

    Whole lines without their indent, the way a person would name them. A line that is only added takes
    the line after it along; a line that is only removed goes with its line end.

    Raises:
        ValueError: the texts cannot be told apart that way.
    """
    before, after = wrong.splitlines(keepends=True), right.splitlines(keepends=True)
    pairs = []
    for tag, start, stop, new_start, new_stop in SequenceMatcher(
        None, before, after, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            continue
        old, new = "".join(before[start:stop]), "".join(after[new_start:new_stop])
        if tag == "insert":
            anchor = before[start] if start < len(before) else ""
            old, new = anchor, new + anchor
        if tag != "delete":
            old, new = _stripped(old, new)
        pairs.append((old, new))
    text = wrong
    for old, new in pairs:
        if not old or text.count(old) != 1:
            raise ValueError(f"{old!r} does not stand exactly once")
        text = text.replace(old, new)
    if text != right:
        raise ValueError("the replacements do not give the right text")
    return pairs


def _stripped(old: str, new: str) -> tuple[str, str]:
    old, new = old.rstrip("\n"), new.rstrip("\n")
    indent = len(old) - len(old.lstrip(" "))
    if new[:indent].strip(" "):
        return old, new
    return old[indent:], new[indent:]


def replace_calls(pairs: list[tuple[str, str]], variable: str = "source") -> str:
    """Return the pairs as lines of Python."""
    return "\n".join(
        f"{variable} = {variable}.replace({literal(old)}, {literal(new)})" for old, new in pairs
    )
