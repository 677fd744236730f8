"""The paywall itself: no answer leaves before its payment is durable, and no payment is taken for an answer that failed.

no payment ──▶ 402, with what is asked
a payment ──▶ verified ──▶ the handler ──▶ settled ──▶ its answer, with a receipt
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taesan.paywall import terms
from taesan.paywall.deliveries import KEPT_FOR_S, Deliveries, Delivery
from taesan.paywall.facilitator import Facilitator, Refused, Unknown
from taesan.paywall.receipts import ReceiptSigner
from taesan.paywall.terms import Json, Price

log = logging.getLogger(__name__)
MAX_BODY_BYTES = 1_500_000  # of a request: it is part of what is paid for
UNKNOWN = "unknown-outcome"
NO_OFFER = "Nothing can be paid here right now. You were not charged."
_SOON = {"retry-after": "5"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class _Purchase(NamedTuple):
    """:ivar reference: names the request. :ivar wanted: the offer that was taken"""

    price: Price
    url: str
    offers: list[Json]
    reference: str
    payment: Json
    wanted: Json


class Paywall:
    """ASGI middleware.

    What is behind it may run more than once for one payment, if an answer was lost: in another process, after a restart, or
    when the hub did not tell the outcome. Let it do no harm then.

    :param hub: URL of the Taesan hub. :param merchant: who is credited, `mer_…`
    :param prices: `METHOD /path` → price; paths as Starlette's routes write them, such as `GET /reports/{id}`
    :param deposit: what a payer is asked to deposit at a time, such as `"5"`; one deposit pays all merchants of the hub
    :param exact: whether single signed transfers (x402's `exact`) are taken too, for payers without a channel. They go
        straight to the payout address, and until the hub has brought them to the chain, together with others, they are
        the payer's promise: `GET /v1/direct-payments` tells which are settled
    :param gift: whether so are gift tokens, at face value
    :param wait: let answers paid so wait until the money is on the chain; the hub then takes none below its `minFinalAmount`
    :param key: the merchant's API key, which lets it ask the hub more often than strangers may
    :param receipt_key: signs offers and receipts (`receipts.py`); there are none if left out
    :param client: asks the hub; made here if left out
    """

    def __init__(
        self,
        app: ASGIApp,
        hub: str,
        merchant: str,
        prices: Mapping[str, Price | str],
        deposit: str | None = None,
        *,
        exact: bool = True,
        gift: bool = False,
        wait: bool = False,
        key: str | None = None,
        receipt_key: str | None = None,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._app, self._merchant, self._deposit = app, merchant, deposit
        self._exact, self._gift, self._wait = exact, gift, wait
        self._facilitator, self._deliveries = Facilitator(hub, client, key), Deliveries()
        self._receipts = ReceiptSigner(receipt_key) if receipt_key else None
        self._prices = []
        for route, price in prices.items():
            method, _, path = route.partition(" ")
            if method.upper() not in METHODS or not path.startswith("/"):
                raise ValueError(f"{route!r} is no route: write it like 'GET /weather'")
            self._prices.append((method.upper(), compile_path(path)[0], Price.of(price)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        price = self._price_of(scope) if scope["type"] == "http" else None
        if price is None:
            await self._app(scope, receive, send)
            return
        delivery = await self._answer(scope, receive, price)
        await send({"type": "http.response.start", "status": delivery.status, "headers": delivery.headers})
        await send({"type": "http.response.body", "body": delivery.body})

    def _price_of(self, scope: Scope) -> Price | None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        for priced, path, price in self._prices:
            if priced == method and path.match(scope["path"]):
                return price
        return None

    # ------------------------------------------------------------- deciding

    async def _answer(self, scope: Scope, receive: Receive, price: Price) -> Delivery:
        url = _url(scope)
        header = _header(scope, terms.PAYMENT_SIGNATURE)
        try:
            offers = await self._offers(price)
        except (Unknown, Refused) as away:
            log.warning("the hub does not tell what to ask for, for %s: %s", self._merchant, away)
            return _unknown(Unknown(str(away))) if header else _problem("no-offer", 503, NO_OFFER, _SOON)
        if header is None:
            return self._ask_for(offers, url, price, "payment required")
        payment = terms.read_payment(header)
        wanted = terms.taken(offers, payment) if payment else None
        if payment is None or wanted is None:
            why = "invalid_payload" if payment is None else "invalid_payment_requirements"
            return self._ask_for(offers, url, price, why)
        body = await _body(receive)
        if body is None:
            return _problem("body-too-large", 413, "The request is too large.", {})
        reference = terms.reference_of(scope["method"], _target(scope), body)
        purchase = _Purchase(price, url, offers, reference, payment, wanted)
        identity = terms.identity_of(payment, reference)
        return await self._deliveries.once(identity, lambda: self._sell(scope, body, receive, purchase))

    async def _sell(self, scope: Scope, body: bytes, receive: Receive, purchase: _Purchase) -> Delivery:
        """Verifies, delivers, charges; in this order, and the answer comes after all three."""
        # The reference is for the hub: it is none of the offer that the client has taken.
        wanted = purchase.wanted | {"extra": purchase.wanted["extra"] | {"reference": purchase.reference}}
        try:
            verified = await self._facilitator.verify(purchase.payment, wanted)
            if not verified["isValid"] or _is_spent(verified):
                return self._refused(purchase, verified.get("invalidReason"), verified.get("extra"))
            if terms.is_refund(purchase.payment):
                delivery = _json(200, {"message": "Refunded."}, [])
            else:
                delivery = await _run(self._app, scope, body, receive)
            if delivery.status >= 400:
                return delivery  # not charged
            settled = await self._facilitator.settle(purchase.payment, wanted)
        except Unknown as error:
            log.warning("the outcome of a payment is open: %s", error)
            return _unknown(error)
        except Refused as error:
            return _as_problem(error.problem, error.status, error.headers)
        if not settled["success"]:
            return self._refused(purchase, settled.get("errorReason"), settled.get("extra"))
        receipt = terms.receipt(settled, purchase.payment, purchase.wanted["amount"])
        if self._receipts is not None and not terms.is_refund(purchase.payment):
            more = self._receipts.receipt(settled, purchase.url)
            receipt |= {"extensions": (receipt.get("extensions") or {}) | more}
        return _paid(delivery, receipt, is_kept=not terms.is_refund(purchase.payment))

    # ------------------------------------------------------------- asking

    async def _offers(self, price: Price) -> list[Json]:
        """Vouchers first: a client that can pay by both ways takes the first. :raises Unknown, Refused: see there"""
        kinds = await self._facilitator.kinds()
        offers = [terms.offer(kinds[terms.SCHEME], self._merchant, price, self._deposit)]
        kind = kinds.get(terms.EXACT) if self._exact or self._gift else None
        if kind is not None:
            asset = kinds[terms.SCHEME]["extra"]["asset"]
            tokens = [t for t in kind["extra"]["assets"] if (self._exact if t["asset"] == asset else self._gift)]
            payee = await self._facilitator.payee(self._merchant)
            offers += terms.exact_offers(kind, tokens, payee, price, is_final=self._wait)
        return offers

    def _refused(self, purchase: _Purchase, reason: str | None, extra: Any) -> Delivery:
        reason = reason or _SPENT.get(purchase.wanted["scheme"], "refused")
        return self._ask_for(purchase.offers, purchase.url, purchase.price, reason, extra)

    def _ask_for(self, offers: list[Json], url: str, price: Price, error: str, extra: Json | None = None) -> Delivery:
        signed = self._receipts.offers(offers, url) if self._receipts is not None else None
        return _payment_required(terms.payment_required(offers, url, price, error, extra, signed))


_SPENT = {
    terms.SCHEME: "invalid_batch_settlement_evm_cumulative_amount_mismatch",
    terms.EXACT: "invalid_exact_evm_nonce_already_used",
}


def _is_spent(verified: Json) -> bool:
    """Whether the payment was accepted so long ago that it is none that lost its answer, but one that wants two for one."""
    payment = (verified.get("extra") or {}).get("payment")
    if payment is None:
        return False
    return datetime.now(UTC) - datetime.fromisoformat(payment["acceptedAt"]) > timedelta(seconds=KEPT_FOR_S)


# -------------------------------------------------------------------- the handler


async def _run(app: ASGIApp, scope: Scope, body: bytes, receive: Receive) -> Delivery:
    """What the application answers, whole: a stream is gathered, as its payment comes before its first byte."""
    start: Message = {}
    parts: list[bytes] = []
    given = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return given.pop() if given else await receive()

    async def gather(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            parts.append(message.get("body", b""))

    await app(scope, read, gather)
    return Delivery(start["status"], list(start.get("headers", [])), b"".join(parts))


async def _body(receive: Receive) -> bytes | None:
    """The request's; None if it is too long."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _url(scope: Scope) -> str:
    """As the client asked for it."""
    return f"{scope['scheme']}://{_header(scope, 'host') or 'localhost'}{_target(scope)}"


def _target(scope: Scope) -> str:
    """Path and query."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return path.decode("latin-1") + ("?" + query.decode("latin-1") if query else "")


def _header(scope: Scope, name: str) -> str | None:
    wanted = name.lower().encode()
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == wanted), None)


# -------------------------------------------------------------------- answers

_NO_STORE = ("cache-control", "no-store")
_EXPOSED = ("access-control-expose-headers", terms.EXPOSED)


def _paid(delivery: Delivery, receipt: Json, is_kept: bool) -> Delivery:
    told = [(terms.PAYMENT_RESPONSE.lower(), terms.encoded(receipt)), _NO_STORE, _EXPOSED]
    replaced = (b"cache-control", b"access-control-expose-headers")
    own = [(name, value) for name, value in delivery.headers if name.lower() not in replaced]
    exposed = [value.decode("latin-1") for name, value in delivery.headers if name.lower() == replaced[1]]
    if exposed:
        told[-1] = (_EXPOSED[0], ", ".join([*exposed, terms.EXPOSED]))
    return Delivery(delivery.status, own + _raw(told), delivery.body, is_kept)


def _payment_required(required: Json) -> Delivery:
    headers = [(terms.PAYMENT_REQUIRED.lower(), terms.encoded(required)), _NO_STORE, _EXPOSED]
    return _json(402, {"error": required["error"], "accepts": required["accepts"]}, headers)


def _unknown(error: Unknown) -> Delivery:
    title = "Whether this is paid is not known yet."
    return _problem(UNKNOWN, 503, title, {"retry-after": str(error.retry_after_s)})


def _problem(type_: str, status: int, title: str, headers: Mapping[str, str]) -> Delivery:
    detail = "Send the very same payment again: it is charged once." if type_ == UNKNOWN else None
    problem = {"type": f"urn:taesan:problem:{type_}", "title": title, "status": status}
    return _as_problem(problem | ({"detail": detail} if detail else {}), status, headers)


def _as_problem(problem: Json, status: int, headers: Mapping[str, str]) -> Delivery:
    told = [*headers.items(), _NO_STORE, _EXPOSED]
    return _json(status, problem, told, "application/problem+json")


def _json(status: int, value: Json, headers: list[tuple[str, str]], media_type: str = "application/json") -> Delivery:
    body = json.dumps(value).encode()
    told = [("content-type", media_type), ("content-length", str(len(body))), *headers]
    return Delivery(status, _raw(told), body)


def _raw(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
