"""Round-up, exponents and triggers."""

import pytest

from taesan.jars import reasons
from taesan.jars.accrual import Firing, Rule, decide, rescale, round_up


@pytest.mark.parametrize(
    ("amount", "step", "change"),
    [(1_177, 100, 23), (1_100, 100, 0), (1, 100, 99), (0, 100, 0), (99, 100, 1), (5, 1, 0), (1_234, 1_000, 766)],
)
def test_round_up_is_what_is_missing_to_the_next_step(amount: int, step: int, change: int) -> None:
    assert round_up(amount, step) == change


@pytest.mark.parametrize(("amount", "step"), [(-1, 100), (1, 0), (1, -5)])
def test_round_up_refuses_nonsense(amount: int, step: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        round_up(amount, step)


@pytest.mark.parametrize(
    ("amount", "exponent", "to", "expected"),
    [
        (1_177, 2, 6, 11_770_000),  # cents to millionths
        (4_500, 0, 6, 4_500_000_000),  # won have no minor unit
        (4_500, 0, 0, 4_500),
        (11_770_000, 6, 2, 1_177),
        (11_770_001, 6, 2, None),  # no whole cents
        (0, 6, 0, 0),
        (1_500, 3, 2, 150),  # dinars have three
    ],
)
def test_amounts_are_rescaled_exactly_or_not_at_all(amount: int, exponent: int, to: int, expected: int | None) -> None:
    assert rescale(amount, exponent, to) == expected


def test_nothing_fires_before_its_trigger() -> None:
    assert decide(Rule(100, 1_000), 99, 999) is None


def test_the_count_takes_all_that_is_in_the_jar() -> None:
    assert decide(Rule(100, None), 100, 1_234) == Firing(1_234, reasons.payments(100), divisible=True)
    assert decide(Rule(100, None), 150, 7) == Firing(7, reasons.payments(150), divisible=True)


def test_the_value_takes_whole_multiples_and_leaves_the_rest() -> None:
    assert decide(Rule(None, 1_000), 3, 1_000) == Firing(1_000, reasons.value(1000))
    assert decide(Rule(None, 1_000), 3, 2_345) == Firing(2_000, reasons.value(1000))
    assert decide(Rule(None, 1_000), 10_000, 999) is None


def test_with_both_triggers_whichever_comes_first_fires() -> None:
    assert decide(Rule(100, 1_000), 5, 1_001) == Firing(1_000, reasons.value(1000))
    assert decide(Rule(100, 1_000), 100, 5) == Firing(5, reasons.payments(100), divisible=True)
    assert decide(Rule(100, 1_000), 100, 1_500) == Firing(1_500, reasons.payments(100), divisible=True)


def test_an_empty_jar_never_fires() -> None:
    assert decide(Rule(1, 1), 100, 0) is None
