"""Who can sign a voucher, and what cannot pass for a signature."""

import pytest
from brownie import ContractWallet, PaymentChannels, chain, web3

from support import DOLLAR, ZERO_ADDRESS, signing
from support.errors import reverts_with

REFUSE, REVERT, SHORT = 1, 2, 3


@pytest.fixture(scope="module")
def channel(new_channel):
    return new_channel(100 * DOLLAR)


@pytest.fixture(scope="module")
def self_signed(new_channel, keys, payer):
    """A channel without a hot key: the payer's own key signs the vouchers."""
    return new_channel(payer_authorizer=ZERO_ADDRESS, hot_key=keys[payer.address], salt=2)


@pytest.fixture(scope="module")
def wallet(module_isolation, payer):
    return ContractWallet.deploy(payer, {"from": payer})


@pytest.fixture(scope="module")
def of_wallet(new_channel, keys, payer, wallet):
    """A contract wallet's channel, whose vouchers its owner signs."""
    owner_key = keys[payer.address]
    return new_channel(payer=wallet.address, payer_key=owner_key, payer_authorizer=ZERO_ADDRESS, hot_key=owner_key)


def assert_refused(channel, signature, sender):
    with reverts_with("PaymentChannels_InvalidVoucherSignature", channel.id):
        channel.channels.claim([channel.claim(DOLLAR, signature=signature)], {"from": sender})


# ------------------------------------------------------------------- digests


def test_the_digests_are_those_of_eip_712(channels, channel):
    domain = signing.domain_of(channels)
    entry = {"channelId": channel.id, "maxClaimableAmount": 7, "totalClaimed": 5}

    assert (domain["name"], domain["version"]) == ("x402 Batch Settlement", "1")
    assert bytes(channels.getChannelId(channel.config)) == channel.id
    assert bytes(channels.getVoucherDigest(channel.id, 7)) == signing.digest(
        domain, "Voucher", channelId=channel.id, maxClaimableAmount=7
    )
    assert bytes(channels.getRefundDigest(channel.id, 3, 7)) == signing.digest(
        domain, "Refund", channelId=channel.id, nonce=3, amount=7
    )
    assert bytes(channels.getClaimBatchDigest([channel.claim(5, voucher=7)])) == signing.digest(
        domain, "ClaimBatch", claims=[entry]
    )


# -------------------------------------------------------------- who may sign


def test_the_hot_key_signs(channels, channel, merchant):
    channels.claim([channel.claim(DOLLAR)], {"from": merchant})
    assert channel.state == (100 * DOLLAR, DOLLAR)


def test_beside_a_hot_key_the_payers_own_key_does_not_count(channel, keys, payer, merchant):
    assert_refused(channel, channel.voucher(DOLLAR, key=keys[payer.address]), merchant)


def test_without_a_hot_key_the_payer_signs(channels, self_signed, merchant):
    channels.claim([self_signed.claim(DOLLAR)], {"from": merchant})
    assert self_signed.state == (100 * DOLLAR, DOLLAR)


def test_a_contract_wallet_signs_by_its_owner(channels, of_wallet, merchant):
    channels.claim([of_wallet.claim(DOLLAR)], {"from": merchant})
    assert of_wallet.state == (100 * DOLLAR, DOLLAR)


def test_a_contract_wallet_may_have_a_hot_key(channels, new_channel, wallet, keys, payer, merchant):
    channel = new_channel(payer=wallet.address, payer_key=keys[payer.address], salt=3)
    channels.claim([channel.claim(DOLLAR)], {"from": merchant})
    assert channel.state == (100 * DOLLAR, DOLLAR)


def test_a_contract_is_never_a_hot_key(new_channel, wallet, keys, payer, merchant):
    # Its answer could change after the service was delivered.
    channel = new_channel(payer_authorizer=wallet.address, hot_key=keys[payer.address], salt=4)
    assert_refused(channel, channel.voucher(DOLLAR), merchant)


@pytest.mark.parametrize("answer", [REFUSE, REVERT, SHORT])
def test_a_contract_wallet_that_does_not_clearly_agree_refuses(of_wallet, wallet, payer, merchant, answer):
    wallet.setAnswer(answer, {"from": payer})
    assert_refused(of_wallet, of_wallet.voucher(DOLLAR), merchant)


def test_a_contract_wallet_does_not_sign_by_strangers(of_wallet, keys, stranger, merchant):
    assert_refused(of_wallet, of_wallet.voucher(DOLLAR, key=keys[stranger.address]), merchant)


def test_a_payer_cannot_void_its_vouchers_by_delegating_to_code(channels, self_signed, payer, merchant):
    # As with EIP-7702: the account gets code, here one that reverts whatever it is asked, and keeps its key.
    _set_code(payer.address, "0x60006000fd")

    channels.claim([self_signed.claim(DOLLAR)], {"from": merchant})

    assert self_signed.state == (100 * DOLLAR, DOLLAR)


# ------------------------------------------------------ what is no signature


def test_strangers_signatures_are_refused(channel, keys, stranger, merchant):
    assert_refused(channel, channel.voucher(DOLLAR, key=keys[stranger.address]), merchant)


def test_malleated_signatures_are_refused(channel, self_signed, merchant):
    assert_refused(channel, signing.malleated(channel.voucher(DOLLAR)), merchant)
    assert_refused(self_signed, signing.malleated(self_signed.voucher(DOLLAR)), merchant)


@pytest.mark.parametrize(
    "junk",
    [b"", b"\x00", bytes(64), bytes(65), b"\xff" * 65, bytes(64) + b"\x1b", bytes(66)],
    ids=["empty", "a byte", "64 zeros", "65 zeros", "65 ff", "zeros with v", "66 zeros"],
)
def test_junk_is_no_signature(channel, self_signed, junk, merchant):
    assert_refused(channel, junk, merchant)
    assert_refused(self_signed, junk, merchant)


def test_a_signature_with_a_byte_more_or_less_is_refused(channel, merchant):
    signature = channel.voucher(DOLLAR)
    assert_refused(channel, signature[:64], merchant)
    assert_refused(channel, signature + b"\x00", merchant)


def test_a_signature_with_the_recovery_bit_alone_is_refused(channel, merchant):
    signature = channel.voucher(DOLLAR)
    assert_refused(channel, signature[:64] + bytes([signature[64] - 27]), merchant)


# ------------------------------------------------- signatures for other things


def test_a_voucher_for_another_amount_is_refused(channel, merchant):
    assert_refused(channel, channel.voucher(DOLLAR - 1), merchant)


def test_a_voucher_of_another_channel_is_refused(channel, merchant):
    assert_refused(channel, channel.with_(salt=99).voucher(DOLLAR), merchant)


def test_a_voucher_of_another_chain_is_refused(channels, channel, merchant):
    domain = signing.domain_of(channels, chain_id=chain.id + 1)
    assert_refused(channel, channel.voucher(DOLLAR, domain=domain), merchant)


def test_a_voucher_of_another_contract_is_refused(channel, admin, merchant):
    domain = signing.domain_of(PaymentChannels.deploy({"from": admin}))
    assert_refused(channel, channel.voucher(DOLLAR, domain=domain), merchant)


def test_a_refunds_signature_is_no_voucher(channels, channel, hot_key, merchant):
    signature = signing.sign(
        hot_key, signing.domain_of(channels), "Refund", channelId=channel.id, nonce=0, amount=DOLLAR
    )
    assert_refused(channel, signature, merchant)


def _set_code(address, code):
    method = "anvil_setCode" if "anvil" in web3.client_version.lower() else "evm_setAccountCode"
    response = web3.provider.make_request(method, [address, code])
    assert "error" not in response, response
    assert web3.eth.get_code(address).hex().removeprefix("0x") == code.removeprefix("0x")
