"""What a paywall offers and reads: prices, x402's headers, which offer a client has taken. Pure."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Json = dict[str, Any]
VERSION = 2
SCHEME, EXACT = "batch-settlement", "exact"
PAYMENT_REQUIRED, PAYMENT_SIGNATURE, PAYMENT_RESPONSE = "PAYMENT-REQUIRED", "PAYMENT-SIGNATURE", "PAYMENT-RESPONSE"
EXPOSED = f"{PAYMENT_REQUIRED}, {PAYMENT_RESPONSE}"
TIMEOUT_S, EXACT_TIMEOUT_S = 60, 600  # a signed transfer waits for others, so it has to be good for longer
DEPOSITS = 10  # a new payer is asked to deposit so many prices, as the SDKs' servers do
MAX_HEADER = 16_384  # characters
MAX_UNITS = 2**63
_FACTS = ("receiverAuthorizer", "withdrawDelay", "name", "version", "assetTransferMethod")
_IDENTIFIER = {
    "info": {"required": False},
    "schema": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "required": {"type": "boolean"},
            "id": {"type": "string", "minLength": 16, "maxLength": 128, "pattern": "^[a-zA-Z0-9_-]+$"},
        },
        "required": ["required"],
    },
}


@dataclass(frozen=True)
class Price:
    """Of one request.

    :param amount: in whole units of the hub's asset, such as `"0.01"` or `"$0.01"`
    :param description: what is bought, for a person. :param mime_type: what the answer is
    """

    amount: str
    description: str = ""
    mime_type: str = "application/json"

    def __post_init__(self) -> None:
        minor_units(self.amount, 18)

    @classmethod
    def of(cls, price: "Price | str") -> "Price":
        return price if isinstance(price, Price) else cls(price)


def minor_units(amount: str, decimals: int) -> int:
    """:raises ValueError: it is no positive amount, or finer than the asset's smallest unit"""
    try:
        units = Decimal(amount.strip().removeprefix("$")).scaleb(decimals)
        is_price = 0 < units < MAX_UNITS and units == int(units)
    except ArithmeticError:
        is_price = False
    if not is_price:
        raise ValueError(f"{amount!r} is no price: write it like '0.01', with at most {decimals} decimals")
    return int(units)


def offer(kind: Json, merchant_id: str, price: Price, deposit: str | None = None) -> Json:
    """What is asked for a request.

    :param kind: the hub's, of `/x402/supported`
    :param deposit: what payers are asked to deposit when they have nothing left, in whole units; else some prices
    """
    facts = kind["extra"]
    amount = minor_units(price.amount, facts["decimals"])
    wished = minor_units(deposit, facts["decimals"]) if deposit else amount * DEPOSITS
    least = max(wished, amount, int(facts["minDeposit"]))
    return {
        "scheme": kind["scheme"],
        "network": kind["network"],
        "amount": str(amount),
        "asset": facts["asset"],
        "payTo": facts["payTo"],
        "maxTimeoutSeconds": TIMEOUT_S,
        "extra": {name: facts[name] for name in _FACTS} | {"merchantId": merchant_id, "minDeposit": str(least)},
    }


def exact_offers(kind: Json, tokens: Sequence[Json], pay_to: str, price: Price, *, is_final: bool) -> list[Json]:
    """One for each token in which a signed transfer is taken; none if the hub would not pay the gas for such a price.

    :param kind: the hub's, of `/x402/supported`. :param tokens: of those that it names
    :param pay_to: the merchant's payout address. :param is_final: the answer waits until the money is on the chain
    """
    facts, settlement = kind["extra"], {"settlement": "final"} if is_final else {}
    least = int(facts["minFinalAmount" if is_final else "minAmount"])
    made = []
    for token in tokens:
        amount = minor_units(price.amount, token["decimals"])
        if not least <= amount <= int(facts["maxAmount"]):
            continue
        offered = {
            "scheme": EXACT,
            "network": kind["network"],
            "amount": str(amount),
            "asset": token["asset"],
            "payTo": pay_to,
            "maxTimeoutSeconds": EXACT_TIMEOUT_S,
            "extra": {"name": token["name"], "version": token["version"]} | settlement,
        }
        made.append(offered)
    return made


def payment_required(
    offers: list[Json], url: str, price: Price, error: str, extra: Json | None = None, extensions: Json | None = None
) -> Json:
    """The body of the header. :param extra: from which the client resynchronises. :param extensions: more than we always have"""
    return {
        "x402Version": VERSION,
        "error": error,
        "resource": {"url": url, "description": price.description, "mimeType": price.mime_type},
        "accepts": [
            made | {"extra": resynchronising(made["extra"], extra or {})} if made["scheme"] == SCHEME else made
            for made in offers
        ],
        "extensions": {"payment-identifier": _IDENTIFIER} | (extensions or {}),
    }


def resynchronising(offered: Json, told: Json) -> Json:
    """An offer's `extra` with the state that the hub has told, if it has."""
    return offered | {name: told[name] for name in ("channelState", "voucherState") if name in told}


def encoded(value: Json) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def read_payment(header: str) -> Json | None:
    """What a client has sent; None if it is no payment of this version."""
    try:
        value = json.loads(base64.b64decode(header[:MAX_HEADER], validate=True))
        # What is looked at before the hub has read all of it.
        if not isinstance(value["accepted"]["extra"], dict) or value["x402Version"] != VERSION:
            return None
        if not all(isinstance(part, str) for part in _signed(value)):
            return None
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return None
    return dict(value)


def _signed(payment: Json) -> list[Any]:
    """What of a payment makes it this one."""
    payload = payment["payload"]
    if _is_exact(payment):
        authorization = payload["authorization"]
        return [*(authorization[name] for name in ("from", "to", "value", "nonce")), payload["signature"]]
    return [payload["voucher"][name] for name in ("channelId", "maxClaimableAmount", "signature")]


def taken(offers: list[Json], payment: Json) -> Json | None:
    """The offer that the client has taken, unchanged; it may have kept what it was told to resynchronise."""
    accepted = payment["accepted"]
    for made in offers:
        same = all(accepted.get(name) == value for name, value in made.items() if name != "extra")
        if same and all(accepted["extra"].get(name) == value for name, value in made["extra"].items()):
            return made
    return None


def reference_of(method: str, target: str, body: bytes) -> str:
    """What is paid for: the same voucher cannot pay for another request."""
    return hashlib.sha256(b"\0".join([method.encode(), target.encode(), body])).hexdigest()[:40]


def identity_of(payment: Json, reference: str) -> str:
    """Whether two requests are the same payment for the same thing. Its deposit does not matter: that may be signed anew."""
    named = ((payment.get("extensions") or {}).get("payment-identifier") or {}).get("info")
    back = payment["payload"].get("amount", "all") if is_refund(payment) else None
    parts = [[part.lower() for part in _signed(payment)], named, reference, back]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _is_exact(payment: Json) -> bool:
    return "authorization" in payment["payload"]


def is_refund(payment: Json) -> bool:
    """Whether the client wants its free money back instead of buying anything."""
    return bool(payment["payload"].get("type") == "refund")


def receipt(settled: Json, payment: Json, amount: str) -> Json:
    """The hub's answer as the client wants it: with what this request has charged."""
    if is_refund(payment) or _is_exact(payment):
        return settled
    extra = dict(settled.get("extra") or {})
    charged = payment["payload"]["voucher"]["maxClaimableAmount"]
    extra["channelState"] = dict(extra.get("channelState") or {}) | {"chargedCumulativeAmount": charged}
    return settled | {"extra": extra | {"chargedAmount": amount}}
