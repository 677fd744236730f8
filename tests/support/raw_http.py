"""Bytes to and from a server that answers with what it has understood."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import Receive, Scope, Send

from taesan.core.server import BoundedHttp
from tests.support.chain import free_port


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of the body, and how many headers there are after it."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    content = str(size).encode()
    headers = [(b"content-length", str(len(content)).encode()), (b"headers", str(len(scope["headers"])).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@contextmanager
def served(**settings: object) -> Iterator[int]:
    port = free_port()
    config = uvicorn.Config(echo, port=port, http=BoundedHttp, log_config=None, lifespan="off", **settings)  # type: ignore[arg-type]
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield port
    server.should_exit = True
    thread.join()


def exchange(port: int, *parts: bytes) -> bytes:
    """All that comes back until the server closes, or is silent for a while."""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        try:
            for part in parts:
                line.sendall(part)
            line.settimeout(0.5)
            received = b""
            while part := line.recv(65_536):
                received += part
        except TimeoutError:
            return received + b" (open)"
        except ConnectionError:
            return received
        return received
