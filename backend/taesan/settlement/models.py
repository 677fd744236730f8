"""Batches: what is settled together, frozen before it is signed, and how far it has come."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import AmountOut, Shape, SignedAmountOut, bytes_of, hex_of
from taesan.jars.models import FiringPublic
from taesan.settlement import merkle

_LEFT = text("left_over > 0")


class Batch(SQLModel, table=True):
    """`id` is the batch's number on chain. `state`: frozen → signed → broadcast → mined → confirmed → posted; a failed
    transaction leads back to frozen, a reorg from mined back to broadcast. Amounts in minor units.

    On chain the two roots are the branches of one tree, see `root`. A batch of which the chain tells more than this database
    (`settlement.recovery`) has the chain's `recovered_root`, no root over its payments, and the transaction's hash."""

    __tablename__ = "batch"

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    state: str = Field(index=True)
    payment_count: int
    payer_count: int
    payments_root: str
    entitlement_root: str
    recovered_root: str | None = None
    recovered_in: str | None = None
    claimed: int = Field(sa_column=Column(BigInteger, nullable=False))
    credited: int = Field(sa_column=Column(BigInteger, nullable=False))
    entitled: int = Field(sa_column=Column(BigInteger, nullable=False))
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    last_error: str | None = None
    frozen_at: datetime = Field(sa_type=UtcDateTime)
    posted_at: datetime | None = Field(default=None, sa_type=UtcDateTime)

    @property
    def root(self) -> str:
        """What the settlement contract keeps for the batch, 0x-hex."""
        if self.recovered_root is not None:
            return self.recovered_root
        return hex_of(merkle.join(bytes_of(self.payments_root), bytes_of(self.entitlement_root)))


class BatchClaim(SQLModel, table=True):
    """A channel's claim in a batch, with the voucher that allows it.

    `skipped`: it brought nothing on chain; `lost`: what was missing of the channel then, and is the reserve's loss since.
    `secured`: what a contract wallet's channel has paid, which was claimed before and is not claimed again.
    """

    __tablename__ = "batch_claim"

    batch_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    channel_id: str = Field(primary_key=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    total_claimed: int = Field(sa_column=Column(BigInteger, nullable=False))
    max_claimable: int = Field(sa_column=Column(BigInteger, nullable=False))
    signature: str
    skipped: bool = False
    lost: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    secured: bool = False


class WalletClaim(SQLModel, table=True):
    """A contract wallet's voucher on its way to the chain, by `gather`: it claims all that the channel was charged by then; or
    a gateway's, for `max_claimable`: it claims what was drawn by then.

    `state`: received → sent (`transaction_id` is set) → confirmed, or failed with its reason.
    """

    __tablename__ = "wallet_claim"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    channel_id: str = Field(foreign_key="channel.id", index=True)
    cumulative: int = Field(sa_column=Column(BigInteger, nullable=False))
    max_claimable: int | None = Field(default=None, sa_column=Column(BigInteger))
    signature: str
    state: str = Field(index=True)
    attempts: int = 0
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    reason: str | None = None
    made_at: datetime = Field(sa_type=UtcDateTime)


class Quarantine(SQLModel, table=True):
    """A channel for which the contract refused a batch, set aside so that all others are settled. `state`: held, until an
    operator has it retried or refunded.

    `batch_id`: the batch that was refused. `payments`, `amount`: how many of the channel's payments wait in it, and what
    cannot be settled of them: paid to merchants or fired out of the jar. What is in the jar is not counted.
    """

    __tablename__ = "quarantine"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    channel_id: str = Field(foreign_key="channel.id", index=True)
    batch_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    reason: str
    payments: int
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(index=True)
    since: datetime = Field(sa_type=UtcDateTime)
    ended_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Refund(SQLModel, table=True):
    """What a merchant gives back of a payment (`source`: `pay_…`) or redemption (`red_…`): gift tokens for `account`.

    `covered`: booked out of what the merchant was paid and no batch had; for the rest its credit stands in.
    `left_over`: what no batch has taken along yet; `batch_id`: the one that took the last of it.
    `taken_off`: what it would have been more, had the payment's reward not been paid out before. `is_reward`: it gives nothing back, but
    pays what campaigns promised (`settlement.rewards`), and is its own source.
    """

    __tablename__ = "refund"
    __table_args__ = (
        Index("ix_refund_merchant_id", "merchant_id", "id"),
        Index("ix_refund_account", "account", "is_reward", "id"),
        Index("ix_refund_waiting", "address", "id", sqlite_where=_LEFT, postgresql_where=_LEFT),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    address: str
    source: str = Field(index=True)
    account: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    covered: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    left_over: int = Field(sa_column=Column(BigInteger, nullable=False))
    taken_off: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    is_reward: bool = False
    note: str | None = None
    made_at: datetime = Field(sa_type=UtcDateTime)
    batch_id: int | None = Field(default=None, sa_column=Column(BigInteger))


class BatchRefund(SQLModel, table=True):
    """What a batch takes along of a refund."""

    __tablename__ = "batch_refund"

    batch_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    refund_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))


class BatchCredit(SQLModel, table=True):
    """What a merchant (by payout address) gets in a batch."""

    __tablename__ = "batch_credit"

    batch_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    address: str = Field(primary_key=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))


class BatchEntitlement(SQLModel, table=True):
    """What an account gets in a batch, and the cumulative entitlement that its leaf then holds."""

    __tablename__ = "batch_entitlement"
    __table_args__ = (Index("ix_batch_entitlement_account", "account", "batch_id"),)

    batch_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    account: str = Field(primary_key=True)
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    cumulative: int = Field(sa_column=Column(BigInteger, nullable=False))


class Entitlement(SQLModel, table=True):
    """An account's cumulative entitlement over all frozen batches, and how much of it is minted."""

    __tablename__ = "entitlement"

    account: str = Field(primary_key=True)
    cumulative: int = Field(sa_column=Column(BigInteger, nullable=False))
    claimed: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class RecoveredCharge(SQLModel, table=True):
    """What a channel has paid without a payment here: the chain claimed it after the backup that this database was restored
    from. `charged` goes from one cumulative amount to the other; `amount` of it was owed to somebody and has been paid."""

    __tablename__ = "recovered_charge"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    channel_id: str = Field(foreign_key="channel.id", index=True)
    charged_from: int = Field(sa_column=Column(BigInteger, nullable=False))
    charged_to: int = Field(sa_column=Column(BigInteger, nullable=False))
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))


class ChainCheck(SQLModel, table=True):
    """The last comparison of the books' totals with the chain's, for the pages. The whole check is `taesan audit`.

    `transfer_gas`: what one transfer of the asset to a holder costs on this chain, for comparison.
    """

    __tablename__ = "chain_check"

    id: int = Field(default=1, primary_key=True)
    block_number: int = Field(sa_column=Column(BigInteger, nullable=False))
    checked_at: datetime = Field(sa_type=UtcDateTime)
    difference_count: int
    reserve: int = Field(sa_column=Column(BigInteger, nullable=False))
    liabilities: int = Field(sa_column=Column(BigInteger, nullable=False))
    transfer_gas: int | None = None


# ------------------------------------------------------------------- shapes


class BatchPublic(Shape):
    id: int
    state: str
    payments: int
    payers: int
    claimed: AmountOut
    credited: AmountOut
    entitled: AmountOut
    root: str = ShapeField(description="Kept on chain: of the tree whose branches are the next two")
    payments_root: str | None = ShapeField(description="Null if the batch was recovered from the chain")
    entitlement_root: str
    transaction: str | None
    block_number: int | None
    gas_used: int | None
    gas_per_payment: int | None
    last_error: str | None
    frozen_at: str
    posted_at: str | None


class QuarantinePublic(Shape):
    """`missing` is what the payer got back on chain though it was promised: a retry needs it to be deposited again, a refund
    takes `to_merchants` out of the hub's surplus."""

    id: str
    channel_id: str
    payer: str
    state: str = ShapeField(description="held, retried or refunded")
    reason: str
    batch_id: int = ShapeField(description="The batch that was refused because of it")
    payments: int
    amount: AmountOut = ShapeField(description="Paid to merchants or fired out of the jar, and not settled")
    to_merchants: AmountOut = ShapeField(description="What of it merchants are still promised; 0 when it has ended")
    missing: AmountOut
    since: str
    ended_at: str | None


class QuarantineAct(Shape):
    """What an operator does with it; kept for its `Idempotency-Key`."""

    act: str


class LeafPublic(Shape):
    """keccak256(keccak256(abi.encode(keccak256(payment_id), channel_id, amount, cumulative, payee)))"""

    payment_id: str
    channel_id: str
    amount: AmountOut
    cumulative: AmountOut
    payee: str


class BatchRoot(Shape):
    """As the chain has it."""

    batch_id: int
    settlement: str = ShapeField(description="The contract that keeps it")
    root: str | None = ShapeField(description="Null: the batch is not on the chain")


class PaymentProof(Shape):
    """`leaf_hash` with the `proof`'s hashes, pairs sorted, gives the root that the settlement contract keeps for the batch."""

    leaf: LeafPublic
    leaf_hash: str
    proof: list[str]
    root: str
    batch_id: int
    state: str
    settlement: str
    transaction: str | None


class EntitlementProof(Shape):
    """The arguments of `GiftSettlement.claim`, for the newest batch on chain that raised it: anyone may send them."""

    account: str
    batch_id: int
    cumulative: AmountOut
    claimed: AmountOut
    proof: list[str]
    root: str
    settlement: str


class LedgerLine(Shape):
    account: str
    amount: SignedAmountOut = ShapeField(description="A debit if positive, a credit if negative")


class LedgerEntry(Shape):
    """`hash` = SHA-256(hash of the entry before ‖ canonical JSON of [ref, kind, posted_at, [[account, amount], …]])."""

    id: int
    kind: str
    posted_at: str
    hash: str
    ref: str | None = ShapeField(description="Null outside local: it names payments")
    lines: list[LedgerLine] | None = ShapeField(description="Null outside local: they name payers")


class LedgerPage(Shape):
    entries: list[LedgerEntry]
    next_cursor: str | None = ShapeField(description="Send it as `cursor` for what follows; null at the end")


class LedgerTotal(Shape):
    kind: str
    asset: str
    amount: AmountOut


class RecordedVoucher(Shape):
    """x402 `batch-settlement`: what the payer signed, and by which key."""

    channel_id: str
    max_claimable_amount: AmountOut
    signature: str
    signer: str = ShapeField(description="The channel's `payerAuthorizer`, or the payer")


class RecordedEntry(Shape):
    """Of the journal: one for all payments that were accepted together. `hash` covers it and the entry before."""

    id: int
    kind: str
    posted_at: str
    hash: str


class PaymentRecord(Shape):
    """A payment as the hub has it, for whose it is."""

    payment_id: str
    voucher: RecordedVoucher | None = ShapeField(description="For the payer alone")
    entry: RecordedEntry
    lines: list[LedgerLine] = ShapeField(description="The payment's own part of the entry")
    firings: list[FiringPublic] = ShapeField(description="Of the jar, that came with it; for the payer alone")
    refunded: AmountOut = ShapeField(description="By its merchant: gift tokens of the payer")
