"""What a request can make the server hold is bounded: its head, its body, its bulk, its pages, and how many there are."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taesan.core.server import MAX_HEAD_BYTES
from taesan.payments import engine as engines
from taesan.payments.engine import Engine
from taesan.payments.messages import Outcome, Submission
from taesan.payments.terms import terms_of
from tests.support.offline import facts_of, offline_hub, open_channel
from tests.support.raw_http import exchange, served
from tests.support.wallet import Wallet

CENT = 10_000


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served() as port:
        yield port


GET = b"GET / HTTP/1.1\r\nhost: hub\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: hub\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n"


@pytest.mark.parametrize(
    "endless",
    [
        [GET, *[b"x-%d: %s\r\n" % (n, b"y" * 1_000) for n in range(1_000)]],
        [GET, b"x: ", *[b"y" * 1_000 for _ in range(1_000)]],
        [b"GET /", *[b"y" * 1_000 for _ in range(1_000)]],
        [CHUNKED, *[b"x-%d: %s\r\n" % (n, b"y" * 1_000) for n in range(1_000)]],
        [CHUNKED, b"x: ", *[b"y" * 1_000 for _ in range(1_000)]],
    ],
    ids=["headers", "one header", "a path", "trailers", "one trailer"],
)
def test_a_head_without_end_is_cut_off(port: int, endless: list[bytes]) -> None:
    taken = 0
    with socket.create_connection(("127.0.0.1", port), 10) as line, contextlib.suppress(ConnectionError):
        for part in endless:
            line.sendall(part)
            taken += len(part)
            time.sleep(0.001)  # or the kernel's buffers take it all
    assert MAX_HEAD_BYTES / 2 < taken < 20 * MAX_HEAD_BYTES


def test_a_head_that_is_too_long_is_told_so(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(GET)
        time.sleep(0.3)
        line.sendall(b"x: " + b"y" * MAX_HEAD_BYTES)
        assert line.recv(100).startswith(b"HTTP/1.1 431 ")


def test_heads_and_bodies_within_bounds_are_taken_also_one_after_the_other(port: int) -> None:
    long = GET + b"x: " + b"y" * (MAX_HEAD_BYTES - 1_000) + b"\r\n\r\n"
    post = b"POST / HTTP/1.1\r\nhost: hub\r\ncontent-length: 1000000\r\n\r\n" + b"z" * 1_000_000
    with_body = long.replace(b"\r\n\r\n", b"\r\ncontent-length: 5\r\n\r\n12345")
    answer = exchange(port, post + post + long + with_body + post)
    assert answer.count(b"HTTP/1.1 200") == 5
    assert answer.count(b"\r\n\r\n1000000") == 3


def test_trailers_are_no_headers(port: int) -> None:
    answer = exchange(port, CHUNKED, b"idempotency-key: k\r\nauthorization: x\r\n\r\n" + GET + b"\r\n")
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"\r\nheaders: 2\r\n\r\n5" in answer
    assert b"\r\nheaders: 1\r\n\r\n0" in answer


def test_more_connections_than_the_house_takes_are_answered_with_503() -> None:
    with served(limit_concurrency=3) as port:
        lines = [socket.create_connection(("127.0.0.1", port), 10) for _ in range(4)]
        time.sleep(0.2)
        head, _, body = exchange(port, GET + b"accept-language: ko\r\n\r\n").partition(b"\r\n\r\n")
        assert b" 503 " in head
        for header in (b"retry-after: 1", b"content-type: application/problem+json", b"connection: close"):
            assert header in head.lower()
        assert json.loads(body)["type"] == "urn:taesan:problem:busy"
        for line in lines:
            line.close()
        time.sleep(0.2)
        assert b" 200 " in exchange(port, GET + b"\r\n")


# ----------------------------------------------------------- what the intake keeps


def test_signers_are_forgotten_in_time_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SIGNERS", 3)
    hub = offline_hub(tmp_path)
    facts = facts_of(hub)
    wallets = [Wallet(f"payer {n}") for n in range(8)]
    ids = [open_channel(hub, wallet, 100 * CENT) for wallet in wallets]
    engine = Engine(hub.db, terms_of(hub), hub.clock)
    for n in (1, 2):
        # Two groups on their way: what the second makes forgotten, the first has still to use.
        groups = [
            [
                Submission(f"k{n}", id_, CENT, n * CENT, wallet.voucher(facts, id_, n * CENT))
                for wallet, id_ in list(zip(wallets, ids, strict=True))[part]
            ]
            for part in (slice(0, 4), slice(4, 8))
        ]
        started = [engine.start(group) for group in groups]
        for group in started:
            assert all(isinstance(result, Outcome) for result in engine.finish(group))
        assert len(engine._signers) <= 4
    hub.db.close()
