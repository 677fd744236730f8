"""Programmes, their members, and how far the payments were followed."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, WithJsonSchema, model_validator
from pydantic import Field as ShapeField
from sqlalchemy import JSON, BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import AmountIn, AmountOut, Shape, Text, TimeZone
from taesan.loyalty.cashback import WHOLE
from taesan.loyalty.points import PointTerms
from taesan.loyalty.tiers import Ladder, Tier, Unit

_JUDGED = text("look_at IS NOT NULL")
_WAITS = text("badge_due IS NOT NULL")
_LEFT = text("remaining > 0")
_UNTOLD = text("tell_at IS NOT NULL")


class Follower(SQLModel, table=True):
    """The last payment and the last refund that were looked at; one row."""

    __tablename__ = "loyalty_follower"

    id: int = Field(default=1, primary_key=True)
    payment_id: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    refund_id: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class Followed(SQLModel, table=True):
    """A refund that was looked at, and the last payment and programme before it: so the same can be done again, in the same
    order."""

    __tablename__ = "loyalty_followed"

    refund_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    after_payment: int = Field(sa_column=Column(BigInteger, nullable=False))
    after_programme: int = Field(sa_column=Column(BigInteger, nullable=False))


class Programme(SQLModel, table=True):
    """What a merchant (or the hub: `judging.HUB`) asks of its members and gives them, for payments after `from_payment`, until
    there is a newer row. `unit`, `time_zone`: of its periods; the same in all rows of an owner."""

    __tablename__ = "loyalty_programme"
    __table_args__ = (Index("ix_loyalty_programme_owner", "owner", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: str
    unit: str
    time_zone: str
    definition: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    from_payment: int = Field(sa_column=Column(BigInteger, nullable=False))
    made_at: datetime = Field(sa_type=UtcDateTime)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def ladder(self) -> Ladder:
        return Ladder(tuple(Tier(**tier) for tier in self.definition["tiers"]), self.definition["window"])

    @property
    def points(self) -> PointTerms | None:
        terms = self.definition["points"]
        return PointTerms(**terms) if terms else None


class Member(SQLModel, table=True):
    """Who has paid a programme's owner, and where it stands (`tiers.Standing`). `look_at`: when its period ends, if it has a
    tier to lose. `badge`: of the hub's programme, the tier that the chain was told last; `badge_due`: since when it is another."""

    __tablename__ = "loyalty_member"
    __table_args__ = (
        Index("ix_loyalty_member_key", "owner", "payer", unique=True),
        Index("ix_loyalty_member_owner", "owner", "id"),
        Index("ix_loyalty_member_payer", "payer", "id"),
        Index("ix_loyalty_member_look_at", "look_at", sqlite_where=_JUDGED, postgresql_where=_JUDGED),
        Index("ix_loyalty_member_badge", "badge_due", sqlite_where=_WAITS, postgresql_where=_WAITS),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    owner: str
    payer: str
    tier: int = 0
    looked: int
    noticed: int | None = None
    look_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    badge: int = 0
    badge_due: datetime | None = Field(default=None, sa_type=UtcDateTime)
    since: datetime = Field(sa_type=UtcDateTime)


class MemberPeriod(SQLModel, table=True):
    """What a member has paid in a period, without what was given back."""

    __tablename__ = "loyalty_period"

    member_id: int = Field(sa_column=Column(BIG_ID, primary_key=True, autoincrement=False))
    period: int = Field(primary_key=True)
    count: int
    value: int = Field(sa_column=Column(BigInteger, nullable=False))


class TierChange(SQLModel, table=True):
    """`kind`: see `tiers.Change`."""

    __tablename__ = "loyalty_change"
    __table_args__ = (Index("ix_loyalty_change_member", "member_id", "id"),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    member_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    kind: str
    period: int
    before: int
    after: int
    at: datetime = Field(sa_type=UtcDateTime)


class PointsLot(SQLModel, table=True):
    """The points of one payment. `remaining`: without what refunds took back; none when they have lapsed. `tell_at`: when it is to be told
    that they will; None when it was."""

    __tablename__ = "loyalty_points"
    __table_args__ = (
        Index("ix_loyalty_points_source", "source", "member_id", unique=True),
        Index(
            "ix_loyalty_points_member",
            "member_id",
            "expires_at",
            "remaining",
            sqlite_where=_LEFT,
            postgresql_where=_LEFT,
        ),
        Index("ix_loyalty_points_paid", "member_id", "paid_at", "points"),  # all that a month's sum is made of
        Index("ix_loyalty_points_expires", "expires_at", sqlite_where=_LEFT, postgresql_where=_LEFT),
        Index("ix_loyalty_points_tell", "tell_at", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    member_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    source: str
    points: int = Field(sa_column=Column(BigInteger, nullable=False))
    remaining: int = Field(sa_column=Column(BigInteger, nullable=False))
    paid_at: datetime = Field(sa_type=UtcDateTime)
    tell_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    lapsed: bool = False


class BadgeUpdate(SQLModel, table=True):
    """Tiers on their way to the chain, of a few accounts. `tiers`: [[account, tier], …]. `state`: received → sent → confirmed, or failed
    with its reason."""

    __tablename__ = "badge_update"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    tiers: list[Any] = Field(sa_column=Column(JSON, nullable=False))
    state: str = Field(index=True)
    attempts: int = 0
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    reason: str | None = None
    made_at: datetime = Field(sa_type=UtcDateTime)


# ------------------------------------------------------------------- shapes

Name = Annotated[Text, ShapeField(min_length=1, max_length=60)]
Category = Annotated[Text, ShapeField(min_length=1, max_length=40, examples=["coffee"])]
Multiplier = Annotated[
    int,
    ShapeField(
        ge=WHOLE, le=10 * WHOLE, description="In ten-thousandths: 15000 is one and a half times", examples=[15_000]
    ),
]


_TIME = re.compile(
    r"(19|2[0-9])[0-9]{2}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _moment(value: object) -> object:
    """A time with its offset; numbers and dates are refused, as is what no database can hold in UTC."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("must be a time with its offset, such as 2026-11-26T00:00:00Z")
    return datetime.fromisoformat(value.upper())


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


class TierTerms(Shape):
    """All that is set has to be met."""

    name: Name
    count: int | None = ShapeField(default=None, ge=1, le=1_000_000, description="Payments within the window")
    value: AmountIn | None = ShapeField(default=None, description="Their sum")
    streak: int | None = ShapeField(default=None, ge=1, le=120, description="Periods in a row with a payment")
    cashback_multiplier: Multiplier = WHOLE
    round_up_multiplier: Multiplier = ShapeField(
        default=WHOLE, description="Of round-ups by rules whose payer has signed `by tier`, in ten-thousandths"
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.count is None and not self.value and self.streak is None:
            raise ValueError("set count, value or streak: a tier asks for something")
        return self


class PointsTerms(Shape):
    per: AmountIn = ShapeField(description="Minor units of a payment for one point")
    valid_days: int = ShapeField(default=365, ge=1, le=3_650)
    notice_days: int = ShapeField(default=30, ge=0, le=365, description="So long before they lapse it is told")

    @model_validator(mode="after")
    def _per_something(self) -> Self:
        if not self.per:
            raise ValueError("per must be more than zero")
        return self


class ProgrammeTerms(Shape):
    """Tiers from the lowest to the highest. What is changed holds for payments to come."""

    period: Unit = ShapeField(default="month", description="What is counted together; cannot be changed later")
    time_zone: TimeZone = ShapeField(default="UTC", description="Of the periods; cannot be changed later")
    window: int = ShapeField(default=1, ge=1, le=24, description="How many periods count together")
    tiers: list[TierTerms] = ShapeField(max_length=10)
    points: PointsTerms | None = None

    @model_validator(mode="after")
    def _tiers_rise(self) -> Self:
        for lower, higher in zip(self.tiers, self.tiers[1:], strict=False):
            if any((getattr(higher, n) or 0) < (getattr(lower, n) or 0) for n in ("count", "value", "streak")):
                raise ValueError("a tier asks for no less than the one below it")
        return self


class TierPublic(Shape):
    level: int
    name: str
    count: int | None
    value: AmountOut | None
    streak: int | None
    cashback_multiplier: int
    round_up_multiplier: int


class PointsPublic(Shape):
    per: AmountOut
    valid_days: int
    notice_days: int


class ProgrammePublic(Shape):
    period: str
    time_zone: str
    window: int
    tiers: list[TierPublic]
    points: PointsPublic | None


class MembershipPublic(Shape):
    """`count`, `value`, `streak`: what counts at the moment."""

    merchant_id: str | None = ShapeField(description="Null: the hub's own programme, whose tiers are badges on chain")
    merchant_name: str | None
    payer: str
    tier: TierPublic | None
    next_tier: TierPublic | None = ShapeField(description="Reached at once when all that it asks for is met")
    count: int
    value: AmountOut
    streak: int
    at_risk: bool = ShapeField(
        description="A step is lost when this period ends, unless the tier's terms are met by then"
    )
    period_ends_at: str
    points: int
    points_lapsing: int = ShapeField(description="Those that lapse next")
    points_lapse_at: str | None
    badge: int | None = ShapeField(description="Of the hub's programme: the level that the chain was told")
    since: str


class CampaignCreate(Shape):
    name: Name
    rate: int = ShapeField(ge=1, le=WHOLE, description="Of the price, in ten-thousandths: 500 is 5 %", examples=[500])
    budget: AmountIn = ShapeField(description="Held out of the merchant's credit until the campaign ends")
    ends_at: Moment
    starts_at: Moment | None = ShapeField(default=None, description="Now, if left out")
    cap_payment: AmountIn | None = ShapeField(default=None, description="Most for one payment")
    cap_payer: AmountIn | None = ShapeField(default=None, description="Most for one payer in all")
    category: Category | None = ShapeField(
        default=None, description="Only payments of invoices with this `category` in their metadata"
    )
    tiers_of: Literal["merchant", "hub"] = ShapeField(
        default="merchant", description="Whose tiers multiply what a payer gets: the merchant's own, or the hub's"
    )

    @model_validator(mode="after")
    def _is_possible(self) -> Self:
        if self.starts_at is not None and self.starts_at >= self.ends_at:
            raise ValueError("a campaign starts before it ends")
        if not self.budget or self.cap_payment == 0 or self.cap_payer == 0:
            raise ValueError("budget, cap_payment and cap_payer must be more than zero")
        return self


class PausePublic(Shape):
    """What is paid from then until then earns nothing."""

    paused_at: str
    resumed_at: str | None = ShapeField(description="Null: it is still paused")


class CampaignPublic(Shape):
    id: str
    name: str
    state: str = ShapeField(
        description="scheduled, running, paused, ending (no payment is rewarded any more that comes now), ended, or taken: its "
        "merchant has taken the budget from the contract"
    )
    rate: int
    budget: AmountOut
    spent: AmountOut = ShapeField(description="Promised to payers; what refunds take back of it goes to the merchant")
    rewards: int
    cap_payment: AmountOut | None
    cap_payer: AmountOut | None
    category: str | None
    tiers_of: str
    starts_at: str
    ends_at: str
    pauses: list[PausePublic]


class RewardPublic(Shape):
    payment_id: str
    campaign_id: str
    payer: str
    amount: AmountOut
    reversed: AmountOut = ShapeField(description="What refunds of the payment have taken back of it")
    multiplier: int = ShapeField(description="The payer's, by her tier then")
    state: str = ShapeField(
        description="waiting: until enough has gathered; ordered: for a batch that pays the merchant; settling; done: gift "
        "tokens; reversed: all of it"
    )
    made_at: str


class CashbackPublic(Shape):
    """What waits at one merchant until enough has gathered."""

    merchant_id: str
    merchant_name: str
    amount: AmountOut
    least: AmountOut = ShapeField(description="What it needs to become gift tokens")
