"""The apps' pages: a payer's wallet, a merchant's and an operator's console. Each is a frame; its script asks the API by itself."""

import hashlib
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from taesan.core.http import problem_responses
from taesan.core.i18n import LANGUAGES
from taesan.core.problems import not_found
from taesan.hub import HubDep
from taesan.web import words
from taesan.web.router import page

router = APIRouter()


class App(NamedTuple):
    """:ivar name: in its paths and its templates' folder. :ivar sections: its pages, the first at `/name` itself"""

    name: str
    sections: tuple[str, ...]


WALLET = App("wallet", ("home", "shop", "rules", "gifts", "activity", "insights", "leave"))
MERCHANT = App("merchant", ("home", "customers", "payouts", "connect", "insights"))


@router.get("/wallet", include_in_schema=False)
def wallet_home(hub: HubDep, request: Request) -> Response:
    return _page(hub, request, WALLET, "home")


@router.get("/wallet/{section}", include_in_schema=False, responses=problem_responses(404))
def wallet_page(hub: HubDep, request: Request, section: str) -> Response:
    return _page(hub, request, WALLET, section)


@router.get("/words/{language}.js", include_in_schema=False, responses=problem_responses(404))
def script_texts(request: Request, language: str) -> Response:
    if language not in LANGUAGES:
        raise not_found("The language", language)
    script = words.script(language)
    tag = f'"{hashlib.sha256(script.encode()).hexdigest()[:16]}"'
    headers = {"etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(script, media_type="text/javascript", headers=headers)


def _page(hub: HubDep, request: Request, app: App, section: str) -> Response:
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
    )
