"""What a merchant's server asks the hub's facilitator, made by hand from the tests' own wallets."""

from typing import Any

import httpx
from pydantic.alias_generators import to_camel

from tests.support.stage import Merchant, Payer, Stage
from tests.support.wallet import Json


def requirements(stage: Stage, merchant: Merchant, amount: int, **extra: Any) -> Json:
    """An offer as `/x402/supported` tells to make it."""
    kind = stage.get("/x402/supported")["kinds"][0]
    told = kind["extra"]
    return {
        "scheme": kind["scheme"],
        "network": kind["network"],
        "asset": told["asset"],
        "amount": str(amount),
        "payTo": told["payTo"],
        "maxTimeoutSeconds": 60,
        "extra": {name: told[name] for name in ("receiverAuthorizer", "withdrawDelay", "name", "version")}
        | {"merchantId": merchant.id}
        | extra,
    }


def payload(payer: Payer, cumulative: int, deposit: Json | None = None) -> Json:
    """:param deposit: as `Wallet.deposit` signs it"""
    signature = payer.wallet.voucher(payer.stage.facts, payer.id, cumulative)
    told: Json = {
        "type": "voucher",
        "channelConfig": _camel(payer.config),
        "voucher": {"channelId": payer.id, "maxClaimableAmount": str(cumulative), "signature": signature},
    }
    if deposit is not None:
        signed = {"erc3009Authorization": _camel(deposit["authorization"])}
        told |= {"type": "deposit", "deposit": {"amount": deposit["amount"], "authorization": signed}}
    return told


def asked(offer: Json, inner: Json, name: str | None = None) -> Json:
    """The body for `/x402/verify` and `/x402/settle`. :param name: what the client calls the payment"""
    payment: Json = {"x402Version": 2, "payload": inner, "accepted": offer}
    if name is not None:
        payment["extensions"] = {"payment-identifier": {"info": {"required": False, "id": name}, "schema": {}}}
    return {"x402Version": 2, "paymentPayload": payment, "paymentRequirements": offer}


def verify(stage: Stage, body: Json) -> Json:
    return _told(stage.client.post("/x402/verify", json=body))


def settle(stage: Stage, body: Json) -> Json:
    return _told(stage.client.post("/x402/settle", json=body))


def _told(answer: httpx.Response) -> Json:
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


def _camel(fields: Json) -> Json:
    return {to_camel(name): value for name, value in fields.items()}
