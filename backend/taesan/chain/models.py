"""What the service knows of its chain: which one it is, how far it has read, what it has sent."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Select, select
from sqlmodel import Field, SQLModel, col

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
    """The last block whose events are in the outbox, and when we last heard from the chain.

    `doubtful_until`: after a deep reorganisation, the block up to which the chain has to be read again before the books
    count as its; nothing is accepted until then.
    """

    __tablename__ = "chain_cursor"

    id: int = Field(default=1, primary_key=True)
    block_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    block_hash: str
    head_block: int = Field(sa_column=Column(BigInteger, nullable=False))
    read_at: datetime = Field(sa_type=UtcDateTime)
    doubtful_until: int | None = Field(default=None, sa_column=Column(BigInteger))


class ChainBlock(SQLModel, table=True):
    """The last blocks that were cursors: where a deep reorganisation began is found among them."""

    __tablename__ = "chain_block"

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hash: str


class ChainEvent(SQLModel, table=True):
    """An event that was put in the outbox, for as long as `ChainBlock` goes back.

    `orphaned`: a reorganisation has removed its block, and it was not seen again yet. `key`: of the outbox, without its
    prefix; an event that comes back after it was un-posted is a new one, with another key.
    """

    __tablename__ = "chain_event"

    key: str = Field(primary_key=True)
    event_key: str = Field(index=True, description="Transaction and place among its events: the same on every fork")
    block_number: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    transaction_hash: str
    orphaned: bool = Field(default=False, index=True)


class Alarm(SQLModel, table=True):
    """Something that a person should know of, for as long as it lasts. See `chain.alarms`."""

    __tablename__ = "alarm"

    name: str = Field(primary_key=True)
    detail: str
    since: datetime = Field(sa_type=UtcDateTime)


class SignerAccount(SQLModel, table=True):
    """The next nonce of each key that we sign with. Nonces are given out here, not asked of the node."""

    __tablename__ = "signer_account"

    address: str = Field(primary_key=True)
    next_nonce: int = Field(sa_column=Column(BigInteger, nullable=False))


class ChainTransaction(SQLModel, table=True):
    """A transaction of ours: one nonce, one call. It is stored, with the signed bytes of its first attempt, before anything is
    sent.

    `state`: signed → broadcast → mined → confirmed, or reverted (mined at depth, but failed, or its nonce used up by
    somebody else). A reorg leads back to broadcast. "Broadcast" says only that it was handed to a node at least once:
    whether it will be mined is unknown. `hash`: of the attempt that is mined, or else of the newest.
    """

    __tablename__ = "chain_transaction"
    __table_args__ = (Index("ix_chain_transaction_nonce", "sender", "nonce"),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    hash: str = Field(unique=True)
    kind: str = Field(index=True)
    ref: str
    sender: str
    nonce: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(index=True)
    signed_at: datetime = Field(sa_type=UtcDateTime)
    broadcast_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    block_number: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    block_hash: str | None = None
    gas_used: int | None = Field(default=None, sa_column=Column(BigInteger))
    last_error: str | None = None


class ChainAttempt(SQLModel, table=True):
    """The signed bytes of a transaction. A further attempt is the same call with the same nonce at a higher fee: at most one
    of them can be mined, and it may be any."""

    __tablename__ = "chain_attempt"

    hash: str = Field(primary_key=True)
    transaction_id: int = Field(sa_column=Column(BigInteger, nullable=False, index=True))
    raw: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    made_at: datetime = Field(sa_type=UtcDateTime)


def transaction_of(hash_: str) -> Select[int]:
    """The id of the transaction of ours that one of its attempts has this hash of, if it is ours."""
    return select(col(ChainAttempt.transaction_id)).where(col(ChainAttempt.hash) == hash_)
