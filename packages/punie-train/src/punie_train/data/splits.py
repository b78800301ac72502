"""Which split a row belongs to: a pure function of its intent and its normalised prompt.

The normalised prompt has names, paths, quoted text and numbers masked, so that one phrasing of an intent
about a hundred files is one thing, and in one split only. The same words under another intent are another
thing, which may be in another split. The SHA-256 of intent and normalised prompt is read as a number between
0 and 1: the lowest tenth is test, the next tenth valid, the rest train. Nothing else decides. So a row stays
where it is when a phase grows, and no test row ever moves to train. Exact sizes (605/75/77) are met when the
examples are drawn: each category has a quota for each split, and drawing goes on until all are full.
"""

from __future__ import annotations

import hashlib
import re
from typing import Literal

__all__ = ["SPLITS", "Split", "normalised", "plain", "split_of"]

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, Split, Split] = ("train", "valid", "test")

TEST_SHARE = 0.1
VALID_SHARE = 0.1

_NAMES = re.compile(
    r"`[^`]*`|\"[^\"]*\"|'[^'\s][^']*'(?!\w)"  # quoted
    r"|\S*/\S*|\b[\w-]+(?:\.\w+)+\b|\*?\.\w+\b"  # paths and file names
    r"|\b\w*_\w+\b|\b[A-Z]\w*[a-z]\w*[A-Z]\w*\b|\b\w*\d\w*\b"  # symbols and numbers
)
_MARKS = re.compile(r"[^\w·]+")


def normalised(prompt: str) -> str:
    """Return a prompt in lower case, without punctuation, its names masked."""
    masked = _NAMES.sub(" · ", prompt)
    # Upper case first: it makes one letter of a dotted and a dotless i, as a shouted prompt does.
    return _MARKS.sub(" ", masked.upper().casefold()).strip()


def plain(prompt: str) -> str:
    """Return a prompt in lower case, without punctuation and double spaces; equal ones are duplicates."""
    return re.sub(r"[^\w/.*]+", " ", prompt.casefold()).strip(" .")


def split_of(intent: str, prompt: str) -> Split:
    """Return the split of a row."""
    digest = hashlib.sha256(f"{intent}\0{normalised(prompt)}".encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    if place < TEST_SHARE:
        return "test"
    return "valid" if place < TEST_SHARE + VALID_SHARE else "train"
