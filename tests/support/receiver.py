"""A merchant's server that takes webhooks: real HTTP, verified by the Standard Webhooks library, as well or ill as told."""

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import pytest
from standardwebhooks.webhooks import Webhook

from taesan.core.clock import Clock


class Received(NamedTuple):
    """:ivar told: the verified payload"""

    id: str
    told: Any
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """:ivar drip_s: between each byte of the body. :ivar delay_s: before the head"""

    status: int = 204
    headers: Mapping[str, str] = {}
    body: bytes = b""
    delay_s: float = 0
    drip_s: float = 0


Behaviour = Callable[[Received], Answer]


class Receiver:
    """:ivar id: of its webhook. :ivar secret: whose signatures are good. :ivar got: what was verified. :ivar refused: what was not.
    :ivar answer: how a verified one is answered"""

    def __init__(self) -> None:
        self.id = self.secret = ""
        self.answer: Behaviour = lambda _: Answer()
        self.got: list[Received] = []
        self.refused: list[str] = []
        self.on_headers: Callable[[Mapping[str, str]], None] = lambda _: None
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?shop=1"

    @property
    def ids(self) -> list[str]:
        return [received.id for received in self.got]

    def types(self) -> list[str]:
        return [received.told["type"] for received in self.got]

    def data(self, type_: str) -> list[Any]:
        return [received.told["data"] for received in self.got if received.told["type"] == type_]

    def speak_tls(self, context: ssl.SSLContext) -> None:
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, headers: Mapping[str, str], body: bytes) -> Answer:
        self.on_headers(headers)
        try:
            told = Webhook(self.secret).verify(body, dict(headers))
        except Exception as error:
            self.refused.append(repr(error))
            return Answer(401)
        received = Received(headers["webhook-id"], told, headers, body)
        with self._lock:
            self.got.append(received)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        answer = self.answer(received)
        time.sleep(answer.delay_s)
        with self._lock:
            self.at_once -= 1
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = receiver._take({name.lower(): value for name, value in self.headers.items()}, body)
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.body)))
                    self.end_headers()
                    for n in range(len(answer.body)) if answer.drip_s else ():
                        self.wfile.write(answer.body[n : n + 1])
                        time.sleep(answer.drip_s)
                    if not answer.drip_s:
                        self.wfile.write(answer.body)
                except OSError:
                    pass  # nobody listens any more

            def do_GET(self) -> None:
                receiver.refused.append(f"GET {self.path}")
                self.send_error(405)

            def log_message(self, *_: Any) -> None: ...

        return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def verify_by(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Has the library tell the time by the test's clock: days pass there in a moment."""

    class ByClock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return clock.now().astimezone(tz)

    monkeypatch.setattr("standardwebhooks.webhooks.datetime", ByClock)
