"""Withdrawing: the payer gets its unclaimed money back after the delay, with nobody's consent."""

import pytest
from brownie import ContractWallet

from support import DOLLAR
from support.channel import MAX_DELAY
from support.clock import DAY, now, travel, travel_to
from support.errors import reverts_with
from support.events import assert_emitted, plain


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture
def announced(channels, channel, payer):
    """The channel with a withdrawal of 60 dollars announced."""
    channels.initiateWithdraw(channel.config, 60 * DOLLAR, {"from": payer})
    return channel


# ------------------------------------------------------------------ announcing


def test_announcing_tells_when_the_withdrawal_is_due(channels, asset, channel, payer, merchant):
    tx = channels.initiateWithdraw(channel.config, 60 * DOLLAR, {"from": payer})

    assert_emitted(
        tx,
        "WithdrawInitiated",
        channelId=channel.id,
        receiver=merchant,
        amount=60 * DOLLAR,
        finalizableAt=tx.timestamp + channel.delay,
    )
    assert plain(channels.pendingWithdrawals(channel.id)) == (60 * DOLLAR, tx.timestamp)
    assert asset.balanceOf(payer) == 0


@pytest.mark.parametrize("role", ["merchant", "authorizer", "stranger"])
def test_nobody_but_the_payer_announces(channels, channel, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("PaymentChannels_CallerNotPayer", channel.id, caller):
        channels.initiateWithdraw(channel.config, DOLLAR, {"from": caller})


def test_announcing_nothing_is_refused(channels, channel, payer):
    with reverts_with("PaymentChannels_ZeroAmount"):
        channels.initiateWithdraw(channel.config, 0, {"from": payer})


def test_announcing_more_than_is_unclaimed_is_refused(channels, channel, payer, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    with reverts_with("PaymentChannels_ExceedsAvailable", channel.id, 70 * DOLLAR + 1, 70 * DOLLAR):
        channels.initiateWithdraw(channel.config, 70 * DOLLAR + 1, {"from": payer})


def test_a_channel_that_does_not_exist_has_nothing_to_withdraw(channels, new_channel, payer):
    channel = new_channel(0, salt=2)
    with reverts_with("PaymentChannels_ExceedsAvailable", channel.id, 1, 0):
        channels.initiateWithdraw(channel.config, 1, {"from": payer})


def test_announcing_again_replaces_the_amount_and_starts_the_delay_anew(channels, asset, announced, payer):
    travel(announced.delay - 10)
    tx = channels.initiateWithdraw(announced.config, 20 * DOLLAR, {"from": payer})
    due = tx.timestamp + announced.delay

    travel_to(due - 1)
    with reverts_with("PaymentChannels_WithdrawDelayNotOver", announced.id, due):
        channels.finalizeWithdraw(announced.config, {"from": payer})
    travel_to(due)
    channels.finalizeWithdraw(announced.config, {"from": payer})

    assert asset.balanceOf(payer) == 20 * DOLLAR


# ------------------------------------------------------------------ withdrawing


def test_after_the_delay_the_payer_is_paid_and_anyone_may_call(channels, asset, announced, payer, merchant, stranger):
    travel(announced.delay)

    tx = channels.finalizeWithdraw(announced.config, {"from": stranger})

    assert asset.balanceOf(payer) == 60 * DOLLAR
    assert asset.balanceOf(stranger) == 0
    assert announced.state == (40 * DOLLAR, 0)
    assert announced.pending == 0
    assert_emitted(
        tx, "WithdrawFinalized", channelId=announced.id, receiver=merchant, amount=60 * DOLLAR, balance=40 * DOLLAR
    )


def test_a_second_too_early_is_too_early(channels, announced, payer):
    due = now() + announced.delay
    travel_to(due - 1)
    with reverts_with("PaymentChannels_WithdrawDelayNotOver", announced.id, due):
        channels.finalizeWithdraw(announced.config, {"from": payer})


def test_the_longest_delay_is_kept_too(channels, asset, new_channel, payer):
    channel = new_channel(delay=MAX_DELAY)
    channels.initiateWithdraw(channel.config, 100 * DOLLAR, {"from": payer})
    travel(30 * DAY - 10)
    with reverts_with("PaymentChannels_WithdrawDelayNotOver"):
        channels.finalizeWithdraw(channel.config, {"from": payer})
    travel(10)
    channels.finalizeWithdraw(channel.config, {"from": payer})
    assert asset.balanceOf(payer) == 100 * DOLLAR


def test_without_an_announcement_nothing_is_withdrawn(channels, channel, payer):
    with reverts_with("PaymentChannels_NoPendingWithdrawal", channel.id):
        channels.finalizeWithdraw(channel.config, {"from": payer})


def test_an_announcement_is_good_for_one_withdrawal(channels, asset, announced, payer):
    travel(announced.delay)
    channels.finalizeWithdraw(announced.config, {"from": payer})
    with reverts_with("PaymentChannels_NoPendingWithdrawal", announced.id):
        channels.finalizeWithdraw(announced.config, {"from": payer})


def test_after_a_part_was_withdrawn_the_rest_pays_on(channels, announced, payer, merchant):
    travel(announced.delay)
    channels.finalizeWithdraw(announced.config, {"from": payer})

    channels.claim([announced.claim(40 * DOLLAR)], {"from": merchant})

    assert announced.state == (40 * DOLLAR, 40 * DOLLAR)


def test_a_contract_wallet_withdraws(channels, asset, new_channel, keys, payer):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    channel = new_channel(payer=wallet.address, payer_key=keys[payer.address])
    announce = channels.initiateWithdraw.encode_input(channel.config, 100 * DOLLAR)
    wallet.execute(channels, announce, {"from": payer})
    travel(channel.delay)

    channels.finalizeWithdraw(channel.config, {"from": payer})

    assert asset.balanceOf(wallet) == 100 * DOLLAR


# ------------------------------------------------- claims against withdrawals


def test_the_receiver_may_claim_while_a_withdrawal_is_pending(channels, asset, announced, payer, merchant):
    channels.claim([announced.claim(70 * DOLLAR)], {"from": merchant})
    travel(announced.delay)

    channels.finalizeWithdraw(announced.config, {"from": payer})

    assert asset.balanceOf(payer) == 30 * DOLLAR
    assert announced.state == (70 * DOLLAR, 70 * DOLLAR)
    channels.settle(merchant, asset, {"from": merchant})
    assert asset.balanceOf(merchant) == 70 * DOLLAR


def test_a_claim_that_leaves_enough_does_not_shrink_the_withdrawal(channels, asset, announced, payer, merchant):
    channels.claim([announced.claim(40 * DOLLAR)], {"from": merchant})
    travel(announced.delay)
    channels.finalizeWithdraw(announced.config, {"from": payer})
    assert asset.balanceOf(payer) == 60 * DOLLAR


def test_a_withdrawal_of_a_channel_claimed_to_the_end_pays_nothing(channels, asset, announced, payer, merchant):
    channels.claim([announced.claim(100 * DOLLAR)], {"from": merchant})
    travel(announced.delay)

    tx = channels.finalizeWithdraw(announced.config, {"from": payer})

    assert_emitted(tx, "WithdrawFinalized", channelId=announced.id, receiver=merchant, amount=0, balance=100 * DOLLAR)
    assert asset.balanceOf(payer) == 0
    assert announced.pending == 0


def test_a_voucher_that_comes_after_the_withdrawal_has_lost_its_cover(channels, announced, payer, merchant):
    travel(announced.delay)
    channels.finalizeWithdraw(announced.config, {"from": payer})
    with reverts_with("PaymentChannels_ClaimExceedsBalance", announced.id, 50 * DOLLAR, 40 * DOLLAR):
        channels.claim([announced.claim(50 * DOLLAR)], {"from": merchant})


def test_a_deposit_meanwhile_does_not_enlarge_the_withdrawal(channels, asset, announced, payer):
    asset.mint(payer, 50 * DOLLAR, {"from": payer})
    announced.deposit(50 * DOLLAR, payer, salt=2)
    travel(announced.delay)

    channels.finalizeWithdraw(announced.config, {"from": payer})

    assert asset.balanceOf(payer) == 60 * DOLLAR
    assert announced.state == (90 * DOLLAR, 0)


def test_an_announcement_never_lapses(channels, asset, announced, payer):
    """A receiver must keep counting it against the channel: once due, it is executed without further notice."""
    travel(365 * DAY)
    channels.finalizeWithdraw(announced.config, {"from": payer})
    assert asset.balanceOf(payer) == 60 * DOLLAR
