"""The apps' pages: a payer's wallet, a merchant's and an operator's console. Each is a frame; its script asks the API by itself."""

import functools
import hashlib
from pathlib import Path
from typing import NamedTuple

from eth_account import Account
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, Response

from taesan.core.http import problem_responses
from taesan.core.i18n import LANGUAGES, translate
from taesan.core.problems import not_found
from taesan.hub import Hub, HubDep
from taesan.identity import operators
from taesan.settings import DEV_OPERATOR_KEY
from taesan.web import words
from taesan.web.router import CSP, currencies, page

router = APIRouter()

WORKER = Path(__file__).parent / "static" / "lib" / "worker.js"


class App(NamedTuple):
    """:ivar name: in its paths and its templates' folder. :ivar title: English. :ivar sections: its pages, the first at `/name` itself"""

    name: str
    title: str
    sections: tuple[str, ...]


WALLET = App("wallet", "Wallet", ("home", "shop", "rules", "gifts", "activity", "insights", "leave"))
MERCHANT = App("merchant", "Merchant", ("home", "payouts", "customers", "connect", "insights"))
OPERATOR = App("operator", "Operator", ("home",))
APPS = {app.name: app for app in (WALLET, MERCHANT, OPERATOR)}


@router.get("/wallet", include_in_schema=False)
def wallet_home(hub: HubDep, request: Request) -> Response:
    return _page(hub, request, WALLET, "home")


@router.get("/wallet/{section}", include_in_schema=False, responses=problem_responses(404))
def wallet_page(hub: HubDep, request: Request, section: str) -> Response:
    return _page(hub, request, WALLET, section)


@router.get("/merchant", include_in_schema=False)
def merchant_home(hub: HubDep, request: Request) -> Response:
    return _page(hub, request, MERCHANT, "home")


@router.get("/merchant/{section}", include_in_schema=False, responses=problem_responses(404))
def merchant_page(hub: HubDep, request: Request, section: str) -> Response:
    return _page(hub, request, MERCHANT, section)


@router.get("/operator", include_in_schema=False)
def operator_home(hub: HubDep, request: Request) -> Response:
    return _page(hub, request, OPERATOR, "home", known_key=_known_key(hub))


@router.get("/{name}.webmanifest", include_in_schema=False, responses=problem_responses(404))
def manifest(name: str, lang: str = "en") -> Response:
    """By which a phone or a desk installs an app (W3C Web Application Manifest)."""
    if name not in APPS:
        raise not_found("The app", name)
    language = lang if lang in LANGUAGES else "en"
    picture = {"src": "/static/favicon.svg", "type": "image/svg+xml", "sizes": "any"}
    told = {
        "id": f"/{name}",
        "name": f"Taesan · {translate(APPS[name].title, language)}",
        "short_name": translate(APPS[name].title, language),
        "lang": language,
        "start_url": f"/{name}?lang={language}",
        "scope": "/",
        "display": "standalone",
        "theme_color": "#14624f",
        "background_color": "#f5f7f5",
        "icons": [picture | {"purpose": purpose} for purpose in ("any", "maskable")],
    }
    return JSONResponse(told, media_type="application/manifest+json")


@router.get("/worker.js", include_in_schema=False)
def service_worker() -> Response:
    """At the root, as it may answer for pages at or below its own path alone."""
    headers = {"cache-control": "no-cache", "content-security-policy": CSP}  # by which it may ask the hub
    return FileResponse(WORKER, media_type="text/javascript", headers=headers)


@router.get("/words/{language}.js", include_in_schema=False, responses=problem_responses(404))
def script_texts(request: Request, language: str) -> Response:
    if language not in LANGUAGES:
        raise not_found("The language", language)
    script = words.script(language)
    tag = f'"{hashlib.sha256(script.encode()).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        packed = headers | {"content-encoding": "gzip"}
        return Response(words.packed(language), media_type="text/javascript", headers=packed)
    return Response(script, media_type="text/javascript", headers=headers)


@functools.cache
def _dev_operator() -> str:
    return str(Account.from_key(DEV_OPERATOR_KEY).address)


def _known_key(hub: Hub) -> str | None:
    """An operator's key that everybody knows, as its page offers it: on a local hub alone, and only if it opens it."""
    is_local = hub.settings.environment == "local"
    return DEV_OPERATOR_KEY if is_local and _dev_operator() in operators.addresses(hub) else None


def _page(hub: HubDep, request: Request, app: App, section: str, known_key: str | None = None) -> Response:
    """:raises Problem: the app has no such page"""
    if section not in app.sections:
        raise not_found("The page", section)
    return page(
        request,
        f"{app.name}/{section}.html",
        app=app.name,
        section=section,
        exponent=hub.asset.exponent,
        symbol=hub.asset.symbol,
        currencies=currencies(hub),
        known_key=known_key,
    )
