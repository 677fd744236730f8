"""`make bench-scaling`: the intake's rate over processes, databases and shards; writes docs/benchmarks/scaling.md.

Each process serves the API as `taesan serve` does and has a load process of its own, which sends payments that were signed
beforehand. Payers are told apart by the hash of their address: it decides which process they send to, and with shards,
which database has their channels. After each run the books of each database are audited, and what they hold is added up.
"""

import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from taesan.core.crypto import keccak
from taesan.core.db import Database
from taesan.demo.processes import Process, wait_for_http
from taesan.ledger.audit import Report, audit_books
from taesan.payments.models import Payment
from tests.bench.load import Load
from tests.bench.payers import AMOUNT, Facts, Payer, move_in, requests
from tests.support.chain import ROOT, free_port
from tests.support.offline import hub_on
from tests.support.postgres import fresh_database, running_server

PAGE = ROOT / "docs" / "benchmarks" / "scaling.md"
PAYERS, CONNECTIONS = 512, 64  # in all
SINGLE, BULK, BULK_SIZE = 18_000, 96_000, 1_000  # payments in all
ROUNDS = 3
NO_LIMIT = {"TAESAN_PAYER_RATE": "1000000/second"}  # a few payers stand for many


@dataclass(frozen=True)
class Setup:
    database: str
    processes: int
    shards: int = 1


@dataclass(frozen=True)
class Rate:
    """:ivar per_second: payments. The median round's, and the worst of its processes' waits"""

    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Row:
    setup: Setup
    single: Rate
    bulk: Rate


SETUPS = [Setup(database, processes) for database in ("SQLite", "PostgreSQL") for processes in (1, 2, 4)]
SETUPS += [Setup("SQLite", 2, shards=2), Setup("PostgreSQL", 2, shards=2)]


def share_of(address: str, shares: int) -> int:
    """Which of so many shards a payer belongs to."""
    return int.from_bytes(keccak(bytes.fromhex(address[2:]))[:8], "big") % shares


class Bench:
    """Servers on fresh databases, and who pays to which of them."""

    def __init__(self, setup: Setup, new_database: Callable[[Path], str], stack: ExitStack) -> None:
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taesan-")))
        self._urls = [new_database(self._folder / f"shard{number}.db") for number in range(setup.shards)]
        facts = [_moved_in(url, number, setup.shards) for number, url in enumerate(self._urls)]
        self._ports, self._payers, self.sent = [], [], 0
        for number in range(setup.processes):
            shard = number % setup.shards
            self._ports.append(self._serve(self._urls[shard], stack))
            all_payers = (Payer(facts[shard], n) for n in range(PAYERS))
            self._payers.append([p for p in all_payers if share_of(p.address, setup.processes) == number])

    def _serve(self, url: str, stack: ExitStack) -> int:
        port = free_port()
        command = [sys.executable, "-m", "tests.bench.server", url, str(port)]
        process = Process("server", command, self._folder / f"{port}.log", NO_LIMIT)
        stack.callback(process.stop)
        wait_for_http(process, f"http://127.0.0.1:{port}/healthz")
        return port

    def rate(self, payments: int, bulk: int) -> Rate:
        """The median of some rounds."""
        connections = CONNECTIONS // len(self._ports) if bulk == 0 else max(1, 8 // len(self._ports))
        each = payments // ROUNDS // len(self._ports) // connections // max(bulk, 1)
        self._round(connections, 1 if bulk else 10, bulk)  # to warm up
        rounds = [self._round(connections, each, bulk) for _ in range(ROUNDS)]
        return sorted(rounds, key=lambda rate: rate.per_second)[ROUNDS // 2]

    def _round(self, connections: int, each: int, bulk: int) -> Rate:
        """All load processes at once. :param each: requests on a connection"""
        loads = [
            self._load(port, payers, connections, each, bulk)
            for port, payers in zip(self._ports, self._payers, strict=True)
        ]
        for load in loads:
            assert load.stdout is not None
            assert load.stdout.readline() == "ready\n"
        told: list[dict[str, Any]] = []
        for load in loads:
            assert load.stdin is not None
            load.stdin.write("go\n")
            load.stdin.flush()
        for load in loads:
            assert load.stdout is not None
            told.append(json.loads(load.stdout.readline()))
            load.communicate()
        accepted = {"200"} if bulk else {"201"}
        assert all(set(run["statuses"]) == accepted for run in told), [run["statuses"] for run in told]
        payments = sum(run["payments"] for run in told)
        self.sent += payments
        return Rate(
            payments / max(run["elapsed_s"] for run in told),
            max(run["p50_ms"] for run in told),
            max(run["p99_ms"] for run in told),
        )

    def _load(
        self, port: int, payers: Sequence[Payer], connections: int, each: int, bulk: int
    ) -> "subprocess.Popen[str]":
        prepared = self._folder / f"{port}.json"
        plan = [
            [request.decode() for request in itertools.islice(requests(payers[n::connections], bulk), each)]
            for n in range(connections)
        ]
        prepared.write_text(json.dumps(plan))
        load = Load({}, port, connections, 0, each * connections * (bulk or 1), bulk, prepared=str(prepared))
        command = [sys.executable, "-m", "tests.bench.load", json.dumps(asdict(load))]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def check_books(self) -> None:
        """Each shard's books are sound by themselves, and together they hold what was accepted."""
        found = []
        for url in self._urls:
            db, report = Database(url), Report()
            with db.read() as session:
                audit_books(session, report)
                found.append(session.execute(select(func.count(), func.sum(Payment.amount)).select_from(Payment)).one())
            db.close()
            assert report.differences == [], report.differences[:5]
        assert all(count for count, _ in found), "a shard without payments"
        assert [sum(column) for column in zip(*found, strict=True)] == [self.sent, self.sent * AMOUNT]


def _moved_in(url: str, shard: int, shards: int) -> Facts:
    hub = hub_on(url)
    facts = move_in(hub, PAYERS, lambda address: share_of(address, shards) == shard)
    hub.db.close()
    return facts


def measure(setup: Setup) -> Row:
    with ExitStack() as stack:
        if setup.database == "SQLite":
            bench = Bench(setup, lambda file: f"sqlite:///{file}", stack)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taesan-")))
            server = stack.enter_context(running_server(folder))
            bench = Bench(setup, lambda _: fresh_database(server.url), stack)
        row = Row(setup, bench.rate(SINGLE, 0), bench.rate(BULK, BULK_SIZE))
        bench.check_books()
        return row


def page(rows: Sequence[Row]) -> str:
    lines = [
        "# The intake over processes, databases and shards",
        "",
        "<!-- Written by `make bench-scaling`; edit tests/bench/scaling.py instead. -->",
        "",
        f"{os.cpu_count()} cores ({platform.machine()}), which servers, verifiers, database and load share; "
        f"Python {platform.python_version()}; {datetime.now(UTC):%Y-%m-%d}. Both databases durable. {PAYERS} payers, "
        f"{CONNECTIONS} connections (8 for bulk) in all; the median of {ROUNDS} rounds. After each run the books of each "
        "database were audited, and what all of them hold was what was accepted.",
        "",
        f"| database | processes | databases | single, a second | p50 / p99 ms | bulk of {BULK_SIZE:,}, payments a second |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        single = row.single
        lines.append(
            f"| {row.setup.database} | {row.setup.processes} | {row.setup.shards} | {single.per_second:,.0f} "
            f"| {single.p50_ms:,.0f} / {single.p99_ms:,.0f} | {row.bulk.per_second:,.0f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    rows = []
    for setup in SETUPS:
        rows.append(measure(setup))
        print(rows[-1], flush=True)
    PAGE.write_text(page(rows))
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
