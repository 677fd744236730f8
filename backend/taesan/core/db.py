"""The database, SQLite or PostgreSQL: one engine, three kinds of transaction, migrations.

Whoever handles a request or a worker's step opens the transaction; domain functions take its session and never commit.

Writers come one by one: SQLite has one writer, and PostgreSQL is asked for the same by an advisory lock. Only the intake of
payments is let in beside others of its kind, by the lock's shared mode: it orders itself by row locks on its channels.

A database may end a transaction that is not at fault (a deadlock, a serialization failure): nothing of it is kept, and it is
to be done again. `retried` does so for a request or a worker's step; the intake does so itself.
"""

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

log = structlog.get_logger()
P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 5
RETRYABLE = ("40001", "40P01")  # SQLSTATE: serialization failure, deadlock
UNAVAILABLE = (OperationalError, InterfaceError, InternalError, NoConnectionLeft)
"""What is the database's trouble and nobody's fault: gone, full, locked, asking too often to begin again, or (internal) tired
of a silent transaction."""

# PostgreSQL's advisory locks, all of a transaction's life. The numbers only have to differ.
_WRITERS, _BOOKS = 0x7AE5A0, 0x7AE5A1
PATIENCE_S = 30  # for a lock; and for whoever holds the writers' and asks nothing
# For connections to a PostgreSQL whose host vanishes: found out in seconds, not when the kernel gives up.
_TIMEOUTS = {
    "connect_timeout": 5,
    "tcp_user_timeout": 15_000,  # ms
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
}
MIGRATIONS = Path(__file__).parents[1] / "migrations"


class Database:
    """:param cache_mib: SQLite's pages in memory, of each connection; there may be thirty: a pool of 20 and 10 beyond it"""

    def __init__(self, url: str, cache_mib: int = 16) -> None:
        self.url = url
        self.engine = _engine(url, cache_mib)
        # One view for all statements: SQLite's transactions are like that anyway.
        self._reading = {"read_only": True} if url.startswith("sqlite") else {"isolation_level": "REPEATABLE READ"}
        # SQLite has one writer. Waiting here is fair; waiting in SQLite is a poll, as between the processes of the API, its
        # intake and the worker.
        self._writer = threading.Lock()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write anything: committed at the end, rolled back on any exception."""
        with self._writer, Session(self.engine, expire_on_commit=False) as session, session.begin():
            _lock(session.connection(), f"{_bounds()}, pg_advisory_xact_lock({_WRITERS})")
            yield session

    @contextmanager
    def take_in(self) -> Iterator[Session]:
        """A transaction of the intake, which on PostgreSQL may run beside others of its kind in other processes."""
        with self._writer, Session(self.engine, expire_on_commit=False) as session, session.begin():
            _lock(session.connection(), f"{_bounds()}, pg_advisory_xact_lock_shared({_WRITERS})")
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view that never waits for a writer. What is changed in it is not written."""
        engine = self.engine.execution_options(**self._reading)
        with Session(engine, autoflush=False) as session:
            yield session

    def migrate(self) -> None:
        """Brings the schema to the newest version; makes the database file if there is none."""
        with self.engine.begin() as connection:
            _lock(connection, f"SELECT pg_advisory_xact_lock({_WRITERS})")  # two services may start at once
            if MigrationContext.configure(connection).get_current_revision() == newest_version():
                return
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def ping(self) -> None:
        """:raises SQLAlchemyError: the database cannot be read"""
        with self.read() as session:
            session.connection().exec_driver_sql("SELECT 1")

    def close(self) -> None:
        self.engine.dispose()


@functools.cache
def newest_version() -> str | None:
    """Of the schema."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def is_retryable(error: Exception) -> bool:
    """Whether the database ended the transaction so that it be done again."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in RETRYABLE


def brief(error: Exception) -> str:
    """What a database's error says, without the statement and its values."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]


def retried(work: Callable[P, T]) -> Callable[P, T]:
    """Has all of it done again if the database asks for that, a few times; then the error is the caller's.

    :param work: opens its own transactions, and may be repeated as long as none of them was committed
    """

    @functools.wraps(work)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> T:
        for left in reversed(range(ATTEMPTS)):
            try:
                return work(*args, **kwargs)
            except DBAPIError as error:
                if not left or not is_retryable(error):
                    raise
                log.info("database.again", work=work.__qualname__, reason=brief(error))
        raise AssertionError("unreachable")

    return attempt


def lock_books(connection: Connection) -> None:
    """From here to the transaction's end nobody else appends to the books: their hashes are one chain."""
    _lock(connection, f"SELECT pg_advisory_xact_lock({_BOOKS})")


def _bounds() -> str:
    """Of a transaction that writes: what it waits for too long ends it, and so does its own silence, for others wait."""
    settings = ("lock_timeout", "idle_in_transaction_session_timeout")
    bounds = [f"set_config('{setting}', '{PATIENCE_S}s', true)" for setting in settings]
    # "Accepted" means durable, also where a role or the server is set up otherwise. What is stricter than on, stays.
    commit = "current_setting('synchronous_commit')"
    durable = f"set_config('synchronous_commit', CASE {commit} WHEN 'off' THEN 'on' ELSE {commit} END, true)"
    return "SELECT " + ", ".join([*bounds, durable])


def _lock(connection: Connection, statement: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(statement)


def _engine(url: str, cache_mib: int) -> Engine:
    """Whose errors do not tell the values of their statement: they are logged."""
    if not url.startswith("sqlite"):
        # Pinged before use: connections that a restart of the server has cut are replaced and nobody notices.
        engine = create_engine(url, pool_pre_ping=True, pool_size=20, connect_args=_TIMEOUTS, hide_parameters=True)
        event.listen(engine, "connect", _set_up_postgresql)
        return engine
    path = url.removeprefix("sqlite:///")
    if path and path != url:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    options = {"timeout": PATIENCE_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=options, pool_size=20, hide_parameters=True)
    event.listen(engine, "connect", functools.partial(_set_up_sqlite, cache_mib))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_postgresql(connection: Any, _entry: ConnectionPoolEntry) -> None:
    from psycopg.types.numeric import IntLoader

    # What 64-bit integers add up to is NUMERIC there; we store no fractions.
    connection.adapters.register_loader("numeric", IntLoader)


def _set_up_sqlite(cache_mib: int, connection: object, _entry: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]  # the driver's own BEGIN comes too late to be IMMEDIATE
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # "accepted" means durable
    cursor.execute("PRAGMA fullfsync=ON")  # which on macOS takes more than fsync
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA cache_size=-{cache_mib * 1024}")  # negative: KiB
    cursor.execute("PRAGMA wal_autocheckpoint=20000")  # pages: rarely, as a checkpoint holds up the writers
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at once: a read that turns into a write can fail half way through.
    read_only = connection.get_execution_options().get("read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
