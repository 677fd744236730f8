"""Spans for what nodes are asked. Only of processes that are traced: web3's own requests are wrapped, once, at start."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from web3 import HTTPProvider

from taesan.core import tracing


def trace_nodes() -> None:
    """Wraps web3's HTTP provider, which all nodes are asked by."""

    def single(arguments: tuple[Any, ...]) -> str:
        return str(arguments[0])

    def batch(arguments: tuple[Any, ...]) -> str:
        (requests,) = arguments
        return f"{requests[0][0]} × {len(requests)}" if requests else "nothing"

    HTTPProvider.make_request = _traced(HTTPProvider.make_request, single)  # type: ignore[method-assign]
    HTTPProvider.make_batch_request = _traced(HTTPProvider.make_batch_request, batch)  # type: ignore[method-assign]


def _traced(ask: Callable[..., Any], name_of: Callable[[tuple[Any, ...]], str]) -> Callable[..., Any]:
    @wraps(ask)
    def traced(provider: HTTPProvider, *arguments: Any) -> Any:
        # The host alone: a node's URL is often a key.
        host = urlsplit(str(provider.endpoint_uri)).hostname or ""
        with tracing.span(f"node {name_of(arguments)}", {"server.address": host}, kind="client"):
            return ask(provider, *arguments)

    return traced
