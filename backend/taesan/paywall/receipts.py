"""Signed offers and receipts: x402's extension `offer-receipt`, with EIP-712.

The merchant signs, as it is the one who offers and delivers. Whoever verifies has to know its signing address: that of its
payout address (`payTo` of `exact`), or one that the merchant names on its site.
https://github.com/coinbase/x402/blob/main/specs/extensions/extension-offer-and-receipt.md
"""

import time
from collections.abc import Sequence
from typing import Any

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_account.signers.local import LocalAccount

from taesan.paywall.terms import Json

EXTENSION = "offer-receipt"
_TYPES = {
    "Offer": "string resourceUrl,string scheme,string network,string asset,address payTo,string amount,"
    "uint256 maxTimeoutSeconds,uint256 issuedAt",
    "Receipt": "string network,string resourceUrl,string payer,uint256 issuedAt,string transaction",
}


class ReceiptSigner:
    """:param key: 0x-hex; that of the payout address, or one that can do nothing else. :ivar address: EIP-55"""

    def __init__(self, key: str) -> None:
        self._account: LocalAccount = Account.from_key(key)
        self.address: str = self._account.address

    def __repr__(self) -> str:
        return f"ReceiptSigner({self.address})"

    def offers(self, accepts: Sequence[Json], url: str) -> Json:
        """The extension of a 402: the merchant's word for each offer."""
        facts = ("scheme", "network", "asset", "payTo", "amount", "maxTimeoutSeconds")
        common = {"resourceUrl": url, "issuedAt": int(time.time())}
        signed = [self._signed("Offer", common | {name: made[name] for name in facts}) for made in accepts]
        return _extension("offers", {"type": "array", "items": {"type": "object"}}, signed)

    def receipt(self, settled: Json, url: str) -> Json:
        """The extension of a paid answer. :param settled: what the hub has told"""
        payload = {
            "network": settled["network"],
            "resourceUrl": url,
            "payer": settled.get("payer") or "",
            "issuedAt": int(time.time()),
            "transaction": settled.get("transaction") or "",
        }
        return _extension("receipt", {"type": "object"}, self._signed("Receipt", payload))

    def _signed(self, type_: str, payload: Json) -> Json:
        signature = self._account.sign_message(_typed(type_, payload)).signature
        return {"format": "eip712", "payload": payload, "signature": "0x" + bytes(signature).hex()}


def signer_of(artifact: Json) -> str | None:
    """Who has signed an offer or a receipt (EIP-55); None if nobody has. Whether it is the merchant is the caller's to say."""
    try:
        payload = artifact["payload"]
        if artifact["format"] != "eip712" or not isinstance(payload, dict):
            return None
        type_ = "Receipt" if "payer" in payload else "Offer"
        fields = {"transaction": ""} if type_ == "Receipt" else {"maxTimeoutSeconds": 0, "issuedAt": 0}
        return str(Account.recover_message(_typed(type_, fields | payload), signature=artifact["signature"]))
    except Exception:  # of what strangers send, eth-account has a dozen ways to say that it is nonsense
        return None


def _typed(type_: str, payload: Json) -> SignableMessage:
    chain_id = int(payload["network"].removeprefix("eip155:"))
    domain = {"name": f"x402 {type_.lower()}", "version": "1", "chainId": chain_id}
    fields = [field.split(" ") for field in _TYPES[type_].split(",")]
    known = {name: payload[name] for _, name in fields}
    if known.keys() != payload.keys():
        raise ValueError("what is not signed is no part of it")
    return encode_typed_data(domain, {type_: [{"type": kind, "name": name} for kind, name in fields]}, known)


def _extension(name: str, of: Json, value: Any) -> Json:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"version": {"type": "integer"}, name: of},
        "required": ["version", name],
    }
    return {EXTENSION: {"info": {"version": 1, name: value}, "schema": schema}}
