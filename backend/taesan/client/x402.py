"""x402 v2 as a payer reads and writes it: what is asked for, what is sent, what came back. Pure."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from taesan.client.signing import HubFacts, Json
from taesan.client.steps import Send

VERSION = 2
SCHEME = "batch-settlement"
REQUIRED, SIGNATURE, RESPONSE = "PAYMENT-REQUIRED", "PAYMENT-SIGNATURE", "PAYMENT-RESPONSE"
_CAMEL = {
    "payer": "payer",
    "payer_authorizer": "payerAuthorizer",
    "receiver": "receiver",
    "receiver_authorizer": "receiverAuthorizer",
    "token": "token",
    "withdraw_delay": "withdrawDelay",
    "salt": "salt",
}


def read_required(headers: Mapping[str, str]) -> Json:
    """What a 402 asks for; empty if it does not say so in the words of x402."""
    return _decoded(headers.get(REQUIRED, "")) or {}


def read_receipt(headers: Mapping[str, str]) -> Json | None:
    """What became of a payment."""
    return _decoded(headers.get(RESPONSE, ""))


def choose(required: Mapping[str, Any], facts: HubFacts) -> Json | None:
    """The first offer that a channel of this hub pays."""
    for offer in required.get("accepts") or []:
        wanted = {"scheme": SCHEME, "network": facts.network}
        if any(offer.get(name) != value for name, value in wanted.items()):
            continue
        addresses = {"payTo": facts.settlement, "asset": facts.token}
        ours = all(str(offer.get(name)).lower() == value.lower() for name, value in addresses.items())
        if ours and str(offer.get("amount", "")).isdecimal() and int(offer["amount"]) > 0:
            return dict(offer)
    return None


def payment(required: Mapping[str, Any], offer: Json, config: Json, voucher: Json) -> Json:
    """The payment, as its header holds it. :param config: the API's `ChannelConfig`; :param voucher: the API's"""
    return {
        "x402Version": VERSION,
        "payload": {
            "type": "voucher",
            "channelConfig": {_CAMEL[name]: value for name, value in config.items()},
            "voucher": {
                "channelId": voucher["channel_id"],
                "maxClaimableAmount": voucher["max_claimable_amount"],
                "signature": voucher["signature"],
            },
        },
        "accepted": offer,
        "resource": required.get("resource"),
    }


class Corrective(NamedTuple):
    """What the hub says that it was paid, and the payer's own voucher that proves it. Minor units."""

    charged: int
    signed: int
    signature: str


def corrective(required: Mapping[str, Any]) -> Corrective | None:
    for offer in required.get("accepts") or []:
        extra = offer.get("extra") or {}
        try:
            channel, voucher = extra["channelState"], extra["voucherState"]
            return Corrective(
                int(channel["chargedCumulativeAmount"]), int(voucher["signedMaxClaimable"]), str(voucher["signature"])
            )
        except (KeyError, TypeError, ValueError):
            continue
    return None


# ---------------------------------------------------------- to be sent again


def request(send: Send, paid: Json) -> Json:
    """A request with its payment, as the state keeps it."""
    return _plain(send) | {"payment": base64.b64encode(json.dumps(paid).encode()).decode()}


def kept(send: Send, pending: Json) -> Json:
    """What the state would keep of this request, had it been paid with the same payment."""
    return _plain(send) | {"payment": pending.get("payment")}


def sent(request: Json) -> Send:
    plain = Send(
        request["method"],
        request["url"],
        None,
        dict(request["headers"]),
        base64.b64decode(request["content"]) if request["content"] is not None else None,
    )
    return replace(plain, headers=plain.headers | {SIGNATURE: request["payment"]})


def _plain(send: Send) -> Json:
    content = None if send.content is None else base64.b64encode(send.content).decode()
    return {"method": send.method, "url": send.url, "headers": send.headers, "content": content}


def _decoded(header: str) -> Json | None:
    try:
        value = json.loads(base64.b64decode(header, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
