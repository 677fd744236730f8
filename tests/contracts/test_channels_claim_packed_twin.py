"""claimPacked against claim: on two twin deployments the same vouchers, good and bad, have the same effect."""

import pytest
from brownie import Multicall3, chain
from brownie.test import given
from hypothesis import settings
from hypothesis import strategies as st

from scripts.deploy import deploy
from support.books import assert_escrow_is_covered
from support.briefly import examples
from support.events import emitted, plain
from support.packing import JUNK, Entry, pack

BALANCES = [0, 1, 100, 250]
UINT128_MAX = 2**128 - 1

amounts = st.one_of(
    st.integers(0, 255),
    st.sampled_from([1, 99, 100, 101, 249, 250, 251]),
    st.just(UINT128_MAX),
    st.integers(0, UINT128_MAX),
)
vouchers = st.tuples(
    st.integers(0, len(BALANCES) - 1),  # of which channel
    amounts,  # signed
    st.one_of(st.just(0), st.integers(0, 3), amounts),  # of that, kept
    st.sampled_from(["good", "good", "good", "good", "stranger's", "junk", "another amount's"]),
)


@pytest.fixture(scope="module")
def caller(hub, admin):
    """Does calls of which each may fail, as receivers' authorizer."""
    return Multicall3.deploy({"from": admin})


@pytest.fixture(scope="module")
def twin(hub, admin):
    return deploy(admin, asset=hub.asset.address)


@pytest.fixture(scope="module")
def twins(hub, twin, caller, new_channel):
    """The same channels on both deployments."""

    def opened(of):
        return [
            new_channel(
                balance, channels=of.channels, collector=of.collector, receiver_authorizer=caller.address, salt=i
            )
            for i, balance in enumerate(BALANCES)
        ]

    return opened(hub), opened(twin)


@pytest.fixture(scope="module")
def signature_of(keys, stranger):
    def signature_of(channel, signed, kind):
        if kind == "junk":
            return JUNK
        if kind == "stranger's":
            return channel.voucher(signed, key=keys[stranger.address])
        return channel.voucher(signed ^ 1 if kind == "another amount's" else signed)

    return signature_of


@pytest.mark.skip_coverage  # hundreds of traces that tell nothing new
@given(vouchers=st.lists(vouchers, min_size=1, max_size=8), wide=st.booleans())
@settings(max_examples=examples(40), deadline=None)
def test_both_ways_have_the_same_effect(hub, twin, twins, caller, signature_of, merchant, relayer, vouchers, wide):
    packed_channels, open_channels = twins
    since = chain.height
    entries, calls = [], []
    for number, signed, kept, kind in vouchers:
        channel = packed_channels[number]
        entries.append(Entry(channel.id, signature_of(channel, signed, kind), signed, kept))
        channel = open_channels[number]
        # The open way cannot say "less than nothing"; more than is signed stands for it, and is refused too.
        total = signed - kept if kept <= signed else UINT128_MAX
        signature = signature_of(channel, signed, kind)
        claim = channel.claim(total, voucher=signed if kept <= signed else 0, signature=signature)
        calls.append((twin.channels.address, True, twin.channels.claim.encode_input([claim])))
    widest = max(max(entry.signed, entry.kept) for entry in entries)
    width = 16 if wide else max(1, (widest.bit_length() + 7) // 8)

    packed = hub.channels.claimPacked(hub.asset, pack(*entries, width=width), {"from": merchant})
    one_by_one = caller.aggregate3(calls, {"from": relayer})

    event = emitted(packed, "PackedClaimed")[0]
    brought = [
        (packed_channels[number].id, signed - kept)
        for i, (number, signed, kept, _) in enumerate(vouchers)
        if i not in event["skipped"]
    ]
    claimed = emitted(one_by_one, "Claimed")
    twin_of = dict(zip((plain(c.id) for c in open_channels), (c.id for c in packed_channels), strict=True))
    assert brought == [(twin_of[claim["channelId"]], claim["totalClaimed"]) for claim in claimed]
    assert event["amount"] == sum(claim["amount"] for claim in claimed)
    assert [c.state for c in packed_channels] == [c.state for c in open_channels]
    assert hub.asset.balanceOf(merchant) == event["amount"] == twin.channels.receivers(merchant, hub.asset)[0]
    assert_escrow_is_covered(hub.channels, hub.asset, since)
