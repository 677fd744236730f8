"""Our intake under load, on an empty database and on one with a million payments, audited after each run."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from taesan.ledger.audit import Report, audit_books
from taesan.settlement.audit_payments import audit_payments
from tests.bench.drive import Measured, drive, server
from tests.bench.load import Load
from tests.bench.payers import move_in
from tests.support.chain import free_port
from tests.support.offline import hub_on
from tests.support.postgres import drop_database, fresh_database

PAYERS = 2_048
WARMERS = 256  # payers of their own, many enough to stay below the rate that each is allowed
MILLION = 500 * PAYERS
FILL = 512  # payments in a request that fills the database: a multiple of a connection's payers
SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@dataclass(frozen=True)
class Way:
    """:ivar bulk: payments in a request; 0 for the single route. :ivar processes: that serve the API"""

    database: str
    bulk: int
    connections: int
    payments: int
    processes: int = 1

    @property
    def name(self) -> str:
        route = f"bulk {self.bulk:,}" if self.bulk else "single"
        workers = f", {self.processes} API processes" if self.processes > 1 else ""
        return f"ours: {route}{workers}, {self.database}"


SINGLE, BULK = Way(SQLITE, 0, 256, 40_960), Way(SQLITE, 1_000, 8, 128_000)
BULK_POSTGRES = Way(POSTGRES, 1_000, 8, 96_000)
WAYS = [
    SINGLE,
    Way(SQLITE, 0, 256, 40_960, processes=2),
    Way(SQLITE, 100, 32, 96_000),
    BULK,
    Way(POSTGRES, 0, 256, 25_600),
    Way(POSTGRES, 0, 256, 25_600, processes=2),
    Way(POSTGRES, 100, 32, 64_000),
    BULK_POSTGRES,
]


def measure(way: Way, postgres_url: str) -> Measured:
    """On a new database."""
    with TemporaryDirectory() as folder, _Stage(Path(folder), way, postgres_url) as stage:
        run = stage.send(way)
    return Measured.of(way.name, run)


def at_a_million(on_progress: Callable[[int], None]) -> list[tuple[Measured, Measured]]:
    """Bulk and single, on an empty SQLite database and on one with a million payments: (empty, filled).

    :param on_progress: is told how many payments are in
    """
    bulk = Way(SQLITE, BULK.bulk, BULK.connections, 32 * 1_000 * BULK.connections)
    empty = {way: measure(way, "") for way in (bulk, SINGLE)}
    with TemporaryDirectory() as folder, _Stage(Path(folder), bulk, "") as stage:
        fill = Way(SQLITE, FILL, 8, MILLION // 10)
        while stage.paid < MILLION:
            stage.send(fill)
            on_progress(stage.paid)
        filled = {way: stage.send(way) for way in empty}
    return [(empty[way], Measured.of(f"{way.name}, a million before", run)) for way, run in filled.items()]


class _Stage:
    """A database with channels, and servers on it. The books are audited at the end."""

    def __init__(self, folder: Path, way: Way, postgres_url: str) -> None:
        self._folder, self._way = folder, way
        self._url = fresh_database(postgres_url) if way.database == POSTGRES else f"sqlite:///{folder}/taesan.db"
        self._stack = ExitStack()
        self.paid = 0

    def __enter__(self) -> "_Stage":
        hub = hub_on(self._url)
        self._facts = move_in(hub, PAYERS + WARMERS)
        hub.db.close()
        self._ports = [free_port() for _ in range(self._way.processes)]
        self._servers = [
            self._stack.enter_context(
                server("tests.bench.server", [self._url, str(port)], self._folder, port, "/healthz")
            )
            for port in self._ports
        ]
        self._warm_up()
        return self

    def __exit__(self, error: object, *_: object) -> None:
        self._stack.close()
        if error is None:
            _audit(self._url, self.paid + self._warm)
        if self._way.database == POSTGRES:
            drop_database(self._url)  # or its vacuum would work beside whatever is measured next

    def send(self, way: Way) -> dict[str, Any]:
        """:returns: what the load tells, with the servers' `cpu_s`"""
        assert self.paid % PAYERS == 0, "every payer has paid as often"
        load = self._load(way, first=0, payers=PAYERS, payments=way.payments, paid=self.paid // PAYERS)
        self.paid += load.payments
        return drive(load, self._servers, success=200 if way.bulk else 201)

    def _warm_up(self) -> None:
        """Processes are started and code is read in with other payers' payments."""
        way = self._way
        load = self._load(way, PAYERS, WARMERS, 3 * way.connections * (way.bulk or 1), 0)
        self._warm = load.payments
        drive(load, self._servers, success=200 if way.bulk else 201)

    def _load(self, way: Way, first: int, payers: int, payments: int, paid: int) -> Load:
        size = (way.bulk or 1) * way.connections
        return Load(
            asdict(self._facts),
            self._ports,
            way.connections,
            payers,
            payments // size * size,
            way.bulk,
            paid=paid,
            first=first,
        )


def _audit(url: str, payments: int) -> None:
    """Signatures, sequences, postings, hashes, balances: everything that can be checked without a chain."""
    hub, report = hub_on(url), Report()
    with hub.db.read() as session:
        audit_books(session, report)
        audit_payments(session, hub, report)
    hub.db.close()
    assert not report.differences, report.differences[:5]
    assert report.counted["payments"] == payments, (report.counted, payments)
