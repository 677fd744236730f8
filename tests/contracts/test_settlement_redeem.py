"""GiftSettlement.redeem and withdrawCredit: tokens and credits become money at face value."""

import pytest
from brownie import TrickToken

from scripts.deploy import deploy
from support import DOLLAR, ZERO_ADDRESS
from support.batches import batch
from support.errors import reverts_with
from support.events import assert_emitted
from support.merkle import BatchTree
from support.packing import pack


@pytest.fixture(scope="module", autouse=True)
def settled(settlement, new_channel, settler, payer, merchant):
    """The payer holds 40 dollars of gift tokens, the merchant has 60 dollars of credit."""
    channel = new_channel(100 * DOLLAR, receiver=settlement.address)
    tree = BatchTree([(payer, 40 * DOLLAR)])
    terms = batch(1, credits=[(merchant, 60 * DOLLAR)], entitled=40 * DOLLAR, tree=tree)
    settlement.settle(terms, pack(channel.packed(100 * DOLLAR)), [], {"from": settler})
    settlement.claim(1, payer, 40 * DOLLAR, tree.proof(payer), {"from": payer})


# ----------------------------------------------------------------------- redeem


def test_a_holder_redeems_at_face_value(settlement, asset, gift_token, payer):
    tx = settlement.redeem(15 * DOLLAR, payer, {"from": payer})

    assert asset.balanceOf(payer) == 15 * DOLLAR
    assert gift_token.balanceOf(payer) == 25 * DOLLAR
    assert settlement.liabilities() == 85 * DOLLAR
    assert_emitted(tx, "Redeemed", holder=payer, to=payer, amount=15 * DOLLAR)


def test_a_holder_may_have_the_money_sent_to_somebody_else(settlement, asset, gift_token, payer, stranger):
    tx = settlement.redeem(40 * DOLLAR, stranger, {"from": payer})
    assert asset.balanceOf(stranger) == 40 * DOLLAR
    assert gift_token.totalSupply() == 0
    assert_emitted(tx, "Redeemed", holder=payer, to=stranger, amount=40 * DOLLAR)


def test_whoever_was_given_the_tokens_redeems_them(settlement, asset, gift_token, payer, stranger):
    gift_token.transfer(stranger, 40 * DOLLAR, {"from": payer})
    settlement.redeem(40 * DOLLAR, stranger, {"from": stranger})
    assert asset.balanceOf(stranger) == 40 * DOLLAR


def test_nobody_redeems_more_than_it_holds(settlement, payer):
    with reverts_with("ERC20InsufficientBalance", payer, 40 * DOLLAR, 40 * DOLLAR + 1):
        settlement.redeem(40 * DOLLAR + 1, payer, {"from": payer})


def test_without_tokens_there_is_nothing_to_redeem(settlement, stranger):
    with reverts_with("ERC20InsufficientBalance", stranger, 0, 1):
        settlement.redeem(1, stranger, {"from": stranger})


def test_redeeming_nothing_is_refused(settlement, payer):
    with reverts_with("GiftSettlement_ZeroAmount"):
        settlement.redeem(0, payer, {"from": payer})


def test_redeeming_to_nobody_is_refused(settlement, payer):
    with reverts_with("ERC20InvalidReceiver", ZERO_ADDRESS):
        settlement.redeem(1, ZERO_ADDRESS, {"from": payer})


def test_an_allowance_given_to_the_reserve_lets_nobody_redeem_for_the_holder(settlement, gift_token, payer, stranger):
    gift_token.approve(settlement, 40 * DOLLAR, {"from": payer})
    with reverts_with("ERC20InsufficientBalance", stranger, 0, DOLLAR):
        settlement.redeem(DOLLAR, stranger, {"from": stranger})


# ---------------------------------------------------------------- withdrawCredit


def test_a_merchant_withdraws_its_credit(settlement, asset, merchant):
    tx = settlement.withdrawCredit(merchant, 45 * DOLLAR, {"from": merchant})

    assert asset.balanceOf(merchant) == 45 * DOLLAR
    assert settlement.credits(merchant) == 15 * DOLLAR
    assert settlement.liabilities() == 55 * DOLLAR
    assert_emitted(tx, "CreditWithdrawn", merchant=merchant, amount=45 * DOLLAR)


def test_the_settler_pays_out_to_the_merchant_all_the_same(settlement, asset, merchant, settler):
    settlement.withdrawCredit(merchant, 60 * DOLLAR, {"from": settler})
    assert asset.balanceOf(merchant) == 60 * DOLLAR
    assert asset.balanceOf(settler) == 0


@pytest.mark.parametrize("role", ["admin", "payer", "other_merchant", "stranger"])
def test_nobody_else_withdraws_a_merchants_credit(settlement, merchant, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("GiftSettlement_CallerNotMerchant", caller, merchant):
        settlement.withdrawCredit(merchant, DOLLAR, {"from": caller})


def test_a_merchant_withdraws_no_more_than_its_credit(settlement, merchant):
    with reverts_with("GiftSettlement_ExceedsCredit", merchant, 60 * DOLLAR + 1, 60 * DOLLAR):
        settlement.withdrawCredit(merchant, 60 * DOLLAR + 1, {"from": merchant})


def test_a_credit_is_withdrawn_once(settlement, merchant):
    settlement.withdrawCredit(merchant, 60 * DOLLAR, {"from": merchant})
    with reverts_with("GiftSettlement_ExceedsCredit", merchant, 60 * DOLLAR, 0):
        settlement.withdrawCredit(merchant, 60 * DOLLAR, {"from": merchant})


def test_one_merchants_credit_is_not_anothers(settlement, other_merchant):
    with reverts_with("GiftSettlement_ExceedsCredit", other_merchant, 1, 0):
        settlement.withdrawCredit(other_merchant, 1, {"from": other_merchant})


def test_withdrawing_nothing_is_refused(settlement, merchant):
    with reverts_with("GiftSettlement_ZeroAmount"):
        settlement.withdrawCredit(merchant, 0, {"from": merchant})


# ------------------------------------------------------------ an asset that refuses


def test_an_asset_that_refuses_to_move_leaves_the_credit_as_it_was(admin, settler, merchant):
    token = TrickToken.deploy({"from": admin})
    settlement = deploy(admin, asset=token.address, admin=admin, settler=settler).settlement
    token.mint(settlement, 100, {"from": admin})
    settlement.settle(batch(1, credits=[(merchant, 100)]), b"", [], {"from": settler})
    token.setRefuses(True, {"from": admin})
    with reverts_with("SafeERC20FailedOperation", token):
        settlement.withdrawCredit(merchant, 100, {"from": merchant})
    token.setRefuses(False, {"from": admin})
    settlement.withdrawCredit(merchant, 100, {"from": merchant})
    assert token.balanceOf(merchant) == 100
