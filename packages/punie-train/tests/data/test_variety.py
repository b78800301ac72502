"""Phrasings in such an order that the first of them stand for all."""

import os
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_train.data.variety import typical_first

WORDS = st.lists(st.sampled_from(["show", "Show", "me", "the", "{path}", "please"]), min_size=1)


def distance(pool: list[str], taken: list[str]) -> float:
    """How many words and pairs of words the mean phrasing lacks in the nearest one that was taken."""
    parts = {each: set(each.lower().split()) for each in pool}
    return sum(min(len(parts[one] ^ parts[other]) for other in taken) for one in pool) / len(pool)


def test_one_of_each_kind_comes_before_a_second_one_of_any():
    reading = ["Show {path}", "Show me {path}", "Please show {path}", "Show {path} please"]
    odd = ["Cat the file {path} here", "cat the file {path}"]
    order = typical_first([*reading, *odd])
    assert [each in odd for each in order[:2]] == [False, True]


def test_what_stands_for_most_comes_first():
    pool = ["open {path}", "read {path} aloud", "read {path}", "read {path} now"]
    assert typical_first(pool)[0] == "read {path}"


@given(st.lists(WORDS.map(" ".join), unique=True))
def test_every_phrasing_is_in_the_order_once(pool):
    assert sorted(typical_first(pool)) == sorted(pool)


_ORDER = """
import itertools
from punie_train.data.variety import typical_first

words = ["show", "list", "give", "find"], ["me", "us", ""], ["all", "the", "every"], ["errors", "types"]
print(typical_first([" ".join(each) for each in itertools.product(*words)]))
"""


def test_the_order_is_the_same_in_every_process() -> None:
    orders = {
        subprocess.run(
            [sys.executable, "-c", _ORDER],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(orders) == 1


@pytest.mark.parametrize("intent", ["check", "fix", "read_file", "list_errors"])
@pytest.mark.parametrize("part", [0.25, 0.5])
def test_the_first_are_nearer_to_all_than_as_many_drawn_by_chance(world, intent, part):
    pool = list(world.sources.phrasings[intent])
    count = round(len(pool) * part)
    chance = [distance(pool, Random(seed).sample(pool, count)) for seed in range(20)]
    assert distance(pool, typical_first(pool)[:count]) < sum(chance) / len(chance)
