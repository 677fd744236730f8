"""What should not be forgotten: matters on a wallet's list, and how far was looked for them."""

from datetime import datetime
from typing import Literal

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import AmountOut, Shape

ReminderKind = Literal[
    "idle_jar",
    "unclaimed_tokens",
    "held_conversion",
    "kept_tokens",
    "unpaid_cashback",
    "expiring_points",
    "unclaimed_gift",
    "expired_gift",
]


class Reminder(SQLModel, table=True):
    """Something of a wallet's that lies about: told once for each `since`. `ended_at`: it does not any more."""

    __tablename__ = "reminder"
    __table_args__ = (
        Index("ix_reminder_matter", "wallet", "kind", "subject", "since", unique=True),
        Index("ix_reminder_wallet", "wallet", "ended_at", "id"),
        Index("ix_reminder_look_at", "look_at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    wallet: str
    kind: str
    subject: str
    since: datetime = Field(sa_type=UtcDateTime)
    told_at: datetime = Field(sa_type=UtcDateTime)
    look_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class JarWatch(SQLModel, table=True):
    """When something came into a jar last, and when that will be long ago; None: that was told, or there is nothing in it."""

    __tablename__ = "jar_watch"

    channel_id: str = Field(primary_key=True, foreign_key="channel.id")
    last_at: datetime = Field(sa_type=UtcDateTime)
    look_at: datetime | None = Field(default=None, sa_type=UtcDateTime, index=True)


class ReminderCursor(SQLModel, table=True):
    """How far payments, batches, conversions and rewards have been looked at."""

    __tablename__ = "reminder_cursor"

    id: int = Field(default=1, primary_key=True)
    payment_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    batch_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    conversion_id: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    reward_id: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


# ------------------------------------------------------------------- shapes


class ReminderPublic(Shape):
    """`subject`: the channel (`idle_jar`), the account (`unclaimed_tokens`), the conversion (`held_conversion`, `kept_tokens`), the merchant
    (`unpaid_cashback`, `expiring_points`; `hub` for the hub's own programme), or the gift (`unclaimed_gift`, `expired_gift`)."""

    kind: ReminderKind
    subject: str
    amount: AmountOut = ShapeField(description="What lies there, minor units; of points, how many")
    until: str | None = ShapeField(
        description="When it is lost, or a link is over, if nobody does anything; null: it stays"
    )
    since: str
    told_at: str
