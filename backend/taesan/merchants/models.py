"""Redemptions of gift tokens and payouts of credit: what the hub brings to the chain for a merchant."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Address, AmountIn, AmountOut, Bytes32, Money, Shape, Signature, Text


class Redemption(SQLModel, table=True):
    """A holder's signed gift tokens, to be burned for a merchant's credit.

    `state`: received → sent → confirmed, or failed with its reason. `invoice_id`: what it pays, if it pays an invoice.
    """

    __tablename__ = "redemption"
    __table_args__ = (
        UniqueConstraint("merchant_id", "holder", "salt"),
        Index("ix_redemption_merchant_id", "merchant_id", "id"),
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
    """A merchant's order to be paid out. `state`: received → sent → paid, or failed with its reason."""

    __tablename__ = "payout"
    __table_args__ = (Index("ix_payout_merchant_id", "merchant_id", "id"),)

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


class AccountPublic(Shape):
    """A merchant's money: `pending` is accepted and not yet settled, `credit` can be paid out."""

    merchant_id: str
    pending: AmountOut
    credit: AmountOut
    paying_out: AmountOut
    refunding: AmountOut = ShapeField(description="Of the credit, held for refunds until new payments cover them")


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
    payable_in: list[str] = ShapeField(description="channel, gift_tokens: a hub has limits for each")
    salt_prefix: str = ShapeField(description="What the salt of a redemption that pays it begins with")
    pay_url: str = ShapeField(description="A page for people")


class InvoiceRecord(InvoicePublic):
    """As its merchant sees it."""

    reference: str | None
    metadata: dict[str, str]
    paid_by: str | None = ShapeField(description="`pay_…` or `red_…`")
    refunded: AmountOut = ShapeField(description="Of the quote")


class RefundCreate(Shape):
    of: Text = ShapeField(max_length=64, description="A payment `pay_…` or a redemption `red_…` that the merchant got")
    amount: AmountIn | None = ShapeField(default=None, description="Minor units; all that is left of it if left out")
    note: Text | None = ShapeField(default=None, max_length=200)


class RefundPublic(Shape):
    """What is given back becomes gift tokens of who paid."""

    id: str
    of: str
    account: str = ShapeField(description="Who gets it")
    amount: AmountOut
    state: str = ShapeField(
        description="waiting: until the merchant is paid as much again, its credit is held; accepted; settling; done"
    )
    note: str | None
    batch_id: int | None
    made_at: str
