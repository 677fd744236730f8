"""Invoices that are paid by a plain transfer of the reserve asset, as tables: one floor below `merchants.transfers`, which works with
them, as the audit reads them too."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime

_HELD = text("held_until IS NOT NULL")


class TransferOffer(SQLModel, table=True):
    """By which amount a transfer to a merchant's wallet is known to pay an invoice: its quote and a few minor units.

    `held_until`: so long the amount is this invoice's and the wallet is watched; None: both are over.
    """

    __tablename__ = "transfer_offer"
    __table_args__ = (
        Index(
            "ix_transfer_offer_held",
            "address",
            "amount",
            unique=True,
            sqlite_where=_HELD,
            postgresql_where=_HELD,
        ),
        Index("ix_transfer_offer_amount", "address", "amount", "invoice_id"),
        Index("ix_transfer_offer_due", "held_until", sqlite_where=_HELD, postgresql_where=_HELD),
    )

    invoice_id: str = Field(primary_key=True)
    address: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    held_until: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Transfer(SQLModel, table=True):
    """A transfer of the reserve asset to a wallet that was watched. The money is its merchant's from the first and never the
    hub's: no account of the books holds it, and this row is all that tells of it.

    `state`: seen → at depth paid, late, twice or unmatched; gone if a reorganisation has removed it, and seen again if it comes
    back. `invoice_id`: whose amount it has. `key`: transaction and place, as the chain's events have it. `mined_at`: what its
    block says; `seen_at`: when the hub first saw it.
    """

    __tablename__ = "transfer"
    __table_args__ = (
        Index("ix_transfer_merchant_id", "merchant_id", "id"),
        Index("ix_transfer_merchant_state", "merchant_id", "state", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    key: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    address: str
    sender: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    invoice_id: str | None = None
    state: str = Field(index=True)
    transaction_hash: str
    block_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    mined_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    confirmed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
