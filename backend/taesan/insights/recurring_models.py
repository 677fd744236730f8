"""Standing costs as they are kept and told."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import Field as ShapeField
from sqlalchemy import JSON, BigInteger, Column, Date, Index
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import AmountOut, Shape

Verdict = Literal["confirmed", "dismissed"]


class Recurring(SQLModel, table=True):
    """A `recurring.Stream`. `charges`: its payments, [movement's id, day, amount as text] each. `over_after`: if nothing has come until then,
    it is over. `verdict`: the person's, which stays whatever is found later, as long as its payments do."""

    __tablename__ = "recurring"
    __table_args__ = (Index("ix_recurring_owner", "owner", "merchant", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    merchant: str
    name: str
    category: str
    asset: str
    exponent: int
    cadence: str
    price: int = Field(sa_column=Column(BigInteger, nullable=False))
    yearly: int = Field(sa_column=Column(BigInteger, nullable=False))
    about: bool
    was: int | None = Field(default=None, sa_column=Column(BigInteger))
    changed_on: date | None = Field(default=None, sa_column=Column(Date))
    trial_amount: int | None = Field(default=None, sa_column=Column(BigInteger))
    trial_day: date | None = Field(default=None, sa_column=Column(Date))
    first_day: date = Field(sa_column=Column(Date, nullable=False))
    last_day: date = Field(sa_column=Column(Date, nullable=False))
    next_due: date = Field(sa_column=Column(Date, nullable=False))
    over_after: date = Field(sa_column=Column(Date, nullable=False))
    charges: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    verdict: str | None = None
    judged_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    found_at: datetime = Field(sa_type=UtcDateTime)


class RecurringCursor(SQLModel, table=True):
    """The last movement whose merchant was noted; one row."""

    __tablename__ = "recurring_cursor"

    id: int = Field(default=1, primary_key=True)
    movement_id: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class RecurringDue(SQLModel, table=True):
    """A note that a person's merchant is to be looked at again; there may be many of one."""

    __tablename__ = "recurring_due"
    __table_args__ = (
        Index("ix_recurring_due_owner", "owner"),
        {"sqlite_autoincrement": True},  # a note is never taken for another that was done
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    merchant: str


# ---------------------------------------------------------------------- shapes


class ChargePublic(Shape):
    movement_id: str
    day: str
    amount: AmountOut


class RisePublic(Shape):
    was: AmountOut
    day: str = ShapeField(description="Of the first payment at the new price")
    more_a_year: AmountOut


class TrialPublic(Shape):
    day: str
    amount: AmountOut = ShapeField(description="Of the small first payment")
    full_since: str = ShapeField(description="The first payment at the full price")


class RecurringPublic(Shape):
    id: str = ShapeField(examples=["rec_019ac5b2f1d06f0c2a9b1d3e4f506172"])
    merchant: str
    name: str = ShapeField(description="As the last payment has it")
    category: str
    asset: str
    exponent: int
    cadence: str = ShapeField(description="weekly, four-weekly, monthly or yearly")
    price: AmountOut = ShapeField(description="As last paid")
    yearly: AmountOut = ShapeField(description="What a year costs at that price")
    about: bool = ShapeField(description="Its amounts differ a little, as with a price in a foreign currency")
    first_day: str
    last_day: str
    next_due: str
    over: bool = ShapeField(description="Two payments in a row are missing")
    rise: RisePublic | None
    trial: TrialPublic | None
    verdict: Verdict | None = ShapeField(description="What the person has said")
    charges: list[ChargePublic] = ShapeField(description="The payments that it rests on")


class DoublePublic(Shape):
    ids: list[str]
    why: Literal["merchant", "category"] = ShapeField(description="What the two have in common")
    yearly: AmountOut | None = ShapeField(description="Of the cheaper one; null if they are of two currencies")


class YearlyPublic(Shape):
    asset: str
    exponent: int
    yearly: AmountOut


class RecurringList(Shape):
    items: list[RecurringPublic] = ShapeField(
        description="The dearest first of each asset; those that are over come last"
    )
    doubles: list[DoublePublic] = ShapeField(description="What is paid twice at once")
    totals: list[YearlyPublic] = ShapeField(description="Of all that goes on and was not dismissed")


class ForecastPublic(Shape):
    """Of one asset."""

    asset: str
    exponent: int
    spent: AmountOut = ShapeField(description="In the month so far")
    due: AmountOut = ShapeField(description="Standing costs until its end")
    expected: AmountOut | None = ShapeField(
        description="What else is to be expected; null, as `total` is, with less than two weeks of payments"
    )
    total: AmountOut | None
    low: AmountOut | None = ShapeField(
        description="In one case of ten it is less; null: too little is known for a range"
    )
    high: AmountOut | None = ShapeField(description="In one case of ten it is more")


class ForecastList(Shape):
    month: str
    items: list[ForecastPublic]


class CausePublic(Shape):
    movement_id: str
    day: str
    name: str
    amount: AmountOut


class UnusualPublic(Shape):
    key: str = ShapeField(description="The merchant or category")
    asset: str
    exponent: int
    why: Literal["dearer", "more-often", "new"]
    total: AmountOut = ShapeField(description="In the month")
    usual: AmountOut = ShapeField(description="The middle of the months before")
    most: AmountOut | None = ShapeField(description="Beyond which it is unusual; null, if it is new")
    causes: list[CausePublic] = ShapeField(description="The payments without which it would not be unusual")


class UnusualList(Shape):
    month: str
    by: str
    items: list[UnusualPublic]
