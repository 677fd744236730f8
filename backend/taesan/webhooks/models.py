"""Merchants' webhooks: where to, what of, what was sent, and what came back."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, Text, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import AmountOut, Shape
from taesan.core.values import Text as AnyText
from taesan.payments.models import ReceivedPayment
from taesan.webhooks.addresses import MAX_URL
from taesan.webhooks.schedule import EVENT_TYPES, EventType

_ENABLED = text("disabled_at IS NULL")
_DUE = text("next_at IS NOT NULL")


class WebhookEndpoint(SQLModel, table=True):
    """Where a merchant is told of what.

    `secret` signs, so it is kept as it is; beside it the one before, until its overlap ends. `event_types`: with blanks between
    them. `payment_cursor`: payments up to this id were told, or are not to be; None: payments are not wanted.
    `failing_since`: of failures without a success. A deleted one stays, disabled and without secrets, as long as its
    deliveries do.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        Index("ix_webhook_endpoint_merchant", "merchant_id", "id"),
        Index("ix_webhook_endpoint_enabled", "id", sqlite_where=_ENABLED, postgresql_where=_ENABLED),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    url: str
    description: str | None = None
    event_types: str
    secret: str = Field(repr=False)
    previous_secret: str | None = Field(default=None, repr=False)
    previous_secret_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    payment_cursor: int | None = Field(default=None, sa_column=Column(BigInteger))
    failing_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    disabled_reason: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)
    deleted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WebhookDelivery(SQLModel, table=True):
    """One message to one endpoint. `state`: waiting → delivered, or failed after the last try.

    `public_id` is its `webhook-id`, a digest of the endpoint and of what is told: so the same news is never made twice, even by
    a database that was restored. `body`: as it is signed; of payments only the range is kept, and the body made of them
    again. `tries`: failed ones of this round. `next_at`: when it is due; `claim`: who has taken it until then.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        Index("ix_webhook_delivery_endpoint", "endpoint_id", "id"),
        Index("ix_webhook_delivery_due", "endpoint_id", "next_at", sqlite_where=_DUE, postgresql_where=_DUE),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    endpoint_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    type: str
    body: str | None = Field(default=None, sa_column=Column(Text))
    first_payment: int | None = Field(default=None, sa_column=Column(BigInteger))
    last_payment: int | None = Field(default=None, sa_column=Column(BigInteger))
    state: str = "waiting"
    tries: int = 0
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    claim: str | None = None
    created_at: datetime = Field(sa_type=UtcDateTime)


class WebhookAttempt(SQLModel, table=True):
    """One try of a delivery. `answer`: the beginning of its body. `error`: why there was none, or why it does not count."""

    __tablename__ = "webhook_attempt"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    delivery_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    at: datetime = Field(sa_type=UtcDateTime)
    duration_ms: int
    status: int | None = None
    error: str | None = None
    answer: str = ""


# ------------------------------------------------------------------- shapes

EventTypes = Annotated[
    list[EventType],
    ShapeField(
        min_length=1,
        max_length=len(EVENT_TYPES),
        description="`payment.received` comes in gathered form, up to 100 payments each",
        examples=[["payment.settled", "payout.paid"]],
    ),
]
Url = Annotated[
    AnyText,
    ShapeField(
        min_length=1,
        max_length=MAX_URL,
        description="https, at a public address; port 443, or 1024 and more",
        examples=["https://shop.example/taesan"],
    ),
]
Description = Annotated[AnyText, ShapeField(max_length=200)]


class WebhookCreate(Shape):
    url: Url
    event_types: EventTypes
    description: Description = ""


class WebhookUpdate(Shape):
    """What is left out stays."""

    url: Url | None = None
    event_types: EventTypes | None = None
    description: Description | None = None
    enabled: bool | None = ShapeField(default=None, description="What happens while it is off is not told later")


class WebhookRotate(Shape):
    overlap_s: int = ShapeField(
        ge=0, le=7 * 86_400, description="Seconds for which deliveries bear both secrets' signatures; 0: none"
    )


class WebhookPublic(Shape):
    id: str = ShapeField(examples=["wh_019a6f0c2a9b1d3e4f5061728394"])
    url: str
    description: str
    event_types: list[EventType]
    enabled: bool
    disabled_reason: str | None
    failing_since: str | None = ShapeField(description="Since when nothing was delivered that was tried")
    created_at: str


class WebhookCreated(WebhookPublic):
    secret: str = ShapeField(description="`whsec_…`, for verifying signatures; shown this once")


class WebhookDeliveryPublic(Shape):
    id: str = ShapeField(description="Its `webhook-id`, the same with each try", examples=["msg_" + "5a" * 14])
    type: EventType
    state: str = ShapeField(description="waiting, delivered or failed")
    created_at: str
    next_try_at: str | None


class WebhookAttemptPublic(Shape):
    at: str
    duration_ms: int
    status: int | None = ShapeField(description="null: there was no answer")
    error: str | None
    answer: str = ShapeField(description="The beginning of the answer's body")


class WebhookDeliveryDetails(WebhookDeliveryPublic):
    body: dict[str, Any] = ShapeField(description="What is sent: type, timestamp, data")
    attempts: list[WebhookAttemptPublic] = ShapeField(description="Newest first, at most 50")


# What `data` holds, where it is no shape of another domain.


class PaymentsReceived(Shape):
    """`payment.received`: as they were accepted, so no `batch_id` yet."""

    payments: list[ReceivedPayment]


class PaymentsSettled(Shape):
    """`payment.settled`: once a batch is booked for good; the payments are those with its `batch_id`."""

    batch_id: int
    amount: AmountOut = ShapeField(description="What the merchant is credited, minor units")
    transaction: str


class TierChanged(Shape):
    """`member.tier_changed`, `member.tier_at_risk`: of the merchant's own tiers; level 0 is none."""

    payer: str
    reason: str = ShapeField(description="up, down, refunded; notice: the step will be lost when the period ends")
    before: int
    after: int
    at: str


class PointsLapse(Shape):
    """`points.expiring`, `points.expired`."""

    payer: str
    points: int
    at: str = ShapeField(description="When the first of them lapse")


class Reference(Shape):
    """Names what something is told of; its route tells the rest."""

    id: str
