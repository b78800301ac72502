"""What constrains the next reply of a conversation: the contract's rules and the paths it may name.

A path argument may be what the conversation mentions (the request, what tools printed since) or what is
in the workspace. When the request itself names a path, the workspace's other paths are left out: copying
goes wrong by one letter more often than a request means a file that it does not name.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from punie_agent.constrain._copying import RUN, Told, chunks_in, classes_in, named_in
from punie_agent.constrain._mentions import folder_forms, listing, mentioned, plain_words
from punie_agent.constrain._modules import modules_of
from punie_agent.constrain._reply import ReplyCursor
from punie_agent.constrain._rules import Rules, as_bytes, tools_and_models
from punie_agent.constrain._words import Words

if TYPE_CHECKING:
    from punie_agent.contract import Contract
    from punie_agent.models import Message

__all__ = ["REQUEST_FIELD", "Constraint", "Preference"]

REQUEST_FIELD = "punie_constraint"
"""The field of a chat request that carries a constraint to a model server of Punie's own."""

Preference = Literal["mentioned", "any"]

_NAME = re.compile(r"[^\W\d]\w*")

MOST_FILES, LARGEST_FILE = 4, 32_000
"""How many of the files that a request names are read to copy from, and up to how many bytes each."""


@dataclass(frozen=True)
class Constraint:
    """What constrains one reply. Make one anew for each.

    Attributes:
        rules: what code may say.
        seen: names that earlier programs used.
        begun: what the prompt holds of the reply already, where it does.
        start: what it is to begin with, where another one than the likeliest is asked for.
        answers: whether it follows what a program printed, so that an answer in words is due.
    """

    rules: Rules
    seen: frozenset[str] = frozenset()
    begun: str = ""
    start: str = ""
    answers: bool = False

    def cursor(self) -> ReplyCursor:
        """Where the model goes on with the reply.

        Raises:
            ValueError: what the reply begins with is not possible.
        """
        cursor = ReplyCursor(self.rules, self.seen)
        if not cursor.advance(self.begun):
            raise ValueError(f"a reply cannot begin with {self.begun!r}")
        return cursor

    def to_json(self) -> dict[str, Any]:
        """The constraint as plain JSON values, for a model server."""
        plain = {**self.rules.to_json(), "seen": sorted(self.seen), "begun": self.begun}
        plain |= {"start": self.start} if self.start else {}
        return plain | {"answers": True} if self.answers else plain

    @classmethod
    def from_json(cls, data: Any) -> Constraint:
        """The constraint that `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        rules = Rules.from_json(data)
        seen = data.get("seen", [])
        if not isinstance(seen, list) or not all(isinstance(name, str) for name in seen):
            raise ValueError("`seen` is a list of names")
        begun, start = (str(data.get(name, "")) for name in ("begun", "start"))
        as_bytes(start)
        made = cls(rules, frozenset(seen), begun, start, data.get("answers") is True)
        made.cursor()
        return made

    @classmethod
    def of(
        cls,
        contract: Contract,
        messages: Sequence[Message],
        root: Path | None = None,
        *,
        prefer: Preference = "mentioned",
    ) -> Constraint:
        """What constrains the reply to a conversation.

        Args:
            contract: how the model is spoken to.
            messages: the conversation, which ends with a user's message.
            root: the workspace; None when it is not known, and then only paths of the conversation count.
            prefer: "mentioned" leaves other paths out where the request names one; "any" never does.
        """
        known = listing(root) if root is not None else None
        said = _said(contract, messages)
        asked = mentioned(said.request, known or ())
        here = frozenset(known or ())
        printed = [path for text in said.outputs for path in mentioned(text)]
        files = [root / path for path in asked if path in here] if root is not None else []
        paths = _path_rules(said, asked, printed, known, prefer)
        rules = replace(
            _contract_rules(contract),
            **paths,
            told=replace(
                _told(said, files, here, paths["paths"]),
                there=_there(asked, printed, here),
                modules=_modules(said, printed, here),
            ),
        )
        seen = frozenset(as_bytes(name) for code in said.programs for name in _NAME.findall(code))
        return cls(rules, seen, answers=said.printed)


class _Said(NamedTuple):
    """What a conversation holds.

    Attributes:
        request: the user's last one.
        outputs: what programs printed.
        programs: the model's.
        printed: whether the last message is what a program printed.
    """

    request: str
    outputs: list[str]
    programs: list[str]
    printed: bool


@lru_cache(maxsize=8)
def _contract_rules(contract: Contract) -> Rules:
    tools, models = tools_and_models(contract)
    return Rules(tools, models)


def _told(said: _Said, files: list[Path], known: Iterable[str], paths: Words | None) -> Told:
    """What literals are likely to copy: words from anywhere, texts that a tool or a file shows."""
    request, outputs, programs, _ = said
    texts = [*outputs, *(_text(file) for file in files[:MOST_FILES])]
    words = Words(
        word
        for text in (request, *outputs, *programs, *known)
        for word in RUN.findall(as_bytes(text))
    )
    shown = tuple(as_bytes(text) for text in texts if text)
    asked = map(as_bytes, plain_words(request))
    places = None if paths is None else Words([*paths, *asked, ".."])
    chunks = Words(chunks_in(as_bytes(request)))
    classes = classes_in([as_bytes(request), *shown])
    named = named_in(as_bytes(request), classes)
    return Told(words, shown, classes, named, places, chunks=chunks)


def _there(asked: Sequence[str], printed: Sequence[str], here: frozenset[str]) -> Words | None:
    """The paths that are there or were printed; None unless the request names one that is there."""
    if here.isdisjoint(asked):
        return None
    forms = folder_forms([*here, *asked, *printed])
    return Words([*map(as_bytes, forms), *(f"./{as_bytes(form)}" for form in forms), ".", ".."])


def _modules(said: _Said, printed: Sequence[str], here: frozenset[str]) -> Words | None:
    """The modules that files are which were named or printed; None where none is one."""
    found = modules_of([*mentioned(said.request), *printed], here)
    return Words(map(as_bytes, found)) if found else None


def _text(path: Path) -> str:
    """A small file's text, "" for anything else: a link may lead out of the workspace, a pipe never ends."""
    try:
        found = path.lstat()
        small = stat.S_ISREG(found.st_mode) and found.st_size <= LARGEST_FILE
        return path.read_text(encoding="utf-8") if small else ""
    except (OSError, ValueError):
        return ""


def _path_rules(
    said: _Said,
    asked: list[str],
    printed: list[str],
    known: list[str] | None,
    prefer: Preference,
) -> dict[str, Any]:
    here = frozenset(known or ())
    own = [path for code in said.programs for path in mentioned(code) if path in here]
    printed = [*printed, *own]
    if asked and prefer == "mentioned":
        paths = [*asked, *printed, *_below(asked, known)]
    elif known is None:
        return {"paths": None, "fresh": True, "looped": False}
    else:
        paths = [*asked, *printed, *folder_forms(known)]
        if not asked:
            paths += plain_words(said.request)
    allowed = Words(as_bytes(path) for path in [*paths, "."])
    return {"paths": allowed, "fresh": not asked, "looped": bool(asked)}


def _below(asked: Sequence[str], known: list[str] | None) -> list[str]:
    """What is in the folders that were asked for."""
    folders = {path for path in asked if path.endswith("/")}
    return [
        form
        for path in known or ()
        if any(path.startswith(folder) for folder in folders)
        for form in folder_forms([path])
    ]


def _said(contract: Contract, messages: Sequence[Message]) -> _Said:
    request, outputs, programs = "", [], []
    acted = printed = False
    for message in messages:
        if message.role == "assistant":
            code = contract.parse(message.content).code
            acted = code is not None
            programs += [code] if code is not None else []
        elif message.role == "user":
            printed = acted
            if acted:
                outputs.append(message.content)
            else:
                outputs += [request] if request else []
                request = message.content
            acted = False
    return _Said(request, outputs, programs, printed)
