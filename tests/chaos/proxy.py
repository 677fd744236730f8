"""Stands between a hub and its node, and spoils their talk as it is told to."""

import contextlib
import http.client
import itertools
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from taesan.core.crypto import keccak
from tests.support.chain import free_port

PATIENCE_S = 30  # for the node


@dataclass(frozen=True)
class Answer:
    body: bytes
    status: int = 200
    kind: str = "application/json"


Forward = Callable[[bytes], Answer]
Manner = Callable[[bytes, Forward], Answer | None]
"""How a request is treated: what the hub is answered, or None to hang up without a word."""


def honest(request: bytes, forward: Forward) -> Answer | None:
    return forward(request)


class Proxy:
    """:ivar port: where the hub finds it. :ivar spoilt: method → how often a request of it was not treated honestly"""

    def __init__(self, node_port: int) -> None:
        self._node_port, self.port = node_port, free_port()
        self._manner: Manner = honest
        self.spoilt: Counter[str] = Counter()
        self._connections: set[socket.socket] = set()
        self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def behaving(self, manner: Manner, only: Sequence[str] = ()) -> Iterator[None]:
        """:param only: JSON-RPC methods that are treated so; all if left out"""

        def chosen(request: bytes, forward: Forward) -> Answer | None:
            asked = methods(request)
            if only and not set(asked) & set(only):
                return forward(request)
            self.spoilt.update(asked)
            return manner(request, forward)

        self._manner = chosen
        try:
            yield
        finally:
            self._manner = honest

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Nobody listens, and who was connected is cut off."""
        self.close()
        try:
            yield
        finally:
            self._listen()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):  # it has hung up already
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _listen(self) -> None:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are written apart

            def setup(self) -> None:
                super().setup()
                proxy._connections.add(self.request)

            def finish(self) -> None:
                proxy._connections.discard(self.request)
                super().finish()

            def do_POST(self) -> None:
                request = self.rfile.read(int(self.headers["content-length"]))
                try:
                    answer = proxy._manner(request, proxy._forward)
                except (OSError, http.client.HTTPException):
                    answer = None  # the node is away
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                self.send_header("content-type", answer.kind)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: Any) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None: ...  # the hub has hung up

        self._server = Server(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _forward(self, request: bytes) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._node_port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/", request, {"content-type": "application/json"})
            answer = connection.getresponse()
            return Answer(answer.read(), answer.status)
        finally:
            connection.close()


def methods(request: bytes) -> list[str]:
    """Of a JSON-RPC request, or of a batch of them."""
    asked = json.loads(request)
    return [one["method"] for one in (asked if isinstance(asked, list) else [asked])]


# --------------------------------------------------------------------- manners


def dropping_replies(request: bytes, forward: Forward) -> Answer | None:
    """The node does what it is asked, and the hub never hears of it."""
    forward(request)
    return None


def swallowing(request: bytes, forward: Forward) -> Answer | None:
    """The node never hears of it."""
    return None


def late(seconds: float) -> Manner:
    def delay(request: bytes, forward: Forward) -> Answer | None:
        answer = forward(request)
        time.sleep(seconds)
        return answer

    return delay


def doubling(request: bytes, forward: Forward) -> Answer | None:
    """The node is asked twice; the hub hears the second answer, such as "already known"."""
    forward(request)
    return forward(request)


def talking_nonsense() -> Manner:
    """What a broken gateway says, in turn."""
    said = itertools.cycle(
        [
            Answer(b"<html><body><h1>502 Bad Gateway</h1></body></html>", 502, "text/html"),
            Answer(b"<html><body>Welcome to nginx!</body></html>", 200, "text/html"),
            Answer(b""),
            Answer(b'{"jsonrpc": "2.0", "id": 1, "res'),
            Answer(
                b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32005, "message": "daily request count exceeded"}}'
            ),
            Answer(b'{"jsonrpc": "2.0", "id": 1}'),
            Answer(b"[]"),
            Answer(b"null"),
            Answer(b'{"message": "Too Many Requests"}', 429),
        ]
    )
    return lambda request, forward: next(said)


def living_in_the_past(blocks: int) -> Manner:
    """A node that is behind: its newest block is an older one. The rest it tells as it is."""

    def older(request: bytes, forward: Forward) -> Answer | None:
        asked = json.loads(request)
        if isinstance(asked, list) or asked["method"] not in ("eth_getBlockByNumber", "eth_blockNumber"):
            return forward(request)
        if asked["method"] == "eth_getBlockByNumber" and asked["params"][0] != "latest":
            return forward(request)
        head = json.loads(forward(json.dumps(asked | {"method": "eth_blockNumber", "params": []}).encode()).body)
        number = hex(max(0, int(head["result"], 16) - blocks))
        if asked["method"] == "eth_blockNumber":
            return Answer(json.dumps(head | {"result": number}).encode())
        return forward(json.dumps(asked | {"params": [number, *asked["params"][1:]]}).encode())

    return older


def accepted(request: bytes) -> Answer:
    """As if the node had taken a transaction: its hash."""
    asked = json.loads(request)
    hash_ = keccak(bytes.fromhex(asked["params"][0][2:]))
    return Answer(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "0x" + hash_.hex()}).encode())
