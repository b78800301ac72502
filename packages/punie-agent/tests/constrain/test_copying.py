"""Where a literal goes astray from what was said before, and which token is taken instead."""

from __future__ import annotations

import json
import os
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent.constrain import Constraint, ReplyCursor, TokenFilter, TokenTexts
from punie_agent.constrain._copying import Told, classes_in
from punie_agent.constrain._rules import Rules, Tool, as_bytes
from punie_agent.constrain._tokens import BROKEN, NEARLY
from punie_agent.constrain._words import Words
from punie_agent.contract import Contract, standard_functions
from punie_agent.models import Message
from punie_tools import LocalHost, Toolbox

TOOLS = {"run": Tool(("command",)), "read": Tool(("path",)), "write": Tool(("path", "content"))}
TOLD = Told(
    Words(["grep", "rn", "midnight", "ducks", "15", "notes"]), ("limit = 10\nfine_cents = 25\n",)
)
PATHS = Words(["a.py", "lib/", "lib", "lib/b.py"])
RULES = Rules(TOOLS, {}, PATHS, fresh=False, looped=True, told=TOLD)


def strays(code: str, rules: Rules = RULES) -> int:
    """How often a program's literals go astray."""
    cursor = ReplyCursor(rules)
    assert cursor.advance(f"```python\n{code}"), code
    return cursor.departures.strays + cursor.departures.misfits


def misfits(code: str, rules: Rules) -> int:
    """How often a program departs from what was shown."""
    cursor = ReplyCursor(rules)
    assert cursor.advance(f"```python\n{code}"), code
    return cursor.departures.misfits


def astray_at(code: str, rules: Rules = RULES) -> str:
    """The program up to where it first goes astray; "" when it never does."""
    return next((code[:end] for end in range(len(code) + 1) if strays(code[:end], rules)), "")


@pytest.mark.parametrize(
    "code",
    [
        "run(\"grep -rn 'midnight' .\")",
        'run("grep midn',
        'write("a.py", "ducks: 15\\nnotes")',
        "write('a.py', '''ducks\n15''')",
        "anything = other + 77  # of no interest",
        'print(f"{anything} whatever")',
        'read("lib/b.py")',
    ],
)
def test_words_that_were_said_do_not_go_astray(code: str) -> None:
    assert strays(code) == 0


@pytest.mark.parametrize(
    ("code", "until"),
    [
        ("run(\"grep -rn 'mth' .\")", "run(\"grep -rn 'mt"),
        ('run("grep midn")', 'run("grep midn"'),
        ('run("grep midn .")', 'run("grep midn '),
        ('write("a.py", "155")', 'write("a.py", "155'),
        ('write("a.py", "\\ndu\\tcks")', 'write("a.py", "\\ndu\\'),
        ('write("a.py", "die Ente")', 'write("a.py", "di'),
    ],
)
def test_a_word_that_nobody_said_goes_astray_at_its_first_wrong_letter(
    code: str, until: str
) -> None:
    assert astray_at(code) == until


def test_what_is_replaced_stands_in_a_text_that_was_shown() -> None:
    assert strays('text = text.replace("fine_cents = 2') == 0
    assert astray_at('text = text.replace("15", "x")') == 'text = text.replace("15'
    assert strays('text = text.replace("limit", "ducks")') == 0
    assert astray_at('text = text.replace("limit", "limit")') == 'text = text.replace("limit", "l'
    assert strays('replace("ducks")') == 0
    assert strays('text = text.replace("limit = 10\\n15') == 0  # not followed beyond an escape


@pytest.mark.parametrize(
    ("quoted", "breaks"),
    [
        ("limit = 10", 0),
        ("fine_cents = 2", 0),
        ("fine_cents = 3", 1),
        ("fine_cents = 333", 1),  # once, where it went wrong
        ("fine =", 0),  # too short so far to be sure of
        ("ducks on the roof", 0),  # nothing that was shown
    ],
)
def test_a_text_that_is_surely_quoted_breaks_where_it_goes_on_otherwise(
    quoted: str, breaks: int
) -> None:
    cursor = ReplyCursor(RULES)

    assert cursor.advance(f'```python\ntext = text.replace("{quoted}')

    assert cursor.departures.breaks == breaks


@pytest.mark.parametrize(
    ("old", "new", "misfits"),
    [
        ("fine_cents = 2", "fine_cents = (2)", 0),
        ("fine_cents = 2", "fine_cents = (2", 1),
        ("fine_cents = 2", "fine_cents] = 2", 1),
        ("fine", "(fine", 0),  # too short to be a piece of code
        ("fine_cents = 2", 'f(\\"[\\")]', 0),
    ],
)
def test_what_replaces_a_line_leaves_as_many_brackets_open(
    old: str, new: str, misfits: int
) -> None:
    cursor = ReplyCursor(RULES)
    assert cursor.advance(f'```python\ntext = text.replace("{old}", "{new}')
    before = cursor.departures.misfits

    assert cursor.advance('")')

    assert cursor.departures.misfits - before == misfits


def test_what_an_edit_replaced_is_no_longer_there_for_the_next_one() -> None:
    first = 'text = text.replace("limit = 10", "ducks = 15")\ntext = text.replace("'

    assert strays(first + "fine_cents = 2") == 0
    assert astray_at(first + "limit = 10") == first + "l"
    assert astray_at(first + "ducks = 15") == first + "d"
    assert strays('text.replace("limit\\n", "ducks")\ntext.replace("limit = 10') == 0  # escaped
    assert strays('text.replace("", "ducks")\ntext.replace("limit = 10') == 0


SHOWN = """./orders.py
class Order:
    '''What one customer wants.'''

    customer: str
    count: int = 1

    def total(self) -> float:
        return self.count * 2.5


class Empty(Order):
    pass
"""


def test_a_parameter_of_a_shown_class_has_its_attributes() -> None:
    rules = Rules(TOOLS, {}, told=Told(Words(["x"]), classes=classes_in([SHOWN])))
    for attribute in ("count", "customer", "total()", "cou"):
        code = f"code = '''def f(order: Order, by_2: int) -> int:\n    return order.{attribute}"
        assert misfits(code, rules) == 0, attribute
    for attribute, wrong in (("items", 5), ("counts", 1), ("count_of", 3), ("cou()", 1)):
        code = f"code = '''def f(order: Order) -> int:\n    return order.{attribute}"
        assert misfits(code, rules) == wrong, attribute
    for code in ("def f(order) -> int:\n    return order.x", "x.items", "3.5 * order.total()"):
        assert misfits(f'code = """{code}', rules) == 0, code


def test_the_members_of_a_class_are_read_from_its_source_wherever_it_is_shown() -> None:
    found = classes_in(
        [SHOWN, "class Order:\n    paid: bool\n    async def pay(self): ...", "class"]
    )
    assert {name: set(members) for name, members in found.items()} == {
        "Order": {"customer", "count", "total", "paid", "pay"}
    }


@given(st.text("class X:\n ay_(=", max_size=60))
def test_any_text_is_searched_for_classes(text: str) -> None:
    assert all(name.isidentifier() for name in classes_in([text, f"class X:\n{text}"]))


def test_a_loop_goes_through_different_paths() -> None:
    assert strays('for path in ["a.py", "lib/b.py"]:') == 0
    assert astray_at('for path in ["a.py", "a.py"]:') == 'for path in ["a.py", "a'
    assert astray_at('for path in ["lib/", "lib"]:') == ""  # one of them may be the file in it
    assert strays('for path in ["a.py", "lib"]:\n    read("a.py")') == 0
    written = 'write("15.md", "")\nfor path in ["a.py", "15.md'
    creating = {**TOOLS, "write": Tool(("path", "content"), creates=True)}
    assert strays(written, replace(RULES, tools=creating, fresh=True, told=None)) == 0


def test_without_what_was_said_nothing_goes_astray() -> None:
    assert strays('run("whatever")', Rules(TOOLS, {}, PATHS)) == 0


@given(st.text(string.ascii_letters + " .'\n\\", max_size=30), st.data())
def test_a_copy_of_what_was_said_never_goes_astray(text: str, data: st.DataObject) -> None:
    words = ["".join(part) for part in text.replace("\\", " ").replace("'", " ").split()]
    told = Told(Words(word for each in words for word in each.split(".")))
    start = data.draw(st.integers(0, len(words)))
    literal = " ".join(words[start:])
    rules = Rules(TOOLS, {}, told=told)
    assert strays(f'run("{literal}")', rules) == 0


PIECES = [
    *map(chr, range(128)),
    *(
        "```python\n",
        'run("',
        "grep ",
        "mid",
        "th",
        "night",
        'text.replace("',
        "fine_cents = ",
        None,
    ),
]
TEXTS = TokenTexts(dict(enumerate(PIECES)), [PIECES.index(None)])
BEFORE = ("```python\n", 'run("', "grep ", "m")


def number(piece: str) -> int:
    return PIECES.index(piece)


def test_a_token_that_copies_is_taken_where_it_is_nearly_as_likely() -> None:
    follow = TokenFilter(Constraint(RULES), TEXTS)
    for piece in BEFORE:
        assert follow.allows(number(piece))
        follow.take(number(piece))
    scores = {number("th"): 5.0, number("i"): 4.0, number("o"): 3.0}
    assert follow.best(scores) == number("th")
    assert [follow.doubt(number(piece)) for piece in ("th", "i")] == [NEARLY, 1.0]
    assert follow.nearly(number("th"), scores) == number("i")
    unlikely = {number("th"): 5.0, number("i"): 1.0}  # e^4 is more than NEARLY
    assert follow.nearly(number("th"), unlikely) == number("th")


def test_what_breaks_a_quoted_text_is_not_taken_however_likely_it_is() -> None:
    follow = TokenFilter(Constraint(RULES), TEXTS)
    for piece in ("```python\n", 'text.replace("', "fine_cents = "):
        assert follow.allows(number(piece))
        follow.take(number(piece))
    scores = {number("th"): 50.0, number("2"): 2.0}

    assert follow.best(scores) == number("th")
    assert [follow.doubt(number(piece)) for piece in ("th", "2")] == [BROKEN, 1.0]
    assert follow.nearly(number("th"), scores) == number("2")


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    return Contract(standard_functions(Toolbox(LocalHost(tmp_path)), ["read_file"]), style="brief")


def test_words_and_texts_come_from_the_conversation_the_paths_and_the_files_it_names(
    contract: Contract, tmp_path: Path
) -> None:
    (tmp_path / "tides.toml").write_text("ebb = 'täglich'\n", encoding="utf-8")
    (tmp_path / "other.toml").write_text("never = 1\n")
    (tmp_path / "large.txt").write_text("x" * 40_000)
    (tmp_path / "raw.bin").write_bytes(b"\xff\xfe")
    (tmp_path / "link.txt").symlink_to(tmp_path / "other.toml")
    os.mkfifo(tmp_path / "pipe.txt")
    told = Constraint.of(contract, [Message("user", "raw.bin and link.txt")], tmp_path).rules.told
    assert told is not None
    assert told.texts == ()
    messages = [
        Message("system", contract.system_prompt),
        Message("user", "Which ones?"),
        Message("assistant", '```python\nread_file("a.py")\n```'),
        Message("user", "```output\nKeine Ahnung\n```"),
        Message("user", "In pipe.txt, tides.toml, large.txt: Ebbe statt ebb"),
    ]
    sent = json.loads(json.dumps(Constraint.of(contract, messages, tmp_path).to_json()))
    told = Constraint.from_json(sent).rules.told
    assert told is not None
    said = {"Which", "read", "Ahnung", "Ebbe", "tides", "toml", "other", "raw"}
    assert said <= set(told.words)
    assert "never" not in set(told.words)
    assert set(told.texts) == {
        "Which ones?",
        "```output\nKeine Ahnung\n```",
        as_bytes("ebb = 'täglich'\n"),
    }
