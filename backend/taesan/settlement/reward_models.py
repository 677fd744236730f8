"""What merchants promise their payers back, and what of it is due. A floor lower than who decides it (`loyalty`): a refund takes
its part of a reward with it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime

_RUNNING = text("state = 'running'")
_UNPAID = text("payout_id IS NULL")
_DUE = text("amount > 0")


class Campaign(SQLModel, table=True):
    """A merchant's cashback. Its budget is held out of the merchant's credit from the start (the account `budget`).

    `tiers_of`: whose tiers multiply it, the merchant's or the hub's. `rate`: of the price, in ten-thousandths; `cap_payment`, `cap_payer`: most for one payment, and for one payer in all. `spent`: what
    was promised, refunds or not: what they bring back goes to the merchant, not to another payer. `state`: running, until
    its end has come and all payments before it were looked at → ended; or taken: its merchant has taken the budget from the contract.
    `from_payment`, `until_payment`: the last payments that were looked at before it began, and before it was over. `pauses`: from when to
    when payments earn nothing, [[ISO 8601, ISO 8601 or None], …], in their order.
    """

    __tablename__ = "campaign"
    __table_args__ = (
        Index("ix_campaign_merchant_id", "merchant_id", "id"),
        Index("ix_campaign_address", "address", "state"),
        Index("ix_campaign_running", "ends_at", sqlite_where=_RUNNING, postgresql_where=_RUNNING),
        CheckConstraint("spent BETWEEN 0 AND budget", name="within_budget"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    address: str
    name: str
    rate: int
    cap_payment: int | None = Field(default=None, sa_column=Column(BigInteger))
    cap_payer: int | None = Field(default=None, sa_column=Column(BigInteger))
    category: str | None = None
    tiers_of: str = "merchant"
    budget: int = Field(sa_column=Column(BigInteger, nullable=False))
    spent: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    rewards: int = 0
    state: str = "running"
    starts_at: datetime = Field(sa_type=UtcDateTime)
    ends_at: datetime = Field(sa_type=UtcDateTime)
    made_at: datetime = Field(sa_type=UtcDateTime)
    from_payment: int = Field(sa_column=Column(BigInteger, nullable=False))
    until_payment: int | None = Field(default=None, sa_column=Column(BigInteger))
    pauses: list[Any] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))


class Reward(SQLModel, table=True):
    """What one payment (`source`: its public id) earns its payer, by the payer's `multiplier` (ten-thousandths) then. `reversed`: what refunds of the
    payment have taken back of it. `payout_id`: the row of `refund` that pays it, with others of the same payer."""

    __tablename__ = "reward"
    __table_args__ = (
        Index("ix_reward_campaign_id", "campaign_id", "id"),
        Index("ix_reward_campaign_payer", "campaign_id", "payer"),
        Index("ix_reward_payer", "payer", "id"),
        Index("ix_reward_payout_id", "payout_id"),
        Index("ix_reward_unpaid", "address", "payer", sqlite_where=_UNPAID, postgresql_where=_UNPAID),
        CheckConstraint("reversed BETWEEN 0 AND amount", name="within_reward"),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    source: str = Field(unique=True)
    campaign_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    address: str
    payer: str
    price: int = Field(sa_column=Column(BigInteger, nullable=False))
    multiplier: int
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    reversed: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    payout_id: str | None = None
    made_at: datetime = Field(sa_type=UtcDateTime)


class Cashback(SQLModel, table=True):
    """What waits for one payer of one merchant (by its payout address): its unpaid rewards, added up as they come."""

    __tablename__ = "cashback"
    __table_args__ = (
        Index("ix_cashback_payer", "payer"),
        Index("ix_cashback_due", "amount", sqlite_where=_DUE, postgresql_where=_DUE),
        CheckConstraint("amount >= 0", name="not_overdrawn"),
    )

    address: str = Field(primary_key=True)
    payer: str = Field(primary_key=True)
    amount: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
