"""Pausing stops settling and nothing else; nobody's way to its money is ever closed."""

import pytest
from eth_abi import encode
from eth_utils import keccak

from support import DOLLAR, FOREVER, signing
from support.batches import batch
from support.clock import travel
from support.errors import reverts_with
from support.events import assert_emitted
from support.merkle import BatchTree
from support.packing import pack, word


@pytest.fixture(scope="module")
def channel(new_channel, settlement):
    return new_channel(100 * DOLLAR, receiver=settlement.address)


@pytest.fixture(scope="module")
def tree(settlement, channel, settler, payer, other_payer, merchant):
    """Two payers are entitled to 20 dollars each and the first has claimed; the merchant has 10 dollars of credit."""
    tree = BatchTree([(payer, 20 * DOLLAR), (other_payer, 20 * DOLLAR)])
    terms = batch(1, credits=[(merchant, 10 * DOLLAR)], entitled=40 * DOLLAR, tree=tree)
    settlement.settle(terms, pack(channel.packed(50 * DOLLAR)), [], {"from": settler})
    settlement.claim(1, payer, 20 * DOLLAR, tree.proof(payer), {"from": payer})
    return tree


@pytest.fixture(scope="module")
def paused(settlement, tree, settler):
    settlement.pause({"from": settler})


# ------------------------------------------------------------------ who may do it


def test_the_settler_pauses_and_the_admin_sets_it_going_again(settlement, admin, settler):
    tx = settlement.pause({"from": settler})
    assert_emitted(tx, "Paused", account=settler)
    assert settlement.paused()

    tx = settlement.unpause({"from": admin})

    assert_emitted(tx, "Unpaused", account=admin)
    assert not settlement.paused()


@pytest.mark.parametrize("role", ["admin", "merchant", "stranger"])
def test_nobody_else_pauses(settlement, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("AccessControlUnauthorizedAccount", caller, bytes(settlement.PAUSER_ROLE())):
        settlement.pause({"from": caller})


@pytest.mark.parametrize("role", ["settler", "stranger"])
def test_who_pauses_cannot_set_it_going_again(settlement, paused, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("AccessControlUnauthorizedAccount", caller, bytes(32)):
        settlement.unpause({"from": caller})


def test_pausing_twice_is_refused(settlement, paused, settler):
    with reverts_with("EnforcedPause"):
        settlement.pause({"from": settler})


def test_what_is_not_paused_is_not_set_going(settlement, paused, admin):
    settlement.unpause({"from": admin})
    with reverts_with("ExpectedPause"):
        settlement.unpause({"from": admin})


# ------------------------------------------------------------------- what it stops


def test_it_stops_settling(settlement, paused, channel, settler):
    with reverts_with("EnforcedPause"):
        settlement.settle(batch(2), pack(channel.packed(60 * DOLLAR)), [], {"from": settler})


def test_it_stops_settling_that_mints(settlement, paused, settler, other_payer):
    with reverts_with("EnforcedPause"):
        settlement.settle(batch(2), b"", [word(other_payer, 20 * DOLLAR)], {"from": settler})


def test_it_stops_gathering(settlement, paused, channel, settler):
    with reverts_with("EnforcedPause"):
        settlement.gather([channel.claim(60 * DOLLAR)], {"from": settler})


@pytest.mark.parametrize("function", ["settle", "gather"])
def test_it_is_not_passed_by_a_multicall(settlement, paused, channel, settler, function):
    arguments = {"settle": (batch(2), b"", []), "gather": ([channel.claim(60 * DOLLAR)],)}[function]
    call = getattr(settlement, function).encode_input(*arguments)
    with reverts_with("EnforcedPause"):
        settlement.multicall([call], {"from": settler})


def test_afterwards_everything_goes_on(settlement, asset, paused, channel, admin, settler):
    settlement.unpause({"from": admin})
    settlement.settle(batch(2), pack(channel.packed(60 * DOLLAR)), [], {"from": settler})
    settlement.gather([channel.claim(70 * DOLLAR)], {"from": settler})
    assert asset.balanceOf(settlement) == 70 * DOLLAR


# -------------------------------------------------------------- what it never stops


def test_entitlements_are_minted_while_it_is_paused(settlement, gift_token, paused, tree, other_payer):
    settlement.claim(1, other_payer, 20 * DOLLAR, tree.proof(other_payer), {"from": other_payer})
    assert gift_token.balanceOf(other_payer) == 20 * DOLLAR


def test_many_entitlements_are_minted_while_it_is_paused(settlement, gift_token, paused, tree, payer, other_payer):
    settlement.claimMany(1, *tree.multiproof([payer, other_payer]), {"from": payer})
    assert gift_token.balanceOf(other_payer) == 20 * DOLLAR


def test_sponsors_pay_in_while_it_is_paused(settlement, asset, paused, sponsor):
    asset.mint(sponsor, DOLLAR, {"from": sponsor})
    asset.approve(settlement, DOLLAR, {"from": sponsor})
    settlement.fund(DOLLAR, {"from": sponsor})
    assert asset.balanceOf(settlement) == 51 * DOLLAR


def test_holders_redeem_while_it_is_paused(settlement, asset, paused, payer):
    settlement.redeem(20 * DOLLAR, payer, {"from": payer})
    assert asset.balanceOf(payer) == 20 * DOLLAR


def test_holders_pay_merchants_while_it_is_paused(settlement, gift_token, paused, keys, payer, merchant):
    salt = bytes(32)
    signature = signing.sign(
        keys[payer.address],
        signing.domain_of(gift_token),
        "ReceiveWithAuthorization",
        **{"from": payer.address, "to": settlement.address, "value": DOLLAR},
        validAfter=0,
        validBefore=FOREVER,
        nonce=keccak(encode(["address", "bytes32"], [merchant.address, salt])),
    )
    settlement.redeemWithAuthorization(payer, merchant, DOLLAR, 0, FOREVER, salt, signature, {"from": merchant})
    assert settlement.credits(merchant) == 11 * DOLLAR


def test_merchants_are_paid_out_while_it_is_paused(settlement, asset, paused, merchant):
    settlement.withdrawCredit(merchant, 10 * DOLLAR, {"from": merchant})
    assert asset.balanceOf(merchant) == 10 * DOLLAR


def test_tokens_are_given_away_while_it_is_paused(gift_token, paused, payer, stranger):
    gift_token.transfer(stranger, 20 * DOLLAR, {"from": payer})
    assert gift_token.balanceOf(stranger) == 20 * DOLLAR


def test_payers_withdraw_from_their_channels_while_it_is_paused(channels, asset, paused, channel, payer):
    channels.initiateWithdraw(channel.config, 50 * DOLLAR, {"from": payer})
    travel(channel.delay)
    channels.finalizeWithdraw(channel.config, {"from": payer})
    assert asset.balanceOf(payer) == 50 * DOLLAR
