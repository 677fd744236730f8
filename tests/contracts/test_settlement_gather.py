"""GiftSettlement.gather: vouchers that the packed form cannot carry, in one multicall with the batch that divides them."""

import pytest
from brownie import ContractWallet

from support import DOLLAR, ZERO_ADDRESS
from support.batches import batch
from support.errors import reverts_with
from support.events import assert_emitted
from support.packing import JUNK, pack


@pytest.fixture(scope="module")
def channel(new_channel, settlement):
    return new_channel(100 * DOLLAR, receiver=settlement.address)


@pytest.fixture(scope="module")
def wallets_channel(new_channel, settlement, asset, keys, payer):
    """Of a contract wallet that signs its vouchers by ERC-1271."""
    wallet = ContractWallet.deploy(payer, {"from": payer})
    return new_channel(
        50 * DOLLAR,
        payer=wallet.address,
        payer_authorizer=ZERO_ADDRESS,
        hot_key=keys[payer.address],
        receiver=settlement.address,
    )


def test_it_gathers_and_owes_nothing_yet(settlement, channels, asset, wallets_channel, settler):
    tx = settlement.gather([wallets_channel.claim(30 * DOLLAR)], {"from": settler})
    assert asset.balanceOf(settlement) == 30 * DOLLAR
    assert settlement.liabilities() == 0
    assert wallets_channel.state == (50 * DOLLAR, 30 * DOLLAR)
    assert_emitted(tx, "Settled", receiver=settlement, token=asset, sender=settlement, amount=30 * DOLLAR)


def test_it_gathers_and_settles_in_one_transaction(
    settlement, asset, channel, wallets_channel, settler, merchant, other_merchant
):
    terms = batch(1, credits=[(merchant, 30 * DOLLAR), (other_merchant, 12 * DOLLAR)])
    calls = [
        settlement.gather.encode_input([wallets_channel.claim(30 * DOLLAR)]),
        settlement.settle.encode_input(terms, pack(channel.packed(12 * DOLLAR)), []),
    ]

    settlement.multicall(calls, {"from": settler})

    assert asset.balanceOf(settlement) == settlement.liabilities() == 42 * DOLLAR
    assert settlement.lastBatchId() == 1


def test_a_batch_that_does_not_hold_gathers_nothing(settlement, wallets_channel, settler, merchant):
    calls = [
        settlement.gather.encode_input([wallets_channel.claim(30 * DOLLAR)]),
        settlement.settle.encode_input(batch(1, credits=[(merchant, 30 * DOLLAR + 1)]), b"", []),
    ]
    with reverts_with("GiftSettlement_Insolvent", 30 * DOLLAR, 30 * DOLLAR + 1):
        settlement.multicall(calls, {"from": settler})


def test_one_bad_voucher_reverts_it_with_its_channels_name(settlement, channel, wallets_channel, settler):
    claims = [channel.claim(DOLLAR), wallets_channel.claim(DOLLAR, signature=JUNK)]
    with reverts_with("PaymentChannels_InvalidVoucherSignature", wallets_channel.id):
        settlement.gather(claims, {"from": settler})


def test_a_channel_to_somebody_else_is_refused(settlement, new_channel, settler, merchant):
    foreign = new_channel(receiver=merchant.address)
    with reverts_with("PaymentChannels_CallerNotReceiver", foreign.id, settlement):
        settlement.gather([foreign.claim(DOLLAR)], {"from": settler})


def test_gathering_twice_brings_the_money_once(settlement, asset, wallets_channel, settler):
    for _ in range(2):
        settlement.gather([wallets_channel.claim(30 * DOLLAR)], {"from": settler})
    assert asset.balanceOf(settlement) == 30 * DOLLAR


def test_gathering_fetches_what_others_have_claimed_for_the_hub(settlement, channels, asset, channel, settler):
    channels.claim([channel.claim(9 * DOLLAR)], {"from": channel.receiver_authorizer})
    settlement.gather([], {"from": settler})
    assert asset.balanceOf(settlement) == 9 * DOLLAR


@pytest.mark.parametrize("role", ["admin", "payer", "stranger"])
def test_nobody_but_the_settler_gathers(settlement, wallets_channel, request, role):
    caller = request.getfixturevalue(role)
    with reverts_with("AccessControlUnauthorizedAccount", caller, bytes(settlement.SETTLER_ROLE())):
        settlement.gather([wallets_channel.claim(DOLLAR)], {"from": caller})
