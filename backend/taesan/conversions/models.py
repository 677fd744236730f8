"""What gift tokens become by signed rules: a row for each destination of a rule in each batch."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.reasons import ReasonPublic
from taesan.core.values import MAX_AMOUNT, AmountIn, AmountOut, Shape, Signature

DESTINATIONS = 16  # of a rule, at most
_DUE = text("due_at IS NOT NULL")


class Conversion(SQLModel, table=True):
    """Gift tokens of a rule's payer that are to become what the rule says.

    `state`: waiting → sent → done; sent → held, with the reason: then the tokens are in the payer's wallet as before, and it is tried again
    when it is due; kept: they stay there, until their payer asks for another try. `due_at`: of those that wait or are held. `transaction_id`:
    of one that is held or kept, the transaction that it has failed in; None: it was not sent. `minimum` and `received` are in the minor units
    of what is got, which may have more digits than the database's numbers.
    """

    __tablename__ = "conversion"
    __table_args__ = (
        UniqueConstraint("rule_id", "batch_id", "destination"),
        Index("ix_conversion_batch", "batch_id"),
        Index("ix_conversion_channel", "channel_id", "id"),
        Index("ix_conversion_channel_state", "channel_id", "state"),
        Index("ix_conversion_due", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    channel_id: str = Field(foreign_key="channel.id")
    payer: str
    rule_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    batch_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    destination: int
    kind: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = "waiting"
    reason: str | None = None
    attempts: int = 0
    minimum: str | None = None
    received: str | None = None
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    created_at: datetime = Field(sa_type=UtcDateTime)
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    transaction_hash: str | None = None

    @property
    def number(self) -> int:
        """On chain, among all of its rule. It follows from the batch, so that a restored database gives the same ones."""
        return self.batch_id * DESTINATIONS + self.destination


# ------------------------------------------------------------------- shapes


class ConversionPublic(Shape):
    id: str
    rule_id: str
    batch_id: int
    kind: str = ShapeField(examples=["swap"])
    recipient: str
    token: str = ShapeField(description="What a swap buys, or which collectible; else zero")
    amount: AmountOut = ShapeField(description="Gift tokens, minor units")
    state: str = ShapeField(description="waiting, sent, done, held or kept")
    reason: ReasonPublic | None = ShapeField(
        description="Why it is held, or kept: the tokens are in the payer's wallet"
    )
    minimum: str | None = ShapeField(description="What a swap has to bring at least, minor units of its token")
    received: str | None = ShapeField(description="What it has brought: shares, the bought token, the reserve asset, …")
    attempts: int = ShapeField(description="That have failed")
    next_attempt_at: str | None
    created_at: str
    transaction: str | None


class ConversionsPublic(Shape):
    """Of one jar; the sums are of all its conversions, the list is a page of them, newest first."""

    held: AmountOut = ShapeField(description="Gift tokens that could not be converted yet and are in the wallet")
    on_the_way: AmountOut = ShapeField(description="Waiting, or sent to the chain")
    items: list[ConversionPublic]
    next_cursor: str | None


class PermitCreate(Shape):
    """EIP-2612: `Permit(owner, spender = the standing orders, value, nonce, deadline)` of the gift token."""

    value: AmountIn
    deadline: int = ShapeField(gt=0, le=MAX_AMOUNT, description="Unix seconds; at most 100 days from now")
    signature: Signature


class AllowancePublic(Shape):
    """How much the standing orders may move out of the wallet."""

    spender: str
    allowance: AmountOut = ShapeField(description="On chain now; at most what amounts can be")
    permitted: AmountOut | None = ShapeField(description="By the permit that goes along with the next conversion")
    permit_deadline: int | None
    nonce: int = ShapeField(description="Of the next permit")


class BoughtToken(Shape):
    token: str
    pool: str
    fee: int = ShapeField(
        description="Of each swap, in ten-thousandths: a swap's `slippage` has to be more", examples=[30]
    )


class OfferedCollectible(Shape):
    token: str = ShapeField(description="As a destination names it: the collectible's id as 20 bytes")
    recipient: str = ShapeField(description="Who offers it, and is paid its price")
    price: AmountOut = ShapeField(description="Gift tokens, minor units")


class DestinationsPublic(Shape):
    """What rules can name."""

    standing_orders: str | None
    vault: str | None
    badges: str | None
    bought: list[BoughtToken] = ShapeField(description="By `swap`")
    offered: list[OfferedCollectible] = ShapeField(description="By `collectible`")
