"""What a payer signs: deposits, vouchers, sign-in. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from coincurve import PrivateKey
from eth_utils.address import to_checksum_address

from taesan.channels import vouchers
from taesan.core import authorizations
from taesan.core.clock import rfc3339
from taesan.core.crypto import Domain, keccak
from taesan.core.values import bytes_of, hex_of
from taesan.jars import signed

VALID_FOR_S = 3_600


class Signer(Protocol):
    """A key, wherever it lies. :ivar address: EIP-55"""

    @property
    def address(self) -> str: ...

    def sign(self, digest: bytes) -> str:
        """65 bytes as 0x-hex, v being 27 or 28."""
        ...


class LocalKey:
    """A key in this process's memory. :param secret: 32 bytes, or as 0x-hex"""

    def __init__(self, secret: bytes | str) -> None:
        self._key = PrivateKey(bytes_of(secret) if isinstance(secret, str) else secret)
        self.address: str = to_checksum_address(keccak(self._key.public_key.format(compressed=False)[1:])[-20:])

    def __repr__(self) -> str:
        return f"LocalKey({self.address})"

    def sign(self, digest: bytes) -> str:
        signature = self._key.sign_recoverable(digest, hasher=None)
        return hex_of(signature[:64] + bytes([signature[64] + 27]))


def sign_text(signer: Signer, text: str) -> str:
    """EIP-191, as wallets' `personal_sign`."""
    message = text.encode()
    return signer.sign(keccak(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message))


@dataclass(frozen=True)
class HubFacts:
    """`GET /v1/hub`, as far as a wallet needs it to sign. Amounts in minor units of the asset."""

    chain_id: int
    asset: str
    asset_exponent: int
    asset_domain: Domain
    gift_domain: Domain
    voucher_domain: Domain
    standing_orders_domain: Domain | None
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
            standing_orders_domain=domain(orders) if (orders := answer.get("standing_orders_domain")) else None,
            settlement=answer["settlement"],
            receiver_authorizer=answer["receiver_authorizer"],
            collector=answer["collector"],
            withdraw_delay=answer["withdraw_delay"],
        )

    @property
    def network(self) -> str:
        """CAIP-2."""
        return f"eip155:{self.chain_id}"

    @property
    def token(self) -> str:
        """The asset's address."""
        return self.asset_domain.verifying_contract

    def money(self, amount: int) -> dict[str, Any]:
        """As the API takes it."""
        return {"value": str(amount), "asset": self.asset, "exponent": self.asset_exponent}

    def units(self, cents: int) -> int:
        """US cents in the asset's minor units."""
        return int(cents * 10 ** (self.asset_exponent - 2))


Json = dict[str, Any]


def channel_config(facts: HubFacts, payer: str, hot_key: str, salt: str) -> Json:
    """x402 `ChannelConfig`, as the hub's API takes it. :param salt: 32 bytes as 0x-hex; another one is another channel"""
    return {
        "payer": payer,
        "payer_authorizer": hot_key,
        "receiver": facts.settlement,
        "receiver_authorizer": facts.receiver_authorizer,
        "token": facts.token,
        "withdraw_delay": facts.withdraw_delay,
        "salt": salt,
    }


def channel_id(facts: HubFacts, config: Json) -> str:
    names = ("payer", "payer_authorizer", "receiver", "receiver_authorizer", "token", "withdraw_delay", "salt")
    payer, hot_key, receiver, authorizer, token, delay, salt = (config[name] for name in names)
    return vouchers.channel_id(facts.voucher_domain, (payer, hot_key, receiver, authorizer, token, delay, salt))


def deposit(facts: HubFacts, signer: Signer, config: Json, amount: int, salt: str, now: datetime) -> Json:
    """The body of `POST /v1/channels`: the channel's terms, and an ERC-3009 authorisation that can go nowhere else.

    :param salt: 32 bytes as 0x-hex, of this deposit. :param amount: minor units
    """
    valid_before = int(now.timestamp()) + VALID_FOR_S
    digest = authorizations.receive_digest(
        facts.asset_domain,
        signer.address,
        facts.collector,
        amount,
        0,
        valid_before,
        vouchers.deposit_nonce(channel_id(facts, config), salt),
    )
    authorization = {
        "valid_after": "0",
        "valid_before": str(valid_before),
        "salt": salt,
        "signature": signer.sign(digest),
    }
    return {"config": config, "deposit": {"amount": str(amount), "authorization": authorization}}


def redemption(facts: HubFacts, signer: Signer, merchant: str, amount: int, salt: str, now: datetime) -> Json:
    """The body of `POST /v1/redemptions`: gift tokens, signed over to one merchant and nobody else.

    :param merchant: its address. :param salt: 32 bytes as 0x-hex, new for each. :param amount: minor units
    """
    valid_before = int(now.timestamp()) + VALID_FOR_S
    digest = authorizations.receive_digest(
        facts.gift_domain,
        signer.address,
        facts.settlement,
        amount,
        0,
        valid_before,
        vouchers.redemption_nonce(merchant, salt),
    )
    return {
        "holder": signer.address,
        "amount": str(amount),
        "valid_after": "0",
        "valid_before": str(valid_before),
        "salt": salt,
        "signature": signer.sign(digest),
    }


def transfer(
    facts: HubFacts, holder: Signer, to: str, amount: int, valid_after: int, valid_before: int, nonce: str
) -> str:
    """The signature by which anybody may bring gift tokens to `to`, and nowhere else (ERC-3009).

    :param amount: minor units. :param nonce: 32 bytes as 0x-hex, new for each. Times in unix seconds
    """
    values = (holder.address, to, amount, valid_after, valid_before, bytes_of(nonce))
    return holder.sign(authorizations.transfer_digest(facts.gift_domain, *values))


def voucher(facts: HubFacts, hot_key: Signer, channel: str, cumulative: int) -> Json:
    """:param cumulative: all that the channel has paid and this payment, minor units: nobody can take more"""
    digest = vouchers.voucher_digest(facts.voucher_domain, channel, cumulative)
    return {"channel_id": channel, "max_claimable_amount": str(cumulative), "signature": hot_key.sign(digest)}


def rule(domain: Domain, signer: Signer, rule: signed.Rule) -> Json:
    """The body of `POST /v1/channels/{id}/rules`: what the payer's small change becomes. :param domain: of `StandingOrders`"""
    return {
        "id": str(rule.id),
        "gather": rule.gather,
        "fires": rule.fires,
        "only": rule.only,
        "destinations": [asdict(destination) for destination in rule.destinations],
        "per_day": str(rule.per_day),
        "valid_until": rule.valid_until,
        "signature": signer.sign(signed.digest(domain, rule)),
    }


def permit(facts: HubFacts, signer: Signer, spender: str, amount: int, nonce: int, deadline: int) -> Json:
    """The body of `PUT /v1/allowance` (EIP-2612). :param spender: the standing orders. :param nonce: the gift token's next of the wallet"""
    digest = authorizations.permit_digest(facts.gift_domain, signer.address, spender, amount, nonce, deadline)
    return {"value": str(amount), "deadline": deadline, "signature": signer.sign(digest)}


def is_own_voucher(facts: HubFacts, hot_key: str, channel: str, cumulative: int, signature: str) -> bool:
    """Whether this hot key has signed for as much."""
    try:
        signed = bytes_of(signature)
        return vouchers.is_signed_by(bytes_of(hot_key), facts.voucher_domain, channel, cumulative, signed)
    except (ValueError, OverflowError):
        return False


def sign_in(signer: Signer, site: str, chain_id: int, nonce: str, statement: str, now: datetime) -> Json:
    """The body of `POST /v1/auth/sessions` (EIP-4361). :param site: the hub's address, such as `http://127.0.0.1:8000`"""
    # Written out: with the library that reads it on the other side comes web3, which takes seconds to load.
    text = (
        f"{urlsplit(site).netloc} wants you to sign in with your Ethereum account:\n{signer.address}\n\n{statement}\n\n"
        f"URI: {site}\nVersion: 1\nChain ID: {chain_id}\nNonce: {nonce}\nIssued At: {rfc3339(now)}"
    )
    return {"message": text, "signature": sign_text(signer, text)}
