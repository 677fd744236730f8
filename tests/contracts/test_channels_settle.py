"""PaymentChannels.settle: what was claimed goes to its receiver."""

import pytest
from brownie import TrickToken

from support import DOLLAR
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture(scope="module")
def trick_token(module_isolation, admin):
    return TrickToken.deploy({"from": admin})


def test_anyone_may_settle_and_the_receiver_is_paid(channels, asset, channel, merchant, stranger):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})

    tx = channels.settle(merchant, asset, {"from": stranger})

    assert asset.balanceOf(merchant) == 30 * DOLLAR
    assert_emitted(tx, "Settled", receiver=merchant, token=asset, sender=stranger, amount=30 * DOLLAR)
    assert plain(channels.receivers(merchant, asset)) == (30 * DOLLAR, 30 * DOLLAR)


def test_settling_twice_pays_once(channels, asset, channel, merchant, stranger):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    channels.settle(merchant, asset, {"from": stranger})

    tx = channels.settle(merchant, asset, {"from": stranger})

    assert emitted(tx, "Settled") == []
    assert asset.balanceOf(merchant) == 30 * DOLLAR


def test_settling_with_nothing_claimed_does_nothing(channels, asset, channel, merchant, stranger):
    tx = channels.settle(merchant, asset, {"from": stranger})
    assert len(tx.logs) == 0


def test_one_settlement_pays_out_the_claims_of_many_channels(
    channels, asset, new_channel, channel, merchant, other_payer, keys
):
    other = new_channel(payer=other_payer.address, payer_key=keys[other_payer.address])
    channels.claim([channel.claim(30 * DOLLAR), other.claim(5 * DOLLAR)], {"from": merchant})
    channels.claim([channel.claim(40 * DOLLAR)], {"from": merchant})

    channels.settle(merchant, asset, {"from": merchant})

    assert asset.balanceOf(merchant) == 45 * DOLLAR


def test_receivers_and_tokens_are_settled_apart(
    channels, asset, new_channel, channel, trick_token, merchant, other_merchant
):
    in_trick = new_channel(token=trick_token)
    for_other = new_channel(receiver=other_merchant.address, salt=2)
    channels.claim([channel.claim(30 * DOLLAR), in_trick.claim(7 * DOLLAR)], {"from": merchant})
    channels.claim([for_other.claim(5 * DOLLAR)], {"from": other_merchant})

    channels.settle(merchant, asset, {"from": merchant})

    assert asset.balanceOf(merchant) == 30 * DOLLAR
    assert asset.balanceOf(other_merchant) == 0
    assert trick_token.balanceOf(merchant) == 0
    assert plain(channels.receivers(merchant, trick_token)) == (7 * DOLLAR, 0)


def test_a_token_that_refuses_to_pay_leaves_the_claim_to_be_settled_later(channels, new_channel, trick_token, merchant):
    channel = new_channel(token=trick_token)
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    trick_token.setRefuses(True, {"from": merchant})
    with reverts_with("SafeERC20FailedOperation", trick_token):
        channels.settle(merchant, trick_token, {"from": merchant})

    trick_token.setRefuses(False, {"from": merchant})
    channels.settle(merchant, trick_token, {"from": merchant})

    assert trick_token.balanceOf(merchant) == 30 * DOLLAR


def test_claim_and_settle_go_in_one_transaction(channels, asset, channel, merchant):
    claim = channels.claim.encode_input([channel.claim(30 * DOLLAR)])
    settle = channels.settle.encode_input(merchant, asset)

    channels.multicall([claim, settle], {"from": merchant})

    assert asset.balanceOf(merchant) == 30 * DOLLAR
