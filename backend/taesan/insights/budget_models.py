"""Budgets: how much of one asset a person wants to spend in a month, and what she was told of it."""

from datetime import date, datetime

from sqlalchemy import BigInteger, Column, Date, Index
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime

NOT_COUNTED = -1


class Budget(SQLModel, table=True):
    """`spent`: in `month`, of the movements up to `counted`: what new ones are added to; `NOT_COUNTED`: some of those have changed since.
    What is told is counted anew."""

    __tablename__ = "budget"
    __table_args__ = (Index("ix_budget_owner", "owner", "scope", "key", "asset", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    scope: str
    key: str
    asset: str
    exponent: int
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    month: date = Field(sa_column=Column(Date, nullable=False))
    spent: int = Field(sa_column=Column(BigInteger, nullable=False))
    counted: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    created_at: datetime = Field(sa_type=UtcDateTime)


class BudgetAlert(SQLModel, table=True):
    """What was told of a budget: each of its warnings once a month."""

    __tablename__ = "budget_alert"
    __table_args__ = (Index("ix_budget_alert_owner", "owner", "budget_id", "month", "warning", unique=True),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: int = Field(sa_column=Column(BigInteger, nullable=False))
    budget_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    month: date = Field(sa_column=Column(Date, nullable=False))
    warning: str
    spent: int = Field(sa_column=Column(BigInteger, nullable=False))
    forecast: int | None = Field(default=None, sa_column=Column(BigInteger))
    at: datetime = Field(sa_type=UtcDateTime)


class BudgetCursor(SQLModel, table=True):
    """The last movement that budgets were looked at for; one row, from the first budget on."""

    __tablename__ = "budget_cursor"

    id: int = Field(default=1, primary_key=True)
    movement_id: int = Field(sa_column=Column(BigInteger, nullable=False))
