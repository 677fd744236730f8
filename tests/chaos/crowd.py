"""Clients that pay, repeat themselves, come late and forge, and that ask again with the same key until they know."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.bench.payers import AMOUNT, Facts, Payer

SHARE = 0.01  # of each kind of nuisance
BULK = 100
UNKNOWN = (429, 500, 503)  # nothing is known of such a payment but that it is safe to ask again
RETRY_S = 0.2

Json = dict[str, Any]


@dataclass
class Step:
    """One request of a client, with what it was answered at last.

    :ivar kind: `good`, `duplicate` (of an earlier one, with its key), `stale` (a voucher that was used), `forged`
    :ivar paid: payments of the channel with this one. :ivar ids: of all payments that answers named
    """

    kind: str
    key: str
    paid: int
    body: Json
    status: int = 0
    replayed: bool = False
    ids: set[str] = field(default_factory=set)


class Client:
    """One payer, whose steps are sent in their order."""

    def __init__(self, facts: Facts, number: int, payments: int, seed: int) -> None:
        self.payer = Payer(facts, number)
        self.steps = list(self._plan(payments, random.Random(f"{seed} {number}")))

    def _plan(self, payments: int, chance: random.Random) -> Iterator[Step]:
        sent: list[Step] = []
        for n in range(1, payments + 1):
            key = f"{self.payer.channel_id[2:10]}-{n}"
            good = Step("good", key, n, self.payer.payment())
            if chance.random() < SHARE:
                signature = "0x" + ("1b" if n % 2 else "2c") * 64 + "1c"
                body = good.body | {"voucher": good.body["voucher"] | {"signature": signature}}
                yield Step("forged", f"{key}-forged", n, body)
            yield good
            sent.append(good)
            if chance.random() < SHARE:
                first = chance.choice(sent)
                yield Step("duplicate", first.key, first.paid, first.body)
            if chance.random() < SHARE:
                old = chance.choice(sent)
                yield Step("stale", f"{key}-stale", old.paid, old.body)


class Crowd:
    """Many clients over some connections: on every second one singly, on the others in bulk.

    :ivar done: steps that are answered for good. :ivar retries: requests that were sent once more
    """

    def __init__(self, clients: Sequence[Client], port: int, connections: int) -> None:
        self.clients, self._port, self._connections = clients, port, connections
        self.done = self.retries = 0
        self.total = sum(len(client.steps) for client in clients)

    async def run(self) -> None:
        groups = [self.clients[n :: self._connections] for n in range(self._connections)]
        await asyncio.gather(
            *((self._in_bulk if n % 2 else self._singly)(group) for n, group in enumerate(groups) if group)
        )

    async def _singly(self, clients: Sequence[Client]) -> None:
        line = Line(self._port)
        for step in _in_turn(clients):
            while True:
                status, answer = await line.post("/v1/payments", step.body, step.key)
                if status not in UNKNOWN:
                    break
                self.retries += 1
                await asyncio.sleep(RETRY_S)
            _note(step, status, answer, line.replayed)
            self.done += 1
        line.close()

    async def _in_bulk(self, clients: Sequence[Client]) -> None:
        line, steps = Line(self._port), list(_in_turn(clients))
        for n in range(0, len(steps), BULK):
            part = steps[n : n + BULK]
            body = {"payments": [step.body | {"idempotency_key": step.key} for step in part]}
            # The whole request again: what had been accepted is told so, and what came after something lost goes on from it.
            while True:
                status, answer = await line.post("/v1/payments/bulk", body, None)
                results = answer["results"] if status == 200 else []
                for step, result in zip(part, results, strict=False):
                    _note(step, result["status"], result["payment"], result["replayed"])
                if results and not any(result["status"] in UNKNOWN for result in results):
                    break
                self.retries += 1
                await asyncio.sleep(RETRY_S)
            self.done += len(part)
        line.close()


def _in_turn(clients: Sequence[Client]) -> Iterator[Step]:
    """The clients' steps, one of each after the other."""
    waiting = [iter(client.steps) for client in clients]
    while waiting:
        for steps in list(waiting):
            step = next(steps, None)
            if step is None:
                waiting.remove(steps)
            else:
                yield step


def _note(step: Step, status: int, answer: Json | None, replayed: bool) -> None:
    step.status, step.replayed = status, replayed
    if status == 201 and answer is not None:
        step.ids.add(answer["id"])


class Line:
    """A connection that is opened again when it breaks. :ivar replayed: whether the last answer was an old one"""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.replayed = False

    async def post(self, path: str, body: Json, key: str | None) -> tuple[int, Json]:
        """(status, answer); 503 if there was none."""
        content = json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n"
        )
        head += f"idempotency-key: {key}\r\n\r\n" if key else "\r\n"
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
            reader, writer = self._streams
            writer.write(head.encode() + content)
            told = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(told.split(b"content-length: ")[1].split(b"\r\n")[0])
            answer = json.loads(await reader.readexactly(length))
        except (OSError, EOFError):
            self.close()
            return 503, {}
        self.replayed = b"idempotent-replayed: true" in told
        return int(told[9:12]), answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


# ------------------------------------------------------------------------ judgement


def judge(clients: Iterable[Client], in_books: dict[str, dict[str, tuple[str, int]]]) -> Counter[str]:
    """What was answered against what is in the books.

    :param in_books: channel → Idempotency-Key → (payment's id, cumulative amount)
    :returns: how many of each; `wrong …` is what must not be
    """
    found: Counter[str] = Counter()
    for client in clients:
        rows = dict(in_books.get(client.payer.channel_id, {}))
        by_key: dict[str, set[str]] = {}
        for step in client.steps:
            found["sent"] += 1
            row = rows.get(step.key)
            if step.kind in ("good", "duplicate"):
                by_key.setdefault(step.key, set()).update(step.ids)
                found["accepted" if step.kind == "good" else "duplicates replayed"] += step.status == 201
                found["wrong: not accepted"] += step.status != 201
                found["wrong: duplicate not told so"] += step.kind == "duplicate" and not step.replayed
                found["wrong: missing"] += row is None
                found["wrong: other payment"] += row is not None and (row[0], row[1]) != (
                    next(iter(step.ids), None),
                    step.paid * AMOUNT,
                )
            else:
                expected = 409 if step.kind == "stale" else 403
                found[f"{step.kind} refused"] += step.status == expected
                found["wrong: not refused"] += step.status != expected
                found["wrong: refused and in the books"] += row is not None
        found["wrong: two answers for one key"] += sum(len(ids) > 1 for ids in by_key.values())
        found["wrong: in the books and never sent"] += len(rows.keys() - {s.key for s in client.steps})
    return found
