"""SavingsVault: what sponsors put in drips to the savers, evenly, for as long as there are savers."""

import pytest
from brownie import chain

from support import DOLLAR, FOREVER, signing
from support.clock import DAY, MINUTE, now, travel, travel_to
from support.errors import reverts_with
from support.events import assert_emitted, emitted
from support.savings import DRIP, DRIP_MIN_SHARES, VIRTUAL_SHARES, Model

UNIT_A_SECOND = DRIP
"""A sponsorship of which one minor unit drips in each second."""


@pytest.fixture
def saved(savings, payer):
    """A saver has 100 dollars in the vault."""
    savings.deposit(100 * DOLLAR, payer, {"from": payer})
    return 100 * DOLLAR


@pytest.fixture
def sponsored(savings, saved, sponsor):
    """The time of a sponsorship, which found a saver there already."""
    return savings.sponsor(UNIT_A_SECOND, {"from": sponsor}).timestamp


def near(actual, expected, within):
    """The blocks of two transactions may be a second or so apart."""
    return abs(actual - expected) <= within


def assert_drip(vault, undripped, time_left):
    assert (vault.undripped(), vault.dripTimeLeft()) == (undripped, time_left)


# ----------------------------------------------------------------- sponsorship


def test_a_sponsorship_is_taken_from_the_sponsor_and_moves_no_price_by_itself(savings, saved, gift_token, sponsor):
    tx = savings.sponsor(UNIT_A_SECOND, {"from": sponsor})

    assert gift_token.balanceOf(savings) == saved + UNIT_A_SECOND
    assert gift_token.balanceOf(sponsor) == 10_000 * DOLLAR - UNIT_A_SECOND
    assert savings.totalAssets() == saved
    assert savings.balanceOf(sponsor) == 0
    assert_drip(savings, UNIT_A_SECOND, DRIP)
    assert_emitted(tx, "Sponsored", sponsor=sponsor, amount=UNIT_A_SECOND)
    assert_emitted(tx, "DripScheduled", amount=UNIT_A_SECOND, end=tx.timestamp + DRIP)


def test_a_sponsorship_of_nothing_is_refused(savings, sponsor):
    with reverts_with("SavingsVault_ZeroAmount"):
        savings.sponsor(0, {"from": sponsor})


def test_a_sponsorship_needs_an_allowance(savings, gift_token, sponsor, payer):
    gift_token.approve(savings, 4, {"from": sponsor})
    with reverts_with("ERC20InsufficientAllowance", savings, 4, 5):
        savings.sponsor(5, {"from": sponsor})


# ------------------------------------------------------------------- over time


def test_it_drips_evenly_to_the_second(savings, saved, sponsored):
    for passed in (1, MINUTE, DAY, DRIP // 2, DRIP - 1, DRIP, DRIP + 1, 2 * DRIP):
        travel_to(sponsored + passed)
        dripped = min(passed, DRIP)
        assert savings.totalAssets() == saved + dripped
        assert_drip(savings, UNIT_A_SECOND - dripped, DRIP - dripped)


def test_less_than_a_unit_a_second_is_rounded_down(savings, saved, sponsor):
    since = savings.sponsor(2, {"from": sponsor}).timestamp
    for passed, dripped in ((DRIP // 2 - 1, 0), (DRIP // 2, 1), (DRIP - 1, 1), (DRIP, 2)):
        travel_to(since + passed)
        assert savings.totalAssets() == saved + dripped


def test_savers_share_the_drip_by_their_shares_and_their_time(
    savings, gift_token, payer, other_payer, saved, sponsored
):
    travel_to(sponsored + DRIP // 2 - 1)
    savings.deposit(saved, other_payer, {"from": other_payer})
    travel_to(sponsored + DRIP)
    for saver in (payer, other_payer):
        savings.redeem(savings.balanceOf(saver), saver, saver, {"from": saver})
    early = gift_token.balanceOf(payer) - 10_000 * DOLLAR
    late = gift_token.balanceOf(other_payer) - 10_000 * DOLLAR
    # All of the first half and half of the second, against half of the second, in which the first has a little more.
    assert near(early + late, UNIT_A_SECOND, 3)
    assert near(early, UNIT_A_SECOND * 3 // 4, UNIT_A_SECOND // 100)


def test_deposits_and_withdrawals_leave_the_drip_as_it_is(savings, payer, other_payer, saved, sponsored):
    travel_to(sponsored + DAY)
    deposit = savings.deposit(DOLLAR, other_payer, {"from": other_payer})
    withdrawal = savings.withdraw(DOLLAR, payer, payer, {"from": payer})
    assert not emitted(deposit, "DripScheduled") and not emitted(withdrawal, "DripScheduled")
    travel_to(sponsored + 2 * DAY)
    assert_drip(savings, UNIT_A_SECOND - 2 * DAY, DRIP - 2 * DAY)


def test_all_that_dripped_can_be_withdrawn(savings, gift_token, payer, sponsored):
    travel_to(sponsored + DRIP)
    savings.withdraw(savings.maxWithdraw(payer), payer, payer, {"from": payer})
    # The virtual shares keep a hundred-millionth, rounded up.
    assert gift_token.balanceOf(payer) >= 10_000 * DOLLAR + UNIT_A_SECOND - 2


# -------------------------------------------------------------- meeting another


def test_a_second_sponsorship_meets_the_first_at_the_average_end(savings, saved, sponsored, sponsor):
    travel_to(sponsored + DRIP // 2)
    tx = savings.sponsor(UNIT_A_SECOND, {"from": sponsor})
    passed = tx.timestamp - sponsored
    left = UNIT_A_SECOND - passed
    time = (left * (DRIP - passed) + UNIT_A_SECOND * DRIP) // (left + UNIT_A_SECOND)
    assert_emitted(tx, "DripScheduled", amount=left + UNIT_A_SECOND, end=tx.timestamp + time)
    assert savings.totalAssets() == saved + passed
    assert_drip(savings, left + UNIT_A_SECOND, time)
    travel_to(tx.timestamp + time)
    assert savings.totalAssets() == saved + 2 * UNIT_A_SECOND


def test_one_at_the_same_time_just_doubles_the_rate(savings, saved, sponsor):
    savings.sponsor(UNIT_A_SECOND, {"from": sponsor})
    tx = savings.sponsor(UNIT_A_SECOND, {"from": sponsor})
    assert savings.dripTimeLeft() in (DRIP, DRIP - 1)
    travel(DAY)
    assert near(savings.totalAssets(), saved + 2 * (now() - tx.timestamp), 4)


def test_one_after_the_end_starts_afresh(savings, saved, sponsored, sponsor):
    travel_to(sponsored + DRIP)
    tx = savings.sponsor(UNIT_A_SECOND, {"from": sponsor})
    assert_emitted(tx, "DripScheduled", amount=UNIT_A_SECOND, end=tx.timestamp + DRIP)
    assert savings.totalAssets() == saved + UNIT_A_SECOND


def test_dust_does_not_delay_what_others_put_in(savings, saved, sponsored, sponsor):
    travel_to(sponsored + DRIP // 4)  # at the half it is a matter of rounding: a unit weighs a second then
    for _ in range(10):
        savings.sponsor(1, {"from": sponsor})
    assert savings.dripTimeLeft() == sponsored + DRIP - now()
    travel_to(sponsored + DRIP)
    assert_drip(savings, 0, 0)
    assert savings.totalAssets() == saved + UNIT_A_SECOND + 10


def test_moving_the_end_half_way_costs_as_much_as_is_left(savings, saved, sponsored, sponsor):
    travel_to(sponsored + DRIP // 2)
    left = savings.undripped()
    tx = savings.sponsor(left, {"from": sponsor})
    half_way = (sponsored + DRIP + tx.timestamp + DRIP) // 2
    assert near(tx.timestamp + savings.dripTimeLeft(), half_way, 2)


# ------------------------------------------------------------------- no savers


def test_nothing_drips_before_the_first_saver(savings, sponsor, payer):
    savings.sponsor(UNIT_A_SECOND, {"from": sponsor})
    travel(10 * DRIP)
    assert_drip(savings, UNIT_A_SECOND, DRIP)
    assert savings.totalAssets() == 0

    tx = savings.deposit(100 * DOLLAR, payer, {"from": payer})

    assert_emitted(tx, "DripScheduled", amount=UNIT_A_SECOND, end=tx.timestamp + DRIP)
    assert tx.return_value == 100 * DOLLAR * VIRTUAL_SHARES
    assert savings.totalAssets() == 100 * DOLLAR
    travel_to(tx.timestamp + DAY)
    assert savings.totalAssets() == 100 * DOLLAR + DAY


def test_the_first_saver_scoops_no_waiting_yield(savings, gift_token, sponsor, payer):
    savings.sponsor(UNIT_A_SECOND, {"from": sponsor})
    travel(10 * DRIP)
    came = savings.deposit(100 * DOLLAR, payer, {"from": payer}).timestamp
    left = savings.redeem(savings.balanceOf(payer), payer, payer, {"from": payer}).timestamp
    assert gift_token.balanceOf(payer) - 10_000 * DOLLAR <= left - came


def test_sponsorships_in_an_empty_vault_meet_too(savings, sponsor):
    savings.sponsor(100, {"from": sponsor})
    travel(DAY)
    savings.sponsor(300, {"from": sponsor})
    assert_drip(savings, 400, DRIP)


def test_the_drip_stops_when_the_last_saver_leaves_and_goes_on_with_the_next(
    savings, gift_token, payer, other_payer, sponsored
):
    travel_to(sponsored + DAY)
    left = savings.redeem(savings.balanceOf(payer), payer, payer, {"from": payer}).timestamp
    paid = gift_token.balanceOf(payer) - 9_900 * DOLLAR
    rest = 100 * DOLLAR + UNIT_A_SECOND - paid
    assert paid == 100 * DOLLAR + left - sponsored - 1  # rounded down
    assert savings.totalAssets() == 0
    assert_drip(savings, rest, DRIP - (left - sponsored))

    travel(10 * DRIP)
    assert_drip(savings, rest, DRIP - (left - sponsored))
    tx = savings.deposit(DOLLAR, other_payer, {"from": other_payer})

    assert tx.return_value == DOLLAR * VIRTUAL_SHARES
    assert_emitted(tx, "DripScheduled", amount=rest, end=tx.timestamp + DRIP - (left - sponsored))
    assert savings.totalAssets() == DOLLAR


def test_what_the_last_saver_leaves_over_is_sponsored_again(savings, gift_token, payer, other_payer, sponsor):
    # At a price a thousand times the first, the virtual shares are worth a thousand units.
    savings.deposit(DOLLAR, payer, {"from": payer})
    savings.sponsor(1_000 * DOLLAR, {"from": sponsor})
    travel(DRIP)
    savings.redeem(savings.balanceOf(payer), payer, payer, {"from": payer})

    left_over = gift_token.balanceOf(savings)
    assert 900 < left_over < 1_100
    assert_drip(savings, left_over, DRIP)
    assert savings.totalAssets() == 0
    assert savings.convertToShares(DOLLAR) == DOLLAR * VIRTUAL_SHARES
    savings.deposit(DOLLAR, other_payer, {"from": other_payer})
    travel(DRIP)
    assert savings.totalAssets() == DOLLAR + left_over


def test_a_handful_of_shares_does_not_keep_the_drip_going(savings, payer, sponsor):
    savings.mint(DRIP_MIN_SHARES - 1, payer, {"from": payer})
    savings.sponsor(UNIT_A_SECOND, {"from": sponsor})
    travel(DRIP)
    assert_drip(savings, UNIT_A_SECOND, DRIP)
    assert savings.totalAssets() == DOLLAR

    tx = savings.mint(1, payer, {"from": payer})
    travel_to(tx.timestamp + DAY)
    assert_drip(savings, UNIT_A_SECOND - DAY, DRIP - DAY)

    left = savings.redeem(1, payer, payer, {"from": payer}).timestamp
    travel(DRIP)
    rest = DRIP - (left - tx.timestamp)
    assert_drip(savings, rest, rest)


def test_who_stays_behind_with_one_share_holds_up_no_yield(savings, gift_token, payer, other_payer, sponsored):
    # With a single share about, nearly all of the drip would run into the virtual shares, out of the next savers' reach.
    savings.redeem(savings.balanceOf(payer) - 1, payer, payer, {"from": payer})
    travel(10 * DRIP)
    savings.deposit(100 * DOLLAR, other_payer, {"from": other_payer})
    travel(DRIP)
    savings.redeem(savings.balanceOf(other_payer), other_payer, other_payer, {"from": other_payer})
    assert gift_token.balanceOf(other_payer) >= 10_000 * DOLLAR + UNIT_A_SECOND - 5


# -------------------------------------------------------------- plain transfers


def test_a_plain_transfer_moves_no_price_and_anyone_makes_it_a_sponsorship(
    savings, gift_token, saved, other_payer, stranger
):
    gift_token.transfer(savings, UNIT_A_SECOND, {"from": other_payer})
    assert savings.totalAssets() == saved
    assert_drip(savings, 0, 0)

    tx = savings.sponsorSurplus({"from": stranger})

    assert tx.return_value == UNIT_A_SECOND
    assert savings.totalAssets() == saved
    assert_drip(savings, UNIT_A_SECOND, DRIP)
    assert_emitted(tx, "Sponsored", sponsor="0x" + "00" * 20, amount=UNIT_A_SECOND)
    with reverts_with("SavingsVault_ZeroAmount"):
        savings.sponsorSurplus({"from": stranger})


def test_savers_money_and_sponsorships_are_no_surplus(savings, sponsored, stranger):
    for passed in (1, DAY, DRIP):
        travel_to(sponsored + passed)
        with reverts_with("SavingsVault_ZeroAmount"):
            savings.sponsorSurplus({"from": stranger})


def test_a_sponsor_acts_by_signature(savings, gift_token, saved, keys, sponsor, relayer):
    terms = (sponsor.address, savings.address, UNIT_A_SECOND, 0, FOREVER, bytes(32))
    names = ("from", "to", "value", "validAfter", "validBefore", "nonce")
    signature = signing.sign(
        keys[sponsor.address],
        signing.domain_of(gift_token),
        "TransferWithAuthorization",
        **dict(zip(names, terms, strict=True)),
    )
    gift_token.transferWithAuthorization(*terms, signature, {"from": relayer})
    savings.sponsorSurplus({"from": relayer})
    assert_drip(savings, UNIT_A_SECOND, DRIP)


# ------------------------------------------------------------------ the model


def test_the_events_tell_the_whole_drip(savings, payer, sponsor):
    """Who reads `DripScheduled` knows at any time what is undripped, without the contract."""
    model = Model()
    for act in (
        lambda: savings.sponsor(1_000_003, {"from": sponsor}),
        lambda: savings.deposit(7 * DOLLAR, payer, {"from": payer}),
        lambda: savings.sponsor(99_999, {"from": sponsor}),
    ):
        tx = act()
        (event,) = emitted(tx, "DripScheduled")
        model.pot, model.start, model.end = event["amount"], tx.timestamp, event["end"]
        model.supply = savings.totalSupply()
        travel(3 * DAY + 17)
        assert_drip(savings, model.undripped(chain[-1].timestamp), model.time_left(chain[-1].timestamp))
