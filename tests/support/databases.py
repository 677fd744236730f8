"""Where the tests' databases are: in SQLite files, or on a PostgreSQL server (`pytest --database postgresql`).

Each belongs to a folder, whether it is a file there or not, and goes with it (`drop_in`).
"""

import contextlib
import functools
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, create_engine

from taesan.core.db import Database
from tests.support import postgres

NAMES = ("sqlite", "postgresql")


class Databases(Protocol):
    def new(self, folder: Path) -> str:
        """The URL of an empty database."""
        ...

    def migrated(self, folder: Path) -> str:
        """The URL of a database with all tables and nothing in them: a copy of one, as making the tables takes its time."""
        ...

    def copy(self, url: str, folder: Path) -> str:
        """The URL of a copy of a database to which nobody is connected."""
        ...

    def put_back(self, kept: str, url: str) -> None:
        """Makes a database, to which nobody is connected, what its copy is; the copy is gone then."""
        ...

    def drop_in(self, folder: Path) -> None: ...

    def close(self) -> None: ...


class SqliteFiles:
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="taesan-")

    def new(self, folder: Path) -> str:
        return f"sqlite:///{Path(tempfile.mkdtemp(dir=folder)) / 'taesan.db'}"

    def migrated(self, folder: Path) -> str:
        return self.copy(self._template, folder)

    @functools.cached_property
    def _template(self) -> str:
        return _migrated(self.new(Path(self._folder.name)))

    def copy(self, url: str, folder: Path) -> str:
        copied = self.new(folder)
        shutil.copy(path_of(url), path_of(copied))
        return copied

    def put_back(self, kept: str, url: str) -> None:
        shutil.move(path_of(kept), path_of(url))

    def drop_in(self, folder: Path) -> None: ...  # the folder's owner removes it

    def close(self) -> None:
        self._folder.cleanup()


class PostgresDatabases:
    """On one server, for all processes of tests."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._server = self._stack.enter_context(postgres.server_for_tests())
        self._in: dict[Path, list[str]] = defaultdict(list)

    def new(self, folder: Path) -> str:
        return self._remember(postgres.fresh_database(self._server), folder)

    def migrated(self, folder: Path) -> str:
        return self.copy(self._template, folder)

    @functools.cached_property
    def _template(self) -> str:
        return _migrated(postgres.fresh_database(self._server))

    def copy(self, url: str, folder: Path) -> str:
        return self._remember(postgres.fresh_database(self._server, template_url=url), folder)

    def put_back(self, kept: str, url: str) -> None:
        postgres.drop_database(url)
        postgres.rename_database(kept, url)

    def drop_in(self, folder: Path) -> None:
        for place in [place for place in self._in if place.is_relative_to(folder)]:
            for url in self._in.pop(place):
                postgres.drop_database(url)

    def close(self) -> None:
        for place in list(self._in):
            self.drop_in(place)
        self._stack.close()

    def _remember(self, url: str, folder: Path) -> str:
        self._in[folder].append(url)
        return url


def _migrated(url: str) -> str:
    database = Database(url)
    database.migrate()
    database.close()
    return url


_chosen: list[Databases] = []


def choose(name: str) -> None:
    """:param name: one of `NAMES`, for all tests of this process"""
    _chosen[:] = [PostgresDatabases() if name == "postgresql" else SqliteFiles()]


def here() -> Databases:
    return _chosen[0]


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def execute(url: str, *statements: str) -> int:
    """By hand, past the service; how many rows the last statement changed."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return _run(connection, statements)
    finally:
        engine.dispose()


def forge(url: str, *statements: str) -> int:
    """As `execute`, by somebody who can have what the database refuses: it has no triggers and checks any more."""
    engine = create_engine(url)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
            triggers = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            _run(connection, [f"DROP TRIGGER {trigger}" for (trigger,) in triggers.all()])
        else:
            connection.exec_driver_sql("ALTER TABLE balance DROP CONSTRAINT IF EXISTS not_overdrawn")
            connection.exec_driver_sql("SET session_replication_role = replica")
        changed = _run(connection, statements)
    engine.dispose()
    return changed


def _run(connection: Connection, statements: Iterable[str]) -> int:
    changed = 0
    for statement in statements:
        escaped = statement if connection.dialect.name == "sqlite" else statement.replace("%", "%%")
        changed = connection.exec_driver_sql(escaped).rowcount
    return changed
