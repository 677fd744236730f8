"""Signatures are taken as the contracts take them, and told apart as eth-account does."""

import secrets

import pytest
from eth_account import Account

from taesan.core.crypto import Domain, recover
from tests.support import signing
from tests.support.wallet import Wallet, raw

DOMAIN = Domain("x402 Batch Settlement", "1", 31337, "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003")
AS_DICT = {
    "name": DOMAIN.name,
    "version": DOMAIN.version,
    "chainId": DOMAIN.chain_id,
    "verifyingContract": DOMAIN.verifying_contract,
}
DIGEST = bytes(range(32))


def _signature(wallet: Wallet, digest: bytes = DIGEST) -> bytes:
    return bytes(wallet.key.unsafe_sign_hash(digest).signature)


def test_the_signer_is_who_eth_account_says() -> None:
    for _ in range(20):
        wallet, digest = Wallet(), secrets.token_bytes(32)
        signature = _signature(wallet, digest)
        assert recover(digest, signature) == wallet.address == Account._recover_hash(digest, signature=signature)


def test_another_digest_has_another_signer() -> None:
    assert recover(bytes(32), _signature(Wallet("payer"))) != Wallet("payer").address


@pytest.mark.parametrize("length", [0, 1, 64, 66, 130])
def test_a_signature_has_65_bytes(length: int) -> None:
    assert recover(DIGEST, (_signature(Wallet()) * 2)[:length]) is None


@pytest.mark.parametrize("v", [0, 1, 2, 26, 29, 37, 255])
def test_v_is_27_or_28(v: int) -> None:
    assert recover(DIGEST, _signature(Wallet())[:64] + bytes([v])) is None


def test_the_high_s_twin_is_refused_as_on_chain() -> None:
    signature = _signature(Wallet())
    twin = raw(signing.with_high_s(signature.hex()))
    # Plain ecrecover would take it.
    assert Account._recover_hash(DIGEST, signature=twin) == Account._recover_hash(DIGEST, signature=signature)
    assert recover(DIGEST, twin) is None


@pytest.mark.parametrize("r", [bytes(32), b"\xff" * 32, signing.CURVE_ORDER.to_bytes(32, "big"), b"\x05" + bytes(31)])
@pytest.mark.parametrize("s", [bytes(32), b"\x01" * 32])
def test_garbage_has_no_signer_and_raises_nothing(r: bytes, s: bytes) -> None:
    signer = recover(DIGEST, r + s + bytes([27]))
    assert signer is None or signer != Wallet("payer").address
    if not int.from_bytes(s, "big") or int.from_bytes(r, "big") in (0, signing.CURVE_ORDER):
        assert signer is None


def test_typed_data_hashes_as_eth_account_hashes_it() -> None:
    channel = secrets.token_bytes(32)
    ours = DOMAIN.digest(
        "Voucher(bytes32 channelId,uint128 maxClaimableAmount)", ["bytes32", "uint128"], [channel, 230_000]
    )
    theirs = signing.digest(AS_DICT, "Voucher", channelId=channel, maxClaimableAmount=230_000)
    assert ours == theirs


def test_each_part_of_the_domain_counts() -> None:
    others = [
        Domain("x402 Batch settlement", "1", 31337, DOMAIN.verifying_contract),
        Domain(DOMAIN.name, "2", 31337, DOMAIN.verifying_contract),
        Domain(DOMAIN.name, "1", 1, DOMAIN.verifying_contract),
        Domain(DOMAIN.name, "1", 31337, Wallet("x").address),
    ]
    assert len({d.separator for d in [DOMAIN, *others]}) == 5
