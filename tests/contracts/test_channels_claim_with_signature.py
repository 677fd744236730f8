"""PaymentChannels.claimWithSignature: anyone relays what the receivers' common authorizer has signed."""

import pytest
from brownie import ContractWallet, chain

from support import DOLLAR, ZERO_ADDRESS, signing
from support.errors import reverts_with
from support.events import assert_emitted, emitted, plain


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture(scope="module")
def to_other_merchant(new_channel, other_merchant):
    return new_channel(50 * DOLLAR, receiver=other_merchant.address)


@pytest.fixture(scope="module")
def sign(channels, keys, authorizer):
    """Sign claims as the authorizer, unless another key or domain is given."""

    def sign(*claims, key=None, domain=None):
        entries = [
            {
                "channelId": bytes(channels.getChannelId(config)),
                "maxClaimableAmount": voucher,
                "totalClaimed": total,
            }
            for (config, voucher), _, total in claims
        ]
        domain = domain or signing.domain_of(channels)
        return signing.sign(key or keys[authorizer.address], domain, "ClaimBatch", claims=entries)

    return sign


def test_anyone_may_relay_signed_claims(channels, channel, sign, merchant, stranger):
    claim = channel.claim(30 * DOLLAR, voucher=40 * DOLLAR)

    tx = channels.claimWithSignature([claim], sign(claim), {"from": stranger})

    assert channel.state == (100 * DOLLAR, 30 * DOLLAR)
    assert_emitted(tx, "Claimed", channelId=channel.id, receiver=merchant, amount=30 * DOLLAR, totalClaimed=30 * DOLLAR)


def test_receivers_with_one_authorizer_are_claimed_together(
    channels, asset, channel, to_other_merchant, sign, merchant, other_merchant, stranger
):
    claims = channel.claim(30 * DOLLAR), to_other_merchant.claim(5 * DOLLAR)

    channels.claimWithSignature(claims, sign(*claims), {"from": stranger})

    assert plain(channels.receivers(merchant, asset)) == (30 * DOLLAR, 0)
    assert plain(channels.receivers(other_merchant, asset)) == (5 * DOLLAR, 0)


def test_a_replayed_signature_claims_nothing_more(channels, channel, sign, stranger):
    claim = channel.claim(30 * DOLLAR)
    channels.claimWithSignature([claim], sign(claim), {"from": stranger})

    tx = channels.claimWithSignature([claim], sign(claim), {"from": stranger})

    assert emitted(tx, "Claimed") == []


def test_no_claims_are_no_error(channels, stranger):
    tx = channels.claimWithSignature([], b"", {"from": stranger})
    assert len(tx.logs) == 0


def test_a_contract_wallet_may_be_the_authorizer(channels, new_channel, sign, keys, admin, stranger):
    wallet = ContractWallet.deploy(admin, {"from": admin})
    channel = new_channel(receiver_authorizer=wallet.address)
    claim = channel.claim(DOLLAR)

    channels.claimWithSignature([claim], sign(claim, key=keys[admin.address]), {"from": stranger})

    assert channel.state == (100 * DOLLAR, DOLLAR)


@pytest.mark.parametrize("role", ["merchant", "payer", "stranger"])
def test_nobody_else_signs_for_the_authorizer(channels, channel, sign, keys, stranger, request, role):
    claim = channel.claim(DOLLAR)
    signature = sign(claim, key=keys[request.getfixturevalue(role).address])
    with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
        channels.claimWithSignature([claim], signature, {"from": stranger})


def test_a_channel_without_an_authorizer_is_not_claimed_by_signature(channels, new_channel, sign, stranger):
    claim = new_channel(receiver_authorizer=ZERO_ADDRESS).claim(DOLLAR)
    for signature in (sign(claim), bytes(65), b""):
        with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
            channels.claimWithSignature([claim], signature, {"from": stranger})


def test_a_malleated_signature_is_refused(channels, channel, sign, stranger):
    claim = channel.claim(DOLLAR)
    with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
        channels.claimWithSignature([claim], signing.malleated(sign(claim)), {"from": stranger})


def test_other_claims_than_the_signed_are_refused(channels, channel, to_other_merchant, sign, stranger):
    signed = channel.claim(10 * DOLLAR, voucher=40 * DOLLAR)
    signature = sign(signed)
    tampered = [
        [channel.claim(11 * DOLLAR, voucher=40 * DOLLAR)],
        [channel.claim(10 * DOLLAR, voucher=41 * DOLLAR)],
        [signed, to_other_merchant.claim(DOLLAR)],
        [signed, signed],
        [to_other_merchant.claim(10 * DOLLAR, voucher=40 * DOLLAR)],
    ]
    for claims in tampered:
        with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
            channels.claimWithSignature(claims, signature, {"from": stranger})


def test_a_signature_for_another_chain_is_refused(channels, channel, sign, stranger):
    claim = channel.claim(DOLLAR)
    signature = sign(claim, domain=signing.domain_of(channels, chain_id=chain.id + 1))
    with reverts_with("PaymentChannels_InvalidAuthorizerSignature"):
        channels.claimWithSignature([claim], signature, {"from": stranger})


def test_channels_with_different_authorizers_are_not_mixed(channels, channel, new_channel, sign, stranger):
    other = new_channel(receiver_authorizer=stranger.address)
    claims = channel.claim(DOLLAR), other.claim(DOLLAR)
    with reverts_with("PaymentChannels_MixedAuthorizers"):
        channels.claimWithSignature(claims, sign(*claims), {"from": stranger})


def test_the_authorizer_cannot_go_beyond_the_payers_voucher(channels, channel, sign, stranger):
    claim = channel.claim(11 * DOLLAR, voucher=10 * DOLLAR)
    with reverts_with("PaymentChannels_ClaimExceedsVoucher", channel.id, 11 * DOLLAR, 10 * DOLLAR):
        channels.claimWithSignature([claim], sign(claim), {"from": stranger})


def test_the_authorizer_cannot_go_beyond_the_balance(channels, channel, sign, stranger):
    claim = channel.claim(101 * DOLLAR)
    with reverts_with("PaymentChannels_ClaimExceedsBalance", channel.id, 101 * DOLLAR, 100 * DOLLAR):
        channels.claimWithSignature([claim], sign(claim), {"from": stranger})


def test_the_authorizer_cannot_sign_for_the_payer(channels, channel, sign, keys, authorizer, stranger):
    claim = channel.claim(DOLLAR, signature=channel.voucher(DOLLAR, key=keys[authorizer.address]))
    with reverts_with("PaymentChannels_InvalidVoucherSignature", channel.id):
        channels.claimWithSignature([claim], sign(claim), {"from": stranger})
