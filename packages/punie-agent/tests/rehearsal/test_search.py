"""A model is asked for another edit until one goes well, and the person sees only that one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from punie_agent.constrain import Deviation
from punie_agent.contract import Contract
from punie_agent.errors import ModelError
from punie_agent.events import Event, ThoughtDelta
from punie_agent.loop import run_turn
from punie_agent.models import Message, ModelReply, Usage
from punie_agent.permissions import PermissionDecision, PermissionRequest
from punie_agent.rehearsal import rehearsed
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
    """A scripted model that can be asked for another reply, and remembers how it was asked."""

    takes_deviation = True

    def __init__(self, script: Sequence[Line]) -> None:
        super().__init__(script)
        self.asked: list[Deviation | None] = []

    async def reply(
        self,
        messages: Sequence[Message],
        *,
        on_text: Callable[[str], None] | None = None,
        on_thought: Callable[[str], None] | None = None,
        max_tokens: int | None = None,
        deviation: Deviation | None = None,
    ) -> ModelReply:
        """Give the next answer of the script."""
        self.asked.append(deviation)
        return await super().reply(
            messages, on_text=on_text, on_thought=on_thought, max_tokens=max_tokens
        )


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
    assert [None if each is None else each.replies for each in model.asked] == [
        None,
        (reply("'four'", "Sure.\n\n"),),
        (reply("'four'", "Sure.\n\n"), reply("[]", "Sure.\n\n")),
    ]
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
    assert (found.text, "".join(said), model.asked) == (first, first, [None])


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
    assert [each is not None for each in model.asked] == [*[False], *[True] * 4, False, False, True]


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


async def test_a_reply_that_comes_again_asks_for_less_likely_ones(
    contract: Contract, host: LocalHost
) -> None:
    model = Varying([reply("'four'"), reply("'four'"), reply("'five'"), reply("3")])
    found = await rehearsed(model, contract, host).reply(ASKED)
    likely = [each.likely for each in model.asked if each is not None]
    assert found.text == reply("3")
    assert likely[0] > likely[1] == likely[2]


def edit(old: str, new: str) -> str:
    """Return a reply that replaces one text by another."""
    return reply(new).replace("'\"three\"'", repr(old))


async def test_lines_take_turns(contract: Contract, host: LocalHost, project: Path) -> None:
    """Two edits of a line, then another line, as long as there is one; then less likely edits of all."""
    (project / "app.py").write_text("one: int = 'a'\ntwo: int = 'b'\n")
    one, two = ("one: int = 'a'", "two: int = 'b'")
    model = Varying(
        [
            *(edit(one, f"one: int = '{new}'") for new in "xyz"),
            edit(two, "two: int = 'x'"),
            *(edit(one, f"one: int = '{new}'") for new in "uv"),
            *(edit(two, f"two: int = '{new}'") for new in "yz"),
            edit(one, "one: int = 't'"),  # asked for another line, it knows none
            edit(one, "one: int = 1"),
        ]
    )
    found = await rehearsed(model, contract, host).reply(ASKED)
    assert found.text == edit(one, "one: int = 1")
    assert [(each.line, each.elsewhere) for each in model.asked if each is not None] == [
        (one, ()),
        (one, ()),
        ("", (one,)),
        (one, ()),
        (one, ()),
        (two, ()),
        (two, ()),
        ("", (one, two)),
        (one, ()),
    ]


async def test_a_text_that_is_replaced_by_itself_is_no_attempt(
    contract: Contract, host: LocalHost
) -> None:
    model = Varying([reply("'four'"), reply('"three"'), reply("3")])
    thoughts: list[str] = []
    kept = rehearsed(model, contract, host)
    assert (await kept.reply(ASKED, on_thought=thoughts.append)).text == reply("3")
    assert thoughts == ["Tried 2 versions of this edit on a copy: the last one passes its check.\n"]


async def test_a_program_that_replaces_no_line_is_varied_as_a_whole(
    contract: Contract, host: LocalHost
) -> None:
    whole = (
        '```python\nwrite_file("app.py", "x: int = NEW")\nprint(typecheck("app.py").status)\n```'
    )
    model = Varying([whole.replace("NEW", new) for new in ("'a'", "'b'", "'c'", "'d'", "5")])
    found = await rehearsed(model, contract, host).reply(ASKED)
    assert found.text == whole.replace("NEW", "5")
    assert {(each.line, each.elsewhere) for each in model.asked if each is not None} == {("", ())}


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
