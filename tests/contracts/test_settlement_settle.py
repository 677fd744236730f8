"""GiftSettlement.settle and fund: a batch gathers money, owes it to merchants and payers, and never owes more."""

import pytest
from brownie import Contract, PaymentChannels, TrickToken

from scripts.deploy import deploy
from support import DOLLAR, ZERO_ADDRESS, ZERO_HASH
from support.batches import batch
from support.books import assert_settlement_is_solvent
from support.clock import DAY, travel
from support.errors import NO_DATA, mine_a_failure, reverts_with
from support.events import assert_emitted, plain
from support.merkle import BatchTree
from support.packing import JUNK, pack, word


@pytest.fixture(scope="module")
def channel(new_channel, settlement):
    """The payer's channel to the hub."""
    return new_channel(100 * DOLLAR, receiver=settlement.address)


@pytest.fixture(scope="module")
def sponsor_pays(settlement, asset, sponsor):
    def sponsor_pays(amount):
        asset.mint(sponsor, amount, {"from": sponsor})
        asset.approve(settlement, amount, {"from": sponsor})
        return settlement.fund(amount, {"from": sponsor})

    return sponsor_pays


@pytest.fixture(scope="module")
def trick_hub(hub, admin, settler):
    """Another hub, whose reserve asset has bad habits."""
    token = TrickToken.deploy({"from": admin})
    return deploy(admin, asset=token.address, admin=admin, settler=settler)


# ----------------------------------------------------------------------- settle


def test_a_batch_gathers_the_vouchers_money_and_divides_it(
    settlement, asset, channel, settler, merchant, other_merchant, payer
):
    tree = BatchTree([(payer, 10 * DOLLAR)])
    credits = [(merchant, 25 * DOLLAR), (other_merchant, 5 * DOLLAR)]

    tx = settlement.settle(
        batch(1, credits=credits, entitled=10 * DOLLAR, tree=tree, payments=100),
        pack(channel.packed(40 * DOLLAR)),
        [],
        {"from": settler},
    )

    assert asset.balanceOf(settlement) == 40 * DOLLAR
    assert settlement.liabilities() == 40 * DOLLAR
    assert settlement.unclaimed() == 10 * DOLLAR
    assert settlement.credits(merchant) == 25 * DOLLAR
    assert settlement.credits(other_merchant) == 5 * DOLLAR
    assert settlement.lastBatchId() == 1
    assert plain(settlement.batches(1)) == plain(tree.root)
    assert_emitted(
        tx,
        "BatchSettled",
        batchId=1,
        root=tree.root,
        paymentCount=100,
        entitled=10 * DOLLAR,
        credits=tuple(word(*credit) for credit in credits),
    )
    assert_emitted(tx, "PackedClaimed", receiver=settlement, token=asset, amount=40 * DOLLAR, skipped=())


@pytest.mark.parametrize("role", ["admin", "merchant", "stranger"])
def test_nobody_but_the_settler_settles(settlement, channel, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("AccessControlUnauthorizedAccount", caller, bytes(settlement.SETTLER_ROLE())):
        settlement.settle(batch(1), pack(channel.packed(DOLLAR)), [], {"from": caller})


def test_a_batch_of_nothing_is_a_batch(settlement, settler):
    settlement.settle(batch(1, payments=0), b"", [], {"from": settler})
    assert settlement.lastBatchId() == 1
    assert settlement.liabilities() == 0


def test_a_merchant_named_twice_is_credited_twice(settlement, channel, settler, merchant):
    credits = [(merchant, 10 * DOLLAR), (merchant, 5 * DOLLAR)]
    settlement.settle(batch(1, credits=credits), pack(channel.packed(15 * DOLLAR)), [], {"from": settler})
    assert settlement.credits(merchant) == 15 * DOLLAR


def test_credits_and_entitlements_add_up_over_batches(settlement, channel, settler, merchant, payer):
    tree = BatchTree([(payer, 5 * DOLLAR)])
    for number, total in ((1, 20 * DOLLAR), (2, 40 * DOLLAR)):
        terms = batch(number, credits=[(merchant, 15 * DOLLAR)], entitled=5 * DOLLAR, tree=tree)
        settlement.settle(terms, pack(channel.packed(total)), [], {"from": settler})
    assert settlement.credits(merchant) == 30 * DOLLAR
    assert settlement.unclaimed() == 10 * DOLLAR
    assert settlement.liabilities() == 40 * DOLLAR


def test_a_credit_to_nobody_is_refused(settlement, channel, settler):
    with reverts_with("GiftSettlement_ZeroAddress"):
        settlement.settle(batch(1, credits=[(ZERO_ADDRESS, 1)]), pack(channel.packed(DOLLAR)), [], {"from": settler})


# ------------------------------------------------------------------ exactly once


def test_a_batch_settles_once(settlement, channel, settler, merchant):
    terms = batch(1, credits=[(merchant, DOLLAR)])
    settlement.settle(terms, pack(channel.packed(DOLLAR)), [], {"from": settler})
    with reverts_with("GiftSettlement_AlreadySettled", 1):
        settlement.settle(terms, pack(channel.packed(DOLLAR)), [], {"from": settler})


def test_there_is_no_batch_zero(settlement, settler):
    with reverts_with("GiftSettlement_AlreadySettled", 0):
        settlement.settle(batch(0), b"", [], {"from": settler})


@pytest.mark.parametrize("number", [2, 2**64 - 1])
def test_no_batch_is_left_out(settlement, settler, number):
    with reverts_with("GiftSettlement_BatchOutOfOrder", number, 1):
        settlement.settle(batch(number), b"", [], {"from": settler})


def test_vouchers_of_an_earlier_batch_bring_no_money_again(settlement, channel, settler, merchant):
    terms = {"credits": [(merchant, 40 * DOLLAR)]}
    settlement.settle(batch(1, **terms), pack(channel.packed(40 * DOLLAR)), [], {"from": settler})
    with reverts_with("GiftSettlement_Insolvent", 40 * DOLLAR, 80 * DOLLAR):
        settlement.settle(batch(2, **terms), pack(channel.packed(40 * DOLLAR)), [], {"from": settler})


def test_a_batch_whose_vouchers_were_claimed_before_it_settles_all_the_same(
    settlement, channels, asset, channel, settler, merchant, authorizer, stranger
):
    # The receiver's authorizer claims, anyone settles, and the money is there before the batch is.
    channels.claim([channel.claim(40 * DOLLAR)], {"from": authorizer})
    channels.settle(settlement, asset, {"from": stranger})

    terms = batch(1, credits=[(merchant, 40 * DOLLAR)])
    tx = settlement.settle(terms, pack(channel.packed(40 * DOLLAR)), [], {"from": settler})

    assert_emitted(tx, "PackedClaimed", receiver=settlement, token=asset, amount=0, skipped=(0,))
    assert settlement.credits(merchant) == 40 * DOLLAR


# --------------------------------------------------------------------- solvency


def test_a_batch_that_owes_more_than_it_brings_reverts_as_a_whole(settlement, channel, settler, merchant, payer):
    terms = batch(1, credits=[(merchant, 31 * DOLLAR)], entitled=10 * DOLLAR, tree=BatchTree([(payer, DOLLAR)]))
    with reverts_with("GiftSettlement_Insolvent", 40 * DOLLAR, 41 * DOLLAR):
        settlement.settle(terms, pack(channel.packed(40 * DOLLAR)), [], {"from": settler})


def test_an_insolvent_batch_leaves_no_trace_when_it_is_mined(settlement, asset, channel, settler, merchant):
    data = settlement.settle.encode_input(batch(1, credits=[(merchant, 2)]), pack(channel.packed(1)), [])
    mine_a_failure(settler, settlement, data)

    assert channel.state == (100 * DOLLAR, 0)
    assert asset.balanceOf(settlement) == 0
    assert settlement.lastBatchId() == 0
    assert plain(settlement.batches(1)) == plain(ZERO_HASH)


@pytest.mark.parametrize("short", ["credits", "entitled"])
def test_a_single_unit_too_much_is_too_much(settlement, channel, settler, merchant, short):
    owed = {"credits": [(merchant, DOLLAR + 1)]} if short == "credits" else {"entitled": DOLLAR + 1}
    with reverts_with("GiftSettlement_Insolvent", DOLLAR, DOLLAR + 1):
        settlement.settle(batch(1, **owed), pack(channel.packed(DOLLAR)), [], {"from": settler})


def test_one_bad_voucher_is_skipped_and_listed_and_the_others_are_paid(
    settlement, asset, channel, new_channel, settler, merchant
):
    bad = new_channel(receiver=settlement.address, salt=2)
    claims = pack(bad.packed(DOLLAR, signature=JUNK), channel.packed(DOLLAR))
    terms = batch(1, credits=[(merchant, DOLLAR)])
    channels = Contract.from_abi("channels", settlement.channels(), PaymentChannels.abi)
    assert plain(channels.claimPacked.call(asset, claims, {"from": settlement})) == (DOLLAR, (0,))

    tx = settlement.settle(terms, claims, [], {"from": settler})

    assert_emitted(tx, "PackedClaimed", receiver=settlement, token=asset, amount=DOLLAR, skipped=(0,))
    assert settlement.credits(merchant) == DOLLAR
    assert (bad.state[1], channel.state[1]) == (0, DOLLAR)


def test_a_batch_that_owes_what_a_skipped_voucher_was_to_bring_reverts(
    settlement, channel, new_channel, settler, merchant
):
    bad = new_channel(receiver=settlement.address, salt=2)
    claims = pack(bad.packed(DOLLAR, signature=JUNK), channel.packed(DOLLAR))
    with reverts_with("GiftSettlement_Insolvent", DOLLAR, 2 * DOLLAR):
        settlement.settle(batch(1, credits=[(merchant, 2 * DOLLAR)]), claims, [], {"from": settler})


def test_a_malformed_claim_reverts_the_batch(settlement, channel, settler):
    with reverts_with("PackedClaims_Malformed"):
        settlement.settle(batch(1), pack(channel.packed(DOLLAR))[:-1], [], {"from": settler})


def test_a_channel_to_somebody_else_does_not_pay_the_hub(settlement, new_channel, settler, merchant):
    foreign = new_channel(receiver=merchant.address)
    terms = batch(1, credits=[(merchant, DOLLAR)])
    with reverts_with("GiftSettlement_Insolvent", 0, DOLLAR):
        settlement.settle(terms, pack(foreign.packed(DOLLAR)), [], {"from": settler})


def test_vouchers_in_another_token_cover_nothing(settlement, new_channel, admin, settler, merchant):
    play_money = TrickToken.deploy({"from": admin})
    worthless = new_channel(receiver=settlement.address, token=play_money)
    terms = batch(1, credits=[(merchant, DOLLAR)])
    with reverts_with("GiftSettlement_Insolvent", 0, DOLLAR):
        settlement.settle(terms, pack(worthless.packed(DOLLAR)), [], {"from": settler})


def test_a_shrunken_reserve_stops_the_settling(trick_hub, settler, merchant):
    settlement, token = trick_hub.settlement, trick_hub.asset
    token.mint(settlement, 100, {"from": settler})
    settlement.settle(batch(1, credits=[(merchant, 60)]), b"", [], {"from": settler})
    assert_settlement_is_solvent(trick_hub, since=trick_hub.settlement.tx.block_number)
    TrickToken.at(token.address).seize(settlement, 50, {"from": settler})
    with reverts_with("GiftSettlement_Insolvent", 50, 60):
        settlement.settle(batch(2), b"", [], {"from": settler})


@pytest.mark.parametrize("grows", ["credits", "entitled"])
def test_liabilities_beyond_96_bits_are_refused(trick_hub, settler, merchant, grows):
    settlement = trick_hub.settlement
    trick_hub.asset.mint(settlement, 2**128, {"from": settler})
    settlement.settle(batch(1, credits=[(merchant, 2**96 - 2)]), b"", [], {"from": settler})
    settlement.settle(batch(2, entitled=1), b"", [], {"from": settler})
    assert settlement.liabilities() == 2**96 - 1
    assert_settlement_is_solvent(trick_hub, since=settlement.tx.block_number)
    travel(DAY)  # the day's limit has as many bits
    one_more = {"credits": [(merchant, 1)]} if grows == "credits" else {"entitled": 1}
    with reverts_with("SafeCastOverflowedUintDowncast", 96, 2**96):
        settlement.settle(batch(3, **one_more), b"", [], {"from": settler})


# ------------------------------------------------------------------------- fund


def test_a_sponsor_adds_to_the_reserve_without_a_liability(settlement, asset, sponsor, sponsor_pays):
    tx = sponsor_pays(50 * DOLLAR)
    assert_emitted(tx, "Funded", **{"from": sponsor, "amount": 50 * DOLLAR})
    assert asset.balanceOf(settlement) == 50 * DOLLAR
    assert settlement.liabilities() == 0


def test_a_sponsors_money_may_back_credits_and_entitlements(settlement, settler, merchant, payer, sponsor_pays):
    sponsor_pays(50 * DOLLAR)
    terms = batch(1, credits=[(merchant, 20 * DOLLAR)], entitled=30 * DOLLAR, tree=BatchTree([(payer, DOLLAR)]))

    settlement.settle(terms, b"", [], {"from": settler})

    assert settlement.liabilities() == 50 * DOLLAR
    with reverts_with("GiftSettlement_Insolvent", 50 * DOLLAR, 50 * DOLLAR + 1):
        settlement.settle(batch(2, credits=[(merchant, 1)]), b"", [], {"from": settler})


def test_money_sent_straight_to_the_reserve_may_back_them_too(settlement, asset, settler, merchant, sponsor):
    asset.mint(settlement, 5 * DOLLAR, {"from": sponsor})
    settlement.settle(batch(1, credits=[(merchant, 5 * DOLLAR)]), b"", [], {"from": settler})
    assert settlement.credits(merchant) == 5 * DOLLAR


def test_funding_with_nothing_is_refused(settlement, sponsor):
    with reverts_with("GiftSettlement_ZeroAmount"):
        settlement.fund(0, {"from": sponsor})


def test_funding_without_an_allowance_is_refused(settlement, asset, sponsor):
    asset.mint(sponsor, DOLLAR, {"from": sponsor})
    with reverts_with("ERC20InsufficientAllowance", settlement, 0, DOLLAR):
        settlement.fund(DOLLAR, {"from": sponsor})


def test_funding_with_a_fee_token_tells_what_arrived(trick_hub, sponsor):
    token = TrickToken.at(trick_hub.asset.address)
    token.mint(sponsor, 1000, {"from": sponsor})
    token.approve(trick_hub.settlement, 1000, {"from": sponsor})
    token.setFee(100, {"from": sponsor})
    tx = trick_hub.settlement.fund(1000, {"from": sponsor})
    assert_emitted(tx, "Funded", **{"from": sponsor, "amount": 990})


def test_funding_with_a_token_that_refuses_reverts(trick_hub, sponsor):
    token = TrickToken.at(trick_hub.asset.address)
    token.setRefuses(True, {"from": sponsor})
    with reverts_with("SafeERC20FailedOperation", token):
        trick_hub.settlement.fund(1000, {"from": sponsor})


def test_the_reserve_takes_no_ether(settlement, sponsor):
    with reverts_with(NO_DATA):
        sponsor.transfer(settlement, 1)
