"""The provided modules give what the standard library's give."""

# ruff: noqa: E501 - snippets

import difflib
import fnmatch
import heapq
import math
import statistics
import string
import textwrap

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from punie_sandbox import Sandbox
from punie_sandbox._modules import (
    difflib_,
    fnmatch_,
    heapq_,
    operator_,
    statistics_,
    string_,
    textwrap_,
)

LINES = st.lists(st.sampled_from(["a", "b", "c", "", "  d", "\te", "same line"]), max_size=12)
TEXT = st.text(st.sampled_from("ab c-d\n\t ."), max_size=60)
WORDS = st.lists(st.text("abcdef-", min_size=1, max_size=14), max_size=12).map(" ".join)
PATTERN = st.text("ab*?]!-^.\\", max_size=8)


@given(TEXT, TEXT)
def test_textwrap_dedents_and_indents_alike(text: str, prefix: str) -> None:
    """behaviour: modules.textwrap."""
    assert textwrap_.dedent(text) == textwrap.dedent(text)
    assert textwrap_.indent(text, prefix) == textwrap.indent(text, prefix)


@given(
    st.lists(st.text("abcdef", min_size=1, max_size=14), max_size=12).map(" ".join),
    st.integers(1, 30),
)
def test_textwrap_wraps_words_alike(text: str, width: int) -> None:
    """behaviour: modules.textwrap."""
    assert textwrap_.wrap(text, width) == textwrap.wrap(text, width)
    assert textwrap_.fill(text, width) == textwrap.fill(text, width)


@given(
    st.lists(st.text("abc", min_size=1, max_size=9), max_size=9).map("  ".join), st.integers(5, 40)
)
def test_textwrap_shortens_alike(text: str, width: int) -> None:
    """behaviour: modules.textwrap."""
    assert textwrap_.shorten(text, width) == textwrap.shorten(text, width)


@given(LINES, LINES, st.integers(0, 4))
def test_difflib_diffs_alike(old: list[str], new: list[str], context: int) -> None:
    """behaviour: modules.difflib."""
    assert difflib_.unified_diff(old, new, "a", "b", n=context) == list(
        difflib.unified_diff(old, new, "a", "b", n=context)
    )
    ours, theirs = difflib_.SequenceMatcher(None, old, new), difflib.SequenceMatcher(None, old, new)
    assert ours.get_opcodes() == theirs.get_opcodes()
    assert ours.ratio() == theirs.ratio()


@given(st.text("abcd", max_size=6), st.lists(st.text("abcd", max_size=6), max_size=8))
def test_difflib_finds_close_matches_alike(word: str, words: list[str]) -> None:
    """behaviour: modules.difflib."""
    assert difflib_.get_close_matches(word, words) == difflib.get_close_matches(word, words)


@given(st.text("ab.\n", max_size=8), PATTERN)
def test_fnmatch_matches_alike(name: str, pattern: str) -> None:
    """behaviour: modules.fnmatch."""
    assert fnmatch_.fnmatchcase(name, pattern) == fnmatch.fnmatchcase(name, pattern)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("a", "[ab]"),
        ("c", "[!ab]"),
        ("a", "[!ab]"),
        ("]", "[]]"),
        ("[", "["),
        ("-", "[a-]"),
        ("b", "[a-c]"),
    ],
)
def test_fnmatch_classes_match_alike(name: str, pattern: str) -> None:
    """behaviour: modules.fnmatch."""
    assert fnmatch_.fnmatchcase(name, pattern) == fnmatch.fnmatchcase(name, pattern)


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=20), st.integers(-9, 9), st.integers(0, 6))
def test_heapq_orders_alike(items: list[int], item: int, n: int) -> None:
    """behaviour: modules.heapq."""
    ours, theirs = list(items), list(items)
    heapq_.heapify(ours)
    heapq.heapify(theirs)
    assert ours == theirs
    for mine, real in ((heapq_.heappush, heapq.heappush), (heapq_.heappushpop, heapq.heappushpop)):
        assert mine(ours, item) == real(theirs, item)
        assert ours == theirs
    assert heapq_.heapreplace(ours, item) == heapq.heapreplace(theirs, item)
    assert [heapq_.heappop(ours) for _ in list(ours)] == [
        heapq.heappop(theirs) for _ in list(theirs)
    ]
    assert heapq_.nlargest(n, items) == heapq.nlargest(n, items)
    assert heapq_.nsmallest(n, items, key=abs) == heapq.nsmallest(n, items, key=abs)
    assert heapq_.merge(sorted(items), [item]) == list(heapq.merge(sorted(items), [item]))


_NUMBERS = st.integers(-(10**20), 10**20) | st.floats(-1e150, 1e150)


@given(st.lists(_NUMBERS | st.integers(-9, 9), min_size=2, max_size=20))
@example([0.1, 0.2, 0.3])
@example([0.1, 0.1, 0.1])
@example([5e-324, 1e-300])
def test_statistics_agree_to_the_last_digit(data: list[float]) -> None:
    """behaviour: modules.statistics."""
    names = ("mean", "fmean", "median", "median_low", "median_high", "mode", "multimode")
    for name in (*names, "pvariance", "variance", "pstdev", "stdev"):
        ours, theirs = getattr(statistics_, name)(data), getattr(statistics, name)(data)
        assert (name, ours, type(ours)) == (name, theirs, type(theirs))
    for name in ("pvariance", "variance", "pstdev", "stdev"):
        around = data[0]
        assert getattr(statistics_, name)(data, around) == getattr(statistics, name)(data, around)
    assert statistics_.quantiles(data) == statistics.quantiles(data)
    assert statistics_.quantiles(data, n=5, method="inclusive") == statistics.quantiles(
        data, n=5, method="inclusive"
    )


@given(st.lists(st.integers(0, 99) | st.floats(0, 1e6), min_size=1, max_size=9))
def test_harmonic_and_geometric_means_agree(data: list[float]) -> None:
    """behaviour: modules.statistics."""
    assert statistics_.harmonic_mean(data) == statistics.harmonic_mean(data)
    if all(data):
        assert statistics_.geometric_mean(data) == statistics.geometric_mean(data)


@pytest.mark.parametrize("data", [[math.inf, 1.0], [-math.inf, 2], [math.nan, 1.0]])
def test_statistics_of_what_is_not_finite_agree(data: list[float]) -> None:
    """behaviour: modules.statistics."""
    assert repr(statistics_.mean(data)) == repr(statistics.mean(data))
    assert math.isnan(statistics_.pvariance(data))
    assert math.isnan(statistics_.stdev(data))


@given(
    st.text("$ab{} _1", max_size=15),
    st.dictionaries(st.sampled_from(["a", "b", "ab"]), st.integers()),
)
def test_templates_fill_alike(template: str, values: dict[str, int]) -> None:
    """behaviour: modules.string."""
    assert string_.Template(template).safe_substitute(values) == string.Template(
        template
    ).safe_substitute(values)


def test_string_constants_are_the_same() -> None:
    """behaviour: modules.string."""
    for name in (
        "ascii_letters",
        "digits",
        "hexdigits",
        "octdigits",
        "punctuation",
        "whitespace",
        "printable",
    ):
        assert getattr(string_, name) == getattr(string, name)
    assert string_.capwords("the  quick fox") == string.capwords("the  quick fox")


def test_operator_functions_are_the_operators() -> None:
    """behaviour: modules.operator."""
    assert operator_.itemgetter(1, 0)("ab") == ("b", "a")
    assert operator_.attrgetter("real")(3) == 3
    assert operator_.methodcaller("upper")("a") == "A"
    assert (operator_.add(1, 2), operator_.contains([1], 1), operator_.not_(1)) == (3, True, False)


async def test_inside_the_sandbox_they_work_and_are_checked(sandbox: Sandbox) -> None:
    """behaviour: modules.inside."""
    code = (
        "import textwrap, string\n"
        "from difflib import unified_diff, get_close_matches as close\n"
        "from statistics import (\n    mean,\n    stdev,\n); from contextlib import suppress\n"
        "import fnmatch as fm, heapq, operator\n"
        "with suppress(KeyError): {}['a']\n"
        "(textwrap.dedent('  a'), string.digits, list(unified_diff(['a'], ['b'], lineterm='')), close('ab', ['abc']),\n"
        " mean([1, 2]), round(stdev([1, 2, 4]), 3), fm.filter(['a.py', 'b'], '*.py'), heapq.nlargest(1, [1, 2]),\n"
        " sorted([(1, 2), (0, 3)], key=operator.itemgetter(1)))"
    )
    result = await sandbox.run(code)
    assert result.value == (
        "a",
        "0123456789",
        ["--- ", "+++ ", "@@ -1 +1 @@", "-a", "+b"],
        ["abc"],
        1.5,
        1.528,
        ["a.py"],
        [2],
        [(1, 2), (0, 3)],
    ), result
    assert [d.code for d in await sandbox.check("import textwrap\ntextwrap.dedent(3)")] == [
        "invalid-argument-type"
    ]
    failed = await sandbox.run("from string import (\n    Template,\n)\n1 / 0")
    assert failed.error is not None
    assert failed.error.line == 4
