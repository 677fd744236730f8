"""Gift tokens that people send each other: transfers that their holders have signed and the hub brings to the chain."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Address, AmountIn, AmountOut, Bytes32, Shape, Signature


class TokenTransfer(SQLModel, table=True):
    """A signed transfer (ERC-3009) of gift tokens. The tokens are their holders' own, so it stands in no book.

    `purpose`: person; or a part of a gift link: wrap (sender → the link's key), claim, return. Everything else is as with a
    `DirectPayment`.
    """

    __tablename__ = "token_transfer"
    __table_args__ = (
        UniqueConstraint("payer", "nonce"),
        Index("ix_token_transfer_payer", "payer", "purpose", "id"),
        Index("ix_token_transfer_payer_state", "payer", "state"),
        Index("ix_token_transfer_state_due", "state", "due_at"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    purpose: str
    token: str
    payer: str
    pay_to: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_after: int = Field(sa_column=Column(BigInteger, nullable=False))
    valid_before: int = Field(sa_column=Column(BigInteger, nullable=False))
    nonce: str
    signature: str
    state: str
    due_at: datetime = Field(sa_type=UtcDateTime)
    attempts: int = 0
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    transaction_hash: str | None = None
    reason: str | None = None
    accepted_at: datetime = Field(sa_type=UtcDateTime)
    accepted_block: int = Field(sa_column=Column(BigInteger, nullable=False))


# ------------------------------------------------------------------- shapes


class TokenTransferCreate(Shape):
    """The holder's `TransferWithAuthorization` (ERC-3009) of gift tokens, by a key: contract wallets send theirs themselves."""

    sender: Address
    recipient: Address
    amount: AmountIn
    valid_after: AmountIn = ShapeField(description="Unix seconds", examples=["0"])
    valid_before: AmountIn = ShapeField(description="Unix seconds: what is not on the chain by then has failed")
    nonce: Bytes32
    signature: Signature


class TokenTransferPublic(Shape):
    id: str = ShapeField(examples=["tok_6f0c2a9b1d3e4f5061728394"])
    sender: str
    recipient: str
    amount: AmountOut
    state: str = ShapeField(description="`pending`: not on the chain yet, which may still fail; `done`; or `failed`")
    reason: str | None = ShapeField(description="Why it failed, or was not carried out when that was tried last")
    accepted_at: str
    transaction: str | None
