"""Redemptions of gift tokens and payouts of credit: what the hub brings to the chain for a merchant."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field as ShapeField
from pydantic import model_validator
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import (
    Address,
    AmountIn,
    AmountOut,
    Bytes32,
    Money,
    Shape,
    Signature,
    SignedAmountOut,
    Text,
    TimeZone,
)

_SCHEDULED, _DUE = text("period IS NOT NULL"), text("next_at IS NOT NULL")


class Redemption(SQLModel, table=True):
    """A holder's signed gift tokens, to be burned for a merchant's credit.

    `state`: received → sent → confirmed, or failed with its reason. `invoice_id`: what it pays, if it pays an invoice.
    """

    __tablename__ = "redemption"
    __table_args__ = (
        UniqueConstraint("merchant_id", "holder", "salt"),
        Index("ix_redemption_merchant_id", "merchant_id", "id"),
        Index("ix_redemption_holder", "holder", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    holder: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_after: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_before: int = Field(sa_column=Column(BigInteger, nullable=False))
    salt: str
    signature: str
    state: str = Field(index=True)
    attempts: int = 0
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    reason: str | None = None
    received_at: datetime = Field(sa_type=UtcDateTime)
    invoice_id: str | None = None


class Payout(SQLModel, table=True):
    """A merchant's order to be paid out. `state`: received → sent → paid, or failed with its reason. `period`: the day, in the
    merchant's time zone, that its schedule ordered it for; once for each."""

    __tablename__ = "payout"
    __table_args__ = (
        Index("ix_payout_merchant_id", "merchant_id", "id"),
        Index(
            "ix_payout_period",
            "merchant_id",
            "period",
            unique=True,
            sqlite_where=_SCHEDULED,
            postgresql_where=_SCHEDULED,
        ),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    address: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(index=True)
    attempts: int = 0
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    reason: str | None = None
    received_at: datetime = Field(sa_type=UtcDateTime)
    period: str | None = None


class MerchantSettings(SQLModel, table=True):
    """A merchant's time zone (IANA) and when it is paid out by itself: `every` day or week, on `weekday` (Monday is 0), if its
    credit is `at_least` so much. `next_at`: when that is looked at next. `takes_transfers`: whether its new invoices may be
    paid by plain transfers to its payout wallet."""

    __tablename__ = "merchant_settings"
    __table_args__ = (Index("ix_merchant_settings_next_at", "next_at", sqlite_where=_DUE, postgresql_where=_DUE),)

    merchant_id: str = Field(primary_key=True, foreign_key="merchant.id")
    time_zone: str
    every: str
    weekday: int | None = None
    at_least: int = Field(sa_column=Column(BigInteger, nullable=False))
    takes_transfers: bool = True
    next_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


# ------------------------------------------------------------------- shapes


class RedemptionCreate(Shape):
    """The holder's ERC-3009 `ReceiveWithAuthorization` of gift tokens to the settlement contract, with the nonce
    keccak256(abi.encode(merchant's payout address, salt)): nobody else can redeem it."""

    holder: Address
    amount: AmountIn
    valid_after: AmountIn
    valid_before: AmountIn
    salt: Bytes32
    signature: Signature


class RedemptionPublic(Shape):
    id: str
    holder: str
    amount: AmountOut
    state: str = ShapeField(description="received, sent, confirmed or failed")
    reason: str | None
    transaction: str | None
    invoice_id: str | None = ShapeField(description="The invoice that it pays, if it pays one")


class PayoutCreate(Shape):
    amount: AmountIn | None = ShapeField(default=None, description="Minor units; all of the credit if left out")


class PayoutPublic(Shape):
    id: str
    address: str
    amount: AmountOut
    state: str = ShapeField(description="received, sent, paid or failed")
    reason: str | None
    transaction: str | None
    period: str | None = ShapeField(description="The day that the merchant's schedule ordered it for, if that did")


class AccountPublic(Shape):
    """A merchant's money: `pending` is accepted and not yet settled, `credit` can be paid out."""

    merchant_id: str
    pending: AmountOut
    credit: AmountOut
    paying_out: AmountOut
    refunding: AmountOut = ShapeField(description="Of the credit, held for refunds until new payments cover them")
    budget: AmountOut = ShapeField(description="Of the credit, held for what campaigns promise payers")


class MoneyOut(Shape):
    value: AmountOut
    asset: str = ShapeField(description="CAIP-19 id or ISO 4217 code", examples=["KRW"])
    exponent: int = ShapeField(description="How many decimals the minor unit has")


InvoiceState = Literal["open", "paying", "paid", "expired", "cancelled"]
_NoteKey = Annotated[Text, ShapeField(min_length=1, max_length=40)]
_Note = Annotated[Text, ShapeField(max_length=200)]


class InvoiceCreate(Shape):
    amount: Money = ShapeField(description="In USD or KRW", examples=[{"value": "4500", "asset": "KRW", "exponent": 0}])
    description: Text = ShapeField(min_length=1, max_length=200, examples=["A cup of coffee"])
    expires_in_s: int = ShapeField(default=900, ge=30, le=604_800, description="How long the quote holds")
    reference: Text | None = ShapeField(default=None, max_length=64, description="The merchant's own, such as an order")
    metadata: dict[_NoteKey, _Note] = ShapeField(
        default={}, max_length=10, description="Whatever else the merchant wants kept; the payer is not shown it"
    )


class InvoiceTransfer(Shape):
    """How to pay by a plain transfer of the reserve asset, from any wallet: by its amount it is known what it pays."""

    to: str = ShapeField(description="The merchant's payout wallet")
    amount: MoneyOut = ShapeField(description="Exactly this: the quote and a few minor units that tell the invoice")
    uri: str = ShapeField(description="The transfer for wallets (ERC-681)")
    confirmations: int | None = ShapeField(description="Blocks on top of a transfer that was seen; null: none was")
    confirmations_needed: int


class InvoicePublic(Shape):
    """As a payer sees it. To pay in channel credit: `POST /v1/payments` with the destination `invoice` and the quote."""

    id: str
    state: str = ShapeField(description="open, paying, paid, partly_refunded, refunded, expired or cancelled")
    merchant_id: str
    merchant_name: str
    merchant_address: str
    amount: MoneyOut = ShapeField(description="What the merchant asks for")
    quote: MoneyOut = ShapeField(description="What is due for it, in the hub's reserve asset: exactly this is paid")
    won_for_a_dollar: str | None = ShapeField(
        description="The rate of the quote, as a fraction; null if none was needed"
    )
    description: str
    created_at: str
    expires_at: str
    paid_at: str | None
    payable_in: list[str] = ShapeField(
        description="channel, gift_tokens: a hub has limits for each; transfer: if its merchant takes them and has an amount "
        "left that tells this invoice from others"
    )
    transfer: InvoiceTransfer | None = ShapeField(description="While it may be paid so, or such a transfer was seen")
    salt_prefix: str = ShapeField(description="What the salt of a redemption that pays it begins with")
    pay_url: str = ShapeField(description="A page for people")


class InvoiceRecord(InvoicePublic):
    """As its merchant sees it."""

    reference: str | None
    metadata: dict[str, str]
    paid_by: str | None = ShapeField(description="`pay_…`, `red_…` or `tra_…`")
    refunded: AmountOut = ShapeField(description="Of the quote")


TransferState = Literal["seen", "paid", "late", "twice", "unmatched", "gone"]


class TransferPublic(Shape):
    """A transfer of the reserve asset to the payout wallet while invoices were payable there; the money is in that wallet."""

    id: str
    state: str = ShapeField(
        description="seen: in a block, not confirmed yet; paid: it has paid the invoice; late: the invoice had expired or was "
        "cancelled; twice: somebody had paid it already; unmatched: its amount is no invoice's; gone: a reorganisation of "
        "the chain has removed it"
    )
    invoice_id: str | None = ShapeField(description="The invoice whose amount it has")
    sender: str
    amount: AmountOut
    transaction: str
    block_number: int
    seen_at: str
    confirmed_at: str | None


class RefundCreate(Shape):
    of: Text = ShapeField(max_length=64, description="A payment `pay_…` or a redemption `red_…` that the merchant got")
    amount: AmountIn | None = ShapeField(default=None, description="Minor units; all that is left of it if left out")
    note: Text | None = ShapeField(default=None, max_length=200)


class RefundPublic(Shape):
    """What is given back becomes gift tokens of who paid."""

    id: str
    of: str
    account: str = ShapeField(description="Who gets it")
    amount: AmountOut = ShapeField(description="What is given back of the payment")
    state: str = ShapeField(
        description="waiting: until the merchant is paid as much again, its credit is held; accepted; settling; done"
    )
    note: str | None
    batch_id: int | None
    made_at: str
    reward_taken_back: AmountOut = ShapeField(
        description="What of it the account does not get: the payment's cashback, which was paid out before"
    )


class PersonalRefund(Shape):
    """As who paid is told it: without the merchant's note, which is for its own books."""

    id: str
    of: str = ShapeField(description="The payment, or the redemption")
    merchant_id: str
    amount: AmountOut = ShapeField(description="What is given back of the payment, as gift tokens")
    reward_taken_back: AmountOut = ShapeField(
        description="What of it does not come, as it is the payment's cashback, which was paid out before"
    )
    state: str = ShapeField(description="As in `RefundPublic`")
    batch_id: int | None
    made_at: str


class PayoutSchedule(Shape):
    every: Literal["never", "day", "week"] = "never"
    weekday: int | None = ShapeField(default=None, ge=0, le=6, description="Of a weekly payout; Monday is 0")
    at_least: AmountIn = ShapeField(default=0, description="With less credit it waits for the next time")

    @model_validator(mode="after")
    def _weekday_of_a_week(self) -> Self:
        if (self.weekday is not None) != (self.every == "week"):
            raise ValueError("a weekly payout has a weekday, and no other has one")
        return self


class AccountSettings(Shape):
    time_zone: TimeZone = ShapeField(default="UTC", description="Where the merchant's day begins")
    payouts: PayoutSchedule = PayoutSchedule()
    takes_transfers: bool = ShapeField(
        default=True, description="Whether new invoices may be paid by plain transfers to the payout wallet"
    )


class PayoutSchedulePublic(Shape):
    every: str
    weekday: int | None
    at_least: AmountOut
    next_at: str | None = ShapeField(description="When the credit is looked at next")


class AccountSettingsPublic(Shape):
    time_zone: str
    payouts: PayoutSchedulePublic
    takes_transfers: bool


class Sum(Shape):
    count: int
    amount: AmountOut


class Closing(Shape):
    """A merchant's day, from midnight to midnight in its time zone."""

    day: str = ShapeField(examples=["2026-11-26"])
    time_zone: str
    begins_at: str
    ends_at: str
    is_over: bool = ShapeField(description="False: more may come")
    asset: str
    exponent: int
    payments: Sum = ShapeField(description="Accepted in channel credit")
    of_invoices: Sum = ShapeField(description="Those of them that paid an invoice")
    redemptions: Sum = ShapeField(description="Gift tokens received on that day and confirmed since")
    paid_on_chain: Sum = ShapeField(
        description="Invoices paid by transfers seen on that day and confirmed since. They are in the payout wallet already, "
        "so not in net"
    )
    refunds: Sum = ShapeField(description="Without the cashback that they took back")
    rewards: Sum = ShapeField(description="Cashback of campaigns that was ordered to be paid on that day")
    payouts: Sum = ShapeField(description="Ordered on that day, without those that failed")
    net: SignedAmountOut = ShapeField(description="Payments and redemptions without refunds and rewards")
