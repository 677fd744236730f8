"""What people are shown who follow a link that leads nowhere; programs get the problem as it is."""

from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from taesan.core import http
from taesan.core.problems import Problem
from taesan.web.router import page

NOT_PAGES = ("/v1/", "/x402/", "/static/")
NOWHERE = (404, 422)
KINDS = {"/gifts/": "gift", "/pay/": "bill", "/batches/": "batch", "/payments/": "payment"}


def install(app: FastAPI) -> None:
    """To be called after `http.install`, whose answers these are, but for a browser that asks for a page."""
    handlers: tuple[type[Exception], ...] = (Problem, RequestValidationError, HTTPException)
    for kind in handlers:
        app.add_exception_handler(kind, _or_page(http.answer_to))


def _or_page(answer_to: Callable[[Exception, Request], Response]) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        problem = answer_to(error, request)
        return lost_page(request) if problem.status_code in NOWHERE and _wants_a_page(request) else problem

    return answer


def _wants_a_page(request: Request) -> bool:
    is_ours = not request.url.path.startswith(NOT_PAGES)
    return request.method == "GET" and is_ours and "text/html" in request.headers.get("accept", "")


def lost_page(request: Request) -> Response:
    kind = next((kind for start, kind in KINDS.items() if request.url.path.startswith(start)), "page")
    return page(request, "lost.html", status=404, kind=kind)
