"""Direct payments: transfers that payers have authorised (x402 `exact`), which the hub brings to the chain together."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import AmountOut, Shape


class DirectPayment(SQLModel, table=True):
    """A signed transfer (ERC-3009) from a payer's wallet to a merchant's payout address. Its money is never the hub's, so
    it stands in no book; until it is on the chain it is a promise of the payer's.

    `state`: received → sent → confirmed; one that was sent and not carried out is received again; failed once it never can
    be. `due_at`: when it is to be sent at the latest. `reason`: why it was not carried out when that was tried last.
    `name`: what its client calls it. `transaction_id`: ours; `transaction_hash`: of whoever has carried it out.
    """

    __tablename__ = "direct_payment"
    __table_args__ = (
        UniqueConstraint("payer", "nonce", "token"),
        UniqueConstraint("payer", "name"),
        Index("ix_direct_payment_merchant_id", "merchant_id", "id"),
        Index("ix_direct_payment_payer_state", "payer", "state"),
        Index("ix_direct_payment_merchant_state", "merchant_id", "state"),
        Index("ix_direct_payment_state_due", "state", "due_at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    token: str
    payer: str
    pay_to: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_after: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_before: int = Field(sa_column=Column(BigInteger, nullable=False))
    nonce: str
    signature: str
    name: str | None = None
    reference: str | None = None
    state: str
    due_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    transaction_hash: str | None = None
    reason: str | None = None
    accepted_at: datetime = Field(sa_type=UtcDateTime)
    accepted_block: int = Field(sa_column=Column(BigInteger, nullable=False))


# ------------------------------------------------------------------- shapes


class DirectPaymentPublic(Shape):
    """A payment that goes from the payer's wallet straight to the merchant's payout address (x402 `exact`)."""

    id: str = ShapeField(examples=["dir_6f0c2a9b1d3e4f5061728394"])
    merchant_id: str
    payer: str
    asset: str = ShapeField(description="CAIP-19: the hub's asset, or its gift token")
    amount: AmountOut
    reference: str | None
    state: str = ShapeField(
        description="`pending`: authorised and not on the chain yet, which may still fail; `settled`; or `failed`"
    )
    reason: str | None = ShapeField(description="Why it failed, or was not carried out when that was tried last")
    accepted_at: str
    valid_before: int = ShapeField(description="Unix seconds: what is not on the chain by then has failed")
    transaction: str | None
