"""What a wallet does, without a wallet: keys and signatures. The keys follow from their names, so they are for demos only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from coincurve import PrivateKey
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from siwe import SiweMessage

from taesan.channels import vouchers
from taesan.core.clock import rfc3339
from taesan.core.crypto import Domain
from taesan.core.values import hex_of
from taesan.merchants.redemption import redemption_nonce

VALID_FOR_S = 3_600
SALT = "0x" + "00" * 32


class Key:
    """:param name: the key is its keccak-256, so whoever knows the name has the key"""

    def __init__(self, name: str) -> None:
        self._key = PrivateKey(keccak(text=name))
        self.address: str = to_checksum_address(keccak(self._key.public_key.format(compressed=False)[1:])[-20:])

    def sign(self, digest: bytes) -> str:
        """65 bytes as 0x-hex, v being 27 or 28."""
        signature = self._key.sign_recoverable(digest, hasher=None)
        return hex_of(signature[:64] + bytes([signature[64] + 27]))

    def sign_text(self, text: str) -> str:
        """EIP-191, as wallets' `personal_sign`."""
        message = text.encode()
        return self.sign(keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message))


@dataclass(frozen=True)
class HubFacts:
    """`GET /v1/hub`, as far as a wallet needs it to sign."""

    chain_id: int
    asset: str
    asset_exponent: int
    asset_domain: Domain
    gift_domain: Domain
    voucher_domain: Domain
    settlement: str
    receiver_authorizer: str
    collector: str
    withdraw_delay: int

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> "HubFacts":
        def domain(of: Mapping[str, Any]) -> Domain:
            return Domain(of["name"], of["version"], of["chainId"], of["verifyingContract"])

        return cls(
            chain_id=int(answer["network"].removeprefix("eip155:")),
            asset=answer["asset"],
            asset_exponent=answer["asset_exponent"],
            asset_domain=domain(answer["asset_domain"]),
            gift_domain=domain(answer["gift_domain"]),
            voucher_domain=domain(answer["voucher_domain"]),
            settlement=answer["settlement"],
            receiver_authorizer=answer["receiver_authorizer"],
            collector=answer["collector"],
            withdraw_delay=answer["withdraw_delay"],
        )

    def units(self, cents: int) -> int:
        """US cents in the asset's minor units."""
        return int(cents * 10 ** (self.asset_exponent - 2))


def sign_in_message(key: Key, site: str, chain_id: int, nonce: str) -> tuple[str, str]:
    """The EIP-4361 message and its signature.

    :param site: the hub's address, such as `http://127.0.0.1:8000`
    """
    text = SiweMessage(
        domain=urlsplit(site).netloc,
        address=key.address,
        statement="Sign in to the Taesan demo.",
        uri=site,
        version="1",
        chain_id=chain_id,
        nonce=nonce,
        issued_at=rfc3339(datetime.now(UTC)),
    ).prepare_message()
    return text, key.sign_text(text)


class Payer:
    """A customer with a wallet, and a hot key that can spend what is in the channel and nothing else.

    :ivar charged: the channel's cumulative amount so far. :ivar fired: what became gift tokens. Minor units.
    """

    def __init__(self, number: int, facts: HubFacts) -> None:
        self.number, self.facts = number, facts
        self.wallet = Key(f"taesan demo customer {number:05}")
        self.hot = Key(f"taesan demo customer {number:05} hot key")
        self.charged = self.fired = 0
        config = self.config
        self.channel_id = vouchers.channel_id(
            facts.voucher_domain,
            (
                config["payer"],
                config["payer_authorizer"],
                config["receiver"],
                config["receiver_authorizer"],
                config["token"],
                config["withdraw_delay"],
                config["salt"],
            ),
        )

    @property
    def config(self) -> dict[str, Any]:
        """x402 `ChannelConfig`, as the hub's API takes it."""
        return {
            "payer": self.wallet.address,
            "payer_authorizer": self.hot.address,
            "receiver": self.facts.settlement,
            "receiver_authorizer": self.facts.receiver_authorizer,
            "token": self.facts.asset_domain.verifying_contract,
            "withdraw_delay": self.facts.withdraw_delay,
            "salt": SALT,
        }

    def opening(self, amount: int, now: datetime) -> dict[str, Any]:
        """`POST /v1/channels`: the channel's terms and a signed deposit of `amount` minor units."""
        valid_before = int(now.timestamp()) + VALID_FOR_S
        digest = vouchers.receive_authorization_digest(
            self.facts.asset_domain,
            self.wallet.address,
            self.facts.collector,
            amount,
            0,
            valid_before,
            vouchers.deposit_nonce(self.channel_id, SALT),
        )
        authorization = {
            "valid_after": "0",
            "valid_before": str(valid_before),
            "salt": SALT,
            "signature": self.wallet.sign(digest),
        }
        return {"config": self.config, "deposit": {"amount": str(amount), "authorization": authorization}}

    def voucher(self, amount: int) -> dict[str, str]:
        """The voucher that pays `amount` minor units more; `charged` grows when the hub has accepted it."""
        total = self.charged + amount
        digest = vouchers.voucher_digest(self.facts.voucher_domain, self.channel_id, total)
        return {
            "channel_id": self.channel_id,
            "max_claimable_amount": str(total),
            "signature": self.hot.sign(digest),
        }

    def redemption(self, merchant_address: str, amount: int, now: datetime) -> dict[str, str]:
        """`POST /v1/redemptions`: gift tokens signed over to one merchant."""
        valid_before = int(now.timestamp()) + VALID_FOR_S
        digest = vouchers.receive_authorization_digest(
            self.facts.gift_domain,
            self.wallet.address,
            self.facts.settlement,
            amount,
            0,
            valid_before,
            redemption_nonce(merchant_address, SALT),
        )
        return {
            "holder": self.wallet.address,
            "amount": str(amount),
            "valid_after": "0",
            "valid_before": str(valid_before),
            "salt": SALT,
            "signature": self.wallet.sign(digest),
        }
