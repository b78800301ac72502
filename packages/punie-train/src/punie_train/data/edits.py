"""From a wrong and a right text to the `replace` calls that turn one into the other.

Two forms: whole lines, for faults of single lines, and the shortest pieces, where lines come or go too. A
whole line is copied from its beginning, and again with what is wrong in it changed; of a piece, a model has
to know where it begins, and that it stands once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from punie_train.data.sources import literal

__all__ = ["LineEdit", "line_edits", "line_replacements", "replace_calls", "replacements"]

_WORD = re.compile(r"\s*(?:\w+|[^\w\s])|\s+$")
_CLOSING = {")": "(", "]": "[", "}": "{"}
_BEFORE = re.compile(r"[\w.)\]}\"']")
_INSIDE = re.compile(r"[\w.]")
_EXPRESSION = re.compile(r"[\w\"'(\[{-].*[\w\"')\]}]")
_SHORTEST = 8
"""Characters that a replaced piece of a line has at least, so that it reads as code and not as a syllable."""


@dataclass(frozen=True)
class LineEdit:
    """One line that is replaced.

    Attributes:
        number: which line, from 1.
        old: the line as it is, without its end.
        new: the line as it should be.
    """

    number: int
    old: str
    new: str


def line_edits(wrong: str, right: str) -> list[LineEdit]:
    """Return the lines that must be replaced; each stands once in the wrong text, spaces around it aside.

    Raises:
        ValueError: the texts do not have the same number of lines, or a line cannot be told from another.
    """
    before, after = wrong.splitlines(keepends=True), right.splitlines(keepends=True)
    if len(before) != len(after):
        raise ValueError("the texts do not have the same number of lines")
    edits = [
        LineEdit(number, old.rstrip("\n"), new.rstrip("\n"))
        for number, (old, new) in enumerate(zip(before, after, strict=True), start=1)
        if old != new
    ]
    text = wrong
    for edit in edits:
        old, new = edit.old.strip(" "), edit.new.strip(" ")
        if not old or wrong.count(old) != 1 or text.count(old) != 1:
            raise ValueError(f"the line {old!r} does not stand exactly once")
        text = text.replace(old, new)
    if text != right:
        raise ValueError("a line changes in more than what is between its spaces")
    return edits


def line_replacements(edits: list[LineEdit]) -> str:
    """Return the edits as lines of Python, spaces around the lines left out."""
    pairs = [(edit.old.strip(" "), edit.new.strip(" ")) for edit in edits]
    return replace_calls(pairs, quoted=_in_three_quotes)


def _in_three_quotes(text: str) -> str:
    """Return a line of code as a literal: in three quotes wherever that needs no escape.

    Which quotes are right for a line shows at its end, and the literal begins before it.
    """
    plain = "\\" not in text and "'''" not in text and not text.endswith("'") and text.isprintable()
    return f"'''{text}'''" if plain else literal(text)


def replacements(wrong: str, right: str) -> list[tuple[str, str]]:
    """Return (old, new) pairs; each old stands exactly once where it is replaced.

    Of a changed line only the words around the change are named, as many as make the place unmistakable: the
    less must be copied, the less is miscopied. A line that is only added takes the line after it along; a
    line that is only removed goes with its line end.

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
        if tag == "replace" and stop - start == new_stop - new_start:
            pairs += [
                _shortened(*each, wrong)
                for each in zip(before[start:stop], after[new_start:new_stop], strict=True)
                if each[0] != each[1]
            ]
            continue
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


def _shortened(old: str, new: str, text: str) -> tuple[str, str]:
    """Return the least of a changed line that reads as code and stands once in the text."""
    before, after = (_WORD.findall(line.rstrip("\n")) for line in (old, new))
    start = _alike(before, after)
    end = _alike(before[start:][::-1], after[start:][::-1])
    pairs = [
        tuple("".join(words[left : len(words) - right]).strip(" ") for words in (before, after))
        for left in range(start + 1)
        for right in range(end + 1)
        if not _torn(before, left, len(before) - right)
    ]
    good = [(one, other) for one, other in pairs if _whole(one) and _whole(other)]
    good = [(one, other) for one, other in good if text.count(one) == 1]
    long = [(one, other) for one, other in good if len(one) >= _SHORTEST]
    return min(long or good, key=lambda pair: len(pair[0]), default=_stripped(old, new))


def _alike(words: list[str], others: list[str]) -> int:
    """Return with how many same words both begin."""
    most = min(len(words), len(others))
    return next((number for number in range(most) if words[number] != others[number]), most)


def _torn(words: list[str], start: int, stop: int) -> bool:
    """Whether a piece of a line begins or ends within an expression."""
    behind = "".join(words[stop:])[:1]
    if start == stop or words[start].startswith(" "):
        return _INSIDE.fullmatch(behind) is not None
    cut = "".join(words[:start])[-1:]
    return any(found is not None for found in (_BEFORE.fullmatch(cut), _INSIDE.fullmatch(behind)))


def _whole(piece: str) -> bool:
    """Whether a piece of a line begins and ends like an expression, with its quotes and brackets closed."""
    closed = all(piece.count(quote) % 2 == 0 for quote in "\"'")
    open_: list[str] = []
    for letter in piece:
        if letter in _CLOSING.values():
            open_.append(letter)
        elif letter in _CLOSING and (not open_ or open_.pop() != _CLOSING[letter]):
            return False
    return closed and not open_ and _EXPRESSION.fullmatch(piece) is not None


def _stripped(old: str, new: str) -> tuple[str, str]:
    old, new = old.rstrip("\n"), new.rstrip("\n")
    indent = len(old) - len(old.lstrip(" "))
    if new[:indent].strip(" "):
        return old, new
    return old[indent:], new[indent:]


def replace_calls(
    pairs: list[tuple[str, str]],
    variable: str = "source",
    *,
    quoted: Callable[[str], str] = literal,
) -> str:
    """Return the pairs as lines of Python.

    Args:
        pairs: what is replaced, and by what.
        variable: the name of the text.
        quoted: makes a literal of a piece.
    """
    return "\n".join(
        f"{variable} = {variable}.replace({quoted(old)}, {quoted(new)})" for old, new in pairs
    )
