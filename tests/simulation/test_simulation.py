"""Some seeds keep every promise; bugs that were planted do not stay hidden; what fails can be repeated and made short."""

from collections import Counter

import pytest

from tests.simulation.actions import FAULTS, Action, draw
from tests.simulation.bugs import BUGS
from tests.simulation.run import run
from tests.simulation.shrink import shrink

SEEDS = range(1_000, 1_005)
MOST = 200
FOUND_BY = {"give up unanswered broadcasts": 28, "never send the same bytes again": 54}
"""Seeds to begin with, as the search is long; whichever finds a bug now, one below `MOST` has to."""


def test_no_promise_is_broken() -> None:
    outcomes = [run(seed, draw(seed)) for seed in SEEDS]
    assert [outcome.violation for outcome in outcomes] == [""] * len(SEEDS)
    injected = sum((outcome.faults for outcome in outcomes), Counter())
    assert len(injected.keys() & set(FAULTS)) >= len(FAULTS) - 2, "most kinds of fault were to be injected"
    assert injected["reorg"] > 1
    assert sum(outcome.counted["batches"] for outcome in outcomes) > len(SEEDS)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    seeds = [FOUND_BY.get(bug, 1), *range(1, MOST + 1)]
    found = next((seed for seed in seeds if run(seed, draw(seed), bug).violation), None)
    assert found is not None, f"{bug}: not found in {MOST} seeds"


def test_a_seed_always_ends_alike() -> None:
    first, second = (run(7, draw(7)) for _ in range(2))
    assert first == second
    assert first.end != run(8, draw(8)).end


def test_a_failing_list_is_made_short_and_fails_again() -> None:
    bug = "answer without a commit"
    seed = next(seed for seed in range(1, MOST + 1) if run(seed, draw(seed), bug).violation)
    shortest = shrink(draw(seed), lambda actions: bool(run(seed, actions, bug).violation), tries=15)
    assert len(shortest) < 20
    assert run(seed, shortest, bug).violation
    assert not run(seed, shortest).violation


def test_only_what_is_needed_is_left() -> None:
    actions: list[Action] = [("mine", n) for n in range(50)]

    def fails(some: list[Action]) -> bool:
        return ("mine", 7) in some and ("mine", 31) in some

    assert shrink(actions, fails) == [("mine", 7), ("mine", 31)]
