"""When a waiting transaction is offered at more, and at how much."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.chain.bidding import PATIENCE, Bidding
from taesan.chain.rpc import Fees

GWEI = 10**9
BIDDING = Bidding(ceiling_wei=500 * GWEI, after_s=60)
OFFERED = Fees(20 * GWEI, GWEI)


@pytest.mark.parametrize(
    ("current", "age_s", "is_kept", "due"),
    [
        (Fees(30 * GWEI, GWEI), 61, True, True),
        (Fees(30 * GWEI, GWEI), 60, True, False),
        (Fees(20 * GWEI, 2 * GWEI), 61, True, True),
        (OFFERED, 61, True, False),
        (OFFERED, 60 * PATIENCE + 1, True, True),
        (Fees(30 * GWEI, GWEI), 1, False, True),
        (OFFERED, 1, False, False),
    ],
)
def test_it_is_raised_when_it_was_outbid_for_a_while_or_has_waited_very_long(
    current: Fees, age_s: float, is_kept: bool, due: bool
) -> None:
    assert BIDDING.is_due(OFFERED, current, age_s, is_kept=is_kept) is due


wei = st.integers(0, 600 * GWEI)


@given(fee=wei, tip=wei, now_fee=wei, now_tip=wei)
def test_each_raise_is_enough_for_every_pool_and_stays_under_the_ceiling(
    fee: int, tip: int, now_fee: int, now_tip: int
) -> None:
    offered, current = Fees(max(fee, tip), tip), Fees(max(now_fee, now_tip), now_tip)
    raised = BIDDING.raised(offered, current)
    if raised is None:
        assert (
            offered.max_fee_per_gas * 110 > BIDDING.ceiling_wei * 100 or offered.max_fee_per_gas >= BIDDING.ceiling_wei
        )
        return
    for before, after in (
        (offered.max_fee_per_gas, raised.max_fee_per_gas),
        (offered.max_priority_fee_per_gas, raised.max_priority_fee_per_gas),
    ):
        assert before < after <= BIDDING.ceiling_wei
        assert after * 100 >= before * 110
    assert raised.max_priority_fee_per_gas <= raised.max_fee_per_gas


def test_what_is_asked_now_is_offered_if_it_is_more() -> None:
    assert BIDDING.raised(OFFERED, Fees(100 * GWEI, 3 * GWEI)) == Fees(100 * GWEI, 3 * GWEI)


def test_at_the_ceiling_there_is_no_next_offer() -> None:
    assert BIDDING.raised(Fees(490 * GWEI, GWEI), Fees(900 * GWEI, GWEI)) is None


def test_raising_comes_to_an_end() -> None:
    offers = [OFFERED]
    while (more := BIDDING.raised(offers[-1], OFFERED)) is not None:
        offers.append(more)
    assert 10 < len(offers) < 50
