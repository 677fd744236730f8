"""GiftSettlement's limits: what a thief of the settler's key could newly owe to itself in a batch and in a day."""

import pytest

from scripts.deploy import NO_LIMIT, deploy
from support.batches import batch
from support.books import assert_settlement_is_solvent
from support.clock import DAY, now, travel_to
from support.errors import reverts_with
from support.events import assert_emitted

PER_BATCH, PER_DAY = 100, 250


@pytest.fixture(scope="module")
def limited_hub(hub, admin, settler):
    """A hub with limits and more money than they let it owe, in the middle of a day."""
    limited_hub = deploy(admin, admin=admin, settler=settler, limits=(PER_BATCH, PER_DAY))
    limited_hub.asset.mint(limited_hub.settlement, 10_000, {"from": admin})
    travel_to((now() // DAY + 1) * DAY + DAY // 2)
    return limited_hub


@pytest.fixture(scope="module")
def settlement(limited_hub):
    return limited_hub.settlement


@pytest.fixture(scope="module")
def settle(settlement, settler, merchant):
    """Settle the next batch, which owes so much to a merchant and so much to holders."""

    def settle(credited=0, entitled=0):
        terms = batch(settlement.lastBatchId() + 1, credits=[(merchant, credited)], entitled=entitled)
        return settlement.settle(terms, b"", [], {"from": settler})

    return settle


@pytest.fixture(autouse=True)
def limited_books(isolation, limited_hub):
    yield
    assert_settlement_is_solvent(limited_hub, since=limited_hub.settlement.tx.block_number)


# -------------------------------------------------------------------- a batch


@pytest.mark.parametrize("owed", [{"credited": 100}, {"entitled": 100}, {"credited": 60, "entitled": 40}])
def test_a_batch_may_owe_just_its_limit(settlement, settle, owed):
    settle(**owed)
    assert settlement.liabilities() == PER_BATCH


@pytest.mark.parametrize("owed", [{"credited": 101}, {"entitled": 101}, {"credited": 60, "entitled": 41}])
def test_a_batch_may_not_owe_one_more(settle, owed):
    with reverts_with("GiftSettlement_ExceedsBatchLimit", 101, PER_BATCH):
        settle(**owed)


def test_credits_that_are_each_below_the_limit_count_together(settlement, settler, merchant, other_merchant):
    terms = batch(1, credits=[(merchant, 50), (other_merchant, 50), (merchant, 1)])
    with reverts_with("GiftSettlement_ExceedsBatchLimit", 101, PER_BATCH):
        settlement.settle(terms, b"", [], {"from": settler})


def test_amounts_at_the_top_of_their_range_do_not_wrap(settlement, settler, merchant):
    terms = batch(1, credits=[(merchant, 2**96 - 1)] * 3, entitled=2**96 - 1)
    with reverts_with("GiftSettlement_ExceedsBatchLimit", 4 * (2**96 - 1), PER_BATCH):
        settlement.settle(terms, b"", [], {"from": settler})


# ---------------------------------------------------------------------- a day


def test_a_days_batches_may_owe_just_its_limit(settlement, settle):
    for credited in (100, 100, 50):
        settle(credited)
    assert settlement.liabilities() == PER_DAY
    settle(0)  # a batch that owes nothing is none too many


@pytest.mark.parametrize("owed", [{"credited": 51}, {"entitled": 51}, {"credited": 50, "entitled": 1}])
def test_a_days_batches_may_not_owe_one_more(settle, owed):
    settle(100)
    settle(entitled=100)
    with reverts_with("GiftSettlement_ExceedsDayLimit", 251, PER_DAY):
        settle(**owed)


def test_batches_of_one_multicall_count_together(settlement, settler, merchant):
    calls = [settlement.settle.encode_input(batch(number, credits=[(merchant, 100)]), b"", []) for number in (1, 2, 3)]
    with reverts_with("GiftSettlement_ExceedsDayLimit", 300, PER_DAY):
        settlement.multicall(calls, {"from": settler})


def test_what_has_been_paid_out_still_counts_for_the_day(settlement, settle, merchant):
    settle(100)
    settle(100)
    settlement.withdrawCredit(merchant, 200, {"from": merchant})
    with reverts_with("GiftSettlement_ExceedsDayLimit", 260, PER_DAY):
        settle(60)


def test_a_new_day_begins_at_midnight_utc(settlement, settle):
    for credited in (100, 100, 50):
        settle(credited)
    midnight = (now() // DAY + 1) * DAY
    travel_to(midnight - 1)
    with reverts_with("GiftSettlement_ExceedsDayLimit", 251, PER_DAY):
        settle(1)

    travel_to(midnight)
    settle(100)
    settle(100)

    assert settlement.liabilities() == 450
    with reverts_with("GiftSettlement_ExceedsDayLimit", 251, PER_DAY):
        settle(51)


def test_what_a_day_leaves_is_not_carried_over(settle):
    settle(1)
    travel_to(now() + DAY)
    settle(100)
    settle(100)
    with reverts_with("GiftSettlement_ExceedsDayLimit", 251, PER_DAY):
        settle(51)


# --------------------------------------------------------------- setting them


def test_limits_are_set_at_the_deployment(settlement, hub):
    assert (settlement.perBatchLimit(), settlement.perDayLimit()) == (PER_BATCH, PER_DAY)
    assert_emitted(settlement.tx, "LimitsSet", perBatch=PER_BATCH, perDay=PER_DAY)
    assert hub.settlement.perBatchLimit() == hub.settlement.perDayLimit() == NO_LIMIT


def test_the_admin_sets_them(settlement, settle, admin):
    tx = settlement.setLimits(120, 130, {"from": admin})

    assert_emitted(tx, "LimitsSet", perBatch=120, perDay=130)
    settle(120)
    with reverts_with("GiftSettlement_ExceedsBatchLimit", 121, 120):
        settle(121)
    with reverts_with("GiftSettlement_ExceedsDayLimit", 131, 130):
        settle(11)


@pytest.mark.parametrize("role", ["settler", "merchant", "stranger"])
def test_nobody_else_sets_them(settlement, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("AccessControlUnauthorizedAccount", caller, bytes(32)):
        settlement.setLimits(NO_LIMIT, NO_LIMIT, {"from": caller})


def test_lowering_the_days_limit_below_what_is_owed_stops_the_day(settlement, settle, admin):
    settle(100)
    settlement.setLimits(PER_BATCH, 99, {"from": admin})
    for credited in (0, 1):
        with reverts_with("GiftSettlement_ExceedsDayLimit", 100 + credited, 99):
            settle(credited)


def test_raising_the_days_limit_does_not_forget_what_is_owed(settlement, settle, admin):
    settle(100)
    settlement.setLimits(PER_BATCH, 150, {"from": admin})
    with reverts_with("GiftSettlement_ExceedsDayLimit", 151, 150):
        settle(51)


def test_limits_of_zero_let_nothing_be_owed(settlement, settle, admin):
    settlement.setLimits(0, 0, {"from": admin})
    settle(0)
    with reverts_with("GiftSettlement_ExceedsBatchLimit", 1, 0):
        settle(1)
