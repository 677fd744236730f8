"""What a rule fires at once, against what it lets pass on a day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.jars import bounds
from taesan.jars.grammar import parse, parse_fires
from taesan.jars.splits import WHOLE, parts
from tests.property.test_splits import shares

DOLLAR = 10**6
MOST = 5 * DOLLAR


@pytest.mark.parametrize(
    ("gather", "fires", "most"),
    [
        ("round up to 0.50 USD x2", "every 100 payments", 100 * 2 * 499_999),
        ("round up to 0.50 USD x2, at most 5 USD a day", "every 100 payments, when I say so", 100 * 2 * 499_999),
        ("round up to 1 USD x10, fixed 1 USD", "every 3 payments", 3 * MOST),
        ("3.5% of the price", "every 2 payments", 2 * MOST),
        ("fixed 0.10 USD, top-ups", "every 2 payments", 2 * MOST),
        ("fixed 0.10 USD", "every 5 USD", 5 * DOLLAR),
        ("fixed 4 USD", "every 3 USD", 6 * DOLLAR),
        ("fixed 0.10 USD", "every 20 payments, every 5 USD", 2 * DOLLAR),
        ("fixed 1 USD, at most 3 USD a day", "weekly on monday at UTC", 21 * DOLLAR),
        ("fixed 1 USD, at most 3 USD a day", "monthly on day 1 at UTC", 93 * DOLLAR),
        ("fixed 1 USD", "weekly on monday at UTC", None),
        ("fixed 1 USD, at most 3 USD a day", "when I say so", None),
    ],
)
def test_what_a_firing_brings_at_most(gather: str, fires: str, most: int | None) -> None:
    assert bounds.most_at_once(parse(gather, fires, ""), 6, MOST) == most


def test_who_lets_less_pass_than_one_firing_may_bring_is_warned() -> None:
    words = parse("round up to 0.50 USD, at most 5 USD a day", "every 20 payments, when I say so", "")
    assert bounds.warning(words, 10 * DOLLAR, 6, MOST, "USD") is None
    warned = bounds.warning(words, 9 * DOLLAR, 6, MOST, "USD")
    assert warned is not None
    assert "up to 9.99 USD, and `per_day` lets 9 USD pass" in warned
    unbound = bounds.warning(parse("fixed 100 KRW", "when I say so", ""), 1_000, 0, 100_000, "KRW")
    assert unbound is not None
    assert "as much as has gathered, and `per_day` lets 1000 KRW pass" in unbound


@pytest.mark.parametrize(
    ("fires", "per_day", "is_refused"),
    [
        ("every 5 USD", 5 * DOLLAR, False),
        ("every 5 USD", 5 * DOLLAR - 1, False),  # by rounding it may pass
        ("every 5 USD", 4 * DOLLAR, True),
        ("every 5 USD, when I say so", 4 * DOLLAR, False),
        ("every 100 payments", 1, False),
    ],
)
def test_what_can_never_pass_is_told(fires: str, per_day: int, is_refused: bool) -> None:
    told = bounds.never_passes(parse_fires(fires), [5_000, 2_500], per_day, 6)
    assert (told is not None) == is_refused
    assert told is None or "let it be 5000000 at least" in told


@given(shares(), st.integers(0, 10**9), st.integers(1, 10**9), st.integers(1, 10**9))
def test_what_fits_into_a_day_passes_to_each_destination(of: list[int], before: int, amount: int, more: int) -> None:
    """However it is dealt out; and what the contract's own rounding allows."""
    for part, share in zip(parts(before, amount, of), of, strict=True):
        assert bounds.passes(part, share, amount + more) or part > amount * share // WHOLE + bounds.ROUNDING
