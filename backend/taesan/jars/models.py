"""Jars: where a channel's small change gathers until it is worth a gift token."""

from datetime import datetime

from pydantic import Field as ShapeField
from pydantic import model_validator
from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.reasons import ReasonPublic
from taesan.core.values import AmountIn, AmountOut, Shape


class Jar(SQLModel, table=True):
    """The jar of one channel and its rule. What is in it stands in the ledger."""

    __tablename__ = "jar"

    channel_id: str = Field(primary_key=True, foreign_key="channel.id")
    round_up_step: int = Field(sa_column=Column(BigInteger, nullable=False))
    trigger_count: int | None = None
    trigger_value: int | None = Field(default=None, sa_column=Column(BigInteger))
    updated_at: datetime = Field(sa_type=UtcDateTime)


class JarCount(SQLModel, table=True):
    """Payments into a jar since it last fired; `account_id` is the jar's account. Apart from `Jar` as each changes it.
    `ruled`: what of the jar signed rules have gathered, whose payments count for themselves."""

    __tablename__ = "jar_count"

    account_id: int = Field(sa_column=Column(BIG_ID, primary_key=True, autoincrement=False))
    payments: int
    ruled: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


_LOOSE = text("payment_id IS NULL AND batch_id IS NULL AND NOT returned")


class JarFiring(SQLModel, table=True):
    """A jar's content on its way to gift tokens, and why it went (`reasons`). `batch_id` is set when a batch takes it along.
    `returned`: it never will be, for the payer got it back.

    `payment_id`: which payment made it fire. None: a date, or the payer's word; then a batch takes it along when it has the channel's
    newest payment of that time, `after_id`, or an earlier batch does. `rule_id`: the signed rule whose it is, which had fired `fired_before`
    in all; None: the jar's own rule.
    """

    __tablename__ = "jar_firing"
    __table_args__ = (
        Index("ix_jar_firing_batch_id", "batch_id", "id"),
        Index("ix_jar_firing_channel_id", "channel_id", "id"),
        Index("ix_jar_firing_loose", "id", sqlite_where=_LOOSE, postgresql_where=_LOOSE),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    channel_id: str = Field(foreign_key="channel.id")
    account: str = Field(index=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    payment_count: int
    reason: str
    payment_id: str | None = Field(default=None, index=True)
    after_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    rule_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    fired_before: int | None = Field(default=None, sa_column=Column(BigInteger))
    fired_at: datetime = Field(sa_type=UtcDateTime)
    batch_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    returned: bool = False


# ------------------------------------------------------------------- shapes


class JarRule(Shape):
    """When the jar fires: after `trigger_count` payments with all that is in it, or as soon as it holds `trigger_value`,
    in whole multiples of it. Either, or both: whichever comes first."""

    round_up_step: AmountIn = ShapeField(description="Purchases are rounded up to the next multiple, in minor units")
    trigger_count: int | None = ShapeField(default=None, ge=1, le=100_000, examples=[100])
    trigger_value: AmountIn | None = None

    @model_validator(mode="after")
    def _has_trigger(self) -> "JarRule":
        if self.trigger_count is None and self.trigger_value is None:
            raise ValueError("set trigger_count, trigger_value or both")
        if self.round_up_step == 0 or self.trigger_value == 0:
            raise ValueError("round_up_step and trigger_value must be more than zero")
        return self


class FiringPublic(Shape):
    amount: AmountOut
    payments: int
    reason: ReasonPublic
    fired_at: str
    batch_id: int | None


class JarPublic(Shape):
    channel_id: str
    round_up_step: AmountOut
    trigger_count: int | None
    trigger_value: AmountOut | None
    gathered: AmountOut = ShapeField(description="In the jar now, without what signed rules have gathered")
    payments: int = ShapeField(description="Since the last firing")
    firings: list[FiringPublic] = ShapeField(description="The newest 20")
