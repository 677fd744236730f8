"""What is noted of a test, for the choice of those that PostgreSQL is shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from taesan.chain import alarms
from taesan.core.db import Database
from tests.support import databases, executed


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(databases.here().migrated(tmp_path))
    yield database
    database.close()


def test_what_the_service_executes_is_noted_and_what_a_test_executes_is_not(database: Database) -> None:
    executed.forget()
    with database.read() as session:
        session.execute(text("SELECT 1"))
        assert executed.noted() == (0, [])
        alarms.alarms(session)
        alarms.alarms(session)
    times, names = executed.noted()
    assert times == 2 * len(names) > 0


def test_an_error_is_noted_beside_its_statement(database: Database) -> None:
    with database.write() as session:
        session.execute(text("DROP TABLE alarm"))
    with database.read() as session:
        session.connection()
        executed.forget()
        with pytest.raises(OperationalError):
            alarms.alarms(session)
    assert len(executed.noted()[1]) == 2


def test_lists_of_any_length_are_one_statement() -> None:
    few, many = "SELECT a FROM b WHERE c IN (?) AND d = ?", "SELECT a FROM b WHERE c IN (?, ?,?) AND d = ?"
    assert executed.named(few) == executed.named(many) != executed.named(few.replace("d", "e"))
    assert executed.named("VALUES (?, ?)") == executed.named("VALUES (?, ?), (?, ?), (?, ?)")


def test_transactions_are_at_once_when_one_begins_before_another_ends(database: Database) -> None:
    executed.forget()
    for _ in range(2):
        with database.read() as session:
            session.connection()
    assert not executed.were_at_once()
    with database.read() as session, database.read() as other:
        session.connection()
        other.connection()
    assert executed.were_at_once()
