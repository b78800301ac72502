"""Where a literal goes astray from what was said before, and which token is taken instead."""

from __future__ import annotations

import json
import os
import string
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_agent.constrain import Constraint, ReplyCursor, TokenFilter, TokenTexts
from punie_agent.constrain._copying import Told, chunks_in, classes_in, named_in
from punie_agent.constrain._modules import modules_of
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


@pytest.mark.parametrize(
    ("pattern", "wrong"),
    [("AgentConfig", 0), ("Agent", 1), ("Agent Config", 1), ("agent", 0), ("Show", 0), ("Sho", 0)],
)
def test_a_name_in_camel_case_does_not_end_after_its_first_half(pattern: str, wrong: int) -> None:
    rules = Rules(TOOLS, {}, told=Told(Words(["AgentConfig", "Show", "Agents", "grep"])))
    assert misfits(f"run(\"grep '{pattern}'\")", rules) == wrong


@given(st.lists(st.text("aAbZz[", max_size=4)), st.text("aAbZz[", max_size=3))
def test_words_know_which_capitals_a_text_goes_on_with(words: list[str], text: str) -> None:
    expected = any(word.startswith(text) and "A" <= word[len(text) :][:1] <= "Z" for word in words)
    assert Words(words).goes_on_with_capital(text) == expected


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ("A function from an Order to its customer, please", {"customer"}),
        ("the counts of an Order", {"count"}),
        ("Customer and total of Order as one text", {"customer", "total"}),
        (f"How dear is it?\n\n{SHOWN}", set()),
        ("What an Order holds", set()),
    ],
)
def test_a_request_names_attributes_in_words_of_its_own(request_: str, named: set[str]) -> None:
    found = named_in(request_, classes_in([SHOWN]))
    assert {name: set(members) for name, members in found.items()} == (
        {"Order": named} if named else {}
    )


def test_an_attribute_is_named_by_all_words_of_its_name() -> None:
    classes = {"Result": Words(["error_count", "errors", "success", "_kind"])}
    assert set(named_in("the number of errors", classes)["Result"]) == {"errors"}
    assert set(named_in("its error count", classes)["Result"]) == {"error_count", "errors"}
    assert set(named_in("of which kind is it", classes)["Result"]) == {"_kind"}


def test_an_attribute_goes_astray_where_the_request_names_another_one() -> None:
    classes = classes_in([SHOWN])
    told = Told(Words([]), classes=classes, named=named_in("the customers of an Order", classes))
    rules = Rules({}, {}, told=Told.from_json(json.loads(json.dumps(told.to_json()))))

    def wrong(attribute: str) -> int:
        return misfits(
            f"code = '''def f(order: Order) -> int:\n    return order.{attribute}", rules
        )

    assert (wrong("customer\n"), wrong("cust")) == (0, 0)
    assert wrong("count") == 4  # from its second letter on
    assert wrong("total()") == 6  # and at its end
    assert wrong("customer + order.count\n") == 0  # what was asked for is there already
    assert wrong("count + order.customer\n") == 5


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["src/beacon/tide.py"], {"src.beacon.tide", "beacon.tide"}),
        (["./orders.py"], {"orders"}),
        (["lib/shelf/__init__.py"], {"lib.shelf", "shelf"}),
        (["job-s/a.py", "notes.md", "src/beacon/"], set()),
        (["src/deep/er.py"], {"src.deep.er", "deep.er", "er"}),
    ],
)
def test_a_file_is_a_module_whose_name_leaves_no_package_out(
    paths: list[str], expected: set[str]
) -> None:
    known = {"src/beacon/__init__.py", "lib/shelf/__init__.py"}
    found = set(modules_of(paths, known))
    assert found - sys.stdlib_module_names == expected
    assert ("json" in found) == bool(expected)


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("from beacon.tide import Tide\n", 0),
        ("import beacon.tide\nfrom re import sub\n", 0),
        ("from beacon.tied import Tide\n", 3),  # at each letter from the third on, and at the end
        ("from beacon import Tide\n", 1),
        ("x = 1\nfrom os", 0),
        ("# read from bacon, please", 0),
    ],
)
def test_code_imports_modules_that_are_there(code: str, wrong: int) -> None:
    told = Told(Words([]), modules=Words(["beacon.tide", "re", "os"]))
    assert misfits(f"code = '''{code}", Rules({}, {}, told=told)) == wrong
    assert misfits(f'code = "{code.splitlines()[0]}"', Rules({}, {}, told=told)) == 0


@given(st.text("class X:\n ay_(=", max_size=60))
def test_any_text_is_searched_for_classes(text: str) -> None:
    assert all(name.isidentifier() for name in classes_in([text, f"class X:\n{text}"]))


CHUNKS = Words(
    chunks_in("In deps.txt put rich==14.0 for (rich==13.9) and a harbour. Of fine_cents = 10")
)
COPIES = Rules(
    {"write": Tool(("path", "content"), creates=True)},
    {},
    told=Told(
        Words(["rich", "14", "13", "0", "9", "harbour", "fine", "cents", "10", "x"]),
        ("x and fine_cents = 10",),
        chunks=CHUNKS,
    ),
)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("rich==14.0", 0),
        ("rich==13.9", 0),
        ("rich=14.0", 1),
        ("x + rich=14", 1),
        ("rich", 0),
        ("harbour. x", 0),
        ("harbour, x", 0),
        ("x==14.0", 0),
    ],
)
def test_what_the_request_has_between_spaces_is_copied_to_its_end(content: str, wrong: int) -> None:
    assert misfits(f'text = 1\nwrite("a.txt", text + "{content}\\n")', COPIES) == wrong
    assert misfits(f'text = 1\ntext.replace("x", "{content}")', COPIES) == wrong
    assert misfits(f'print("{content}")', COPIES) == 0


def test_a_token_with_half_of_a_sign_is_doubted_and_one_with_all_of_it_is_not() -> None:
    begun = 'text = 1\nwrite("a.txt", text + "rich'
    assert [misfits(begun + rest, COPIES) for rest in ("", "=", "==", "==1")] == [0, 1, 0, 0]


@given(st.lists(st.text("ab=\xff", max_size=4)), st.text("ab=", max_size=3), st.sampled_from("a="))
def test_words_know_whether_a_text_goes_on_with_one_thing_alone(
    words: list[str], text: str, more: str
) -> None:
    longer = [word for word in words if word.startswith(text)]
    expected = bool(longer) and all(word.startswith(text + more) for word in longer)
    assert Words(words).goes_on_only_with(text, more) == expected
    assert Words(words).goes_on(text) == any(word != text for word in longer)


def breaks(code: str, rules: Rules) -> int:
    """How often a program does what can only be wrong."""
    cursor = ReplyCursor(rules)
    assert cursor.advance(f"```python\n{code}"), code
    return cursor.departures.breaks


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ('"fine_cents = 10", "fine_cents = 10', 1),
        ('"fine_cents = 10", "fine_cents = 1', 0),
        ('"fine_cents = 10", "fine_cents = 14', 0),
        ('"fine", "fine_cents', 0),  # the request has more that begins so
        ("'x', 'x", 1),
        ("'x', '''x", 0),  # a line of code may get more
    ],
)
def test_a_text_does_not_replace_itself(arguments: str, wrong: int) -> None:
    assert breaks(f"text.replace({arguments}", COPIES) == wrong


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
    assert number("th") not in follow.unbroken()
    assert number("2") in follow.unbroken()


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
