"""A model is asked for another edit until one goes well, and the person sees only that one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent.constrain import Alternative
from punie_agent.contract import Contract
from punie_agent.errors import ModelError
from punie_agent.events import Event, ThoughtDelta
from punie_agent.loop import run_turn
from punie_agent.models import Message, ModelReply, Usage
from punie_agent.permissions import PermissionDecision, PermissionRequest
from punie_agent.rehearsal import rehearsed
from punie_agent.rehearsal._annotation import agreeing
from punie_agent.testing import Line, ScriptedModel
from punie_agent.workbench import open_workbench
from punie_tools import LocalHost

ASKED = [Message("user", "Fix app.py")]


def reply(new: str, prose: str = "") -> str:
    """Return a reply that replaces the text in app.py and checks the file."""
    return (
        f"{prose}```python\n"
        f'write_file("app.py", read_file("app.py").replace(\'"three"\', {new!r}))\n'
        'print(typecheck("app.py").status)\n'
        "```"
    )


class Varying(ScriptedModel):
    """A scripted model that says how else it could have gone on, and remembers what it was asked for.

    Each line of the script is a reply, or a reply and what it says; where it says nothing, that it could
    have gone on in one more way.
    """

    takes_start = True

    def __init__(self, script: Sequence[Line | tuple[str, Sequence[Alternative]]]) -> None:
        super().__init__([each[0] if isinstance(each, tuple) else each for each in script])
        self.asked: list[str] = []
        self.longest: list[int | None] = []
        self._says = [each[1] if isinstance(each, tuple) else None for each in script]

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        start: str = "",
    ) -> ModelReply:
        """Give the next answer of the script."""
        said = self._says[len(self.asked)]
        others = [Alternative(f"way {len(self.asked)}", 1.0)] if said is None else said
        self.asked.append(start)
        self.longest.append(max_tokens)
        found = await super().reply(
            messages, on_text=on_text, on_thought=on_thought, max_tokens=max_tokens
        )
        return replace(found, alternatives=tuple(others))


async def test_the_first_edit_that_its_check_likes_is_the_answer(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    model = Varying(
        [reply("'four'", "Sure.\n\n"), reply("[]", "Sure.\n\n"), reply("3", "Sure.\n\n")]
    )
    said: list[str] = []
    thoughts: list[str] = []
    kept = rehearsed(model, contract, host)
    found = await kept.reply(ASKED, on_text=said.append, on_thought=thoughts.append)
    assert found.text == reply("3", "Sure.\n\n")
    assert "".join(said) == found.text
    assert thoughts == ["Tried 3 versions of this edit on a copy: the last one passes its check.\n"]
    assert model.asked == ["", "way 0", "way 1"]
    assert (project / "app.py").read_text() == 'count: int = "three"\n'


async def test_all_its_tokens_count_and_one_request(contract: Contract, host: LocalHost) -> None:
    script = [ModelReply(reply(new), Usage(100, 10, 1)) for new in ("'four'", "3")]
    found = await rehearsed(Varying(script), contract, host).reply(ASKED)
    assert found.usage == Usage(200, 20, 1)


@pytest.mark.parametrize(
    "first", [reply("3"), "It is a type error.", "```python\nprint(typecheck().status)\n```"]
)
async def test_what_needs_no_other_edit_is_passed_on(
    contract: Contract, host: LocalHost, first: str
) -> None:
    model = Varying([first])
    said: list[str] = []
    found = await rehearsed(model, contract, host).reply(ASKED, on_text=said.append)
    assert (found.text, "".join(said), model.asked) == (first, first, [""])


async def test_an_edit_that_was_made_already_is_led_away_from(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    """Made once more it changes nothing, and a small model that makes it goes round in a circle."""
    (project / "app.py").write_text("count: int = 'four'\nother: int = \"three\"\n")
    again = reply("'four'").replace("'\"three\"'", '"count: int = 3"')
    talk = [*ASKED, Message("assistant", again), Message("user", "findings"), *CHECKED[1:]]
    model = Varying([again, reply("4")])
    assert (await rehearsed(model, contract, host).reply(talk)).text == reply("4")


async def test_after_a_search_in_vain_the_turn_goes_on_without_and_the_next_one_searches_again(
    contract: Contract, host: LocalHost
) -> None:
    edits = ["'four'", "'five'", "'six'", "'seven'", "'eight'"]
    model = Varying([reply(edit) for edit in [*edits, "'nine'", "[]", "3"]])
    kept = rehearsed(model, contract, host, attempts=5)
    done = [*ASKED, Message("assistant", (await kept.reply(ASKED)).text), Message("user", "no")]
    assert (await kept.reply(done)).text == reply("'nine'")
    told = [*done, Message("assistant", "It does not work."), Message("user", "Try once more")]
    assert (await kept.reply(told)).text == reply("3")
    assert [each != "" for each in model.asked] == [*[False], *[True] * 4, False, False, True]


async def test_where_none_goes_well_the_best_is_the_answer(
    contract: Contract, host: LocalHost
) -> None:
    """The second one has no error of syntax; of equals, the earlier is kept."""
    edits = ["'four'[", "'four'", "'five'", "'six'", "'seven'"]
    model = Varying([reply(edit) for edit in edits])
    thoughts: list[str] = []
    kept = rehearsed(model, contract, host, attempts=5)
    found = await kept.reply(ASKED, on_thought=thoughts.append)
    assert found.text == reply("'four'")
    assert len(model.asked) == 5
    assert thoughts == ["Tried 5 versions of this edit on a copy: none passes its check.\n"]


CHECKED = [
    *ASKED,
    Message("assistant", '```python\nprint(typecheck("app.py").errors)\n```'),
    Message("user", "one error"),
]


async def test_where_no_repair_goes_well_nothing_is_written_and_the_answer_says_so(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    """An attempt that comes again is none of the three."""
    edits = ("four", "five", "five", "six", "six", "six", "six", "six")
    model = Varying([reply(f"'{new}'", "Sure.\n\n") for new in edits])
    said: list[str] = []
    kept = rehearsed(model, contract, host, attempts=3)
    found = await kept.reply(CHECKED, on_text=said.append)
    assert found.text == "".join(said)
    assert found.text == (
        "Sure.\n\nI could not repair this. I tried 3 edits on a copy of the workspace, and with none of "
        "them the check finds less, so nothing more was changed."
    )
    assert contract.parse(found.text).code is None


@pytest.mark.parametrize(
    "code",
    [
        'print(read_file("app.py"))',
        'print(typecheck("other.py").errors)',
        'write_file("app.py", "x: int = []")\nprint(typecheck("app.py").errors)',
        "print(typecheck(",
    ],
    ids=["no check", "of something else", "a write", "no Python"],
)
async def test_an_edit_that_answers_to_no_check_is_acted_on_whatever_it_leads_to(
    contract: Contract, host: LocalHost, code: str
) -> None:
    model = Varying([reply(f"'{new}'") for new in ("four", "five")])
    talk = [*ASKED, Message("assistant", f"```python\n{code}\n```"), Message("user", "done")]
    kept = rehearsed(model, contract, host, attempts=2)
    assert (await kept.reply(talk)).text == reply("'four'")


async def test_a_repair_of_one_of_two_faults_is_acted_on(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    (project / "app.py").write_text('count: int = "three"\nother: int = "four"\n')
    model = Varying([reply("'five'"), reply("3")])
    kept = rehearsed(model, contract, host)
    assert (await kept.reply(CHECKED)).text == reply("3")


async def test_a_reply_that_comes_again_counts_once(contract: Contract, host: LocalHost) -> None:
    model = Varying([reply("'four'"), reply("'four'"), reply("'four'"), reply("3")])
    kept = rehearsed(model, contract, host, attempts=2)
    assert (await kept.reply(ASKED)).text == reply("3")


async def test_the_way_that_lost_least_is_taken_next(contract: Contract, host: LocalHost) -> None:
    """What was lost on the way to an alternative counts, too."""
    model = Varying(
        [
            (reply("'a'"), [Alternative("dear", 3.0), Alternative("cheap", 1.0)]),
            (reply("'b'"), [Alternative("cheap and dear", 2.5), Alternative("cheap twice", 1.5)]),
            (reply("'c'"), []),
            (reply("'d'"), []),
            (reply("'e'"), []),
        ]
    )
    await rehearsed(model, contract, host).reply(ASKED)
    assert model.asked == ["", "cheap", "cheap twice", "dear", "cheap and dear"]


async def test_where_no_way_is_left_the_search_ends(contract: Contract, host: LocalHost) -> None:
    """The same way is not taken twice."""
    again = [Alternative("one", 1.0)]
    model = Varying([(reply("'a'"), again), (reply("'b'"), again)])
    found = await rehearsed(model, contract, host).reply(ASKED)
    assert (found.text, model.asked) == (reply("'a'"), ["", "one"])


def edit(old: str, new: str) -> str:
    """Return a reply that replaces one text by another."""
    return reply(new).replace("'\"three\"'", repr(old))


async def test_a_line_that_was_tried_gives_way_to_others(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    (project / "app.py").write_text("one: int = 'a'\ntwo: int = 'b'\n")
    one, two = ("one: int = 'a'", "two: int = 'b'")
    ways = [Alternative(f"one {n}", 0.1 * n, one, settled=True) for n in range(4)]
    model = Varying(
        [
            (edit(one, "one: int = 'x'"), [*ways, Alternative("another", 2.0)]),
            (edit(one, "one: int = 'y'"), []),
            (edit(two, "two: int = 'x'"), [Alternative("two 0", 1.0, two, settled=True)]),
            (edit(one, "one: int = 'z'"), []),
            (edit(two, "two: int = 'y'"), []),
            (edit(one, "one: int = 1"), []),
        ]
    )
    found = await rehearsed(model, contract, host).reply(ASKED)
    assert found.text == edit(one, "one: int = 1")
    assert model.asked == ["", "one 0", "another", "one 1", "two 0", "one 2"]


SHOWN = [*CHECKED[:2], Message("user", "    one: int = 'a'\ntwo: int = 'b'")]


async def test_where_whole_lines_are_replaced_other_edits_replace_whole_lines_too(
    contract: Contract, host: LocalHost, project: Path
) -> None:
    (project / "app.py").write_text("one: int = 'a'\ntwo: int = 'b'\n")
    one, two = ("one: int = 'a'", "two: int = 'b'")
    model = Varying(
        [
            (
                edit(one, "one: int = 'x'"),
                [
                    Alternative("a piece", 0.1, "int", settled=True),
                    Alternative("the middle of a line", 0.1, "int"),
                    Alternative("a line's beginning", 0.2, "two"),
                    Alternative("a line", 0.3, two, settled=True),
                    Alternative("another text", 0.4),
                ],
            ),
            (edit("two", "2"), [Alternative("further astray", 0.0)]),
            (edit(two, "two: int = 2"), []),
        ]
    )
    thoughts: list[str] = []
    kept = rehearsed(model, contract, host)
    found = await kept.reply(SHOWN, on_thought=thoughts.append)
    assert found.text == edit(two, "two: int = 2")
    assert model.asked == ["", "a line's beginning", "a line"]
    assert thoughts == ["Tried 2 versions of this edit on a copy: the last one passes its check.\n"]


@pytest.mark.parametrize(("written", "longest"), [(10, 58), (0, 1000)], ids=["known", "not told"])
async def test_another_version_may_be_little_longer_than_the_first(
    contract: Contract, host: LocalHost, written: int, longest: int
) -> None:
    model = Varying([ModelReply(reply("'four'"), Usage(100, written, 1)), reply("3")])
    await rehearsed(model, contract, host).reply(ASKED, max_tokens=1000)
    assert model.longest == [1000, longest]


RESULT = "Return type does not match returned value: expected"
NONE = "Default value of type `None` is not assignable to annotated parameter type"


@pytest.mark.parametrize(
    ("message", "line", "mended"),
    [
        (f"{RESULT} `int`, found `str`", "def f() -> int:", "def f() -> str:"),
        (f"{RESULT} `int`, found `str & ~AlwaysFalsy`", "def f() -> int:", "def f() -> str:"),
        (
            f"{RESULT} `str`, found `list[str] | None`",
            "def f() -> str:",
            "def f() -> list[str] | None:",
        ),
        (f"{RESULT} `int`, found `Literal[1.5, 2]`", "def f() -> int:", "def f() -> float | int:"),
        (f"{NONE} `str`", "def f(x: str = None) -> str:", "def f(x: str | None = None) -> str:"),
        ("Object of type `Literal[7]` is not assignable to `str`", "x: str = 7", "x: int = 7"),
    ],
    ids=["a result", "narrowed", "a union", "values", "a default", "a value"],
)
async def test_an_annotation_that_agrees_with_the_check_comes_after_what_is_likely(
    contract: Contract, host: LocalHost, project: Path, message: str, line: str, mended: str
) -> None:
    (project / "app.py").write_text(f"one: int = 1.5\n{line}\n\n    return 1.5\n")
    first = edit("one: int = 1.5", "one: int = 2.5")
    ways = [Alternative("doubtful", 2.9), Alternative("far-fetched", 3.1)]
    model = Varying([(first, ways), *[("", []) for _ in range(3)]])
    flagged = ["", "    return 1.5"] if RESULT in message else []
    shown = "\n".join([f"line 4: {message}", line, *flagged])
    await rehearsed(model, contract, host).reply([*CHECKED[:2], Message("user", shown)])
    begun = edit(line, mended).partition(mended)[0]
    assert model.asked == ["", "doubtful", begun + mended, "far-fetched"]


TYPES = st.one_of(
    st.text(max_size=12), st.sampled_from(["[" * 150, "int | " * 60 + "x", "Literal[(1, 2)]"])
)


@given(
    wanted=TYPES,
    found=TYPES,
    line=st.sampled_from(["def f() -> int:", "x: int = 1", "f(x: int = 1)"]),
)
def test_whatever_a_check_prints_other_annotations_are_lines_of_the_file_with_another_type(
    wanted: str, found: str, line: str
) -> None:
    said = [
        f"{RESULT} `{wanted}`, found `{found}`",
        f"{NONE} `{wanted}`",
        f"Object of type `{found}`",
    ]
    printed = "\n".join([f"{each} is not assignable to `int`\n{line}" for each in said])
    for old, new in agreeing(printed, [line]):
        assert (old, new.count("\n")) == (line, 0)
        assert old.partition(":")[0].split()[0] in new


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (f"{RESULT} `int`, found `Unknown`", "def f() -> int: return g()"),
        (f"{RESULT} `int`, found `<class 'str'>`", "def f() -> int: return str"),
        (f"{RESULT} `int`, found `str`", "return g()"),
        ("Argument is incorrect: Expected `int`, found `str`", "f(x)"),
        (f"{NONE} `str`", "def f(x: str = None, y: str = None) -> None: ..."),
    ],
    ids=[
        "a type nobody knows",
        "no type",
        "no function in sight",
        "an argument",
        "twice in a line",
    ],
)
async def test_no_other_annotation_is_tried(
    contract: Contract, host: LocalHost, project: Path, message: str, line: str
) -> None:
    (project / "app.py").write_text(f"one: int = 'a'\n{line}")
    model = Varying([(edit("one: int = 'a'", "two"), [])])
    said = [*CHECKED[:2], Message("user", f"line 2: {message}\n{line}")]
    await rehearsed(model, contract, host).reply(said)
    assert model.asked == [""]


async def test_what_is_the_same_in_other_tokens_is_no_alternative(
    contract: Contract, host: LocalHost
) -> None:
    first = reply("'four'")
    model = Varying(
        [(first, [Alternative(first[:40], 0.1), Alternative("other", 1.0)]), reply("3")]
    )
    await rehearsed(model, contract, host).reply(ASKED)
    assert model.asked == ["", "other"]


async def test_a_text_that_is_replaced_by_itself_is_no_attempt(
    contract: Contract, host: LocalHost
) -> None:
    model = Varying([reply("'four'"), reply('"three"'), reply("3")])
    thoughts: list[str] = []
    kept = rehearsed(model, contract, host)
    assert (await kept.reply(ASKED, on_thought=thoughts.append)).text == reply("3")
    assert thoughts == ["Tried 2 versions of this edit on a copy: the last one passes its check.\n"]


MISSPELT = "print(drvier.path)"
DRIVER = "import sys as driver"


def found(*said: str) -> list[Message]:
    """Return a conversation whose last message is what a check found in app.py."""
    return [*CHECKED[:2], Message("user", "\n".join(["app.py:2: Name `drvier` …", *said]))]


@pytest.mark.parametrize(
    "first",
    [
        edit(MISSPELT, "print(drvier.name)"),
        edit(MISSPELT, "print(diver.path)"),
        edit(DRIVER, "import os as driver"),
    ],
    ids=["is copied", "is another one", "is in another line"],
)
async def test_a_name_that_the_check_does_not_know_is_taken_for_one_that_is_nearly_the_same(
    contract: Contract, host: LocalHost, project: Path, first: str
) -> None:
    """Whatever the model's first edit does; its other alternatives come later."""
    (project / "app.py").write_text(f"{DRIVER}\n{MISSPELT}\n")
    mended = edit(MISSPELT, "print(driver.path)")
    model = Varying([(first, [Alternative("likely", 0.0)]), (mended, [])])
    answer = await rehearsed(model, contract, host).reply(found(MISSPELT))
    begun, _, _ = mended.partition("river.path")
    assert (answer.text, model.asked) == (mended, ["", f"{begun}river"])


@pytest.mark.parametrize(
    ("line", "name", "other"),
    [('shout = "x".uper()', "uper", "upper"), ("pritn(1)", "pritn", "print")],
    ids=["a method", "a function"],
)
async def test_names_of_python_itself_are_known(
    contract: Contract, host: LocalHost, project: Path, line: str, name: str, other: str
) -> None:
    (project / "app.py").write_text(f"{line}\n")
    said = [*CHECKED[:2], Message("user", f"app.py:1: nothing is called `{name}`\n{line}")]
    model = Varying([(edit("x", "y"), []), (edit(line, line.replace(name, other)), [])])
    await rehearsed(model, contract, host).reply(said)
    begun = edit(line, line.replace(name, other)).partition(other)[0]
    assert model.asked == ["", begun + other]


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("x: str = 1", edit("x: str = 1", "x: str = 2")),
        ("Cat = Car()", edit("Cat = Car()", "Cat = 1")),
        ("drvier", edit("drvier", "driver\n")),
        ("total = total + 'x'", edit("count", "total")),
        ("# Asks `again` and again", edit("# Asks `again` and again", "# Asks")),
    ],
    ids=[
        "a built-in name",
        "a name that nothing is nearly like",
        "a text with an escape",
        "a name in more places than the other",
        "a name that the file has in backticks",
    ],
)
async def test_no_other_name_is_tried(
    contract: Contract, host: LocalHost, project: Path, line: str, first: str
) -> None:
    text = "Names: `str`, `Car`, `drvier`, `total`; driver, strip, totals, agains\n"
    (project / "app.py").write_text(f"count: int = 'x'\n{line}\n")
    model = Varying([(first, [])])
    await rehearsed(model, contract, host).reply([*CHECKED[:2], Message("user", text + line)])
    assert model.asked == [""]


class AtOnce(Varying):
    """A model that writes several replies at once; the likeliest way comes last, and one never ends."""

    def __init__(self, replies: Mapping[str, ModelReply], idle_places: int) -> None:
        super().__init__([])
        self.idle_places = idle_places
        self.given_up: list[str] = []
        self._replies = replies
        self._others_are_asked_for = asyncio.Event()

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        start: str = "",
    ) -> ModelReply:
        """Give the reply that begins so."""
        self.asked.append(start)
        if len(self.asked) > self.idle_places:
            self._others_are_asked_for.set()
        try:
            if start == "never":
                await asyncio.Event().wait()
            elif start:
                await self._others_are_asked_for.wait()
        except asyncio.CancelledError:
            self.given_up.append(start)
            raise
        return self._replies[start]


async def test_a_model_that_writes_several_replies_at_once_is_asked_ahead_and_the_search_is_the_same(
    contract: Contract, host: LocalHost
) -> None:
    ways = [Alternative("one", 1.0), Alternative("two", 2.0), Alternative("never", 3.0)]
    replies = {
        "": ModelReply(reply("'four'"), Usage(100, 10, 1), alternatives=tuple(ways)),
        "one": ModelReply(reply("'five'"), Usage(100, 20, 1)),
        "two": ModelReply(reply("3"), Usage(100, 30, 1)),
    }
    model = AtOnce(replies, idle_places=3)
    found = await rehearsed(model, contract, host).reply(ASKED)
    assert (found.text, found.usage) == (reply("3"), Usage(300, 60, 1))
    assert (model.asked, model.given_up) == (["", "one", "two", "never"], ["never"])


async def test_a_model_that_has_no_place_left_is_asked_for_what_is_wanted_alone(
    contract: Contract, host: LocalHost
) -> None:
    ways = (Alternative("one", 1.0), Alternative("never", 2.0))
    first = ModelReply(reply("'four'"), alternatives=ways)
    model = AtOnce({"": first, "one": ModelReply(reply("3"))}, idle_places=0)
    assert (await rehearsed(model, contract, host).reply(ASKED)).text == reply("3")
    assert model.asked == ["", "one"]


async def test_a_reply_that_was_asked_for_ahead_and_failed_is_no_matter_unless_it_is_wanted(
    contract: Contract, host: LocalHost
) -> None:
    ways = (Alternative("one", 1.0), Alternative("missing", 2.0))
    first = ModelReply(reply("'four'"), alternatives=ways)
    model = AtOnce({"": first, "one": ModelReply(reply("3"))}, idle_places=2)
    assert (await rehearsed(model, contract, host).reply(ASKED)).text == reply("3")
    assert model.asked == ["", "one", "missing"]


async def test_a_model_that_fails_while_it_is_asked_again_has_answered_already(
    contract: Contract, host: LocalHost
) -> None:
    model = Varying([reply("'four'"), ModelError("gone")])
    assert (await rehearsed(model, contract, host).reply(ASKED)).text == reply("'four'")


def test_other_models_are_left_as_they_are(contract: Contract, host: LocalHost) -> None:
    plain, varying = ScriptedModel(["yes"]), Varying(["yes"])
    assert rehearsed(plain, contract, host) is plain
    assert rehearsed(varying, contract, host, attempts=1) is varying
    assert rehearsed(varying, contract, host).name == varying.name


async def test_a_person_is_asked_about_the_edit_that_went_well_and_no_other(project: Path) -> None:
    asked: list[PermissionRequest] = []

    async def person(request: PermissionRequest) -> PermissionDecision:
        asked.append(request)
        return PermissionDecision("allow_once")

    model = Varying([reply("'four'"), reply("3"), "Fixed."])
    events: list[Event] = []
    async with open_workbench(project, model, asker=person) as bench:
        result = await run_turn(
            model=rehearsed(model, bench.contract, bench.toolbox.host),
            contract=bench.contract,
            sandbox=bench.sandbox,
            messages=ASKED,
            on_event=events.append,
            permissions=bench.permissions,
        )
    shown = "".join(each.diff or "" for each in asked).splitlines()
    assert [line for line in shown if line[:1] in "+-"][2:] == [
        '-count: int = "three"',
        "+count: int = 3",
    ]
    assert [run.stdout for run in result.runs] == ["clean\n"]
    assert (project / "app.py").read_text() == "count: int = 3\n"
    assert sum(isinstance(event, ThoughtDelta) for event in events) == 1
