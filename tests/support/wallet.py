"""A person with a wallet: the key that owns the money, and the hot key that pays."""

import secrets
from datetime import datetime, timedelta
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from eth_utils.crypto import keccak

from tests.support import signing

Json = dict[str, Any]
FAR_FUTURE = 2**40


def _fields(text: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in text.split(",")]


RULE_TYPES = {
    "Rule": _fields(
        "address payer,uint64 id,string gather,string fires,string only,Destination[] destinations,uint96 perDay,"
        "uint64 validUntil"
    ),
    "Destination": _fields("string kind,uint16 share,address recipient,address token,uint16 slippage"),
}


class Wallet:
    """:param name: makes the keys repeatable; a new pair if left out"""

    def __init__(self, name: str | None = None) -> None:
        seed = name.encode() if name else secrets.token_bytes(32)
        self.key = Account.from_key(keccak(seed + b" wallet"))
        self.hot_key = Account.from_key(keccak(seed + b" hot"))

    @property
    def address(self) -> str:
        return str(self.key.address)

    # -------------------------------------------------------------- channels

    def channel_config(self, facts: Json, **changes: Any) -> Json:
        """The API's `ChannelConfig`. :param facts: what `GET /v1/hub` told"""
        return {
            "payer": self.address,
            "payer_authorizer": self.hot_key.address,
            "receiver": facts["settlement"],
            "receiver_authorizer": facts["receiver_authorizer"],
            "token": facts["asset"].rsplit(":", 1)[1],
            "withdraw_delay": facts["withdraw_delay"],
            "salt": "0x" + secrets.token_hex(32),
        } | changes

    def deposit(
        self,
        facts: Json,
        config: Json,
        amount: int,
        *,
        valid_after: int = 0,
        valid_before: int = FAR_FUTURE,
        salt: str | None = None,
        holder: str | None = None,
    ) -> Json:
        """A signed deposit for the hub to relay. :param holder: a contract wallet of ours whose money it is"""
        salt = salt or "0x" + secrets.token_hex(32)
        signature = signing.sign(
            self.key,
            facts["asset_domain"],
            "ReceiveWithAuthorization",
            **{"from": holder or self.address},
            to=facts["collector"],
            value=amount,
            validAfter=valid_after,
            validBefore=valid_before,
            nonce=keccak(encode(["bytes32", "uint256"], [raw(channel_id(facts, config)), int(salt, 16)])),
        )
        authorization = {
            "valid_after": str(valid_after),
            "valid_before": str(valid_before),
            "salt": salt,
            "signature": signature,
        }
        return {"amount": str(amount), "authorization": authorization}

    def voucher(self, facts: Json, channel: str, cumulative: int, **domain: Any) -> str:
        """A voucher's signature by the hot key. :param domain: what to get wrong in the EIP-712 domain"""
        return signing.sign(
            self.hot_key,
            facts["voucher_domain"] | domain,
            "Voucher",
            channelId=raw(channel),
            maxClaimableAmount=cumulative,
        )

    # ----------------------------------------------------------- gift tokens

    def redemption(
        self,
        facts: Json,
        merchant_address: str,
        amount: int,
        *,
        valid_after: int = 0,
        valid_before: int = FAR_FUTURE,
        salt: str | None = None,
    ) -> Json:
        """Signed gift tokens, good for one merchant."""
        salt = salt or "0x" + secrets.token_hex(32)
        signature = signing.sign(
            self.key,
            facts["gift_domain"],
            "ReceiveWithAuthorization",
            **{"from": self.address},
            to=facts["settlement"],
            value=amount,
            validAfter=valid_after,
            validBefore=valid_before,
            nonce=keccak(encode(["address", "bytes32"], [merchant_address, raw(salt)])),
        )
        return {
            "holder": self.address,
            "amount": str(amount),
            "valid_after": str(valid_after),
            "valid_before": str(valid_before),
            "salt": salt,
            "signature": signature,
        }

    def redemption_for(self, facts: Json, invoice: Json, **signed: Any) -> Json:
        """Signed gift tokens for an invoice, as `GET /v1/invoices/…` shows it."""
        salt = invoice["salt_prefix"] + secrets.token_hex(16)
        ends = int(datetime.fromisoformat(invoice["expires_at"]).timestamp())
        more = {"salt": salt, "valid_before": ends} | signed
        amount = more.pop("amount", int(invoice["quote"]["value"]))
        return self.redemption(facts, invoice["merchant_address"], amount, **more)

    # ----------------------------------------------------------------- rules

    def rule(self, facts: Json, number: int, gather: str, fires: str, only: str = "", **changes: Any) -> Json:
        """The body of `POST /v1/channels/{id}/rules`. :param changes: fields to replace before it is signed"""
        body = {
            "id": str(number),
            "gather": gather,
            "fires": fires,
            "only": only,
            "destinations": [{"kind": "wallet", "share": 10_000}],
            "per_day": "0",
            "valid_until": FAR_FUTURE,
        } | changes
        empty = {"recipient": signing.ZERO_ADDRESS, "token": signing.ZERO_ADDRESS, "slippage": 0}
        message = {
            "payer": self.address,
            "id": int(body["id"]),
            "gather": body["gather"],
            "fires": body["fires"],
            "only": body["only"],
            "destinations": [empty | destination for destination in body["destinations"]],
            "perDay": int(body["per_day"]),
            "validUntil": body["valid_until"],
        }
        signable = encode_typed_data(facts["standing_orders_domain"], RULE_TYPES, message)
        return body | {"signature": "0x" + bytes(self.key.sign_message(signable).signature).hex()}

    # --------------------------------------------------------------- sign-in

    def sign_in(self, nonce: str, now: datetime, **changes: Any) -> Json:
        """The body of `POST /v1/auth/sessions`. :param changes: `domain`, `chain_id`, `expires`, `address`"""
        message = siwe_message(self.address, nonce, now, **changes)
        return {"message": message, "signature": self.sign_text(message)}

    def sign_text(self, text: str) -> str:
        return "0x" + bytes(self.key.sign_message(encode_defunct(text=text)).signature).hex()


def siwe_message(
    address: str,
    nonce: str,
    now: datetime,
    *,
    domain: str = "127.0.0.1:8000",
    chain_id: int = 31337,
    expires: datetime | None = None,
) -> str:
    """EIP-4361."""
    return (
        f"{domain} wants you to sign in with your Ethereum account:\n{address}\n\nSign in to Taesan.\n\n"
        f"URI: http://{domain}\nVersion: 1\nChain ID: {chain_id}\nNonce: {nonce}\n"
        f"Issued At: {now:%Y-%m-%dT%H:%M:%SZ}\n"
        f"Expiration Time: {expires or now + timedelta(minutes=5):%Y-%m-%dT%H:%M:%SZ}"
    )


def channel_id(facts: Json, config: Json) -> str:
    """The EIP-712 hash of the configuration, 0x-hex."""
    digest = signing.digest(
        facts["voucher_domain"],
        "ChannelConfig",
        payer=config["payer"],
        payerAuthorizer=config["payer_authorizer"],
        receiver=config["receiver"],
        receiverAuthorizer=config["receiver_authorizer"],
        token=config["token"],
        withdrawDelay=config["withdraw_delay"],
        salt=raw(config["salt"]),
    )
    return "0x" + digest.hex()


def config_tuple(config: Json) -> tuple[Any, ...]:
    """As the contracts' functions take it."""
    return tuple(config.values())


def raw(value: str) -> bytes:
    return bytes.fromhex(value.removeprefix("0x"))
