"""Payments by x402's `exact`, made by hand from the tests' own wallets."""

import secrets

from tests.support import signing
from tests.support.stage import Merchant, Stage
from tests.support.wallet import FAR_FUTURE, Json, Wallet, raw


def requirements(stage: Stage, merchant: Merchant, amount: int, *, symbol: str = "TUSD", **extra: str) -> Json:
    """An offer as `/x402/supported` tells to make it. :param symbol: of the token"""
    return offer_of(stage.get("/x402/supported"), merchant.address, amount, symbol, **extra)


def offer_of(supported: Json, pay_to: str, amount: int, symbol: str = "TUSD", **extra: str) -> Json:
    kind = supported["kinds"][1]
    token = next(token for token in kind["extra"]["assets"] if token["symbol"] == symbol)
    return {
        "scheme": kind["scheme"],
        "network": kind["network"],
        "asset": token["asset"],
        "amount": str(amount),
        "payTo": pay_to,
        "maxTimeoutSeconds": 600,
        "extra": {"name": token["name"], "version": token["version"]} | extra,
    }


def transfer(
    wallet: Wallet,
    offer: Json,
    *,
    to: str | None = None,
    amount: int | None = None,
    valid_after: int = 0,
    valid_before: int = FAR_FUTURE,
    nonce: str | None = None,
) -> Json:
    """The scheme's part of a payment, signed as x402's clients do. What is left out is as the offer asks for it."""
    values = {
        "from": wallet.address,
        "to": to or offer["payTo"],
        "value": int(offer["amount"]) if amount is None else amount,
        "validAfter": valid_after,
        "validBefore": valid_before,
        "nonce": nonce or "0x" + secrets.token_hex(32),
    }
    domain = {
        "name": offer["extra"]["name"],
        "version": offer["extra"]["version"],
        "chainId": int(offer["network"].split(":")[1]),
        "verifyingContract": offer["asset"],
    }
    signed = values | {"nonce": raw(str(values["nonce"]))}
    signature = signing.sign(wallet.key, domain, "TransferWithAuthorization", **signed)
    told = {name: str(value) for name, value in values.items()}
    return {"signature": signature, "authorization": told}
