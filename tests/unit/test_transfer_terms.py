"""By which amounts invoices are told apart, and what a wallet's camera reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.chain.contracts import Token
from taesan.merchants.transfer_terms import MOST, free_amount, spread, transfer_uri

QUOTE = 4_500_000
WALLET = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
ASSET = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"


@pytest.mark.parametrize(("exponent", "count"), [(0, 0), (2, 0), (3, 9), (4, 99), (5, 999), (6, 999), (9, 999)])
def test_all_amounts_of_a_quote_are_less_than_a_cent_above_it(exponent: int, count: int) -> None:
    assert spread(exponent) == count
    assert count < 10 ** max(exponent - 2, 0)


@given(st.integers(1, 2**62), st.sets(st.integers(0, MOST + 2)), st.integers(0, 9), st.text(max_size=8))
def test_an_amount_is_free_and_above_the_quote_as_long_as_there_is_one(
    quote: int, offsets: set[int], exponent: int, seed: str
) -> None:
    taken = {quote + offset for offset in offsets}
    amount = free_amount(quote, taken, exponent, seed)
    of_the_quote = set(range(quote + 1, quote + 1 + spread(exponent)))
    if amount is None:
        assert of_the_quote <= taken
    else:
        assert amount in of_the_quote - taken


def test_equal_invoices_get_all_the_amounts_one_after_the_other() -> None:
    taken: set[int] = set()
    for n in range(MOST):
        amount = free_amount(QUOTE, taken, 6, f"inv_{n}")
        assert amount is not None
        taken.add(amount)
    assert taken == set(range(QUOTE + 1, QUOTE + 1 + MOST))
    assert free_amount(QUOTE, taken, 6, "inv_one_too_many") is None


def test_an_amount_that_was_freed_does_not_come_back_with_the_next_invoice() -> None:
    found = [free_amount(QUOTE, (), 6, f"inv_{n}") for n in range(20)]
    assert len(set(found)) > 15


def test_a_wallet_reads_an_erc_681_transfer() -> None:
    asset = Token("", ASSET, "USD Coin", "2", "USDC", 6, 84_532)
    assert transfer_uri(asset, WALLET, 4_500_123) == (
        f"ethereum:{ASSET}@84532/transfer?address={WALLET}&uint256=4500123"
    )
