"""The quick way through HTTP for payments that are plainly well-formed: the same intake, the same answers, a fifth of the work.

It reads the body by itself and takes what it fully understands. Anything else, from an unknown field to a wrong asset, it
hands on untouched to the documented routes (`router`), which answer for both. It never refuses anything by itself but what
the intake refuses, and a key that comes too often.
"""

import logging
from collections.abc import Sequence

import msgspec
import structlog
from babel.numbers import get_currency_precision
from msgspec import Struct
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taesan.core.http import MAX_BODY_BYTES, answer_to, count_request, new_request_id
from taesan.core.idempotency import MAX_KEY
from taesan.core.meters import Timer
from taesan.hub import Hub
from taesan.identity.rates import Rates
from taesan.jars.rule_models import MAX_CATEGORY, MAX_RULE_ID
from taesan.payments import answers
from taesan.payments.lanes import Lanes
from taesan.payments.messages import Submission
from taesan.payments.models import MAX_BULK, MAX_MERCHANT_ID, MAX_REFERENCE

log = structlog.get_logger()
_SINGLE, _BULK = "/v1/payments", "/v1/payments/bulk"


class _Money(Struct, forbid_unknown_fields=True):
    value: str
    asset: str
    exponent: int | None = None


class _Purchase(_Money, forbid_unknown_fields=True):
    merchant_id: str | None = None
    category: str | None = None


class _Voucher(Struct, forbid_unknown_fields=True):
    channel_id: str
    max_claimable_amount: str
    signature: str
    network: str | None = None
    contract: str | None = None


class _ToJar(Struct, forbid_unknown_fields=True, tag_field="type", tag="jar"):
    rule_id: str | None = None
    merchant_id = None


class _ToMerchant(Struct, forbid_unknown_fields=True, tag_field="type", tag="merchant"):
    merchant_id: str
    rule_id = None


class _Payment(Struct, forbid_unknown_fields=True):
    voucher: _Voucher
    amount: _Money
    destination: _ToJar | _ToMerchant
    purchase: _Purchase | None = None
    reference: str | None = None


class _Item(_Payment, forbid_unknown_fields=True, kw_only=True):
    idempotency_key: str


class _Bulk(Struct, forbid_unknown_fields=True):
    payments: list[_Item]


_decode_single = msgspec.json.Decoder(_Payment).decode
_decode_bulk = msgspec.json.Decoder(_Bulk).decode


class _Slow(Exception):
    """This is for the documented route."""


class QuickRoute:
    """ASGI middleware before all others."""

    def __init__(self, app: ASGIApp, hub: Hub, lanes: Lanes, rates: Rates) -> None:
        self._app, self._lanes, self._rates = app, lanes, rates
        self._network, self._contract = hub.contracts.network, hub.contracts.deployment.channels
        self._asset, self._exponent = hub.asset.id, hub.asset.exponent
        self._currency, self._max_payment = hub.settings.asset_currency, hub.settings.max_payment
        self._currency_exponent = get_currency_precision(self._currency)
        self._is_told = log.is_enabled_for(logging.DEBUG)  # asked once: structlog puts a logger together for each line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in (_SINGLE, _BULK) or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        timer = Timer()
        body, end = await _read(receive)
        headers = dict(scope["headers"])
        try:
            if len(headers) != len(scope["headers"]):
                raise _Slow  # a name twice: which of them counts, is not for us to say
            submissions = self._submissions(scope["path"], headers, body, end)
        except (_Slow, msgspec.DecodeError, ValueError):
            await self._app(scope, _again(body, end, receive), send)
            return
        language = headers.get(b"accept-language", b"").decode("latin-1") or None
        try:
            self._rates.count_payments(headers, len(submissions))
            results = await self._lanes.submit(submissions)
            answer = answers.bulk(results, language) if scope["path"] == _BULK else answers.single(results[0])
        except Exception as error:
            request_id = new_request_id()
            structlog.contextvars.bind_contextvars(request_id=request_id)
            response = answer_to(error, Request(scope))
            response.headers["x-request-id"] = request_id
            self._count(scope, response.status_code, timer, request_id, len(submissions))
            await response(scope, receive, send)
            return
        # Without Starlette's Response, whose making costs as much as reading the payment.
        request_id = new_request_id()
        self._count(scope, answer.status, timer, request_id, len(submissions))
        told = [*answer.all_headers(), (b"x-request-id", request_id.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": told})
        await send({"type": "http.response.body", "body": answer.body})

    def _count(self, scope: Scope, status: int, timer: Timer, request_id: str, payments: int) -> None:
        count_request(scope, scope["path"], status, timer, self._is_told, request_id=request_id, payments=payments)

    def _submissions(
        self, path: str, headers: dict[bytes, bytes], body: bytes | bytearray, end: Message
    ) -> Sequence[Submission]:
        if end["type"] != "http.request" or end.get("more_body") or len(body) > MAX_BODY_BYTES:
            raise _Slow
        if headers.get(b"content-type", b"").partition(b";")[0].strip() != b"application/json":
            raise _Slow
        if path == _BULK:
            items = _decode_bulk(body).payments
            if not 0 < len(items) <= MAX_BULK:
                raise _Slow
            return [self._submission(item, item.idempotency_key) for item in items]
        return [self._submission(_decode_single(body), headers.get(b"idempotency-key", b"").decode("ascii"))]

    def _submission(self, payment: _Payment, key: str) -> Submission:
        """:raises _Slow: it is not plainly right"""
        voucher, money, purchase = payment.voucher, payment.amount, payment.purchase
        amount = _amount(money.value)
        merchant_id, reference, rule_id = (
            payment.destination.merchant_id,
            payment.reference,
            payment.destination.rule_id,
        )
        if (
            not 0 < len(key) <= MAX_KEY
            or not _is_visible_ascii(key)
            or voucher.network not in (None, self._network)
            or voucher.contract not in (None, self._contract)
            or money.asset != self._asset
            or money.exponent not in (None, self._exponent)
            or not 0 < amount <= self._max_payment
            or not _is_text(merchant_id, MAX_MERCHANT_ID)
            or not _is_text(reference, MAX_REFERENCE)
            or not _is_text(rule_id, MAX_RULE_ID)
            or not _is_hex(voucher.channel_id, 32)
            or not _is_hex(voucher.signature, 65)
        ):
            raise _Slow
        value = currency = seller = category = None
        if purchase is not None:
            value, currency = _amount(purchase.value), purchase.asset
            seller, category = purchase.merchant_id, purchase.category
            if (
                currency != self._currency
                or purchase.exponent not in (None, self._currency_exponent)
                or not _is_text(seller, MAX_MERCHANT_ID)
                or not _is_text(category, MAX_CATEGORY)
            ):
                raise _Slow
        return Submission(
            key,
            voucher.channel_id.lower(),
            amount,
            _amount(voucher.max_claimable_amount),
            voucher.signature.lower(),
            merchant_id,
            value,
            currency,
            reference,
            rule_id=rule_id,
            purchase_merchant=seller,
            purchase_category=category,
        )


def _amount(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18 or (text[0] == "0" and text != "0"):
        raise _Slow
    return int(text)


def _is_text(text: str | None, most: int) -> bool:
    return text is None or (len(text) <= most and "\0" not in text)


def _is_hex(text: str, length: int) -> bool:
    # fromhex skips spaces, so the bytes are counted too; it raises ValueError for what is no hexadecimal digit.
    return len(text) == 2 + 2 * length and text[:2] == "0x" and len(bytes.fromhex(text[2:])) == length


def _is_visible_ascii(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


async def _read(receive: Receive) -> tuple[bytes | bytearray, Message]:
    """The request's body, and the message that has ended the reading: the documented route goes on from there if it is
    too long or the client is gone. In one piece, as a message for each byte would take two hundred times the body."""
    message = await receive()
    body: bytes | bytearray = message.get("body", b"")
    if message.get("more_body"):
        body = bytearray(body)
        while message["type"] == "http.request" and message.get("more_body") and len(body) <= MAX_BODY_BYTES:
            message = await receive()
            body += message.get("body", b"")
    return body, message


def _again(body: bytes | bytearray, end: Message, receive: Receive) -> Receive:
    """First what has been read already, then the rest."""
    is_whole = end["type"] == "http.request"
    left = [{"type": "http.request", "body": bytes(body), "more_body": not is_whole or end.get("more_body", False)}]
    if not is_whole:
        left.append(dict(end))

    async def replay() -> Message:
        return left.pop(0) if left else await receive()

    return replay
