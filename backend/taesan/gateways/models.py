"""Gateways, their customers, and the payments that they report."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, model_validator
from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Address, AmountIn, AmountOut, Money, Shape, Text
from taesan.payments.models import MAX_BULK, MAX_MERCHANT_ID, MAX_REFERENCE, VoucherIn

MAX_NAME = 80  # of a gateway
MAX_ID = 128  # of what a gateway calls its payments and customers
MAX_OVERLAP_S = 604_800  # a week
FIRST_PAID, MAX_AHEAD = datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=1)  # of when something can have been paid

_WAITING = text("drawn_at IS NULL AND refunded_at IS NULL")
_LINKED = text("wallet IS NOT NULL")


class Gateway(SQLModel, table=True):
    """Who reports payments that were made elsewhere. `address` funds what they convert, out of `channel_id`.

    `signed`, `signature`: its voucher, which bounds what may be drawn of that channel. `drawn`: what is drawn in all, less
    what came back by refunds; `claimed` of the channel is what of it the chain has moved to the reserve. `drawn_since`: when
    the first of what no claim is under way for was drawn. `waiting`, `waiting_amount`: payments that the funding does not
    cover yet, and what they convert. `lost`: what the chain had claimed for draws that a restored database does not know,
    until it has caught up. `pepper` is hashed with its customers' names.
    """

    __tablename__ = "gateway"
    __table_args__ = (Index("ix_gateway_waiting", "waiting", "id"),)

    id: str = Field(primary_key=True)
    name: str
    address: str = Field(unique=True)
    channel_id: str | None = Field(default=None, foreign_key="channel.id", unique=True)
    signed: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    signature: str = ""
    drawn: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    drawn_since: datetime | None = Field(default=None, sa_type=UtcDateTime)
    waiting: int = 0
    waiting_amount: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    lost: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    secret: str
    previous_secret: str | None = None
    previous_secret_until: datetime | None = Field(default=None, sa_type=UtcDateTime)
    pepper: str
    created_at: datetime = Field(sa_type=UtcDateTime)


class GatewayCustomer(SQLModel, table=True):
    """A payer whom a gateway knows. What is gathered for it stands in the ledger; `wallet` gets it once it is linked.

    `payments`: since the last time that something went to the wallet. `released`: to it, in all. `owed`: refunded, though it had gone to the wallet
    already; the next conversions pay it back. `code_hash`: of the newest link code.
    """

    __tablename__ = "gateway_customer"
    __table_args__ = (
        UniqueConstraint("gateway_id", "name_hash"),
        Index("ix_gateway_customer_wallet", "wallet", "id", sqlite_where=_LINKED, postgresql_where=_LINKED),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    gateway_id: str = Field(foreign_key="gateway.id")
    name_hash: str
    wallet: str | None = None
    payments: int = 0
    released: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    owed: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    code_hash: str | None = Field(default=None, unique=True)
    code_expires_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    linked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class GatewayPayment(SQLModel, table=True):
    """A payment that a gateway has reported, by its own `name`, and what of it is converted: `amount`, in minor units.

    `state`: waiting (for funding) → drawn, or cancelled if it was refunded before; drawn → refunded. `paid_back`: the part of
    `amount` that paid back what the customer owed, and so was not drawn. `returned`: what a refund gave back to the funding.
    """

    __tablename__ = "gateway_payment"
    __table_args__ = (
        UniqueConstraint("gateway_id", "name"),
        Index("ix_gateway_payment_gateway", "gateway_id", "id"),
        Index("ix_gateway_payment_waiting", "gateway_id", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_gateway_payment_customer", "customer_id", "id", sqlite_where=_WAITING, postgresql_where=_WAITING),
        Index("ix_gateway_payment_all_of_customer", "customer_id", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    gateway_id: str = Field(foreign_key="gateway.id")
    customer_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    name: str
    fingerprint: str
    merchant_id: str | None = Field(default=None, foreign_key="merchant.id")
    reference: str | None = None
    purchase_value: int = Field(sa_column=Column(BigInteger, nullable=False))
    purchase_currency: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    paid_back: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    returned: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    state: str
    paid_at: datetime = Field(sa_type=UtcDateTime)
    received_at: datetime = Field(sa_type=UtcDateTime)
    drawn_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    refunded_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


# ------------------------------------------------------------------- shapes

Name = Annotated[Text, ShapeField(min_length=1, max_length=MAX_ID)]


class GatewayCreate(Shape):
    name: Text = ShapeField(min_length=1, max_length=MAX_NAME, examples=["Narae Pay"])
    address: Address = ShapeField(description="The wallet that funds it, and that looks after it here")


class GatewayPublic(Shape):
    """Amounts in minor units of the reserve asset. What is free to be drawn is `funded` or `signed`, whichever is less, less
    `drawn`."""

    id: str
    name: str
    address: str
    channel_id: str | None
    state: str = ShapeField(description="unfunded, or its channel's: open, withdrawing, …")
    funded: AmountOut = ShapeField(
        description="Deposited, confirmed and not withdrawn; with what is drawn of it already"
    )
    signed: AmountOut = ShapeField(description="By the voucher: how much may be drawn in all")
    drawn: AmountOut
    claimed: AmountOut = ShapeField(description="What of the channel the chain has moved to the reserve")
    waiting_payments: int = ShapeField(description="Over the funding: they are drawn in their order when it grows")
    waiting_amount: AmountOut


class GatewayCreated(GatewayPublic):
    secret: str = ShapeField(description="whsec_…: signs what it posts; shown this once")


class SecretRotate(Shape):
    overlap_s: int = ShapeField(default=0, ge=0, le=MAX_OVERLAP_S, description="How long the old secret is good, too")


class FundingSign(Shape):
    """A standing voucher: the most that may be drawn of the channel in all. A later one is for more."""

    voucher: VoucherIn


class GatewayPaymentIn(Shape):
    """What of it is converted is given, or its round-up: one of `convert` and `round_up_step`."""

    id: Name = ShapeField(
        description="The gateway's own: the same payment again is answered again", examples=["tx-1177"]
    )
    customer: Name = ShapeField(description="Opaque here, and kept as a hash", examples=["c-81024"])
    purchase: Money = ShapeField(description="What was paid, in USD or KRW")
    convert: AmountIn | None = ShapeField(default=None, description="In minor units of the reserve asset")
    round_up_step: AmountIn | None = ShapeField(
        default=None, description="The purchase, at the hub's rate, is rounded up to the next multiple of this"
    )
    merchant_id: Text | None = ShapeField(default=None, max_length=MAX_MERCHANT_ID)
    reference: Text | None = ShapeField(default=None, max_length=MAX_REFERENCE)
    paid_at: AwareDatetime = ShapeField(description="From the year 2000 on, and at most a day ahead of the hub's clock")

    @model_validator(mode="after")
    def _has_one_rule(self) -> "GatewayPaymentIn":
        if (self.convert is None) == (self.round_up_step is None):
            raise ValueError("set convert or round_up_step")
        if self.round_up_step == 0:
            raise ValueError("round_up_step must be more than zero")
        return self


class GatewayRefundIn(Shape):
    id: Name = ShapeField(description="The payment's; it is refunded as a whole")


class _Message(Shape):
    timestamp: Text = ShapeField(max_length=64, description="When it was made, as Standard Webhooks has it")


class PaymentsMade(_Message):
    type: Literal["payment.made"]
    data: GatewayPaymentIn | Annotated[list[GatewayPaymentIn], ShapeField(min_length=1, max_length=MAX_BULK)]


class PaymentsRefunded(_Message):
    type: Literal["payment.refunded"]
    data: GatewayRefundIn | Annotated[list[GatewayRefundIn], ShapeField(min_length=1, max_length=MAX_BULK)]


GatewayMessage = Annotated[PaymentsMade | PaymentsRefunded, ShapeField(discriminator="type")]


class CustomerToLink(Shape):
    customer: Name


class LinkAsked(_Message):
    type: Literal["customer.link"]
    data: CustomerToLink


class LinkCode(Shape):
    code: str = ShapeField(description="For the customer alone: good once, for one wallet")
    expires_at: str


class LinkCreate(Shape):
    code: Text = ShapeField(min_length=1, max_length=MAX_ID)


class GatewayPaymentPublic(Shape):
    id: str
    name: str = ShapeField(description="What the gateway calls it")
    state: str = ShapeField(description="As it is now: waiting, drawn, cancelled or refunded")
    amount: AmountOut = ShapeField(description="Converted, or to be; minor units of the reserve asset")
    returned: AmountOut = ShapeField(description="What a refund gave back to the funding")
    received_at: str


class GatewayResult(Shape):
    """`status` is what it would have been answered with alone; either `payment` or `problem` is set."""

    status: int = ShapeField(examples=[200])
    replayed: bool = ShapeField(default=False, description="It was done before")
    payment: GatewayPaymentPublic | None = None
    problem: dict[str, Any] | None = ShapeField(default=None, description="RFC 9457")


class GatewayAnswer(Shape):
    results: list[GatewayResult] = ShapeField(description="One for each, in their order")


class LinkPublic(Shape):
    """Amounts in minor units of the reserve asset."""

    id: str
    gateway_id: str
    gateway_name: str
    wallet: str
    gathered: AmountOut = ShapeField(description="For the wallet, and not on its way to it yet")
    waiting: AmountOut = ShapeField(description="Reported, and waiting for the gateway's funding")
    released: AmountOut = ShapeField(description="On its way to the wallet as gift tokens, or there")
    owed: AmountOut = ShapeField(description="Refunded though it had been released: the next conversions pay it back")
    linked_at: str
