"""PaymentChannels.claimPacked: as `claim`, for many channels at once; what does not hold is skipped and listed."""

import pytest
from brownie import ContractWallet, PaymentChannels, TrickToken, chain

from support import DOLLAR, ZERO_ADDRESS, signing
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain
from support.packing import JUNK, Entry, pack

UINT128_MAX = 2**128 - 1


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture(scope="module")
def other_channel(new_channel, other_payer, keys):
    return new_channel(50 * DOLLAR, payer=other_payer.address, payer_key=keys[other_payer.address])


@pytest.fixture(scope="module")
def third_channel(new_channel):
    return new_channel(20 * DOLLAR, salt=3)


@pytest.fixture(scope="module")
def claim(channels, asset, merchant):
    """Claim these entries as the merchant; gives (amount, skipped) and the transaction."""

    def claim(*entries, width=16, token=asset):
        blob = pack(*entries, width=width)
        result = plain(channels.claimPacked.call(token, blob, {"from": merchant}))
        tx = channels.claimPacked(token, blob, {"from": merchant})
        assert_emitted(tx, "PackedClaimed", receiver=merchant, token=token, amount=result[0], skipped=result[1])
        return result, tx

    return claim


# ------------------------------------------------------------------ what holds


def test_the_receiver_claims_many_channels_and_is_paid_at_once(
    channels, asset, channel, other_channel, third_channel, claim, merchant
):
    result, tx = claim(channel.packed(30 * DOLLAR), other_channel.packed(5 * DOLLAR), third_channel.packed(20 * DOLLAR))

    assert result == (55 * DOLLAR, ())
    assert channel.state == (100 * DOLLAR, 30 * DOLLAR)
    assert other_channel.state == (50 * DOLLAR, 5 * DOLLAR)
    assert third_channel.state == (20 * DOLLAR, 20 * DOLLAR)
    assert asset.balanceOf(merchant) == 55 * DOLLAR
    assert_emitted(tx, "Transfer", **{"from": channels, "to": merchant, "value": 55 * DOLLAR})
    assert emitted(tx, "Claimed") == []


def test_what_is_paid_at_once_does_not_wait_for_settle(channels, asset, channel, claim, merchant, stranger):
    claim(channel.packed(30 * DOLLAR))
    assert plain(channels.receivers(merchant, asset)) == (0, 0)
    channels.settle(merchant, asset, {"from": stranger})
    assert asset.balanceOf(merchant) == 30 * DOLLAR


def test_a_later_claim_takes_the_difference(asset, channel, claim, merchant):
    claim(channel.packed(30 * DOLLAR))
    assert claim(channel.packed(45 * DOLLAR))[0] == (15 * DOLLAR, ())
    assert asset.balanceOf(merchant) == 45 * DOLLAR


def test_part_of_what_is_signed_may_stay_unclaimed(channel, claim):
    assert claim(channel.packed(10 * DOLLAR, voucher=30 * DOLLAR))[0] == (10 * DOLLAR, ())
    assert claim(channel.packed(30 * DOLLAR, voucher=30 * DOLLAR))[0] == (20 * DOLLAR, ())
    assert channel.state == (100 * DOLLAR, 30 * DOLLAR)


def test_a_voucher_above_the_balance_may_be_claimed_up_to_the_balance(channel, claim):
    assert claim(channel.packed(100 * DOLLAR, voucher=UINT128_MAX))[0] == (100 * DOLLAR, ())


def test_one_channel_may_stand_in_a_claim_with_several_vouchers(asset, channel, claim, merchant):
    result, _ = claim(channel.packed(10 * DOLLAR), channel.packed(30 * DOLLAR), channel.packed(31 * DOLLAR))
    assert result == (31 * DOLLAR, ())
    assert asset.balanceOf(merchant) == 31 * DOLLAR


def test_without_a_hot_key_the_payer_signs_itself(new_channel, claim, keys, payer):
    channel = new_channel(payer_authorizer=ZERO_ADDRESS, hot_key=keys[payer.address])
    assert claim(channel.packed(DOLLAR))[0] == (DOLLAR, ())


@pytest.mark.parametrize(("width", "amount"), [(1, 200), (1, 255), (4, 3 * DOLLAR), (4, 2**32 - 1), (16, 2**32 - 1)])
def test_amounts_take_as_many_bytes_as_they_need(new_channel, claim, width, amount):
    channel, other = new_channel(2**32, salt=10), new_channel(2**32, salt=11)
    claimed = claim(channel.packed(amount), other.packed(1, voucher=amount), width=width)[0]
    assert claimed == (amount + 1, ())


@pytest.mark.parametrize("width", range(1, 17))
def test_every_width_has_its_whole_range(new_channel, claim, width):
    top = 2 ** (8 * width) - 1
    channel = new_channel(100, salt=100 + width)
    # The most that can be written, kept but for 1: both amounts are read in full, and neither is read into the other.
    assert claim(channel.packed(1, voucher=top), width=width)[0] == (1, ())
    assert claim(Entry(channel.id, channel.voucher(2), 2, top), width=width)[0] == (0, (0,))


def test_a_channel_may_hold_and_pay_all_of_128_bits(new_channel, admin, claim, merchant):
    token = TrickToken.deploy({"from": admin})
    channel = new_channel(UINT128_MAX, token=token)
    assert claim(channel.packed(UINT128_MAX - 1, voucher=UINT128_MAX), token=token)[0] == (UINT128_MAX - 1, ())
    assert claim(channel.packed(UINT128_MAX), token=token)[0] == (1, ())
    assert channel.state == (UINT128_MAX, UINT128_MAX)
    assert token.balanceOf(merchant) == UINT128_MAX


# ------------------------------------------------------------------ what is skipped


@pytest.fixture
def bad_entry(channels, channel, new_channel, keys, payer, stranger, other_merchant, admin, hot_key):
    """An entry that does not hold, for a reason; and the channel that it is about, open to the open way or not."""

    def signed(**how):
        return channel.packed(DOLLAR, signature=channel.voucher(DOLLAR, **how))

    def junk(r, s, v=27):
        return channel.packed(DOLLAR, signature=r.to_bytes(32) + s.to_bytes(32) + bytes([v]))

    def of_wallet():
        wallet = ContractWallet.deploy(payer, {"from": payer})
        return new_channel(0, payer=wallet.address, payer_authorizer=ZERO_ADDRESS, hot_key=keys[payer.address])

    def flipped():
        signature = channel.voucher(DOLLAR)
        return channel.packed(DOLLAR, signature=signature[:64] + bytes([55 - signature[64]]))

    n = signing.SECP256K1_ORDER
    domain = signing.domain_of(channels)
    return {
        "an unknown channel": lambda: new_channel(0, salt=9).packed(DOLLAR),
        "no channel at all": lambda: Entry(bytes(32), channel.voucher(DOLLAR), DOLLAR),
        "a stranger's signature": lambda: signed(key=keys[stranger.address]),
        "the payer's in place of its hot key's": lambda: signed(key=keys[payer.address]),
        "another amount's signature": lambda: Entry(channel.id, channel.voucher(DOLLAR), 2 * DOLLAR),
        "another channel's signature": lambda: channel.packed(DOLLAR, signature=channel.with_(salt=9).voucher(DOLLAR)),
        "another chain's signature": lambda: signed(domain=domain | {"chainId": chain.id + 1}),
        "another contract's signature": lambda: signed(domain=domain | {"verifyingContract": stranger.address}),
        "the other parity": flipped,
        "a signature of zeros": lambda: junk(0, 0),
        "a signature of zeros and ones": lambda: junk(0, 0, 28),
        "an s of zero": lambda: channel.packed(DOLLAR, signature=JUNK),
        "an r of zero": lambda: junk(0, 1),
        "an r that is the order": lambda: junk(n, 1),
        "an r beyond all": lambda: junk(2**256 - 1, 1),
        "an s beyond all": lambda: junk(1, 2**255 - 1),
        "another receiver's channel": lambda: new_channel(receiver=other_merchant.address).packed(DOLLAR),
        "another token's channel": lambda: new_channel(token=TrickToken.deploy({"from": admin})).packed(DOLLAR),
        "nothing": lambda: channel.packed(0),
        "all of it kept": lambda: channel.packed(0, voucher=DOLLAR),
        "more kept than signed": lambda: Entry(channel.id, channel.voucher(1), 1, 2),
        "far more kept than signed": lambda: Entry(channel.id, channel.voucher(0), 0, UINT128_MAX),
        "more than deposited": lambda: channel.packed(100 * DOLLAR + 1),
        "far more than deposited": lambda: channel.packed(UINT128_MAX),
        "a contract wallet's": lambda: of_wallet().packed(DOLLAR),
    }


REASONS = [
    *("an unknown channel", "no channel at all", "a stranger's signature", "the payer's in place of its hot key's"),
    *("another amount's signature", "another channel's signature", "another chain's signature"),
    *("another contract's signature", "the other parity", "a signature of zeros", "a signature of zeros and ones"),
    *("an s of zero", "an r of zero", "an r that is the order", "an r beyond all", "an s beyond all"),
    *("another receiver's channel", "another token's channel", "nothing", "all of it kept", "more kept than signed"),
    *("far more kept than signed", "more than deposited", "far more than deposited", "a contract wallet's"),
]


@pytest.mark.parametrize("reason", REASONS)
def test_an_entry_that_does_not_hold_is_skipped_and_the_others_are_paid(
    asset, channel, other_channel, third_channel, bad_entry, claim, merchant, reason
):
    bad = bad_entry[reason]()
    result, _ = claim(other_channel.packed(5 * DOLLAR), bad, third_channel.packed(2 * DOLLAR))
    assert result == (7 * DOLLAR, (1,))
    assert channel.state == (100 * DOLLAR, 0)
    assert asset.balanceOf(merchant) == 7 * DOLLAR


def test_all_reasons_at_once_and_nothing_is_paid(asset, bad_entry, claim, merchant):
    assert sorted(bad_entry) == sorted(REASONS)
    entries = [make() for make in bad_entry.values()]
    result, tx = claim(*entries)
    assert result == (0, tuple(range(len(entries))))
    assert emitted(tx, "Transfer") == []
    assert asset.balanceOf(merchant) == 0


@pytest.mark.parametrize("signer", [0x1B, 0x1C, 1, 2**160 - 1])
@pytest.mark.parametrize("v", [27, 28])
@pytest.mark.parametrize("r", [0, 1])
def test_an_address_that_nobody_has_the_key_of_signs_nothing(new_channel, claim, signer, r, v):
    # What recovery reads and writes stands side by side in memory: none of it may pass for a signer when it fails.
    channel = new_channel(payer_authorizer=f"0x{signer:040x}")
    assert claim(channel.packed(DOLLAR, signature=r.to_bytes(32) + bytes(32) + bytes([v])))[0] == (0, (0,))
    assert channel.state == (100 * DOLLAR, 0)


def test_a_failed_recovery_does_not_pass_for_the_signer_before_it(channel, claim):
    assert claim(channel.packed(DOLLAR), channel.packed(2 * DOLLAR, signature=JUNK))[0] == (DOLLAR, (1,))


def test_what_is_claimed_already_is_skipped(asset, channel, other_channel, claim, merchant):
    claim(channel.packed(30 * DOLLAR))
    older = channel.packed(20 * DOLLAR)
    assert claim(channel.packed(30 * DOLLAR), older, other_channel.packed(1))[0] == (1, (0, 1))
    assert asset.balanceOf(merchant) == 30 * DOLLAR + 1


def test_the_same_entry_twice_in_one_claim_is_paid_once(asset, channel, claim, merchant):
    assert claim(channel.packed(30 * DOLLAR), channel.packed(30 * DOLLAR))[0] == (30 * DOLLAR, (1,))
    assert asset.balanceOf(merchant) == 30 * DOLLAR


@pytest.mark.parametrize("bad", [(0,), (1,), (4,), (0, 1), (3, 4), (0, 4), (0, 2, 4), (1, 2, 3), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("width", [1, 4, 16])
def test_the_skipped_are_listed_by_their_places(channel, claim, bad, width):
    entries = [channel.packed(i + 1, signature=JUNK if i in bad else None) for i in range(5)]
    good = [i + 1 for i in range(5) if i not in bad]
    assert claim(*entries, width=width)[0] == (max(good, default=0), bad)


def test_a_contract_wallets_voucher_goes_the_open_way(channels, keys, payer, merchant, new_channel, claim):
    wallet = ContractWallet.deploy(payer, {"from": payer})
    token = TrickToken.deploy({"from": payer})  # takes the wallet's signature for its deposit too
    channel = new_channel(payer=wallet.address, payer_authorizer=ZERO_ADDRESS, hot_key=keys[payer.address], token=token)
    assert claim(channel.packed(DOLLAR), token=token)[0] == (0, (0,))
    channels.claim([channel.claim(DOLLAR)], {"from": merchant})
    assert channel.state == (100 * DOLLAR, DOLLAR)


@pytest.mark.parametrize("role", ["authorizer", "payer", "stranger"])
def test_nobody_but_the_receiver_claims_packed(channels, asset, channel, request, role):
    caller = request.getfixturevalue(role)
    tx = channels.claimPacked(asset, pack(channel.packed(DOLLAR)), {"from": caller})
    assert_emitted(tx, "PackedClaimed", receiver=caller, token=asset, amount=0, skipped=(0,))
    assert channel.state == (100 * DOLLAR, 0)


def test_an_asset_that_refuses_to_move_leaves_the_channel_as_it_was(channels, new_channel, admin, merchant):
    token = TrickToken.deploy({"from": admin})
    channel = new_channel(token=token)
    token.setRefuses(True, {"from": admin})
    with reverts_with("SafeERC20FailedOperation", token):
        channels.claimPacked(token, pack(channel.packed(DOLLAR)), {"from": merchant})


# ------------------------------------------------------------------ what is malformed


@pytest.mark.parametrize("width", [1, 4, 16])
@pytest.mark.parametrize("change", ["a byte less", "a byte more", "half an entry less", "another width"])
def test_a_malformed_claim_is_refused(channels, asset, channel, merchant, width, change):
    blob = pack(channel.packed(100), channel.packed(101), width=width)
    changed = {
        "a byte less": blob[:-1],
        "a byte more": blob + b"\0",
        "half an entry less": blob[:-50],
        "another width": bytes([width + 1]) + blob[1:],
    }
    with reverts_with("PackedClaims_Malformed"):
        channels.claimPacked(asset, changed[change], {"from": merchant})


@pytest.mark.parametrize("width", [0, 17, 32, 255])
def test_amounts_take_one_to_sixteen_bytes(channels, asset, merchant, width):
    with reverts_with("PackedClaims_Malformed"):
        channels.claimPacked(asset, bytes([width]) + bytes(96 + 2 * width), {"from": merchant})


@pytest.mark.parametrize("blob", [b"", b"\0", b"\1", b"\x10"], ids=["empty", "0", "1", "16"])
def test_a_claim_of_no_entries_is_refused(channels, asset, merchant, blob):
    with reverts_with("PackedClaims_Malformed"):
        channels.claimPacked(asset, blob, {"from": merchant})


# ------------------------------------------------------------------ where the state stands


def test_a_channel_that_nobody_opened_has_no_state(channels, new_channel):
    assert new_channel(0, salt=77).state == (0, 0)
    assert plain(channels.channels(bytes(32))) == (0, 0)


def test_two_deployments_do_not_share_vouchers(hub, channel, asset, merchant, admin):
    twin = PaymentChannels.deploy({"from": admin})
    tx = twin.claimPacked(asset, pack(channel.packed(DOLLAR)), {"from": merchant})
    assert_emitted(tx, "PackedClaimed", receiver=merchant, token=asset, amount=0, skipped=(0,))
