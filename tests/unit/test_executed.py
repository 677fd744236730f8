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
    assert executed.names(few) == executed.names(many) != executed.names(few.replace("d", "e"))
    assert executed.names("VALUES (?, ?)") == executed.names("VALUES (?, ?), (?, ?), (?, ?)")


@pytest.mark.parametrize(
    ("both", "each"),
    [
        (
            'UPDATE a SET b=?, "c"=max(b, ?) WHERE d = ?',
            ['UPDATE a SET "c"=max(b, ?) WHERE d = ?', "UPDATE a SET b=? WHERE d = ?"],
        ),
        ("INSERT INTO a (b, c) VALUES (?, ?)", ["INSERT INTO a (c) VALUES (?)", "INSERT INTO a (b) VALUES (?)"]),
    ],
)
def test_columns_that_are_written_together_are_as_if_each_were_written_alone(both: str, each: list[str]) -> None:
    alone = [executed.names(one) for one in each]
    assert executed.names(both) == frozenset().union(*alone)
    assert alone[0] != alone[1]
    assert not executed.names(both) & executed.names(both.replace("a ", "x "))
    assert executed.names(both) - executed.names(both + " RETURNING d")


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
