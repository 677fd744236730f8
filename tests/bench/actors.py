"""Payers and merchants of the gas benchmark: repeatable keys, channels with a deposit, vouchers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from coincurve import PrivateKey
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak

from taesan.channels import vouchers
from taesan.core import authorizations
from taesan.core.crypto import Domain
from taesan.core.values import bytes_of, hex_of
from tests.support.chain import Chain

DOLLAR = 10**6
DEPOSIT = 100 * DOLLAR
FOREVER = 2**40
WITHDRAW_DELAY_S = 900


def key_of(name: str) -> PrivateKey:
    return PrivateKey(keccak(text=name))


def address_of(key: PrivateKey) -> str:
    return str(Account.from_key(key.secret).address)


def signature(key: PrivateKey, digest: bytes) -> str:
    raw = key.sign_recoverable(digest, hasher=None)
    return hex_of(raw[:64] + bytes([27 + raw[64]]))


@dataclass
class Payer:
    key: PrivateKey
    hot_key: PrivateKey
    config: tuple[Any, ...]
    channel_id: str
    signed: int = 0
    entitled: int = 0

    @property
    def address(self) -> str:
        return str(self.config[0])

    def voucher(self, chain: Chain, amount: int) -> str:
        """Signs for `amount` more; the signature."""
        self.signed += amount
        digest = vouchers.voucher_digest(chain.contracts.voucher_domain, self.channel_id, self.signed)
        return signature(self.hot_key, digest)


def open_channels(chain: Chain, names: Sequence[str], receiver: str) -> list[Payer]:
    """Payers with money and a deposit in a channel to the receiver, forty to a transaction as the hub relays them."""
    payers = [_payer(chain, name, receiver) for name in names]
    token = asset_domain(chain)
    for start in range(0, len(payers), 40):
        part = payers[start : start + 40]
        chain.give_everybody_dollars([payer.address for payer in part], 2 * DEPOSIT)
        deposits = [
            chain.contracts.encode(
                "channels",
                "deposit",
                payer.config,
                DEPOSIT,
                chain.deployment.collector,
                _authorization(payer, token, chain),
            )
            for payer in part
        ]
        chain.send(OPERATOR, "channels", "multicall", deposits)
    return payers


def asset_domain(chain: Chain) -> Domain:
    return Domain("Test Dollar", chain.read("asset", "version"), chain.deployment.chain_id, chain.deployment.asset)


def _payer(chain: Chain, name: str, receiver: str) -> Payer:
    key, hot_key = key_of(f"{name} wallet"), key_of(f"{name} hot")
    config = (
        address_of(key),
        address_of(hot_key),
        receiver,
        vouchers.ZERO_ADDRESS,
        chain.deployment.asset,
        WITHDRAW_DELAY_S,
        hex_of(bytes(32)),
    )
    return Payer(key, hot_key, config, vouchers.channel_id(chain.contracts.voucher_domain, config))


def _authorization(payer: Payer, token: Domain, chain: Chain) -> bytes:
    salt = hex_of(bytes(32))
    digest = authorizations.receive_digest(
        token,
        payer.address,
        chain.deployment.collector,
        DEPOSIT,
        0,
        FOREVER,
        vouchers.deposit_nonce(payer.channel_id, salt),
    )
    return encode(["uint256", "uint256", "uint256", "bytes"], [0, FOREVER, 0, bytes_of(signature(payer.key, digest))])


# Anvil's first account: the settler of the contracts that `Chain` deploys.
OPERATOR = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
