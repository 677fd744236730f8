"""Tokens and collectors that call back into PaymentChannels while it moves money."""

import pytest
from brownie import ContractWallet, TrickCollector, TrickToken

from support import DOLLAR
from support.clock import travel
from support.errors import reverts_with

GUARDED = ["deposit", "claim", "claimWithSignature", "settle", "refund", "refundWithSignature", "finalizeWithdraw"]


@pytest.fixture(scope="module")
def token(module_isolation, admin):
    return TrickToken.deploy({"from": admin})


@pytest.fixture(scope="module")
def trick_collector(module_isolation, admin):
    return TrickCollector.deploy({"from": admin})


@pytest.fixture(scope="module")
def channel(new_channel, token):
    return new_channel(100 * DOLLAR, token=token)


@pytest.fixture(scope="module")
def reentry(channels, channel, collector, merchant, token):
    """Calldata for every function that moves money or claims."""
    arguments = {
        "deposit": (channel.config, DOLLAR, collector, b""),
        "claim": ([channel.claim(DOLLAR)],),
        "claimWithSignature": ([channel.claim(DOLLAR)], b""),
        "settle": (merchant, token),
        "refund": (channel.config, DOLLAR),
        "refundWithSignature": (channel.config, DOLLAR, 0, b""),
        "finalizeWithdraw": (channel.config,),
    }
    return {name: getattr(channels, name).encode_input(*arguments[name]) for name in GUARDED}


@pytest.mark.parametrize("function", GUARDED)
def test_a_collector_cannot_call_back(channels, channel, trick_collector, reentry, payer, function):
    trick_collector.setCall(channels, reentry[function], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.deposit(channel.config, DOLLAR, trick_collector, b"", {"from": payer})


@pytest.mark.parametrize("function", GUARDED)
def test_a_token_cannot_call_back_while_a_claim_is_settled(
    channels, channel, token, reentry, merchant, payer, function
):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    token.setHook(channels, reentry[function], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.settle(merchant, token, {"from": merchant})


def test_a_token_cannot_call_back_during_a_refund(channels, channel, token, reentry, merchant, payer):
    token.setHook(channels, reentry["refund"], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.refund(channel.config, DOLLAR, {"from": merchant})


def test_a_token_cannot_call_back_during_a_withdrawal(channels, channel, token, reentry, payer):
    channels.initiateWithdraw(channel.config, 60 * DOLLAR, {"from": payer})
    travel(channel.delay)
    token.setHook(channels, reentry["finalizeWithdraw"], {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.finalizeWithdraw(channel.config, {"from": payer})


def test_a_multicall_is_no_way_around_the_guard(channels, channel, trick_collector, reentry, payer):
    wrapped = channels.multicall.encode_input([reentry["settle"]])
    trick_collector.setCall(channels, wrapped, {"from": payer})
    with reverts_with("ReentrancyGuardReentrantCall"):
        channels.deposit(channel.config, DOLLAR, trick_collector, b"", {"from": payer})


def test_announcing_in_the_middle_of_a_withdrawal_gains_nothing(channels, new_channel, token, keys, payer):
    # The one function without the guard; the payer is a wallet that the token calls while it is being paid.
    wallet = ContractWallet.deploy(token, {"from": payer})  # obeys the token
    trick_collector = TrickCollector.deploy({"from": payer})
    channel = new_channel(0, payer=wallet.address, token=token)
    token.mint(trick_collector, 100 * DOLLAR, {"from": payer})
    bring = token.transfer.encode_input(channels, 100 * DOLLAR)
    trick_collector.setCall(token, bring, {"from": payer})
    channels.deposit(channel.config, 100 * DOLLAR, trick_collector, b"", {"from": payer})
    announce = channels.initiateWithdraw.encode_input(channel.config, 60 * DOLLAR)
    token.mint(payer, 1, {"from": payer})
    token.setHook(wallet, wallet.execute.encode_input(channels, announce), {"from": payer})
    token.transfer(payer, 1, {"from": payer})  # sets off the hook: the wallet announces
    travel(channel.delay)

    too_much = channels.initiateWithdraw.encode_input(channel.config, 41 * DOLLAR)
    token.setHook(wallet, wallet.execute.encode_input(channels, too_much), {"from": payer})
    with reverts_with("PaymentChannels_ExceedsAvailable", channel.id, 41 * DOLLAR, 40 * DOLLAR):
        channels.finalizeWithdraw(channel.config, {"from": payer})
