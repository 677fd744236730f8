"""Minting inside settle: an entitlement is minted once, at once or later by proof, and never beyond what is set aside."""

import pytest

from support import DOLLAR, ZERO_ADDRESS
from support.batches import batch
from support.errors import reverts_with
from support.events import emitted, plain
from support.merkle import BatchTree
from support.packing import pack, word


@pytest.fixture(scope="module")
def channel(new_channel, settlement):
    return new_channel(1000 * DOLLAR, receiver=settlement.address)


@pytest.fixture(scope="module")
def settle(settlement, channel, settler):
    """Settle the next batch: what it adds to entitlements comes by voucher, and these are minted at once."""

    def settle(entitled, *mints, tree=None):
        number = settlement.lastBatchId() + 1
        claims = pack(channel.packed(channel.state[1] + entitled)) if entitled else b""
        terms = batch(number, entitled=entitled, tree=tree)
        return settlement.settle(terms, claims, [word(*mint) for mint in mints], {"from": settler})

    return settle


@pytest.fixture
def tree(payer, other_payer, merchant):
    return BatchTree([(payer, 10), (other_payer, 20), (merchant, 30)])


def test_a_batch_mints_at_once(settlement, gift_token, settle, tree, payer, other_payer):
    tx = settle(60, (payer, 10), (other_payer, 20), tree=tree)

    assert [gift_token.balanceOf(account) for account in (payer, other_payer)] == [10, 20]
    assert gift_token.totalSupply() == 30
    assert (settlement.unclaimed(), settlement.liabilities()) == (30, 60)
    minted = [(event["to"], event["value"]) for event in emitted(tx, "Transfer") if event["from"] == ZERO_ADDRESS]
    assert minted == [(plain(payer), 10), (plain(other_payer), 20)]


def test_what_is_minted_at_once_is_not_claimed_again(settlement, settle, tree, payer, stranger):
    settle(60, (payer, 10), tree=tree)
    with reverts_with("GiftSettlement_NothingToClaim", payer):
        settlement.claim(1, payer, 10, tree.proof(payer), {"from": stranger})


def test_those_left_out_claim_by_proof(settlement, gift_token, settle, tree, payer, other_payer, merchant, stranger):
    settle(60, (payer, 10), tree=tree)
    settlement.claim(1, merchant, 30, tree.proof(merchant), {"from": stranger})
    settlement.claimMany(1, *tree.multiproof([payer, other_payer, merchant]), {"from": stranger})
    assert [gift_token.balanceOf(account) for account in (payer, other_payer, merchant)] == [10, 20, 30]
    assert (settlement.unclaimed(), gift_token.totalSupply(), settlement.liabilities()) == (0, 60, 60)


def test_what_was_claimed_by_proof_is_not_minted_by_a_later_batch(
    settlement, gift_token, settle, tree, payer, other_payer, stranger
):
    settle(60, tree=tree)
    settlement.claim(1, payer, 10, tree.proof(payer), {"from": stranger})
    later = BatchTree([(payer, 15), (other_payer, 20)])
    settle(5, (payer, 10), (other_payer, 20), tree=later)
    assert [gift_token.balanceOf(account) for account in (payer, other_payer)] == [10, 20]
    assert settlement.unclaimed() == 35
    settlement.claim(2, payer, 15, later.proof(payer), {"from": stranger})
    assert (gift_token.balanceOf(payer), gift_token.mintedTo(payer), settlement.unclaimed()) == (15, 15, 30)


def test_proofs_of_earlier_batches_stay_good_beside_later_mints(
    settlement, gift_token, settle, tree, payer, other_payer, merchant, stranger
):
    settle(60, tree=tree)
    settle(5, (payer, 15))
    with reverts_with("GiftSettlement_NothingToClaim", payer):
        settlement.claim(1, payer, 10, tree.proof(payer), {"from": stranger})
    settlement.claim(1, other_payer, 20, tree.proof(other_payer), {"from": stranger})
    settlement.claim(1, merchant, 30, tree.proof(merchant), {"from": stranger})
    assert (gift_token.totalSupply(), settlement.unclaimed()) == (65, 0)


def test_a_batch_may_mint_what_earlier_ones_have_set_aside(settlement, gift_token, settle, payer):
    settle(40)
    settle(0, (payer, 40))
    assert (gift_token.balanceOf(payer), settlement.unclaimed(), settlement.liabilities()) == (40, 0, 40)


@pytest.mark.parametrize("before", [0, 7])
def test_a_batch_may_not_mint_one_more_than_is_set_aside(settle, payer, before):
    settle(before)
    with reverts_with("GiftSettlement_ExceedsEntitled", before + 11, before + 10):
        settle(10, (payer, before + 11))
    settle(10, (payer, before + 10))


def test_mints_of_one_batch_count_together(settle, payer, other_payer):
    with reverts_with("GiftSettlement_ExceedsEntitled", 11, 10):
        settle(10, (payer, 6), (other_payer, 5))


def test_an_account_named_twice_is_minted_its_higher_entitlement(settlement, gift_token, settle, payer):
    settle(10, (payer, 4), (payer, 10), (payer, 7))
    assert (gift_token.balanceOf(payer), settlement.unclaimed()) == (10, 0)


def test_nothing_is_minted_to_nobody(settle):
    with reverts_with("ERC20InvalidReceiver", ZERO_ADDRESS):
        settle(10, (ZERO_ADDRESS, 1))


def test_a_batch_that_mints_settles_once(settlement, channel, settle, settler, payer):
    settle(10, (payer, 10))
    claims = pack(channel.packed(10))
    with reverts_with("GiftSettlement_AlreadySettled", 1):
        settlement.settle(batch(1, entitled=10), claims, [word(payer, 10)], {"from": settler})


def test_mints_that_the_reserve_does_not_cover_revert(settlement, settler, payer):
    with reverts_with("GiftSettlement_Insolvent", 0, 10):
        settlement.settle(batch(1, entitled=10), b"", [word(payer, 10)], {"from": settler})


@pytest.mark.parametrize("role", ["admin", "payer", "stranger"])
def test_nobody_but_the_settler_mints_this_way(settlement, gift_token, settle, payer, request, role):
    settle(10)
    caller = request.getfixturevalue(role)
    with reverts_with("AccessControlUnauthorizedAccount", caller, bytes(settlement.SETTLER_ROLE())):
        settlement.settle(batch(2), b"", [word(payer, 10)], {"from": caller})
    with reverts_with("GiftToken_CallerNotMinter", caller):
        gift_token.mintUpTo([word(payer, 10)], {"from": caller})


def test_what_was_redeemed_is_not_minted_again(settlement, asset, gift_token, settle, tree, payer, stranger):
    settle(60, (payer, 10), tree=tree)
    settlement.redeem(10, payer, {"from": payer})
    with reverts_with("GiftSettlement_NothingToClaim", payer):
        settlement.claim(1, payer, 10, tree.proof(payer), {"from": stranger})
    settle(0, (payer, 10))
    assert (gift_token.balanceOf(payer), gift_token.mintedTo(payer), asset.balanceOf(payer)) == (0, 10, 10)
    assert (settlement.unclaimed(), settlement.liabilities()) == (50, 50)


def test_anyone_may_claim_for_nobody_of_a_batch_that_never_was(settlement, gift_token, stranger):
    # No leaves and an empty root: it passes as a proof of nothing, and mints nothing.
    assert settlement.claimMany.call(99, [], [bytes(32)], [], {"from": stranger}) == 0
