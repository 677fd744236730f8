"""`make bench-scaling`: the intake's rate over processes, databases and shards; writes docs/benchmarks/scaling.md.

Each process serves the API as `taesan serve` does. The hash of a payer's address decides which process her payments go to
and, with shards, which database has her channel. After each run all of each database that needs no chain is audited, each
signature too, and what they hold is added up.
"""

import itertools
import json
import os
import platform
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from taesan.core.crypto import keccak
from taesan.ledger.audit import Report
from taesan.payments.models import Payment
from taesan.settlement.audit import audit_own
from tests.bench.drive import Measured, drive, server
from tests.bench.load import Load
from tests.bench.payers import AMOUNT, Facts, Payer, move_in, requests
from tests.support.chain import ROOT, free_port
from tests.support.offline import hub_on
from tests.support.postgres import fresh_database, running_server

PAGE = ROOT / "docs" / "benchmarks" / "scaling.md"
PAYERS, ROUNDS = 2_048, 3


@dataclass(frozen=True)
class Way:
    """:ivar bulk: payments in a request; 0 for the single route. :ivar each: requests on a connection in a round"""

    bulk: int
    connections: int
    each: int


SINGLE, BULK = Way(0, 256, 24), Way(1_000, 8, 4)


@dataclass(frozen=True)
class Setup:
    """:ivar processes: a multiple of the shards, each of which has a database of its own"""

    database: str
    processes: int
    shards: int = 1


SETUPS = [Setup(database, processes) for database in ("SQLite", "PostgreSQL") for processes in (1, 2, 4)]
SETUPS += [Setup("SQLite", 2, shards=2), Setup("PostgreSQL", 2, shards=2)]


def share_of(address: str, shares: int) -> int:
    """Which of so many shares a payer belongs to."""
    return int.from_bytes(keccak(bytes.fromhex(address[2:]))[:8], "big") % shares


class Stage:
    """Servers on fresh databases, and who pays to which of them."""

    def __init__(self, setup: Setup, new_database: Callable[[Path], str], stack: ExitStack) -> None:
        self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taesan-")))
        self._urls = [new_database(self._folder / f"shard{number}.db") for number in range(setup.shards)]
        facts = [_moved_in(url, number, setup.shards) for number, url in enumerate(self._urls)]
        self._payers: list[list[Payer]] = [[] for _ in range(setup.processes)]
        for number in range(PAYERS):
            share = share_of(Payer(facts[0], number).address, setup.processes)
            self._payers[share].append(Payer(facts[share % setup.shards], number))
        self._ports = [free_port() for _ in self._payers]
        self._servers = [
            stack.enter_context(
                server("tests.bench.server", [self._urls[n % setup.shards], str(port)], self._folder, port, "/healthz")
            )
            for n, port in enumerate(self._ports)
        ]
        self._sent = 0

    def measure(self, way: Way) -> Measured:
        """The median of some rounds, after one to warm up."""
        self._round(way, 2)
        rounds = [Measured.of("", self._round(way, way.each)) for _ in range(ROUNDS)]
        return sorted(rounds, key=lambda measured: measured.rate)[ROUNDS // 2]

    def _round(self, way: Way, each: int) -> dict[str, float]:
        """:param each: requests on a connection; connections are shared out among the ports in turn"""
        file, plan, shares = self._folder / "requests.json", [], len(self._ports)
        for number in range(way.connections):
            mine = self._payers[number % shares][number // shares :: way.connections // shares]
            plan.append([request.decode() for request in itertools.islice(requests(mine, way.bulk), each)])
        file.write_text(json.dumps(plan))
        payments = each * way.connections * (way.bulk or 1)
        self._sent += payments
        load = Load({}, self._ports, way.connections, 0, payments, way.bulk, prepared=str(file))
        return drive(load, self._servers, success=200 if way.bulk else 201)

    def check_books(self) -> None:
        """Each shard's books and payments are sound by themselves, and together they hold what was accepted."""
        found = []
        for url in self._urls:
            hub, report = hub_on(url), Report()
            with hub.db.read() as session:
                audit_own(session, hub, report)
                found.append(session.execute(select(func.count(), func.sum(Payment.amount)).select_from(Payment)).one())
            hub.db.close()
            assert not report.differences, report.differences[:5]
        assert all(count for count, _ in found), "a shard without payments"
        assert [sum(column) for column in zip(*found, strict=True)] == [self._sent, self._sent * AMOUNT]


def _moved_in(url: str, shard: int, shards: int) -> Facts:
    hub = hub_on(url)
    facts = move_in(hub, PAYERS, lambda address: share_of(address, shards) == shard)
    hub.db.close()
    return facts


def measure(setup: Setup) -> tuple[Measured, Measured]:
    """By the single route and in bulk."""
    with ExitStack() as stack:
        if setup.database == "SQLite":
            stage = Stage(setup, lambda file: f"sqlite:///{file}", stack)
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taesan-")))
            postgres = stack.enter_context(running_server(folder))
            stage = Stage(setup, lambda _: fresh_database(postgres.url), stack)
        measured = stage.measure(SINGLE), stage.measure(BULK)
        stage.check_books()
        return measured


def page(rows: dict[Setup, tuple[Measured, Measured]]) -> str:
    lines = [
        "# The intake over processes, databases and shards",
        "",
        "<!-- Written by `make bench-scaling`; edit tests/bench/scaling.py instead. -->",
        "",
        f"{os.cpu_count()} cores ({platform.machine()}), which servers, verifiers, database and load share; "
        f"Python {platform.python_version()}; {datetime.now(UTC):%Y-%m-%d}. Both databases durable. {PAYERS:,} payers; "
        f"{SINGLE.connections} connections in all for the single route, {BULK.connections} for bulk requests of "
        f"{BULK.bulk:,}; the median of {ROUNDS} rounds. CPU is the API processes' and their children's, without "
        "PostgreSQL's. After each run the books and payments of each database were audited, and together they held what was accepted.",
        "",
        "| database | processes | databases | single, payments/s | p50 / p99 ms | CPU µs each | bulk, payments/s |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for setup, (single, bulk) in rows.items():
        lines.append(
            f"| {setup.database} | {setup.processes} | {setup.shards} | {single.rate:,.0f} "
            f"| {single.p50_ms:,.0f} / {single.p99_ms:,.0f} | {single.cpu_us_per_payment:,.0f} | {bulk.rate:,.0f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    rows = {}
    for setup in SETUPS:
        rows[setup] = measure(setup)
        print(setup, *(f"{measured.rate:,.0f}/s" for measured in rows[setup]), flush=True)
    PAGE.write_text(page(rows))
    print(f"written: {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
