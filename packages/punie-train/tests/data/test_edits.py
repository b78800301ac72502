"""From a wrong and a right text to replace calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.data.edits import replace_calls, replacements

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


def test_a_changed_line_is_named_without_its_indent():
    assert replacements("def f():\n    return '0'\n", "def f():\n    return 0\n") == [
        ("return '0'", "return 0")
    ]


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
