"""Uvicorn's HTTP, with a bound on what a request may send beside its body (httptools itself would collect it for ever),
answers sent in one piece, and an answer in the house's form to more connections than it takes."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from taesan.core.http import respond
from taesan.core.problems import busy

MAX_HEAD_BYTES = 32_768
PATIENCE_S = 30.0  # for a request to arrive whole; who holds connections open and sends nothing keeps others out
_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _Joined:
    """A transport that sends at once what is written in one turn of the event loop.

    Uvicorn writes an answer's head and its body apart: two system calls and two packets, and the client reads twice.
    """

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._written: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._written:
            self._loop.call_soon(self._send)
        self._written.append(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _send(self) -> None:
        if self._written and not self._transport.is_closing():
            self._transport.write(b"".join(self._written))
        self._written.clear()


class BoundedHttp(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`. Closes a connection whose request line and headers, or trailers, are too long, or that
    takes too long for a request."""

    _beside_body = 0  # bytes since a head was complete, or a piece of a body came
    _waiting_since: float | None = None  # for the rest of a request; None while there is none to wait for
    _look: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # Uvicorn would answer plain text, without a time to wait.
        self._application, self._connections_max, self.limit_concurrency = self.app, self.limit_concurrency, None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(_Joined(transport, self.loop))  # type: ignore[arg-type]
        self._waiting_since = self.loop.time()
        self._look = self.loop.call_later(PATIENCE_S, self._end_if_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def _end_if_slow(self) -> None:
        """One timer a connection, not one a request: it may look up to twice as late."""
        now = self.loop.time()
        if self._waiting_since is not None and now - self._waiting_since >= PATIENCE_S:
            self.transport.close()
        else:
            self._look = self.loop.call_later(PATIENCE_S, self._end_if_slow)

    def on_message_begin(self) -> None:
        self._waiting_since = self.loop.time()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._waiting_since = None
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        self._beside_body += len(data)
        super().data_received(data)
        if self._beside_body > MAX_HEAD_BYTES and not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete:  # else it would get into an answer
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._beside_body = 0
        is_full = self._connections_max is not None and len(self.connections) >= self._connections_max
        self.app = _overloaded if is_full else self._application
        super().on_headers_complete()
        self.headers = []  # the request has its own; trailers must not get in among them

    def on_body(self, body: bytes) -> None:
        self._beside_body = 0
        super().on_body(body)


async def _overloaded(scope: Scope, receive: Receive, send: Send) -> None:
    response = respond(busy(), Request(scope))
    response.headers["connection"] = "close"
    await response(scope, receive, send)
