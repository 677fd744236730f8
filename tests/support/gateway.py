"""A gateway with a wallet that funds it, and its server, which signs what it posts."""

import itertools
import json
import secrets
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook

from tests.support.stage import DOLLAR, Payer, Stage
from tests.support.wallet import Json, Wallet

_names = itertools.count(1)


def signed(secret: str, body: Json, *, message_id: str | None = None, at: datetime | None = None) -> tuple[str, Json]:
    """A message as it is sent: body and headers."""
    text, at = json.dumps(body), at or datetime.now(UTC)
    id_ = message_id or f"msg_{secrets.token_hex(8)}"
    return text, {
        "webhook-id": id_,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id_, at, text),
        "content-type": "application/json",
    }


def message(type_: str, data: Any) -> Json:
    return {"type": type_, "timestamp": datetime.now(UTC).isoformat(), "data": data}


def payment(customer: str = "c-1", convert: int | None = 23_000, **changes: Any) -> Json:
    """What a gateway reports of one payment, by a new id."""
    return {
        "id": f"tx-{next(_names)}",
        "customer": customer,
        "purchase": {"value": "1177", "asset": "USD"},
        "convert": None if convert is None else str(convert),
        "paid_at": datetime.now(UTC).isoformat(),
    } | changes


class Gateway:
    """Registered by the operator; `fund` gives it a channel and signs for all of it."""

    def __init__(self, stage: Stage, name: str = "Narae Pay") -> None:
        self.stage, self.wallet = stage, Wallet()
        body = {"name": name, "address": self.wallet.address}
        answer = stage.client.post("/v1/operator/gateways", json=body, headers=stage.operator())
        assert answer.status_code == 201, answer.text
        self.id: str = answer.json()["id"]
        self.secret: str = answer.json()["secret"]
        self.path = f"/v1/gateways/{self.id}"
        self.payer = Payer(stage, self.wallet)

    @property
    def headers(self) -> Json:
        return self.payer.headers()

    def fund(self, amount: int = 10 * DOLLAR, signed_for: int | None = None) -> "Gateway":
        """:param signed_for: in all; default: all that is deposited by then"""
        self.deposit(amount)
        assert self.sign(self.funded() if signed_for is None else signed_for).status_code == 200
        return self

    def deposit(self, amount: int) -> None:
        self.payer.open_channel(amount)
        self.stage.confirm()

    def funded(self) -> int:
        found = self.stage.balance("channel", self.payer.id)
        return found + int(self.public()["drawn"])

    def sign(self, amount: int, **changes: Any) -> httpx.Response:
        voucher = {
            "channel_id": self.payer.id,
            "max_claimable_amount": str(amount),
            "signature": self.wallet.voucher(self.stage.facts, self.payer.id, amount),
        } | changes
        return self.stage.client.put(f"{self.path}/funding", json={"voucher": voucher}, headers=self.headers)

    def public(self) -> Any:
        return self.stage.get(self.path, **self.headers)

    def waiting(self) -> tuple[int, int]:
        told = self.public()
        return told["waiting_payments"], int(told["waiting_amount"])

    def post(self, body: Json, path: str = "webhook", **how: Any) -> httpx.Response:
        text, headers = signed(self.secret, body, **how)
        return self.stage.client.post(f"{self.path}/{path}", content=text, headers=headers)

    def report(self, *payments: Json) -> list[Json]:
        """In one message; the results."""
        answer = self.post(message("payment.made", list(payments)))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    def refund(self, *ids: str) -> list[Json]:
        answer = self.post(message("payment.refunded", [{"id": id_} for id_ in ids]))
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    def code_for(self, customer: str) -> str:
        answer = self.post(message("customer.link", {"customer": customer}), "link-codes")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["code"])

    def link(self, customer: str, wallet: Wallet) -> Json:
        answer = try_to_link(self.stage, self.code_for(customer), wallet)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


def try_to_link(stage: Stage, code: str, wallet: Wallet) -> httpx.Response:
    return stage.client.post("/v1/gateway-links", json={"code": code}, headers=stage.session_of(wallet))
