"""What the service knows of its chain: which one it is, how far it has read, what it has sent."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, LargeBinary
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime


class ChainBinding(SQLModel, table=True):
    """The one chain and set of contracts that this database belongs to; written at first start, compared ever after."""

    __tablename__ = "chain_binding"

    id: int = Field(default=1, primary_key=True)
    chain_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    genesis_hash: str
    asset: str
    channels: str
    settlement: str


class ChainCursor(SQLModel, table=True):
    """The last block whose events are in the outbox, and when we last heard from the chain."""

    __tablename__ = "chain_cursor"

    id: int = Field(default=1, primary_key=True)
    block_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    block_hash: str
    head_block: int = Field(sa_column=Column(BigInteger, nullable=False))
    read_at: datetime = Field(sa_type=UtcDateTime)


class SignerAccount(SQLModel, table=True):
    """The next nonce of each key that we sign with. Nonces are given out here, not asked of the node."""

    __tablename__ = "signer_account"

    address: str = Field(primary_key=True)
    next_nonce: int = Field(sa_column=Column(BigInteger, nullable=False))


class ChainTransaction(SQLModel, table=True):
    """A transaction of ours, stored with its signed bytes before anything is sent.

    `state`: signed → broadcast → mined → confirmed, or reverted (mined at depth, but failed, or its nonce used up by
    somebody else). A reorg leads from mined
    back to broadcast. "Broadcast" says only that it was handed to a node at least once: whether it will be mined is unknown.
    """

    __tablename__ = "chain_transaction"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    hash: str = Field(unique=True)
    kind: str = Field(index=True)
    ref: str
    sender: str
    nonce: int = Field(sa_column=Column(BigInteger, nullable=False))
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    state: str = Field(index=True)
    signed_at: datetime = Field(sa_type=UtcDateTime)
    broadcast_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    block_number: int | None = Field(default=None, sa_column=Column(BigInteger))
    block_hash: str | None = None
    gas_used: int | None = Field(default=None, sa_column=Column(BigInteger))
    last_error: str | None = None
