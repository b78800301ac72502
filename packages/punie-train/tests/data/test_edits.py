"""From a wrong and a right text to replace calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.data.edits import (
    LineEdit,
    line_edits,
    line_replacements,
    replace_calls,
    replacements,
)

LINES = st.lists(
    st.sampled_from(["a = 1", "    return a", "b = 2", "", "def f():", "x", "y"]), max_size=8
)


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@given(LINES, LINES)
def test_the_replacements_give_the_right_text_or_are_refused(before, after):
    wrong, right = text_of(before), text_of(after)
    try:
        pairs = replacements(wrong, right)
    except ValueError:
        return
    for old, new in pairs:
        wrong = wrong.replace(old, new)
    assert wrong == right


CODE = st.lists(
    st.sampled_from(
        ["size", "def ", "(", ")", ": ", "int", "str", ' = "1"', " | None", ".upper()", ", ", "f'{x}'", "[0]"]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(CODE, CODE, CODE)
def test_what_is_named_of_a_changed_line_is_enough_to_change_it(before, after, other):
    wrong, right = text_of([before, other]), text_of([after, other])
    try:
        pairs = replacements(wrong, right)
    except ValueError:
        return
    for old, new in pairs:
        assert wrong.count(old) == 1
        wrong = wrong.replace(old, new)
    assert wrong == right


@pytest.mark.parametrize(
    ("wrong", "right", "pair"),
    [
        ("    return '0'", "    return 0", ("return '0'", "return 0")),
        (
            "def f(x: str, note: str = None) -> str:",
            "def f(x: str, note: str | None = None) -> str:",
            ("note: str", "note: str | None"),
        ),
        ("    return name.uper() + x", "    return name.upper() + x", ("name.uper", "name.upper")),
        ("    f(a)[0].b(c)", "    f(a)[1].b(c)", ("f(a)[0].b", "f(a)[1].b")),
        ('NIGHT = hours("22", 6)', "NIGHT = hours(22, 6)", ('hours("22", 6)', "hours(22, 6)")),
    ],
)
def test_of_a_changed_line_only_the_expression_around_the_change_is_named(wrong, right, pair):
    assert replacements(f"{wrong}\n", f"{right}\n") == [pair]


def test_as_much_is_named_as_tells_the_place_from_others():
    wrong = "def f(a: int) -> int:\n    return a\n\n\ndef g(b: int) -> int:\n    return str(b)\n"
    right = wrong.replace("def g(b: int) -> int", "def g(b: int) -> str")
    assert replacements(wrong, right) == [("g(b: int) -> int", "g(b: int) -> str")]


def test_an_added_line_takes_the_next_one_along():
    assert replacements("from a import b\n", "import math\nfrom a import b\n") == [
        ("from a import b", "import math\nfrom a import b")
    ]


def test_a_removed_line_goes_with_its_end():
    assert replacements("import os\nx = 1\n", "x = 1\n") == [("import os\n", "")]


def test_a_line_that_stands_twice_is_refused():
    with pytest.raises(ValueError, match="exactly once"):
        replacements("x\na\nx\n", "y\na\nx\n")


def test_the_calls_are_python_that_does_it():
    calls = replace_calls([('say("hi")', "say('ho')")])
    scope = {"source": 'say("hi")\n'}
    exec(calls, scope)
    assert scope["source"] == "say('ho')\n"


_CODE = st.text(alphabet="ab \"'\\{}=|\u00e9", max_size=8)


@given(st.lists(_CODE, min_size=1, max_size=6), st.data())
def test_whole_lines_give_the_right_text_or_are_refused(before, data):
    after = [data.draw(_CODE | st.just(line)) for line in before]
    wrong, right = ("".join(f"{line}\n" for line in lines) for lines in (before, after))
    try:
        edits = line_edits(wrong, right)
    except ValueError:
        return
    assert [(edit.number, edit.old, edit.new) for edit in edits] == [
        (number, old, new)
        for number, (old, new) in enumerate(zip(before, after, strict=True), start=1)
        if old != new
    ]
    names = {"source": wrong}
    exec(line_replacements(edits), names)
    assert names["source"] == right


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("a\n", "a\nb\n"),
        ("a\nb\n", "a\n"),
        ("a\n", "b"),
        ("a\na\n", "a\nb\n"),
        ("a\n\n", "a\nb\n"),
        ("  a\n", "a\n"),
    ],
)
def test_texts_that_differ_in_more_than_their_lines_are_refused(wrong, right):
    with pytest.raises(ValueError, match="line"):
        line_edits(wrong, right)


@pytest.mark.parametrize(
    ("wrong", "right", "call"),
    [
        ("    return a", "    return str(a)", "replace('''return a''', '''return str(a)''')"),
        ('x = f"{a}"', "x = a", "replace('''x = f\"{a}\"''', '''x = a''')"),
        ("x = 'a'", "x = 1", "replace(\"x = 'a'\", '''x = 1''')"),
    ],
)
def test_a_line_stands_in_three_quotes_where_that_needs_no_escape(wrong, right, call):
    edits = line_edits(f"{wrong}\n", f"{right}\n")
    assert edits == [LineEdit(1, wrong, right)]
    assert line_replacements(edits) == f"source = source.{call}"
