"""The HTTP service: routers of all domains, pages, error answers."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from taesan import __version__
from taesan.channels.router import router as channels
from taesan.conversions.router import router as conversions
from taesan.core import http, tracing
from taesan.gateways.router import router as gateways
from taesan.gifts.router import router as gifts
from taesan.hub import Hub
from taesan.identity.rates import Rates
from taesan.identity.router import router as identity
from taesan.insights.advice_router import router as advice
from taesan.insights.budgets_router import router as budgets
from taesan.insights.custom_router import router as merchant_insights
from taesan.insights.imports_router import router as statement_imports
from taesan.insights.live import NewsWatch
from taesan.insights.phrasing import Phraser
from taesan.insights.recurring_router import router as recurring
from taesan.insights.reports_router import router as reports
from taesan.insights.router import router as insights
from taesan.jars.router import router as jars
from taesan.loyalty.router import router as loyalty
from taesan.merchants.router import router as merchants
from taesan.operations.metrics import registry_of
from taesan.operations.router import router as operations
from taesan.payments.lanes import Lanes, LocalLanes
from taesan.payments.quick import QuickRoute
from taesan.payments.router import router as payments
from taesan.payments.wallets import WalletLanes
from taesan.payments.x402 import Facilitator
from taesan.payments.x402_router import router as x402
from taesan.reminders.router import router as reminders
from taesan.rules.router import router as rules
from taesan.settlement.router import router as settlement
from taesan.web import files, lost
from taesan.web.apps import router as apps
from taesan.web.router import NodeWatch
from taesan.web.router import router as web
from taesan.webhooks.router import router as webhooks

TAGS = [
    {"name": "hub", "description": "What the hub is, and its figures"},
    {"name": "operations", "description": "For who runs the hub: alive, ready, metrics"},
    {"name": "sign-in", "description": "Sign-in with Ethereum (EIP-4361)"},
    {"name": "channels", "description": "x402 payment channels: deposit once, then pay by signed vouchers"},
    {"name": "payments", "description": "Micropayments: verified, booked, durable when answered"},
    {"name": "x402", "description": "The same payments for x402 clients: this hub as their merchants' facilitator"},
    {
        "name": "gateways",
        "description": "Payments made elsewhere, reported in signed webhooks; customers link wallets later",
    },
    {"name": "jars", "description": "Round-ups that gather until they become gift tokens"},
    {"name": "rules", "description": "What jars become, in the payer's own words, signed by her wallet"},
    {"name": "conversions", "description": "What gift tokens become by signed rules, and what is held and why"},
    {"name": "settlement", "description": "Batches, and proofs that anyone can check"},
    {"name": "ledger", "description": "The double-entry books and their chain of hashes"},
    {"name": "merchants", "description": "Accounts, redemption of gift tokens, payouts"},
    {
        "name": "loyalty",
        "description": "Cashback, tiers and points: merchants' campaigns, and what payers have of them",
    },
    {"name": "gifts", "description": "Gift links, and gift tokens to other people"},
    {"name": "reminders", "description": "What lies about and should not be forgotten"},
    {
        "name": "insights",
        "description": "Where a person's small money went: streams, sums, and what could become of it",
    },
    {"name": "webhooks", "description": "What merchants' systems are told of: signed, retried over days, logged"},
    {"name": "operator", "description": "For the wallets in `TAESAN_OPERATORS`: what was set aside, and who did what"},
]

_ROUTES = APIRouter()  # of all apps of a process: what FastAPI makes of a route at its first request is made once
for _router in (
    web,
    apps,
    channels,
    payments,
    x402,
    gateways,
    jars,
    rules,
    conversions,
    settlement,
    identity,
    merchants,
    loyalty,
    gifts,
    reminders,
    webhooks,
    insights,
    statement_imports,
    recurring,
    reports,
    budgets,
    advice,
    merchant_insights,
    operations,
):
    _ROUTES.include_router(_router)


class _Api(FastAPI):
    """FastAPI behind the quick route, which hands on whatever is not plainly a payment."""

    quick: QuickRoute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if tracing.is_on():
            await http.traced(self.quick, scope, receive, send)
        else:
            await self.quick(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            http.describe_everywhere(super().openapi())
        return super().openapi()

    async def documented(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)


def create_app(hub: Hub, lanes: Lanes | None = None) -> FastAPI:
    """:param hub: an open hub; the caller closes its database. :param lanes: where payments are taken in; None: here"""
    lanes = WalletLanes(hub, lanes or LocalLanes(hub))

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await lanes.open()
        yield
        await lanes.close()

    app = _Api(
        routes=list(_ROUTES.routes),
        lifespan=lifespan,
        title="Taesan",
        version=__version__,
        summary="A self-hosted micropayment hub for EVM chains",
        description="Dust, gathered, makes a mountain: micropayments are signed off-chain, gathered, settled in one "
        "transaction and turned into fully backed gift tokens. Amounts are decimal strings in minor units; errors are "
        "RFC 9457 problem+json; money requests need an `Idempotency-Key`.",
        openapi_tags=TAGS,
        docs_url=None,  # below, with our own copy of Swagger UI: FastAPI's would come from another host
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name the host that the request names
    )
    rates = Rates(hub.settings)
    app.state.hub, app.state.lanes, app.state.rates, app.state.node_watch = hub, lanes, rates, NodeWatch()
    app.state.movement_news, app.state.phraser = NewsWatch(hub), Phraser(hub.settings)
    app.state.facilitator = Facilitator(hub, lanes)
    app.state.metrics = registry_of(hub, lanes)
    http.install(app)
    lost.install(app)
    app.quick = QuickRoute(app.documented, hub, lanes, rates)
    for path, folder in files.folders(hub.settings.npm_dir).items():
        app.mount(path, _small(_Files(directory=folder, check_dir=False)), name=path)
    app.get("/docs", include_in_schema=False)(_api_reference)
    return app


def _small(served: ASGIApp) -> ASGIApp:
    """Packed on the way. What holds secrets is not: its length would tell of them (BREACH)."""
    return GZipMiddleware(served, minimum_size=1_000)


class _Files(StaticFiles):
    """Asked for anew each time, by their tags: a page's scripts are of one version, also after an upgrade."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        answer = super().file_response(*args, **kwargs)
        answer.headers["cache-control"] = "no-cache"
        return answer


def _api_reference() -> HTMLResponse:
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Taesan API",
        swagger_js_url="/static/swagger/swagger-ui-bundle.js",
        swagger_css_url="/static/swagger/swagger-ui.css",
        swagger_favicon_url="/static/favicon.svg",
        swagger_ui_parameters={"validatorUrl": None},  # nobody else is told of this API
    )
    # The page's one script that stands in it is let run by its hash. Swagger UI sets styles and pictures in itself.
    inside = re.search(rb"<script>(.*?)</script>", bytes(page.body), re.DOTALL)
    assert inside
    digest = base64.b64encode(hashlib.sha256(inside[1]).digest()).decode()
    page.headers["content-security-policy"] = (
        f"default-src 'self'; script-src 'self' 'sha256-{digest}'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )
    return page
