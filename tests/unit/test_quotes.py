"""Quotes: exact, and never less than what is due."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.payments.quotes import NoRate, quote

RATE = Fraction("1385.2")


@pytest.mark.parametrize(
    ("amount", "currency", "asset_currency", "exponent", "due"),
    [
        (100, "USD", "USD", 6, 1_000_000),
        (1, "USD", "USD", 6, 10_000),
        (1, "USD", "USD", 0, 1),  # a cent of an asset without decimals: rounded up
        (13_852, "KRW", "USD", 6, 10_000_000),
        (1, "KRW", "USD", 6, 722),  # 721.917…
        (4_500, "KRW", "USD", 6, 3_248_629),  # 3248628.36…
        (100, "USD", "KRW", 0, 1_386),  # 1385.2
        (0, "KRW", "USD", 6, 0),
    ],
)
def test_a_quote_is_rounded_up(amount: int, currency: str, asset_currency: str, exponent: int, due: int) -> None:
    assert quote(amount, currency, asset_currency, exponent, RATE)[0] == due


@given(st.integers(0, 10**15), st.integers(1, 10**9), st.integers(1, 10**6))
def test_a_quote_is_enough_and_one_less_is_not(won: int, numerator: int, denominator: int) -> None:
    rate = Fraction(numerator, denominator)
    due, used = quote(won, "KRW", "USD", 6, rate)
    assert used == rate
    assert Fraction(due, 10**6) * rate >= won
    assert due == 0 or Fraction(due - 1, 10**6) * rate < won


def test_a_rate_is_told_only_where_it_was_needed() -> None:
    assert quote(100, "USD", "USD", 6, RATE)[1] is None
    assert quote(100, "KRW", "KRW", 0, None) == (100, None)


@pytest.mark.parametrize(("currency", "asset_currency", "rate"), [("KRW", "USD", None), ("KRW", "EUR", RATE)])
def test_without_a_rate_there_is_no_quote(currency: str, asset_currency: str, rate: Fraction | None) -> None:
    with pytest.raises(NoRate):
        quote(1, currency, asset_currency, 6, rate)
