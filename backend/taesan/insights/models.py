"""Persons, their wallets, and what moved in their small money.

All that is kept of a person here has its `owner`: the person's number, by which it is exported and erased (`privacy.py`).
"""

from datetime import date, datetime

from sqlalchemy import BigInteger, Column, Date, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime


class Person(SQLModel, table=True):
    """Somebody who has asked for insights: nothing is gathered of anybody else. `zone` (IANA): in which its days begin.

    `redated`: the last of its movements whose day is told in that zone, while a new one is worked in; None: all are.
    """

    __tablename__ = "person"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    zone: str
    language: str
    redated: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    created_at: datetime = Field(sa_type=UtcDateTime)


class PersonWallet(SQLModel, table=True):
    """A wallet whose holder has signed that it is this person's; it gives no right over money."""

    __tablename__ = "person_wallet"

    wallet: str = Field(primary_key=True)
    owner: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    linked_at: datetime = Field(sa_type=UtcDateTime)


class MovementRow(SQLModel, table=True):
    """A `movements.Movement`. `duplicate_of`: the same as another source has it, by its id; it is left out of all sums."""

    __tablename__ = "movement"
    __table_args__ = (
        UniqueConstraint("owner", "source", "kind", "key"),
        Index("ix_movement_owner", "owner", "id"),
        Index("ix_movement_day", "owner", "day", "id"),
        Index("ix_movement_merchant", "owner", "merchant", "day", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    key: str
    source: str
    kind: str
    at: datetime = Field(sa_type=UtcDateTime)
    day: date = Field(sa_column=Column(Date, nullable=False))
    merchant: str
    name: str
    category: str
    asset: str
    exponent: int
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    wallet: str | None = None
    duplicate_of: int | None = Field(default=None, sa_column=Column(BigInteger))


class InsightsCursor(SQLModel, table=True):
    """The last payment, refund and gateway's payment that were looked at; one row, from the first person on."""

    __tablename__ = "insights_cursor"

    id: int = Field(default=1, primary_key=True)
    payment_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    refund_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    gateway_payment_id: int = Field(sa_column=Column(BigInteger, nullable=False))


class Filling(SQLModel, table=True):
    """What there was before a wallet was linked, of one source, and how far it has been read; gone when it is done.

    `source`: payments (of the channel account `subject`), rewards (of the wallet), or gateway (payments of the customer
    `subject`). `after`: the cumulative amount or the id that was read last.
    """

    __tablename__ = "insights_filling"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    wallet: str
    source: str
    subject: int = Field(sa_column=Column(BigInteger, nullable=False))
    after: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class Erasure(SQLModel, table=True):
    """A person who is erased: nobody reaches what is kept of it any more, and the worker removes that page by page."""

    __tablename__ = "insights_erasure"

    owner: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    asked_at: datetime = Field(sa_type=UtcDateTime)
