"""What comes over the wire before it is a request: who sends nothing, and who sends what two readers may read in two ways."""

import socket
import time

import pytest

from taesan.core import server
from tests.support.raw_http import exchange, served

GET = b"GET / HTTP/1.1\r\nhost: hub\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: hub\r\ncontent-length: 5\r\n\r\n"


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET / HT", GET[:-2], POST, POST + b"1234", GET + GET[:9]],
    ids=["nothing", "half a line", "half a head", "no body", "half a body", "half a second one"],
)
def test_who_does_not_finish_a_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, beginning: bytes) -> None:
    """Or some hundred connections that cost nothing would keep everybody else out."""
    monkeypatch.setattr(server, "PATIENCE_S", 0.3)
    with served() as port, socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(beginning)
        started = time.monotonic()
        while line.recv(1_000):
            """What the first of two requests is answered with."""
        assert 0.2 < time.monotonic() - started < 3


def test_who_is_slow_within_bounds_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PATIENCE_S", 1.0)
    with served() as port, socket.create_connection(("127.0.0.1", port), 10) as line:
        for _ in range(6):  # together longer than one request may take
            line.sendall(POST + b"123")
            time.sleep(0.25)
            line.sendall(b"45")
            assert line.recv(1_000).endswith(b"5")


@pytest.mark.parametrize(
    "smuggled",
    [
        b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n",
        b"content-length: 4\r\ncontent-length: 5\r\n\r\n12345",
        b"content-length: 4, 5\r\n\r\n12345",
        b"content-length: +5\r\n\r\n12345",
        b"content-length: -5\r\n\r\n12345",
        b"content-length : 5\r\n\r\n12345",
        b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"x: 1\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n5;x\n\r\n12345\r\n0\r\n\r\n",
        b"x\x00y: 1\r\n\r\n",
        b"x: 1\x00\r\n\r\n",
    ],
    ids=str,
)
def test_a_request_that_can_be_read_in_two_ways_is_not_read(smuggled: bytes) -> None:
    """A proxy before the hub may see one request where the hub would see two."""
    with served() as port:
        answered = exchange(port, b"POST / HTTP/1.1\r\nhost: hub\r\n" + smuggled + GET)
    assert b" 200 " not in answered
    assert b"(open)" not in answered


def test_no_connection_becomes_a_websocket() -> None:
    upgrade = (
        b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: AAAA\r\nsec-websocket-version: 13\r\n\r\n"
    )
    with served(ws="none") as port:
        answered = exchange(port, GET[:-2] + upgrade)
    assert answered.startswith(b"HTTP/1.1 200 ")
