"""Tasks: examples before they are executed. A prompt, where it happens, and the programs that answer it.

Drawing is deterministic: an intent's n-th try with a phrasing depends on seed, intent, phrasing and n
only, so a category can grow without changing what was drawn before.
"""

# ruff: noqa: S311 - chance chooses examples here, it protects nothing

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from punie_train.data.binders import BINDERS
from punie_train.data.bindings import Binding, can_say
from punie_train.data.declared import bind_declared
from punie_train.data.scenes import World
from punie_train.data.sources import Question, TaskTemplate, fill
from punie_train.data.splits import SPLITS, Split, plain, split_of
from punie_train.data.variety import typical_first
from punie_train.data.workspaces import Scene
from punie_train.errors import DataError

__all__ = ["Exchange", "Task", "draw", "draw_drills"]

ROUNDS = 400
"""Tries with each phrasing before a quota is given up."""

_NAMED = re.compile(r"(folder|directory|file|script|module) \{(dir|path)\}", re.IGNORECASE)
_OF = re.compile(r"\{gives\} (of|from|for)\b")
_RETURNED = re.compile(
    r"\b(returns?|returning|gives|gives back|tells?( me| us)?|knows?|says|reports|answers|find out)"
    r" \{gives\}(?! (of|from|for)\b)"
)


TYPING_WORDS = ("typ", "annotat", "Protocol", "Any", "Optional", "Literal", "Callable", "TypedDict")


@dataclass(frozen=True)
class Exchange:
    """One message of the user and what is done about it.

    Attributes:
        intent: names the programs and the answer.
        prompt: the message.
        steps: programs, in order; empty for a direct answer.
        slots: what the programs were filled with.
        answer: the direct answer; empty when it is computed from the results.
    """

    intent: str
    prompt: str
    steps: tuple[str, ...]
    slots: Mapping[str, object]
    answer: str = ""


@dataclass(frozen=True)
class Task:
    """One example to be executed.

    Attributes:
        category: whose quota it fills.
        scene: where it happens; None when no program runs.
        exchanges: the conversation; the first one names the task.
        drill: whether its record ends with the first program: the choice and the copying, cheaply.
    """

    category: str
    scene: Scene | None
    exchanges: tuple[Exchange, ...]
    drill: bool = False

    @property
    def intent(self) -> str:
        """What the first message wants."""
        return self.exchanges[0].intent

    @property
    def prompt(self) -> str:
        """The first message."""
        return self.exchanges[0].prompt

    @property
    def split(self) -> Split:
        """Where it belongs."""
        return split_of(self.intent, self.prompt)

    @property
    def key(self) -> str:
        """What the user says, plainly; two tasks with the same key are duplicates."""
        return " / ".join(plain(exchange.prompt) for exchange in self.exchanges)

    @property
    def id(self) -> str:
        """A short name that depends on nothing but the words."""
        words = "\0".join(exchange.prompt for exchange in self.exchanges)
        return f"{self.intent}-{hashlib.sha256(words.encode()).hexdigest()[:12]}"


def draw(
    world: World,
    category: str,
    quota: Sequence[int],
    *,
    seed: int,
    accept: Callable[[Task], bool],
) -> list[Task]:
    """Draw the tasks of a category: as many for each split as the quota says, no prompt twice.

    Args:
        world: what tasks are made of.
        category: which tasks.
        quota: how many for train, valid and test.
        seed: chooses other names and files.
        accept: the last word on each, such as whether it is too much like another one.

    Raises:
        DataError: the sources do not have enough different prompts for the quota.
    """
    left = dict(zip(SPLITS, quota, strict=True))
    seen: set[str] = set()
    drawn: list[Task] = []
    for task in _candidates(world, category, seed):
        if not any(left.values()):
            break
        if left[task.split] and task.key not in seen:
            seen.add(task.key)
            if not accept(task):
                continue
            left[task.split] -= 1
            drawn.append(task)
    if missing := {split: count for split, count in left.items() if count}:
        raise DataError(
            f"category {category!r}: the sources have too few different prompts "
            f"(still missing: {missing}); write more phrasings or lower the counts."
        )
    return drawn


def draw_drills(
    world: World,
    intent: str,
    count: int,
    *,
    seed: int,
    seen: set[str],
    accept: Callable[[Task], bool],
    after: int = 0,
) -> list[Task]:
    """Draw drills of an intent, phrasings in turn, all of them phrasings of the train split.

    Args:
        world: what tasks are made of; for names that must be copied, a `WideWorld`.
        intent: what is asked.
        count: how many.
        seed: chooses other names and files.
        seen: keys of tasks that were drawn before; the drawn ones are added.
        accept: the last word on each, such as whether it is too much like another one.
        after: so many phrasings come last, because examples were drawn with them.

    Raises:
        DataError: there is no such intent, or the sources do not have enough different prompts.
    """
    known = [name for name, each in world.sources.tasks.items() if each.category != "followup"]
    if intent not in known:
        raise DataError(f"drills of the unknown intent {intent!r}; there are {', '.join(known)}.")
    drawn: list[Task] = []
    # Another seed than the examples': the same names would only be drawn again.
    candidates = _stream(world, intent, seed + 1, after)
    while len(drawn) < count:
        task = next(candidates, None)
        if task is None:
            raise DataError(
                f"drills of {intent!r}: the sources have too few different prompts "
                f"(still missing: {count - len(drawn)}); write more phrasings or lower the count."
            )
        task = replace(task, drill=True)
        if task.split == "train" and task.key not in seen:
            seen.add(task.key)
            if accept(task):
                drawn.append(task)
    return drawn


def _candidates(world: World, category: str, seed: int) -> Iterator[Task]:
    """Yield candidates: intents by weight, phrasings in turn."""
    streams = _streams(world, category, seed)
    if not streams:
        known = sorted({task.category for task in world.sources.tasks.values()})
        raise DataError(
            f"unknown category {category!r}; there are {', '.join(known)}, direct, ty_direct, dialogue."
        )
    while streams:
        alive = []
        for weight, stream in streams:
            taken = [task for _, task in zip(range(weight), stream, strict=False)]
            yield from taken
            if taken:
                alive.append((weight, stream))
        streams = alive


def _streams(world: World, category: str, seed: int) -> list[tuple[int, Iterator[Task]]]:
    if category in {"direct", "ty_direct"}:
        return [(1, _direct(world, category, seed))]
    if category == "dialogue":
        return [
            (dialogue.weight, _dialogue(world, name, seed))
            for name, dialogue in world.sources.dialogues.items()
        ]
    return [
        (template.weight, _stream(world, intent, seed))
        for intent, template in world.sources.tasks.items()
        if template.category == category
    ]


def _bound(
    world: World, name: str, about: str, first: str, seed: int, after: int = 0
) -> Iterator[tuple[str, Binding, Random]]:
    """Yield phrasings of the intent `first` with what they are about, phrasing by phrasing.

    Those that stand for the others come first, but for so many that `after` passes over to the end.
    """
    phrasings = typical_first(world.sources.phrasings_of(first))
    after %= len(phrasings)
    phrasings = phrasings[after:] + phrasings[:after]
    for turn in range(ROUNDS):
        for phrasing in phrasings:
            rng = Random(f"{seed}:{name}:{phrasing}:{turn}")
            binding = _bind(rng, world, about)
            if binding is not None and _suits(phrasing, first, binding):
                yield phrasing, binding, rng


def _bind(rng: Random, world: World, about: str) -> Binding | None:
    template = world.sources.tasks.get(about)
    if template is not None and template.slots:
        return bind_declared(rng, world, template)
    return BINDERS[about](rng, world)


def _suits(phrasing: str, intent: str, binding: Binding) -> bool:
    """Whether the words fit what they are about.

    "Whether it is open" can be returned, but not computed of something; and "the project" is no name of a
    folder.
    """
    if not can_say(phrasing, binding):
        return False
    place = binding.said.get("path") or binding.said.get("dir") or ""
    if place.startswith(("the ", "this ")) and _NAMED.search(phrasing):
        return False
    if intent in {"coding", "coding_pasted"} and "{gives}" in phrasing:
        gives = str(binding.said.get("gives") or binding.slots["gives"])
        if gives.startswith("whether"):
            return _RETURNED.search(phrasing) is not None
        return not (gives.startswith("its ") and _OF.search(phrasing))
    return True


def _exchange(world: World, intent: str, phrasing: str, binding: Binding) -> Exchange:
    said = {**{key: str(value) for key, value in binding.slots.items()}, **binding.said}
    steps = tuple(_steps(world.sources.tasks[intent], binding.slots))
    return Exchange(intent, phrasing.format(**said), steps, binding.slots)


def _steps(template: TaskTemplate, slots: Mapping[str, object]) -> Iterator[str]:
    """Yield the programs of an intent, filled; all of them for each value of its slot `each`."""
    several = slots[template.each] if template.each else [None]
    assert isinstance(several, Sequence)
    for value in several:
        filled = {**slots, template.each: value}
        yield from (fill(step, filled) for step in template.steps)


def _stream(world: World, intent: str, seed: int, after: int = 0) -> Iterator[Task]:
    category = world.sources.tasks[intent].category
    for phrasing, binding, _ in _bound(world, intent, intent, intent, seed, after):
        yield Task(category, binding.scene, (_exchange(world, intent, phrasing, binding),))


def _dialogue(world: World, name: str, seed: int) -> Iterator[Task]:
    dialogue = world.sources.dialogues[name]
    first, *others = dialogue.intents
    for phrasing, binding, rng in _bound(world, name, dialogue.about, first, seed):
        exchanges = [_exchange(world, first, phrasing, binding)]
        for intent in others:
            said = rng.choice(world.sources.phrasings_of(intent))
            exchanges.append(_exchange(world, intent, said, binding))
        yield Task("dialogue", binding.scene, tuple(exchanges))


def _direct(world: World, category: str, seed: int) -> Iterator[Task]:
    questions = [each for each in world.sources.questions if category == _category(each)]
    Random(f"{seed}:{category}").shuffle(questions)
    streams = [(each, _rounds(world, each, seed)) for each in questions]
    while streams:
        alive = []
        for question, rounds in streams:
            if prompts := next(rounds, None):
                alive.append((question, rounds))
            for prompt in prompts or ():
                exchange = Exchange(question.kind, prompt, (), {}, question.answer)
                yield Task(category, None, (exchange,))
        streams = alive


def _rounds(world: World, question: Question, seed: int) -> Iterator[list[str]]:
    """Yield prompts of a question, round by round.

    A round is one phrasing of its kind; for a question that is asked in words of its own, two of those as
    well. They stay at least half of all its prompts: it takes no more phrasings than it has own words.
    """
    phrased, own = _asked(world, question, seed), list(question.asked)
    if own:
        own = typical_first(own)
        phrased = phrased[: len(own)]
    for turn in range(max(len(phrased), len(own))):
        yield own[2 * turn : 2 * turn + 2] + phrased[turn : turn + 1]


def _category(question: Question) -> str:
    words = " ".join(question.slots.values())
    typed = question.kind == "rule" or any(word in words for word in TYPING_WORDS)
    return "ty_direct" if typed else "direct"


def _asked(world: World, question: Question, seed: int) -> list[str]:
    phrasings = list(world.sources.phrasings[question.kind])
    if question.kind == "open":
        return [
            each.format(**question.slots)
            for each in phrasings
            if question.slots["question"].endswith("?") or each == "{question}"
        ]
    Random(f"{seed}:{sorted(question.slots.items())}").shuffle(phrasings)
    prompts = [each.format(**question.slots) for each in phrasings]
    return [
        prompt[0].upper() + prompt[1:]
        if phrasing[0].isupper() or phrasing.startswith("{")
        else prompt
        for prompt, phrasing in zip(prompts, phrasings, strict=True)
    ]
