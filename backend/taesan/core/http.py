"""What every answer has in common: problem+json for errors, a request id, the caller's language."""

import random
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from http import HTTPStatus
from typing import Annotated, Any

import structlog
from fastapi import Depends, FastAPI, Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from taesan.core import tracing
from taesan.core.db import UNAVAILABLE, brief
from taesan.core.i18n import language_of, translate
from taesan.core.meters import Counter, Histogram, Timer
from taesan.core.problems import Problem, node_unavailable, not_found
from taesan.core.worker import TransientError

log = structlog.get_logger()
SAFE_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
"""For a browser that shows an answer as if it were a page; the pages' own policies are looser."""
MAX_SHOWN = 200  # characters of a fault
REQUESTS = Counter("taesan_http_requests", "Requests answered.", ("route", "method", "status"))
REQUEST_SECONDS = Histogram(
    "taesan_http_request_duration_seconds", "From a request's head to its answer's.", ("route", "method")
)
MAX_BODY_BYTES = 1_500_000  # a thousand payments with everything that can be said of them

# Status → (problem type, title), for what the framework refuses.
_HTTP_PROBLEMS = {
    400: ("invalid-request", "The request is not well-formed."),
    404: ("not-found", "There is no such thing."),
    405: ("method-not-allowed", "This method is not allowed here."),
    413: ("body-too-large", "The request is too large."),
}
# Type of the first fault in a request → (problem type, title); all other faults are an `invalid-request`.
_FAULTS = {
    "extra_forbidden": ("unknown-field", "The request has a field that is not known here."),
    "invalid-amount": ("invalid-amount", "An amount is not well-formed."),
    "invalid-address": ("invalid-address", "An address is not well-formed."),
    "malformed-hex": ("malformed-hex", "A hexadecimal value is not well-formed."),
}


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str = Field(examples=["urn:taesan:problem:insufficient-deposit"])
    title: str
    status: int
    detail: str | None = None


_PROBLEM_SCHEMA = ProblemDetails.model_json_schema()


def _asked_language(request: Request) -> str:
    return language_of(request.headers.get("accept-language"))


Language = Annotated[str, Depends(_asked_language)]
"""The caller's, of those that we speak."""


async def _known_parameters(request: Request) -> None:
    if not request.query_params:
        return
    fields = get_flat_params(request.scope["route"].dependant)
    known = {field.alias for field in fields if isinstance(field.field_info, params.Query)}
    unknown = [name for name in request.query_params if name not in known]
    if unknown:
        raise Problem(
            "unknown-parameter",
            422,
            "The request has a parameter that is not known here.",
            _shown(", ".join(unknown)),
        )


KNOWN = [Depends(_known_parameters)]
"""For a router: a typing error in a query is told, not lost."""


def new_request_id() -> str:
    return f"{random.getrandbits(64):016x}"


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: these statuses answer with problem+json."""
    return {status: _described(status) for status in statuses}


def _described(status: int) -> dict[str, Any]:
    # A copy for each: whoever puts a document together merges into what it finds.
    content = {"application/problem+json": {"schema": deepcopy(_PROBLEM_SCHEMA)}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def describe_everywhere(document: dict[str, Any]) -> None:
    """Tells in the OpenAPI document what any operation may be answered with, whatever it does."""
    for methods in document["paths"].values():
        for operation in methods.values():
            statuses = {503: "503"}  # the database or the node is away, or there are too many connections
            if "requestBody" in operation:
                statuses |= {400: "400", 413: "413", 422: "422"}
            for status, name in statuses.items():
                operation["responses"].setdefault(name, _described(status))


def install(app: FastAPI) -> None:
    """Gives the application our error answers and request ids."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(_BodyLimit)
    app.middleware("http")(_request_context)


def answer_to(error: Exception, request: Request) -> Response:
    """What the application answers when a route raises this; for what stands before the application."""
    kind = next(kind for kind in type(error).__mro__ if kind in _HANDLERS)
    return _HANDLERS[kind](request, error)


def respond(problem: Problem, request: Request) -> JSONResponse:
    return problem_response(problem, request.headers.get("accept-language"))


def problem_response(problem: Problem, accept_language: str | None) -> JSONResponse:
    language = language_of(accept_language)
    return JSONResponse(
        problem.body(translate(problem.title, language)),
        status_code=problem.status,
        headers={"content-language": language, "cache-control": "no-store", **SAFE_HEADERS, **problem.headers},
        media_type="application/problem+json",
    )


def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return respond(error, request)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "missing" and first["loc"] == ("header", "Idempotency-Key"):
        return respond(
            Problem(
                "idempotency-key-missing",
                400,
                "This request needs an Idempotency-Key.",
                "Choose a new one for each intended effect, and send the same one with each retry of it.",
            ),
            request,
        )
    return respond(problem_of_faults([{**e, "loc": e["loc"][1:] or e["loc"]} for e in error.errors()]), request)


def problem_of_faults(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """What pydantic found wrong with a request."""
    if errors[0]["type"] == "json_invalid":  # its place is a character of the body, and no field
        place = "".join(f", from character {at} on" for at in errors[0]["loc"] if isinstance(at, int))
        return Problem("invalid-request", 422, "The request is not well-formed.", f"Its body is no JSON{place}.")
    fields = [{"field": _shown(".".join(map(str, e["loc"]))), "message": _shown(_told(e))} for e in errors[:20]]
    detail = "; ".join(f"{f['field']}: {f['message']}" for f in fields)[:1_000]
    type_, title = _FAULTS.get(errors[0]["type"], ("invalid-request", "The request is not well-formed."))
    return Problem(type_, 422, title, detail, errors=fields)


def _told(error: Mapping[str, Any]) -> str:
    """In words: a regular expression tells people nothing."""
    if error["type"] != "string_pattern_mismatch":
        return str(error["msg"]).removeprefix("Value error, ")
    if "\0" in str(error["input"]):
        return "has a character U+0000, which no text may have"
    return "has characters that do not belong there, too many, or too few"


def _shown(text: str) -> str:
    """What the client sent comes back in it: no more of it than a person needs, and no half characters, which JSON can
    hold and UTF-8 cannot."""
    return text[:MAX_SHOWN].encode(errors="replace").decode()


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    type_, title = _HTTP_PROBLEMS.get(error.status_code, ("http-error", "The request was refused."))
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = _allowed(request)
    return respond(Problem(type_, error.status_code, title, str(error.detail), headers=headers), request)


def _allowed(request: Request) -> str:
    """All methods of a path. The router tells those of one route alone, and a path has a route for each method."""
    routes = [route for route in iter_route_contexts(request.app.routes) if route.methods]
    found = next(route.path for route in routes if route.path_regex.match(request.scope["path"]))
    return ", ".join(sorted({m for route in routes if route.path == found for m in route.methods or ()}))


def _on_transient(request: Request, error: Exception) -> Response:
    log.warning("request.waiting", path=request.url.path, reason=str(error))
    return respond(node_unavailable(), request)


def _on_database(request: Request, error: Exception) -> Response:
    log.error("request.no_database", path=request.url.path, reason=brief(error))
    return respond(
        Problem(
            "database-unavailable",
            503,
            "The hub's database cannot be used at the moment; try again soon with the same Idempotency-Key.",
            headers={"retry-after": "5"},
        ),
        request,
    )


def _on_crash(request: Request, error: Exception) -> Response:
    log.error("request.failed", path=request.url.path, exc_info=error)
    return respond(
        Problem(
            "internal-error",
            500,
            "Something went wrong on our side; it is safe to retry with the same Idempotency-Key.",
            # What was bound for this request's lines is still there: the answer is made outside of `_request_context`.
            headers={"x-request-id": structlog.contextvars.get_contextvars().get("request_id") or new_request_id()},
        ),
        request,
    )


_HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    Problem: _on_problem,
    RequestValidationError: _on_invalid,
    HTTPException: _on_http_error,
    TransientError: _on_transient,
    **dict.fromkeys(UNAVAILABLE, _on_database),
    Exception: _on_crash,
}


async def _request_context(request: Request, call_next: RequestResponseEndpoint) -> Response:
    request_id = new_request_id()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id)
    timer = Timer()
    path = request.scope["path"]
    status = 500
    try:
        # No name has U+0000 in it, and PostgreSQL refuses to look for one.
        response = respond(not_found("path", repr(path)), request) if "\0" in path else await call_next(request)
        response.headers["x-request-id"] = request_id
        if "x-content-type-options" not in response.headers:  # else it has been made as safe as it should be
            for name, value in SAFE_HEADERS.items():
                response.headers.setdefault(name, value)
            if path.startswith(("/v1/", "/x402/")):
                response.headers["cache-control"] = "no-store"  # tokens, keys, and what is somebody's alone
        status = response.status_code
        return response
    finally:
        count_request(request.scope, _route_of(request.scope), status, timer)


def count_request(scope: Scope, route: str, status: int, timer: Timer, is_told: bool = True, **more: str | int) -> None:
    """To be called once for each request.

    :param route: its template, such as `/v1/payments/{payment_id}`: there are few of them
    :param timer: made when it came
    :param is_told: False: no access line, however much is logged. :param more: for that line
    """
    method = scope["method"]
    scope[_ROUTE] = route
    REQUESTS.values[route, method, str(status)] += 1
    seconds = timer.observed(REQUEST_SECONDS, (route, method))
    if is_told:
        duration = round(seconds * 1_000, 1)
        log.debug("request", method=method, path=scope["path"], status=status, duration_ms=duration, **more)


_ROUTE = "taesan.route"


def _route_of(scope: Scope) -> str:
    path = getattr(scope.get("route"), "path", None)
    if path is None and "app_root_path" in scope:  # of an application that is mounted there
        path = scope["root_path"].removeprefix(scope["app_root_path"])
    return str(path or "none")


async def traced(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Handles a request within a span."""
    if scope["type"] != "http":
        await app(scope, receive, send)
        return
    method = scope["method"]
    parent = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1") or None
    with tracing.span(method, {"http.request.method": method}, kind="server", parent=parent) as span:

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                span.set_attribute("taesan.request_id", dict(message["headers"]).get(b"x-request-id", b"").decode())
            await send(message)

        try:
            await app(scope, receive, told)
        finally:
            route = scope.get(_ROUTE, "none")
            span.update_name(f"{method} {route}")
            span.set_attribute("http.route", route)


class _BodyLimit:
    """Stops reading a request that is too large, whether it tells its length or not."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = dict(scope.get("headers", ())).get(b"content-length", b"")
        is_told = told.isdigit() and int(told[:20]) > MAX_BODY_BYTES
        read = 0

        async def limited() -> Message:
            nonlocal read
            message: Message = {} if is_told else await receive()
            read += len(message.get("body", b""))
            if is_told or read > MAX_BODY_BYTES:
                raise HTTPException(413, f"at most {MAX_BODY_BYTES} bytes")
            return message

        await self.app(scope, limited if scope["type"] == "http" else receive, send)
