"""Tables that belong to no domain."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Index, Integer, TypeDecorator, text
from sqlmodel import Field, SQLModel

# SQLite gives an automatic key to INTEGER only; elsewhere ids are 64 bits wide.
BIG_ID = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC in Python on every database: SQLite forgets the zone, PostgreSQL tells its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class IdempotencyKey(SQLModel, table=True):
    """The first answer to a money request, kept in the same transaction as its effect."""

    __tablename__ = "idempotency_key"

    scope: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    status: int
    body: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)


class OutboxEvent(SQLModel, table=True):
    """News for later floors, written with the change that it tells of and handled after commit, in order, once."""

    __tablename__ = "outbox_event"
    __table_args__ = (
        Index(
            "ix_outbox_waiting",
            "id",
            sqlite_where=text("handled_at IS NULL"),
            postgresql_where=text("handled_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    key: str = Field(unique=True)
    type: str
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    created_at: datetime = Field(sa_type=UtcDateTime)
    handled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_error: str | None = None


class CounterRow(SQLModel, table=True):
    """How many there are of something, kept as it grows."""

    __tablename__ = "counter"

    name: str = Field(primary_key=True)
    value: int = Field(sa_column=Column(BigInteger, nullable=False))


class Lease(SQLModel, table=True):
    """Which worker may take the next step; runs out by itself if the worker dies."""

    __tablename__ = "lease"

    name: str = Field(primary_key=True)
    holder: str
    expires_at: datetime = Field(sa_type=UtcDateTime)


class Restoration(SQLModel, table=True):
    """That the database was put back to an older state, by whom or what; `done_at`: it had caught up with its chain."""

    __tablename__ = "restoration"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    cause: str
    marked_at: datetime = Field(sa_type=UtcDateTime)
    done_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
