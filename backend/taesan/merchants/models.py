"""Redemptions of gift tokens and payouts of credit: what the hub brings to the chain for a merchant."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Address, AmountIn, AmountOut, Bytes32, Shape, Signature


class Redemption(SQLModel, table=True):
    """A holder's signed gift tokens, to be burned for a merchant's credit.

    `state`: received → sent → confirmed, or failed with its reason.
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
