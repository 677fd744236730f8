"""claimPacked beside all else: the open way of claiming, refunds, withdrawals, other calls; and with too little gas."""

import pytest
from brownie import TrickToken, web3
from eth_abi import decode
from eth_utils import keccak

from support import DOLLAR
from support.batches import batch
from support.briefly import examples
from support.clock import travel
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain
from support.packing import JUNK, pack


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture(scope="module")
def claim(channels, asset, merchant):
    """Claim these entries as the merchant; gives (amount, skipped)."""

    def claim(*entries):
        tx = channels.claimPacked(asset, pack(*entries), {"from": merchant})
        event = emitted(tx, "PackedClaimed")[0]
        return event["amount"], event["skipped"]

    return claim


# ------------------------------------------------------------------ both ways of claiming


def test_open_then_packed(channels, asset, channel, claim, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    assert claim(channel.packed(30 * DOLLAR)) == (0, (0,))
    assert claim(channel.packed(45 * DOLLAR)) == (15 * DOLLAR, ())
    assert asset.balanceOf(merchant) == 15 * DOLLAR
    channels.settle(merchant, asset, {"from": merchant})
    assert asset.balanceOf(merchant) == 45 * DOLLAR


def test_packed_then_open(channels, asset, channel, claim, merchant):
    assert claim(channel.packed(30 * DOLLAR)) == (30 * DOLLAR, ())
    tx = channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    assert emitted(tx, "Claimed") == []
    tx = channels.claim([channel.claim(45 * DOLLAR)], {"from": merchant})
    assert_emitted(tx, "Claimed", channelId=channel.id, receiver=merchant, amount=15 * DOLLAR, totalClaimed=45 * DOLLAR)
    channels.settle(merchant, asset, {"from": merchant})
    assert asset.balanceOf(merchant) == 45 * DOLLAR


def test_packed_claims_leave_what_waits_for_settle(channels, asset, channel, claim, merchant):
    channels.claim([channel.claim(30 * DOLLAR)], {"from": merchant})
    claim(channel.packed(100 * DOLLAR))
    assert plain(channels.receivers(merchant, asset)) == (30 * DOLLAR, 0)
    assert asset.balanceOf(channels) == 30 * DOLLAR
    channels.settle(merchant, asset, {"from": merchant})
    assert asset.balanceOf(merchant) == 100 * DOLLAR


# ------------------------------------------------------------------ refunds and withdrawals between


def test_what_is_claimed_packed_is_not_refunded(channels, asset, channel, claim, merchant, payer):
    claim(channel.packed(30 * DOLLAR))
    channels.refund(channel.config, 100 * DOLLAR, {"from": merchant})
    assert asset.balanceOf(payer) == 70 * DOLLAR
    assert channel.state == (30 * DOLLAR, 30 * DOLLAR)


def test_what_is_refunded_is_not_claimed_packed(channels, channel, claim, merchant):
    channels.refund(channel.config, 80 * DOLLAR, {"from": merchant})
    assert claim(channel.packed(20 * DOLLAR + 1)) == (0, (0,))
    assert claim(channel.packed(20 * DOLLAR, voucher=30 * DOLLAR)) == (20 * DOLLAR, ())


def test_a_claim_packed_comes_before_a_withdrawal_that_waits(channels, asset, channel, claim, payer):
    channels.initiateWithdraw(channel.config, 100 * DOLLAR, {"from": payer})
    claim(channel.packed(30 * DOLLAR))
    travel(channel.delay)
    channels.finalizeWithdraw(channel.config, {"from": payer})
    assert asset.balanceOf(payer) == 70 * DOLLAR
    assert claim(channel.packed(31 * DOLLAR)) == (0, (0,))


def test_no_more_is_announced_than_a_claim_packed_has_left(channels, channel, claim, payer):
    claim(channel.packed(30 * DOLLAR))
    with reverts_with("PaymentChannels_ExceedsAvailable", channel.id, 70 * DOLLAR + 1, 70 * DOLLAR):
        channels.initiateWithdraw(channel.config, 70 * DOLLAR + 1, {"from": payer})


def test_a_channel_that_was_emptied_and_filled_again_pays_no_voucher_twice(
    channels, asset, channel, claim, merchant, payer
):
    channels.refund(channel.config, 100 * DOLLAR, {"from": merchant})
    assert claim(channel.packed(10 * DOLLAR)) == (0, (0,))
    tx = channel.deposit(40 * DOLLAR, payer, salt=2)
    assert len(emitted(tx, "ChannelOpened")) == 1
    assert claim(channel.packed(10 * DOLLAR), channel.packed(10 * DOLLAR)) == (10 * DOLLAR, (1,))
    tx = channel.deposit(40 * DOLLAR, payer, salt=3)
    assert emitted(tx, "ChannelOpened") == []
    assert claim(channel.packed(10 * DOLLAR), channel.packed(80 * DOLLAR)) == (70 * DOLLAR, (0,))


def test_a_top_up_makes_a_skipped_voucher_good(channel, claim, asset, payer):
    assert claim(channel.packed(150 * DOLLAR)) == (0, (0,))
    asset.mint(payer, 50 * DOLLAR, {"from": payer})
    channel.deposit(50 * DOLLAR, payer, salt=2)
    assert claim(channel.packed(150 * DOLLAR)) == (150 * DOLLAR, ())


def test_a_fee_on_transfer_is_the_receivers(channels, new_channel, admin, merchant):
    token = TrickToken.deploy({"from": admin})
    channel = new_channel(1000, token=token)
    token.setFee(100, {"from": admin})
    tx = channels.claimPacked(token, pack(channel.packed(500)), {"from": merchant})
    assert_emitted(tx, "PackedClaimed", receiver=merchant, token=token, amount=500, skipped=())
    assert (token.balanceOf(merchant), token.balanceOf(channels)) == (495, 500)


# ------------------------------------------------------------------ beside other calls; memory


def test_a_long_claim_is_told_and_counted_right(channels, asset, channel, merchant):
    entries = [channel.packed(i + 1, signature=JUNK if i % 3 == 1 else None) for i in range(150)]
    blob, bad = pack(*entries, width=2), tuple(range(1, 150, 3))
    assert plain(channels.claimPacked.call(asset, blob, {"from": merchant})) == (150, bad)

    tx = channels.claimPacked(asset, blob, {"from": merchant})

    assert_emitted(tx, "PackedClaimed", receiver=merchant, token=asset, amount=150, skipped=bad)
    assert_emitted(tx, "Transfer", **{"from": channels, "to": merchant, "value": 150})
    assert channel.state == (100 * DOLLAR, 150)


def test_claims_of_one_multicall_do_not_disturb_each_other(channels, asset, channel, new_channel, merchant):
    other = new_channel(100, salt=2)
    calls = [
        channels.claimPacked.encode_input(asset, pack(channel.packed(5), channel.packed(6, signature=JUNK))),
        channels.claimPacked.encode_input(asset, pack(other.packed(101), other.packed(7), width=3)),
        channels.channels.encode_input(channel.id),
        channels.claim.encode_input([other.claim(9)]),
        channels.claimPacked.encode_input(asset, pack(channel.packed(8), other.packed(9))),
    ]

    results = [bytes(result) for result in channels.multicall.call(calls, {"from": merchant})]
    channels.multicall(calls, {"from": merchant})

    shape = ["uint256", "uint256[]"]
    assert plain([decode(shape, results[i]) for i in (0, 1, 4)]) == ((5, (1,)), (7, (0,)), (3, (1,)))
    assert decode(["uint128", "uint128"], results[2]) == (100 * DOLLAR, 5)
    assert (channel.state[1], other.state[1]) == (8, 9)
    assert asset.balanceOf(merchant) == 15


# ------------------------------------------------------------------ too little gas


def call_with_gas(contract, sender, data, gas):
    """What the call returns, or None if it fails."""
    call = {"from": sender.address, "to": contract.address, "data": data, "gas": hex(gas)}
    return web3.provider.make_request("eth_call", [call, "latest"]).get("result")


@pytest.fixture(scope="module")
def gas_limits(network_gas):
    """Every amount of gas that stops a call somewhere: in steps far below a recovery's 3,000, so that each one is met."""

    def gas_limits(contract, sender, data, step):
        enough = network_gas(contract, sender, data)
        limits = range(21_000, enough + 5 * step, step)
        return limits[:: len(limits) // examples(len(limits))]

    return gas_limits


@pytest.fixture(scope="module")
def network_gas():
    def network_gas(contract, sender, data):
        call = {"from": sender.address, "to": contract.address, "data": data}
        return int(web3.provider.make_request("eth_estimateGas", [call])["result"], 16)

    return network_gas


def test_with_too_little_gas_a_claim_reverts_and_never_skips(channels, asset, new_channel, merchant, gas_limits):
    entries = [new_channel(1000, salt=20 + i).packed(100) for i in range(3)]
    data = channels.claimPacked.encode_input(asset, pack(*entries, width=1))

    results = [call_with_gas(channels, merchant, data, gas) for gas in gas_limits(channels, merchant, data, 150)]

    told = [plain(decode(["uint256", "uint256[]"], bytes.fromhex(r[2:]))) for r in results if r not in (None, "0x")]
    assert 0 < len(told) < len(results)
    assert set(told) == {(300, ())}


def test_nor_does_a_batch(settlement, asset, new_channel, settler, merchant, gas_limits):
    """It owes all that the claims bring: had one been skipped for lack of gas, the batch would be insolvent."""
    entries = [new_channel(1000, salt=20 + i, receiver=settlement.address).packed(100) for i in range(2)]
    terms = batch(1, credits=[(merchant, 200)])
    data = settlement.settle.encode_input(terms, pack(*entries, width=1), [])

    def outcome(gas):
        call = {"from": settler.address, "to": settlement.address, "data": data, "gas": hex(gas)}
        answer = web3.provider.make_request("eth_call", [call, "latest"])
        return "settled" if "result" in answer else str(answer["error"])

    outcomes = [outcome(gas) for gas in gas_limits(settlement, settler, data, 300)]

    assert "settled" in outcomes
    assert outcomes[0] != "settled"
    insolvent = keccak(text="GiftSettlement_Insolvent(uint256,uint256)")[:4].hex()
    assert not [told for told in outcomes if insolvent in told or "Insolvent" in told]
