"""PaymentChannels.claim: the receiver's side takes what the payer has signed, never more, and once."""

import pytest

from support import DOLLAR, ZERO_ADDRESS
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture(scope="module")
def other_channel(new_channel, other_payer, keys):
    return new_channel(50 * DOLLAR, payer=other_payer.address, payer_key=keys[other_payer.address])


def test_the_receiver_claims_what_was_signed(channels, asset, channel, merchant):
    tx = channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})

    assert channel.state == (100 * DOLLAR, 30 * DOLLAR)
    assert plain(channels.receivers(merchant, asset)) == (30 * DOLLAR, 0)
    assert_emitted(tx, "Claimed", channelId=channel.id, receiver=merchant, amount=30 * DOLLAR, totalClaimed=30 * DOLLAR)


def test_claiming_moves_no_money(channels, asset, channel, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    assert asset.balanceOf(channels) == 100 * DOLLAR
    assert asset.balanceOf(merchant) == 0


def test_the_receivers_authorizer_may_claim_for_the_receiver(channels, asset, channel, merchant, authorizer):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": authorizer})
    assert plain(channels.receivers(merchant, asset)) == (30 * DOLLAR, 0)
    assert plain(channels.receivers(authorizer, asset)) == (0, 0)


def test_strangers_may_not_claim(channels, channel, stranger):
    with reverts_with("PaymentChannels_CallerNotReceiver", channel.id, stranger):
        channels.claim([channel.claim(30 * DOLLAR)], {"from": stranger})


def test_the_payer_may_not_claim(channels, channel, payer):
    with reverts_with("PaymentChannels_CallerNotReceiver", channel.id, payer):
        channels.claim([channel.claim(30 * DOLLAR)], {"from": payer})


def test_without_an_authorizer_the_receiver_alone_claims(channels, new_channel, authorizer, merchant):
    channel = new_channel(receiver_authorizer=ZERO_ADDRESS)
    with reverts_with("PaymentChannels_CallerNotReceiver", channel.id, authorizer):
        channels.claim([channel.claim(DOLLAR)], {"from": authorizer})

    channels.claim([channel.claim(DOLLAR)], {"from": merchant})

    assert channel.state == (100 * DOLLAR, DOLLAR)


def test_a_later_claim_takes_the_difference(channels, channel, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})

    tx = channels.claim([channel.claim(45 * DOLLAR)], {"from": merchant})

    assert_emitted(tx, "Claimed", channelId=channel.id, receiver=merchant, amount=15 * DOLLAR, totalClaimed=45 * DOLLAR)
    assert channel.state == (100 * DOLLAR, 45 * DOLLAR)


def test_one_voucher_may_be_claimed_in_parts(channels, channel, merchant):
    channels.claim([channel.claim(10 * DOLLAR, voucher=30 * DOLLAR)], {"from": merchant})
    channels.claim([channel.claim(30 * DOLLAR, voucher=30 * DOLLAR)], {"from": merchant})
    assert channel.state == (100 * DOLLAR, 30 * DOLLAR)


def test_a_repeated_claim_is_passed_over(channels, channel, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})

    tx = channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})

    assert emitted(tx, "Claimed") == []
    assert channel.state == (100 * DOLLAR, 30 * DOLLAR)


def test_an_older_voucher_is_passed_over(channels, channel, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    tx = channels.claim([channel.claim(20 * DOLLAR)], {"from": merchant})
    assert emitted(tx, "Claimed") == []
    assert channel.state == (100 * DOLLAR, 30 * DOLLAR)


def test_a_claim_of_nothing_is_passed_over_without_a_signature(channels, channel, merchant):
    tx = channels.claim([channel.claim(0, voucher=0, signature=b"")], {"from": merchant})
    assert emitted(tx, "Claimed") == []


def test_a_repeated_claim_holds_up_no_other(channels, channel, other_channel, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    channels.claim([channel.claim(30 * DOLLAR), other_channel.claim(5 * DOLLAR)], {"from": merchant})
    assert other_channel.state == (50 * DOLLAR, 5 * DOLLAR)


def test_a_claim_above_its_voucher_is_refused(channels, channel, merchant):
    claim = channel.claim(30 * DOLLAR + 1, voucher=30 * DOLLAR)
    with reverts_with("PaymentChannels_ClaimExceedsVoucher", channel.id, 30 * DOLLAR + 1, 30 * DOLLAR):
        channels.claim([claim], {"from": merchant})


def test_a_claim_above_the_balance_is_refused(channels, channel, merchant):
    with reverts_with("PaymentChannels_ClaimExceedsBalance", channel.id, 100 * DOLLAR + 1, 100 * DOLLAR):
        channels.claim([channel.claim(100 * DOLLAR + 1)], {"from": merchant})


def test_a_voucher_above_the_balance_may_be_claimed_up_to_the_balance(channels, channel, merchant):
    channels.claim([channel.claim(100 * DOLLAR, voucher=2**128 - 1)], {"from": merchant})
    assert channel.state == (100 * DOLLAR, 100 * DOLLAR)


def test_a_channel_without_a_deposit_has_nothing_to_claim(channels, new_channel, merchant):
    channel = new_channel(0, salt=2)
    with reverts_with("PaymentChannels_ClaimExceedsBalance", channel.id, 1, 0):
        channels.claim([channel.claim(1)], {"from": merchant})


def test_many_channels_are_claimed_at_once(channels, asset, channel, other_channel, merchant):
    tx = channels.claim([channel.claim(30 * DOLLAR), other_channel.claim(5 * DOLLAR)], {"from": merchant})

    assert [event["amount"] for event in emitted(tx, "Claimed")] == [30 * DOLLAR, 5 * DOLLAR]
    assert plain(channels.receivers(merchant, asset)) == (35 * DOLLAR, 0)


def test_the_same_channel_twice_in_one_call_counts_once(channels, asset, channel, merchant):
    claims = [channel.claim(10 * DOLLAR), channel.claim(30 * DOLLAR), channel.claim(10 * DOLLAR)]
    channels.claim(claims, {"from": merchant})
    assert plain(channels.receivers(merchant, asset)) == (30 * DOLLAR, 0)


def test_one_bad_claim_reverts_the_whole_call(channels, channel, other_channel, merchant):
    bad = other_channel.claim(5 * DOLLAR, signature=b"junk")
    with reverts_with("PaymentChannels_InvalidVoucherSignature", other_channel.id):
        channels.claim([channel.claim(30 * DOLLAR), bad], {"from": merchant})


def test_a_channel_to_somebody_else_cannot_be_smuggled_in(channels, new_channel, channel, merchant, other_merchant):
    foreign = new_channel(receiver=other_merchant.address, receiver_authorizer=ZERO_ADDRESS)
    with reverts_with("PaymentChannels_CallerNotReceiver", foreign.id, merchant):
        channels.claim([channel.claim(DOLLAR), foreign.claim(DOLLAR)], {"from": merchant})


def test_no_claims_are_no_error(channels, merchant):
    tx = channels.claim([], {"from": merchant})
    assert len(tx.logs) == 0
