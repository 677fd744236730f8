"""Customers of a service that is sold by PyPI's `x402`: each deposits once, by the SDK's client, then only signs vouchers."""

import copy
from typing import Any

import httpx
from x402.http.clients import x402_requests
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
    encode_payment_signature_header,
)
from x402.mechanisms.evm.batch_settlement.client.voucher import sign_voucher
from x402.mechanisms.evm.signers import EthAccountSigner

from tests.bench.peer_x402 import PATH, Shop
from tests.support.chain import Chain
from tests.support.x402 import Customer


class Depositor:
    """:ivar paid: requests paid for, the one with the deposit included"""

    def __init__(self, chain: Chain, shop: Shop, url: str) -> None:
        """:param url: of what is sold"""
        self._customer, self._shop, self._host = Customer(chain, shop.deposit), shop, httpx.URL(url).netloc.decode()
        with x402_requests(self._customer.client) as session:
            answer = session.get(url, timeout=30)
        assert answer.status_code == 200, answer.text
        self.paid = 1
        refusal = httpx.get(url)
        assert refusal.status_code == 402, refusal.text
        offer = decode_payment_required_header(refusal.headers["payment-required"])
        self._payment: Any = self._customer.client.create_payment_payload(offer)
        assert self._payment.payload["type"] == "voucher"
        self.channel_id = str(self._payment.payload["voucher"]["channelId"])

    @property
    def charged(self) -> int:
        """In minor units."""
        return self.paid * self._shop.price

    def requests(self, count: int) -> list[str]:
        """The next ones over HTTP, signed beforehand."""
        start = f"GET {PATH} HTTP/1.1\r\nhost: {self._host}\r\npayment-signature: "
        return [f"{start}{self._next()}\r\n\r\n" for _ in range(count)]

    def pay(self, url: str) -> int:
        """Once more; returns what the shop says it has charged in all, in minor units."""
        answer = httpx.get(url, headers={"payment-signature": self._next()})
        extra = decode_payment_response_header(answer.headers["payment-response"]).extra
        return int(extra["channelState"]["chargedCumulativeAmount"])  # type: ignore[index]

    def _next(self) -> str:
        """The header that pays once more."""
        self.paid += 1
        signer, network = EthAccountSigner(self._customer.hot_key), self._shop.network
        payment = copy.deepcopy(self._payment)
        payment.payload["voucher"] = sign_voucher(signer, self.channel_id, self.charged, network).to_dict()
        return encode_payment_signature_header(payment)
