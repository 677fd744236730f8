"""PaymentChannels.deposit: money comes into escrow, and what arrives is what is credited."""

import pytest
from brownie import TrickCollector, TrickToken

from support import DOLLAR, ZERO_ADDRESS
from support.channel import MAX_DELAY, MIN_DELAY
from support.errors import NO_DATA, OVERFLOW, reverts_with
from support.events import assert_emitted, emitted

UINT128_MAX = 2**128 - 1


@pytest.fixture(scope="module")
def unfunded(new_channel, asset, payer):
    """A channel whose payer has 100 dollars and has deposited nothing."""
    asset.mint(payer, 100 * DOLLAR, {"from": payer})
    return new_channel(0)


@pytest.fixture(scope="module")
def trick_token(module_isolation, admin):
    return TrickToken.deploy({"from": admin})


@pytest.fixture(scope="module")
def trick_collector(module_isolation, admin):
    return TrickCollector.deploy({"from": admin})


def test_the_first_deposit_opens_the_channel(channels, asset, unfunded, payer, merchant):
    tx = unfunded.deposit(60 * DOLLAR, payer)

    assert unfunded.state == (60 * DOLLAR, 0)
    assert asset.balanceOf(channels) == 60 * DOLLAR
    assert asset.balanceOf(payer) == 40 * DOLLAR
    config = unfunded.config
    assert_emitted(tx, "ChannelOpened", channelId=unfunded.id, payer=payer, receiver=merchant, config=config)
    assert_emitted(tx, "Deposited", channelId=unfunded.id, receiver=merchant, amount=60 * DOLLAR, balance=60 * DOLLAR)


def test_a_second_deposit_adds_to_the_open_channel(unfunded, payer, merchant):
    unfunded.deposit(60 * DOLLAR, payer)

    tx = unfunded.deposit(10 * DOLLAR, payer, salt=2)

    assert emitted(tx, "ChannelOpened") == []
    assert_emitted(tx, "Deposited", channelId=unfunded.id, receiver=merchant, amount=10 * DOLLAR, balance=70 * DOLLAR)
    assert unfunded.state == (70 * DOLLAR, 0)


def test_anyone_may_relay_a_deposit(unfunded, relayer):
    unfunded.deposit(60 * DOLLAR, relayer)
    assert unfunded.state == (60 * DOLLAR, 0)


def test_a_channel_that_was_emptied_is_announced_again(channels, unfunded, payer, merchant):
    unfunded.deposit(60 * DOLLAR, payer)
    channels.refund(unfunded.config, 60 * DOLLAR, {"from": merchant})

    tx = unfunded.deposit(20 * DOLLAR, payer, salt=2)

    assert len(emitted(tx, "ChannelOpened")) == 1
    assert unfunded.state == (20 * DOLLAR, 0)


@pytest.mark.parametrize("missing", ["payer", "receiver"])
def test_a_channel_needs_payer_and_receiver(unfunded, payer, missing):
    with reverts_with("PaymentChannels_InvalidConfig"):
        unfunded.with_(**{missing: ZERO_ADDRESS}).deposit(DOLLAR, payer)


def test_a_channel_needs_a_token(channels, collector, unfunded, payer):
    config = list(unfunded.config)
    config[4] = ZERO_ADDRESS
    with reverts_with("PaymentChannels_InvalidConfig"):
        channels.deposit(config, DOLLAR, collector, b"", {"from": payer})


def test_a_token_without_code_is_refused(channels, collector, unfunded, payer, stranger):
    config = list(unfunded.config)
    config[4] = stranger.address
    with reverts_with(NO_DATA):
        channels.deposit(config, DOLLAR, collector, b"", {"from": payer})


@pytest.mark.parametrize("delay", [0, MIN_DELAY - 1, MAX_DELAY + 1, 2**40 - 1])
def test_a_withdraw_delay_out_of_range_is_refused(unfunded, payer, delay):
    with reverts_with("PaymentChannels_WithdrawDelayOutOfRange", delay):
        unfunded.with_(delay=delay).deposit(DOLLAR, payer)


@pytest.mark.parametrize("delay", [MIN_DELAY, MAX_DELAY])
def test_the_range_of_the_withdraw_delay_includes_its_ends(unfunded, payer, delay):
    channel = unfunded.with_(delay=delay)
    channel.deposit(DOLLAR, payer)
    assert channel.state == (DOLLAR, 0)


def test_a_deposit_of_nothing_is_refused(unfunded, payer):
    with reverts_with("PaymentChannels_ZeroAmount"):
        unfunded.deposit(0, payer)


def test_a_collector_that_brings_nothing_is_refused(channels, trick_collector, unfunded, payer):
    with reverts_with("PaymentChannels_NothingReceived"):
        channels.deposit(unfunded.config, 100 * DOLLAR, trick_collector, b"", {"from": payer})


def test_a_collector_that_brings_less_than_announced_credits_what_it_brings(
    channels, asset, trick_collector, unfunded, payer
):
    asset.mint(trick_collector, 5 * DOLLAR, {"from": payer})
    bring = asset.transfer.encode_input(channels, 5 * DOLLAR)
    trick_collector.setCall(asset, bring, {"from": payer})

    channels.deposit(unfunded.config, 100 * DOLLAR, trick_collector, b"", {"from": payer})

    assert unfunded.state == (5 * DOLLAR, 0)


def test_a_collector_that_is_no_contract_is_refused(channels, unfunded, payer, stranger):
    with reverts_with(NO_DATA):
        channels.deposit(unfunded.config, DOLLAR, stranger, b"", {"from": payer})


def test_a_token_with_a_fee_is_credited_with_what_arrives(channels, new_channel, trick_token, payer):
    trick_token.setFee(100, {"from": payer})  # one per cent, once to the collector and once to the escrow

    channel = new_channel(100 * DOLLAR, token=trick_token)

    assert channel.state == (98_010_000, 0)
    assert trick_token.balanceOf(channels) == 98_010_000


def test_a_deposit_beyond_128_bits_is_refused(channels, unfunded, trick_token, trick_collector, payer):
    channel = unfunded.with_(token=trick_token)
    bring = trick_token.mint.encode_input(channels, 2**128)
    trick_collector.setCall(trick_token, bring, {"from": payer})
    with reverts_with("SafeCastOverflowedUintDowncast", 128, 2**128):
        channels.deposit(channel.config, 1, trick_collector, b"", {"from": payer})


def test_a_balance_beyond_128_bits_is_refused(new_channel, trick_token, payer):
    channel = new_channel(UINT128_MAX, token=trick_token)
    trick_token.mint(payer, 1, {"from": payer})
    with reverts_with("Panic", OVERFLOW):
        channel.deposit(1, payer, salt=2)


def test_money_sent_straight_to_the_escrow_is_credited_to_nobody(channels, asset, unfunded, payer):
    asset.transfer(channels, 40 * DOLLAR, {"from": payer})

    unfunded.deposit(60 * DOLLAR, payer)

    assert unfunded.state == (60 * DOLLAR, 0)


def test_the_escrow_takes_no_ether(channels, payer):
    with reverts_with(NO_DATA):
        payer.transfer(channels, 1)


@pytest.mark.parametrize(
    "change",
    ["payer", "payer_authorizer", "receiver", "receiver_authorizer", "token", "delay", "salt"],
)
def test_every_field_of_the_config_makes_another_channel(channels, unfunded, trick_token, stranger, change):
    other_value = {"token": trick_token, "delay": MIN_DELAY + 1, "salt": 2}.get(change, stranger.address)
    other = unfunded.with_(**{change: other_value})

    assert other.id != unfunded.id
    assert bytes(channels.getChannelId(other.config)) == other.id
