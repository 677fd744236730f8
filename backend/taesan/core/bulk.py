"""Many rows in one statement, by the quickest way of each database: a payment's price is mostly that of its rows.

The unit of work and the ORM cost some 60 times as much a row. Table and column names are our own, never a caller's.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

Rows = Sequence[tuple[Any, ...]]


def is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def timestamp(connection: Connection, at: datetime) -> object:
    """A time (aware, UTC) as the driver stores it."""
    return f"{at:%Y-%m-%d %H:%M:%S.%f}" if is_sqlite(connection) else at


def fetch(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
    """The rows of one statement. :param sql: with `?` where the values go"""
    return connection.exec_driver_sql(_marked(connection, sql), tuple(values)).all()


def run(connection: Connection, sql: str, rows: Rows) -> None:
    """A statement for each row. :param sql: with `?` where a row's values go"""
    connection.exec_driver_sql(_marked(connection, sql), list(rows))


def select_in(connection: Connection, sql: str, values: Iterable[Any]) -> Sequence[Any]:
    """:param sql: with `IN (:values)` where the values go; as many as there may be"""
    values = list(values)
    if is_sqlite(connection):
        return connection.exec_driver_sql(sql.replace(":values", ",".join("?" * len(values))), tuple(values)).all()
    return connection.exec_driver_sql(sql.replace("IN (:values)", "= ANY(%s)"), (values,)).all()


def insert(connection: Connection, model: type[SQLModel], columns: Sequence[str], rows: Rows) -> None:
    """Adds rows in their order; columns that are not named take their default."""
    if not rows:
        return
    table, names = _table(model), ", ".join(columns)
    if is_sqlite(connection):
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))  # noqa: S608
        return
    driver: Any = connection.connection.driver_connection
    sql = f"COPY {table.name} ({names}) FROM STDIN"
    try:
        with driver.cursor() as cursor, cursor.copy(sql) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as error:  # as SQLAlchemy would tell it, which we have gone past
        raise DBAPIError.instance(sql, None, error, connection.dialect.loaded_dbapi.Error) from error


def insert_missing(connection: Connection, model: type[SQLModel], rows: Sequence[dict[str, Any]]) -> None:
    """Adds rows that are not there yet, as the table's unique keys see it."""
    make = sqlite.insert if is_sqlite(connection) else postgresql.insert
    connection.execute(make(_table(model)).on_conflict_do_nothing(), list(rows))


def update(connection: Connection, model: type[SQLModel], assignments: str, columns: Sequence[str], rows: Rows) -> None:
    """Changes rows by their key, which is the last column.

    :param assignments: such as `balance = balance + :delta`, where `:name` is a column of `columns`
    :param columns: names of a row's values; the last one is the key, and a name that is no column has the key's type
    """
    if not rows:
        return
    table, key = _table(model), columns[-1]
    if is_sqlite(connection):
        for n, name in enumerate(columns, start=1):
            assignments = assignments.replace(f":{name}", f"?{n}")
        sql = f"UPDATE {table.name} SET {assignments} WHERE {key} = ?{len(columns)}"  # noqa: S608
        connection.exec_driver_sql(sql, list(rows))
        return
    types = [table.c[name if name in table.c else key].type.compile(connection.dialect) for name in columns]
    for name in columns:
        assignments = assignments.replace(f":{name}", f"new.{name}")
    arrays = ", ".join(f"%s::{type_}[]" for type_ in types)
    sql = (
        f"UPDATE {table.name} SET {assignments} FROM unnest({arrays}) AS new({', '.join(columns)}) "  # noqa: S608
        f"WHERE {table.name}.{key} = new.{key}"
    )
    connection.exec_driver_sql(sql, tuple(map(list, zip(*rows, strict=True))))


def _marked(connection: Connection, sql: str) -> str:
    return sql if is_sqlite(connection) else sql.replace("?", "%s")


def _table(model: type[SQLModel]) -> Any:
    return model.__table__  # type: ignore[attr-defined]
