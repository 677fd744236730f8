"""The load: a process of its own that signs payments beforehand, sends them over many connections, and tells by JSON how
long the answers took. `python -m tests.bench.load '{…}'`"""

import asyncio
import itertools
import json
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.payers import Facts, Payer, requests


@dataclass(frozen=True)
class Load:
    """:ivar payments: in all. :ivar bulk: in one request; 0 for the single route. :ivar first: number of the first payer
    :ivar ports: of the servers, which the connections are shared out among
    :ivar paid: what each of them has paid before, in payments. :ivar prepared: a JSON file with a list of requests for
    each connection, if somebody else has made them; then it tells nothing of facts, payers and what they paid"""

    facts: dict[str, Any]
    ports: list[int]
    connections: int
    payers: int
    payments: int
    bulk: int
    paid: int = 0
    first: int = 0
    prepared: str = ""


class _Connection(asyncio.Protocol):
    """Sends one request after the other."""

    def __init__(self, todo: list[bytes], statuses: Counter[int], waits: list[float], left: "_Left") -> None:
        self._todo, self._statuses, self._waits, self._left = iter(todo), statuses, waits, left
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self) -> None:
        request = next(self._todo, None)
        if request is None:
            self._left.done()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._buffer.find(b"content-length: ") + 16
        length = int(self._buffer[at : self._buffer.find(b"\r\n", at)])
        if len(self._buffer) < end + 4 + length:
            return
        self._waits.append(time.perf_counter() - self._sent_at)
        self._statuses[int(self._buffer[9:12])] += 1
        body, self._buffer = self._buffer[end + 4 :], b""
        # Read only if something is wrong: reading takes as long as a tenth of taking the payments in.
        if body.startswith(b'{"results":') and body.count(b'{"status":') != body.count(b'{"status":201,'):
            self._statuses.update(f"item {r['status']}" for r in json.loads(body)["results"] if r["status"] != 201)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left.done()


class _Left:
    def __init__(self, count: int) -> None:
        self._count, self.future = count, asyncio.get_running_loop().create_future()

    def done(self) -> None:
        self._count -= 1
        if self._count == 0 and not self.future.done():
            self.future.set_result(None)


def _signed(load: Load, each: int) -> list[list[bytes]]:
    """Requests for each connection."""
    facts = Facts(**load.facts)
    payers = [Payer(facts, number) for number in range(load.first, load.first + load.payers)]
    for payer in payers:
        payer.paid = load.paid
    return [
        list(itertools.islice(requests(payers[n :: load.connections], load.bulk), each))
        for n in range(load.connections)
    ]


def _prepared(file: str) -> list[list[bytes]]:
    return [[request.encode() for request in todo] for todo in json.loads(Path(file).read_text())]


async def run(load: Load) -> dict[str, Any]:
    size = load.bulk or 1
    each = load.payments // size // load.connections
    plan = _prepared(load.prepared) if load.prepared else _signed(load, each)
    statuses: Counter[Any] = Counter()
    waits: list[float] = []
    left = _Left(load.connections)
    loop = asyncio.get_running_loop()
    connections = []
    ports = itertools.cycle(load.ports)
    for todo in plan:
        _, protocol = await loop.create_connection(
            lambda todo=todo: _Connection(todo, statuses, waits, left), "127.0.0.1", next(ports)
        )
        connections.append(protocol)
    print("ready", flush=True)
    sys.stdin.readline()
    cpu, started = time.process_time(), time.perf_counter()
    for protocol in connections:
        protocol.send()
    await left.future
    elapsed = time.perf_counter() - started
    waits.sort()
    return {
        "payments": each * load.connections * size,
        "elapsed_s": elapsed,
        "rate": each * load.connections * size / elapsed,
        "p50_ms": waits[len(waits) // 2] * 1e3,
        "p99_ms": waits[int(len(waits) * 0.99)] * 1e3,
        "cpu_s": time.process_time() - cpu,
        "statuses": {str(k): v for k, v in statuses.items()},
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(Load(**json.loads(sys.argv[1]))))))
