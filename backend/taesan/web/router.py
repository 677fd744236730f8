"""Pages, and the JSON that keeps them live."""

import gzip
import threading
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import segno
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, select_autoescape

from taesan.chain.rpc import Node, NodeUnavailable
from taesan.core.db import retried
from taesan.core.http import Language, problem_responses
from taesan.core.i18n import LANGUAGES, language_of, translations
from taesan.core.problems import Problem
from taesan.gifts import queries as gifts
from taesan.gifts import service as gift_links
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.insights import subscribing
from taesan.merchants import invoices
from taesan.payments import queries as payment_queries
from taesan.settlement import batcher, queries
from taesan.web import files, sample_shop
from taesan.web.overview import overview, payment_rows, shows_payments

router = APIRouter()

TEMPLATES = Path(__file__).parent / "templates"
MAX_ROWS = 500
# Wallets' icons are data URIs (EIP-6963).
CSP = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"


@router.get("/v1/overview", tags=["hub"], operation_id="getOverview")
def get_overview(hub: HubDep, request: Request) -> dict[str, Any]:
    """All figures of the overview page: money through its stages, gas, books against chain, newest batches."""
    return _overview(hub, request.app.state.node_watch)


@router.get("/v1/sample-shop", tags=["hub"], operation_id="getSampleShop", responses=problem_responses(401, 404))
def get_sample_shop(hub: HubDep, wallet: CurrentWallet, language: Language) -> sample_shop.SampleShopPublic:
    """On a local chain: sample goods, with the content of those that the wallet has paid for."""
    with hub.db.read() as session:
        return sample_shop.public(session, hub, wallet, hub.clock.now(), language)


@router.get("/", include_in_schema=False)
def overview_page(hub: HubDep, request: Request) -> Response:
    return page(request, "overview.html", overview=_overview(hub, request.app.state.node_watch))


@router.get("/batches/{batch_id}", include_in_schema=False, responses=problem_responses(404))
def batch_page(hub: HubDep, request: Request, batch_id: int) -> Response:
    with hub.db.read() as session:
        shown = queries.public_batch(session, queries.find_batch(session, batch_id)).model_dump(mode="json")
        rows = batcher.payments_of(session, batch_id, MAX_ROWS) if shows_payments(hub) else []
        payments = payment_rows(session, rows)
    return page(request, "batch.html", batch=shown, payments=payments, asset=hub.asset)


@router.get("/payments/{payment_id}", include_in_schema=False, responses=problem_responses(404))
def payment_page(hub: HubDep, request: Request, payment_id: str) -> Response:
    """For developers: each step of a payment with its data. Its script asks for them."""
    with hub.db.read() as session:
        found = payment_queries.public_payment(payment_queries.find(session, payment_id))
    return page(request, "payment.html", payment=found, exponent=hub.asset.exponent)


@router.get("/pay/{invoice_id}", include_in_schema=False, responses=problem_responses(404))
def pay_page(hub: HubDep, request: Request, invoice_id: str) -> Response:
    with hub.db.read() as session:
        shown = invoices.public(session, hub, invoices.find(session, invoice_id)).model_dump(mode="json")
    return page(request, "pay.html", invoice=shown, symbol=hub.asset.symbol)


@router.get("/pay/{invoice_id}/qr.svg", include_in_schema=False, responses=problem_responses(404))
def pay_code(hub: HubDep, invoice_id: str) -> Response:
    """The pay page's address, to be scanned."""
    with hub.db.read() as session:
        shown = invoices.public(session, hub, invoices.find(session, invoice_id))
    return _code(shown.pay_url)


@router.get("/pay/{invoice_id}/transfer.svg", include_in_schema=False, responses=problem_responses(404, 409))
def transfer_code(hub: HubDep, invoice_id: str) -> Response:
    """The transfer that pays it, for wallets to scan (ERC-681)."""
    with hub.db.read() as session:
        shown = invoices.public(session, hub, invoices.find(session, invoice_id))
    if shown.transfer is None:
        raise Problem(
            "no-transfer",
            409,
            "This invoice cannot be paid by a plain transfer now.",
            f"It is {shown.state}, its merchant takes none, or too many invoices like it are open.",
        )
    return _code(shown.transfer.uri)


def _code(text: str) -> Response:
    """A QR code as a picture."""
    picture = BytesIO()
    segno.make_qr(text, error="m").save(picture, kind="svg", scale=8, border=4, light="white")
    return Response(picture.getvalue(), media_type="image/svg+xml", headers={"cache-control": "private, max-age=3600"})


@router.get("/gifts/{gift_id}", include_in_schema=False, responses=problem_responses(404))
def gift_page(hub: HubDep, request: Request, gift_id: str) -> Response:
    """For whoever has the link. Its key stands in the fragment, which browsers keep to themselves."""
    with hub.db.read() as session:
        gift = gift_links.find(session, gift_id)
        shown = gifts.public(session, hub, gift, hub.chain_clock.now()).model_dump(mode="json")
    return page(request, "gift.html", gift=shown, symbol=hub.gift.symbol)


@router.get("/till", include_in_schema=False)
def till_page(hub: HubDep, request: Request) -> Response:
    return page(request, "till.html", currencies=currencies(hub), symbol=hub.asset.symbol)


def currencies(hub: Hub) -> list[str]:
    """That invoices may ask for."""
    return ["USD", "KRW"] if hub.settings.won_for_a_dollar else [hub.settings.asset_currency]


Token = Annotated[str, Query(pattern="^[A-Za-z0-9_-]{1,100}$")]
"""In the query, which is in no log of ours."""


@router.get("/unsubscribe", include_in_schema=False, responses=problem_responses(422))
def unsubscribe_page(hub: HubDep, request: Request, token: Token) -> Response:
    """For who wants no more mails. Only its button ends anything: those who look for bad links open all that they find."""
    with hub.db.read() as session:
        return _unsubscribe_page(request, token, is_on=subscribing.is_subscribed(session, token))


@router.post("/unsubscribe", include_in_schema=False, dependencies=COUNTED, responses=problem_responses(422, 429))
@retried
def unsubscribe(hub: HubDep, request: Request, token: Token) -> Response:
    """By the page's button, or by a mail program's own (RFC 8058)."""
    with hub.db.write() as session:
        subscribing.unsubscribe(session, token, hub.clock.now())
    return _unsubscribe_page(request, token, is_on=False)


def _unsubscribe_page(request: Request, token: str, *, is_on: bool) -> Response:
    answer = page(request, "unsubscribe.html", is_on=is_on, kept=f"token={token}&")
    answer.headers["cache-control"] = "no-store"
    return answer


class NodeWatch:
    """Whether the node answers. One request at a time asks it, and those that come meanwhile take the last answer: anybody
    may look at the overview, and a node that hangs must not hold up all who do."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._is_up = True

    def is_up(self, node: Node) -> bool:
        if self._asking.acquire(blocking=False):
            try:
                node.chain_id()
                self._is_up = True
            except NodeUnavailable:
                self._is_up = False
            finally:
                self._asking.release()
        return self._is_up


def _overview(hub: Hub, watch: NodeWatch) -> dict[str, Any]:
    node_is_up = watch.is_up(hub.node)
    with hub.db.read() as session:
        return overview(session, hub, node_is_up)


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page of ours, in the reader's language."""
    asked = request.query_params.get("lang")
    language = asked if asked in LANGUAGES else language_of(request.headers.get("accept-language"))
    imported = partial(files.imported, request.app.state.hub.settings.npm_dir)
    html = _environment(language).get_template(template).render(lang=language, imported=imported, **context)
    headers = {"content-language": language, "content-security-policy": CSP, "vary": "accept-language, accept-encoding"}
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(html, status, headers=headers)
    # It is the same for all who know its address: its length tells nobody else's secrets (BREACH).
    packed = gzip.compress(html.encode(), compresslevel=6, mtime=0)
    return HTMLResponse(packed, status, headers=headers | {"content-encoding": "gzip"})


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=select_autoescape(), extensions=["jinja2.ext.i18n"]
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    environment.filters["money"] = lambda amount, exponent: money_text(int(amount), exponent, language)
    environment.filters["price"] = price_text
    environment.filters["rate"] = lambda rate: rate_text(rate, language)
    environment.filters["units"] = lambda money: units_text(money, language)
    environment.filters["when"] = lambda at: when_text(datetime.fromisoformat(at), language)
    return environment


def when_text(at: datetime, language: str) -> str:
    """For readers without JavaScript, which tells them their own time."""
    return f"{format_date(at, 'short', locale=language)} {at:%H:%M} UTC"


def money_text(amount: int, exponent: int, language: str) -> str:
    """Minor units as dollars with two to four decimals, rounded half to even; what is less than they show has all its own."""
    value = Decimal(amount).scaleb(-exponent)
    decimals = "00##" if not value or abs(value) >= Decimal("0.0001") else "00" + "#" * (exponent - 2)
    return "$" + format_decimal(value, f"#,##0.{decimals}", locale=language, decimal_quantization=True)


def price_text(money: dict[str, Any]) -> str:
    """An amount of a currency, such as $1.50 or ₩4,500, in each language as the scripts tell it: CLDR's Korean would say US$."""
    return str(format_currency(_units(money), money["asset"], locale="en"))


def units_text(money: dict[str, Any], language: str) -> str:
    """An amount of an asset, to its last minor unit."""
    return str(format_decimal(_units(money), "#,##0.00" + "#" * max(0, money["exponent"] - 2), locale=language))


def rate_text(rate: str, language: str) -> str:
    """A fraction as people read it, to four decimals."""
    exact = Fraction(rate)
    return str(format_decimal(Decimal(exact.numerator) / exact.denominator, "#,##0.####", locale=language))


def _units(money: dict[str, Any]) -> Decimal:
    return Decimal(money["value"]).scaleb(-money["exponent"])
