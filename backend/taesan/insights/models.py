"""Persons, their wallets, and what moved in their small money.

All that is kept of a person here has its `owner`: the person's number, by which it is exported and erased (`privacy.py`).
"""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator
from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Date, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from taesan.core.days import zones
from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import AmountOut, Shape, Text
from taesan.insights.movements import Kind, Source

SUMMED = ("kind", "asset", "exponent", "merchant", "category", "source", "amount", "duplicate_of")
_DUPLICATE = text("duplicate_of IS NOT NULL")


class Person(SQLModel, table=True):
    """Somebody who has asked for insights: nothing is gathered of anybody else. `zone` (IANA): in which its days begin.

    `redated`: the last of its movements whose day is told in that zone, while a new one is worked in; None: all are.
    """

    __tablename__ = "person"
    __table_args__ = {"sqlite_autoincrement": True}  # nobody is ever taken for somebody who was erased

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
        # With all that sums are made of, so that a year of a busy payer is added up without a look at its rows.
        Index("ix_movement_day", "owner", "day", "id", *SUMMED),
        Index("ix_movement_merchant", "owner", "merchant", "day", "id"),
        Index("ix_movement_amount", "owner", "asset", "amount", "day"),
        Index("ix_movement_duplicate", "owner", "id", sqlite_where=_DUPLICATE, postgresql_where=_DUPLICATE),
        Index("ix_movement_duplicate_of", "duplicate_of", sqlite_where=_DUPLICATE, postgresql_where=_DUPLICATE),
        {"sqlite_autoincrement": True},  # what is new has a higher number, also after the newest were erased
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

    @property
    def is_excluded(self) -> bool:
        """By the person: it is told as its own duplicate (`exclusions.py`)."""
        return self.duplicate_of is not None and self.duplicate_of == self.id


class InsightsCursor(SQLModel, table=True):
    """The last payment, refund and gateway's payment that were looked at; one row, from the first person on."""

    __tablename__ = "insights_cursor"

    id: int = Field(default=1, primary_key=True)
    payment_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    refund_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    gateway_payment_id: int = Field(sa_column=Column(BigInteger, nullable=False))


class Filling(SQLModel, table=True):
    """What there was before a wallet was linked, of one source, and how far it has been read; gone when it is done.

    `source`: payments (of the channel account `subject`), gateway (payments of the customer `subject`); rewards, direct (payments),
    redemptions (of the wallet). `after`: the cumulative amount or the id that was read last.
    """

    __tablename__ = "insights_filling"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    wallet: str
    source: str
    subject: int = Field(sa_column=Column(BigInteger, nullable=False))
    after: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class Erasure(SQLModel, table=True):
    """What of a person is to be removed: nobody reaches it any more, and the worker does it page by page. `wallet`: only what moved
    there; None: all that is kept of the person. `after`, `until`: the movements that are still to be looked at."""

    __tablename__ = "insights_erasure"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    wallet: str | None = None
    after: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    until: int = Field(sa_column=Column(BigInteger, nullable=False))
    asked_at: datetime = Field(sa_type=UtcDateTime)


# ------------------------------------------------------------------- shapes


def _known_zone(name: str) -> str:
    if name not in zones():
        raise ValueError("must be a time zone of the IANA database, such as Asia/Seoul")
    return name


class PersonTerms(Shape):
    zone: Annotated[Text, AfterValidator(_known_zone)] = ShapeField(
        max_length=64, examples=["Asia/Seoul"], description="In which days and months begin"
    )
    language: Literal["en", "ko"] | None = ShapeField(
        default=None, description="Of reports and advice; left out: as it was, and at first as Accept-Language wants it"
    )


class WalletPublic(Shape):
    wallet: str
    linked_at: str


class PersonPublic(Shape):
    id: str = ShapeField(examples=["per_019ac5b2f1d06f0c2a9b1d3e4f506172"])
    zone: str
    language: str
    wallets: list[WalletPublic] = ShapeField(description="The oldest link first")
    complete: bool = ShapeField(
        description="False: what there was before is still being read, or removed, or told in another time zone"
    )
    created_at: str


class MovementPublic(Shape):
    """What moved. The kind tells the direction, the amount is always positive."""

    id: str = ShapeField(examples=["mov_1177"])
    source: Source = ShapeField(description="hub, gateway or statement")
    kind: Kind = ShapeField(
        description="spent, refunded, gathered (into a jar), ungathered (by a gateway's refund), rewarded (cashback) or fee"
    )
    key: str = ShapeField(description="What the source calls it: the payment's id, the refund's, the statement line's")
    at: str
    day: str = ShapeField(description="In the person's time zone")
    merchant: str = ShapeField(description="The name that is the same in all sources; empty if nobody knows")
    name: str = ShapeField(description="As the source writes it")
    category: str
    asset: str = ShapeField(description="ISO-4217 code or CAIP-19")
    exponent: int
    amount: AmountOut
    wallet: str | None
    duplicate_of: str | None = ShapeField(
        description="The same, as another source has it: this one is left out of all sums"
    )
    excluded: bool = ShapeField(description="The person has left it out of all sums")


class MovementNews(Shape):
    items: list[MovementPublic] = ShapeField(description="As they came")
    cursor: str = ShapeField(description="Send it as `after` for what comes next")


class SumPublic(Shape):
    """Of one asset and one kind: currencies are never converted into each other."""

    key: str = ShapeField(description="The merchant, category, day (2026-11-26) or month (2026-11)")
    name: str = ShapeField(description="Of a merchant as the newest purchase writes it, else the same")
    kind: Kind
    asset: str
    exponent: int
    count: int
    amount: AmountOut


class SumsPublic(Shape):
    since: str = ShapeField(description="The first day")
    until: str = ShapeField(description="The day after the last")
    items: list[SumPublic] = ShapeField(
        description="By day or month in their order, else the largest of each kind first"
    )
    left_out: int = ShapeField(description="How many sums the list is too short for")
