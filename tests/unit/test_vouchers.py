"""x402 channel ids and digests equal to eth-account's, and which voucher may come next."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from eth_utils.crypto import keccak

from taesan.channels import vouchers
from taesan.channels.vouchers import check_next, is_signed_by
from taesan.core import authorizations
from taesan.core.crypto import Domain
from taesan.core.problems import Problem
from taesan.core.values import bytes_of, hex_of
from tests.support import signing
from tests.support.wallet import Wallet, channel_id

CONTRACT = "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003"
DOMAIN = Domain("x402 Batch Settlement", "1", 31337, CONTRACT)
FACTS: dict[str, Any] = {
    "voucher_domain": {
        "name": "x402 Batch Settlement",
        "version": "1",
        "chainId": 31337,
        "verifyingContract": CONTRACT,
    },
    "settlement": Wallet("settlement").address,
    "receiver_authorizer": Wallet("operator").address,
    "asset": "eip155:31337/erc20:" + Wallet("asset").address,
    "withdraw_delay": 86_400,
}
CHANNEL = "0x" + "5a" * 32
SIGNER = Wallet("payer")
KEY = bytes_of(SIGNER.hot_key.address)


@dataclass
class Spending:
    channel_id: str = CHANNEL
    state: str = "open"
    charged: int = 100
    available: int = 50


def test_channel_ids_equal_eth_accounts() -> None:
    for _ in range(10):
        config = Wallet().channel_config(FACTS, withdraw_delay=900 + secrets.randbelow(1_000_000))
        assert vouchers.channel_id(DOMAIN, tuple(config.values())) == channel_id(FACTS, config)  # type: ignore[arg-type]


def test_channel_ids_differ_in_every_field_and_domain() -> None:
    config = Wallet("payer").channel_config(FACTS)
    ids = {vouchers.channel_id(DOMAIN, tuple(config.values()))}  # type: ignore[arg-type]
    for field, value in config.items():
        if field == "salt":
            other: Any = "0x" + secrets.token_hex(32)
        else:
            other = value + 1 if isinstance(value, int) else Wallet().address
        ids.add(vouchers.channel_id(DOMAIN, tuple((config | {field: other}).values())))  # type: ignore[arg-type]
    for domain in (Domain(DOMAIN.name, "1", 1, CONTRACT), Domain(DOMAIN.name, "1", 31337, Wallet().address)):
        ids.add(vouchers.channel_id(domain, tuple(config.values())))  # type: ignore[arg-type]
    assert len(ids) == 1 + len(config) + 2


@pytest.mark.parametrize("amount", [0, 1, 230_000, 2**63 - 1, 2**128 - 1])
def test_voucher_digests_equal_eth_accounts(amount: int) -> None:
    theirs = signing.digest(
        FACTS["voucher_domain"], "Voucher", channelId=bytes.fromhex(CHANNEL[2:]), maxClaimableAmount=amount
    )
    assert vouchers.voucher_digest(DOMAIN, CHANNEL, amount) == theirs


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("ReceiveWithAuthorization", authorizations.receive_digest),
        ("TransferWithAuthorization", authorizations.transfer_digest),
    ],
)
def test_authorisations_hash_as_eth_account_hashes_them(name: str, digest: Callable[..., bytes]) -> None:
    token = Domain("Test Dollar", "1", 31337, Wallet("asset").address)
    nonce = vouchers.deposit_nonce(CHANNEL, "0x" + "07" * 32)
    assert nonce == keccak(bytes.fromhex(CHANNEL[2:]) + b"\x07" * 32)
    ours = digest(token, SIGNER.address, CONTRACT, 5_000_000, 0, 2**40, nonce)
    theirs = signing.digest(
        {
            "name": "Test Dollar",
            "version": "1",
            "chainId": 31337,
            "verifyingContract": token.verifying_contract,
        },
        name,
        **{"from": SIGNER.address},
        to=CONTRACT,
        value=5_000_000,
        validAfter=0,
        validBefore=2**40,
        nonce=nonce,
    )
    assert ours == theirs


def test_the_channels_key_signs_vouchers() -> None:
    assert is_signed_by(KEY, DOMAIN, CHANNEL, 130, bytes_of(SIGNER.voucher(FACTS, CHANNEL, 130)))


@pytest.mark.parametrize(
    "signature",
    [
        SIGNER.voucher(FACTS, CHANNEL, 131),
        SIGNER.voucher(FACTS, "0x" + "5b" * 32, 130),
        SIGNER.voucher(FACTS, CHANNEL, 130, chainId=1),
        SIGNER.voucher(FACTS, CHANNEL, 130, verifyingContract=Wallet("asset").address),
        SIGNER.voucher(FACTS, CHANNEL, 130, name="x402 batch settlement"),
        SIGNER.voucher(FACTS, CHANNEL, 130, version="2"),
        Wallet("thief").voucher(FACTS, CHANNEL, 130),
        signing.with_high_s(SIGNER.voucher(FACTS, CHANNEL, 130)),
        hex_of(bytes(65)),
    ],
    ids=["amount", "channel", "chain", "contract", "name", "version", "key", "high s", "nothing"],
)
def test_a_signature_for_anything_else_is_refused(signature: str) -> None:
    assert not is_signed_by(KEY, DOMAIN, CHANNEL, 130, bytes_of(signature))


def test_a_voucher_goes_on_from_the_last_one() -> None:
    check_next(Spending(), 30, 130)
    check_next(Spending(), 50, 150)


@pytest.mark.parametrize("cumulative", [0, 30, 99, 100, 129, 131, 230, 2**63 - 1])
def test_a_voucher_that_goes_back_or_jumps_is_refused(cumulative: int) -> None:
    with pytest.raises(Problem) as refused:
        check_next(Spending(), 30, cumulative)
    assert refused.value.type == "voucher-out-of-sequence"
    assert refused.value.extra["channel"] == {"id": CHANNEL, "charged_cumulative": "100", "available": "50"}


def test_more_than_the_deposit_is_refused() -> None:
    with pytest.raises(Problem) as refused:
        check_next(Spending(), 51, 151)
    assert (refused.value.type, refused.value.status) == ("insufficient-deposit", 402)


@pytest.mark.parametrize("state", ["pending", "withdrawing", "closed", "rejected", "anything"])
def test_only_open_channels_pay(state: str) -> None:
    with pytest.raises(Problem) as refused:
        check_next(Spending(state=state), 30, 130)
    assert refused.value.type == "channel-not-open"
    assert refused.value.detail
