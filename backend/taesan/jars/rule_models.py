"""Signed rules: what a payer's small change becomes, in her own words."""

from datetime import UTC, date, datetime
from typing import Any, Literal

from pydantic import Field as ShapeField
from sqlalchemy import JSON, BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from taesan.core.days import first_of
from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.reasons import ReasonPublic
from taesan.core.values import MAX_AMOUNT, Address, AmountIn, AmountOut, Month, NumberIn, Shape, Signature, Text
from taesan.jars import signed
from taesan.jars.grammar import MAX_TEXT, Words, parse

MAX_DESTINATIONS = 10
MAX_RULE_ID = 64
MAX_CATEGORY = 32

_ENDED_NEVER = text("ended_at IS NULL")
_DUE = text("due_at IS NOT NULL")


class SignedRule(SQLModel, table=True):
    """A rule of one channel's jar, as its payer has signed it; `number` is the payer's own for it, used once for ever.

    `state`: active ⇄ paused → cancelled or expired. `due_at`: when it fires without a payment, if it does. What it has gathered
    stands in `RuleState`; the money is in the ledger's account of the jar, with all else that is in it.
    """

    __tablename__ = "signed_rule"
    __table_args__ = (
        UniqueConstraint("payer", "number"),
        Index("ix_signed_rule_channel", "channel_id", "id"),
        Index("ix_signed_rule_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("ix_signed_rule_until", "valid_until", sqlite_where=_ENDED_NEVER, postgresql_where=_ENDED_NEVER),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    channel_id: str = Field(foreign_key="channel.id")
    payer: str
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    gather: str
    fires: str
    only_for: str
    destinations: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    per_day: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_until: int = Field(sa_column=Column(BigInteger, nullable=False))
    signature: str
    state: str = "active"
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def signed(self) -> signed.Rule:
        """What the payer has signed."""
        destinations = tuple(signed.Destination(**destination) for destination in self.destinations)
        return signed.Rule(
            self.payer,
            self.number,
            self.gather,
            self.fires,
            self.only_for,
            destinations,
            self.per_day,
            self.valid_until,
        )

    @property
    def words(self) -> Words:
        return parse(self.gather, self.fires, self.only_for)

    @property
    def ends_at(self) -> datetime:
        return datetime.fromtimestamp(min(self.valid_until, _LAST_SECOND), UTC)


_LAST_SECOND = 253_402_300_799  # of the year 9999


class RuleState(SQLModel, table=True):
    """What a rule has gathered: apart from its words, as each payment changes it.

    `payments`: since it last fired. `gathered`: in the jar now. `fired`: in all. `released`: taken back by the payer, or left to the jar
    when the rule ended. What payments have brought is the three together. `of_day` and `of_month` are what was gathered on `day`, a day of
    the rule's time zone, and in its month.
    """

    __tablename__ = "rule_state"

    rule_id: int = Field(sa_column=Column(BIG_ID, primary_key=True, autoincrement=False))
    payments: int = 0
    gathered: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    fired: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    released: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    day: str = ""
    of_day: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    of_month: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class RuleNote(SQLModel, table=True):
    """What became of a rule, and why (`reasons`). `kind`: fired, not fired, cut, paused, resumed, cancelled, expired, released."""

    __tablename__ = "rule_note"
    __table_args__ = (Index("ix_rule_note_rule", "rule_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    rule_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    kind: str
    reason: str
    amount: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    payments: int = 0
    noted_at: datetime = Field(sa_type=UtcDateTime)


# ------------------------------------------------------------------- shapes

ZERO_ADDRESS = "0x" + "00" * 20
Kind = Literal["wallet", "savings", "swap", "cash", "person", "collectible"]


class DestinationIn(Shape):
    """Where a share of what fires goes. `recipient` and `token` as the kind needs them, else zero."""

    kind: Kind
    share: int = ShapeField(ge=1, le=10_000, description="In ten-thousandths; all together 10,000")
    recipient: Address = ZERO_ADDRESS
    token: Address = ShapeField(default=ZERO_ADDRESS, description="What `swap` buys, or which `collectible`")
    slippage: int = ShapeField(default=0, ge=0, le=10_000, description="Of `swap`, in ten-thousandths")


class RuleTerms(Shape):
    """When and of what it gathers, in the words that the payer signs."""

    gather: Text = ShapeField(max_length=MAX_TEXT, examples=["round up to 0.50 USD x2, at most 5 USD a day"])
    fires: Text = ShapeField(max_length=MAX_TEXT, examples=["every 100 payments, monthly on day 1 at Asia/Seoul"])
    only: Text = ShapeField(default="", max_length=MAX_TEXT, examples=["category coffee"])


class RuleCreate(RuleTerms):
    """The EIP-712 struct `Rule` of `StandingOrders`, without its payer, and the payer's signature of it."""

    id: NumberIn = ShapeField(description="The payer's own number for it, new for each rule", examples=["1"])
    destinations: list[DestinationIn] = ShapeField(min_length=1, max_length=MAX_DESTINATIONS)
    per_day: AmountIn = ShapeField(description="The most gift tokens that may be moved for it on a day (UTC); 0: none")
    valid_until: int = ShapeField(ge=0, le=MAX_AMOUNT, description="Unix seconds")
    signature: Signature


class DryRunAsked(RuleTerms):
    month: Month | None = None
    per_day: AmountIn | None = ShapeField(
        default=None, description="That the rule is to be signed with, if it moves anything"
    )

    @property
    def first_day(self) -> date | None:
        return None if self.month is None else first_of(self.month)


class DryRunFiring(Shape):
    at: str
    amount: AmountOut
    reason: ReasonPublic


class DryRun(Shape):
    """Amounts in minor units of the reserve asset. The month is one of the rule's time zone."""

    month: str
    text: str = ShapeField(examples=["In 2026-10 this would have gathered 4310 KRW."])
    purchases: int = ShapeField(description="That the rule's filter takes")
    payments: int = ShapeField(description="Of them those that would have brought something")
    gathered: AmountOut
    fired: AmountOut
    left: AmountOut = ShapeField(description="In the jar at the month's end, if it had been empty at its beginning")
    never_moved: AmountOut = ShapeField(
        description="Of what fired: in firings of more than `per_day`. It stays in the wallet"
    )
    firings: list[DryRunFiring] = ShapeField(description="The first 100")
    complete: bool = ShapeField(description="False: there are more payments since than are looked at")


class RuleProgress(Shape):
    """How far it is; amounts in minor units of the reserve asset. What is null does not make it fire. Of a rule for gateways: how far that
    of its payer's links is which fires next, for each counts for itself."""

    text: str = ShapeField(examples=["73 of 100 payments"])
    gathered: AmountOut = ShapeField(description="And not fired yet")
    payments: int = ShapeField(description="Since it last fired")
    of_payments: int | None
    of_value: AmountOut | None
    due_at: str | None = ShapeField(description="When it fires by itself")
    fired: AmountOut = ShapeField(description="In all")
    left_today: AmountOut | None = ShapeField(description="How much more is gathered today; null: as much as there is")
    most_at_once: AmountOut = ShapeField(description="Of one purchase, whatever its words make of it: the hub's cap")


class RulePublic(Shape):
    id: str
    number: AmountOut = ShapeField(description="The payer's own")
    channel_id: str
    state: str = ShapeField(description="active, paused, cancelled or expired")
    gather: str
    fires: str
    only: str
    destinations: list[DestinationIn]
    per_day: AmountOut
    valid_until: int
    signature: str
    created_at: str
    perks: dict[str, int] = ShapeField(
        description="Of one that says `by tier`: what the payer's tiers multiply round-ups by now, in ten-thousandths, at the hub (`hub`) "
        "and at merchants",
        examples=[{"hub": 15_000}],
    )
    progress: RuleProgress
    warning: str | None = ShapeField(
        description="If one firing may be more than `per_day` lets pass: such a one is never moved"
    )


class RuleNotePublic(Shape):
    kind: str = ShapeField(
        description="fired, not fired, cut (not all was gathered), paused, resumed, cancelled, expired or released"
    )
    reason: ReasonPublic = ShapeField(description="Of what did not fire, `asked_by` is its date, or `request`")
    amount: AmountOut
    payments: int
    at: str
