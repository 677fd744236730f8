"""Whoever spoils a batch is found, nobody else is accused, and the node is not asked more than it takes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.settlement.bisection import TooMany, culprits


class Trials:
    def __init__(self, bad: set[int]) -> None:
        self.bad, self.tried = bad, list[tuple[int, ...]]()

    def passes(self, part: Sequence[int]) -> bool:
        assert part, "nothing is known of nothing"
        assert tuple(part) not in self.tried, "asked twice"
        self.tried.append(tuple(part))
        return not self.bad & set(part)


@st.composite
def crowds(draw: st.DrawFn) -> tuple[int, set[int]]:
    count = draw(st.integers(1, 300))
    return count, draw(st.sets(st.integers(0, count - 1), max_size=12))


@given(crowds())
def test_just_the_bad_ones_are_found_in_few_trials(crowd: tuple[int, set[int]]) -> None:
    count, bad = crowd
    trials = Trials(bad)
    assert culprits(range(count), trials.passes, len(bad)) == sorted(bad)
    assert len(trials.tried) <= 1 + 2 * len(bad) * (count - 1).bit_length()
    assert {(n,) for n in bad} <= set(trials.tried), "each was tried alone"


@given(crowds().filter(lambda crowd: bool(crowd[1])))
def test_too_many_bad_ones_are_told_instead_of_each_being_tried(crowd: tuple[int, set[int]]) -> None:
    count, bad = crowd
    trials = Trials(bad)
    with pytest.raises(TooMany):
        culprits(range(count), trials.passes, len(bad) - 1)


def test_what_is_wrong_only_together_is_nobodys_fault() -> None:
    assert culprits("abcd", lambda part: len(part) < 3, 4) == []


def test_of_nobody_nobody_is_bad() -> None:
    assert culprits([], Trials({1}).passes, 1) == []
