"""Payment channels as the hub sees them, and the deposits that it relays."""

from datetime import datetime

from pydantic import Field as ShapeField
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Address, AmountIn, AmountOut, Bytes32, Shape, Signature
from taesan.settings import Mode

_BY_CONTRACT = text("secured IS NOT NULL")
_QUARANTINED = text("quarantine_id IS NOT NULL")
_PRESSING = text("pressing IS NOT NULL")


class Channel(SQLModel, table=True):
    """One x402 channel whose receiver is our settlement contract.

    `state`: pending (known, no deposit confirmed) → open → withdrawing (the payer has announced a withdrawal: no more
    payments). A finished withdrawal leads back to open, or to closed if it reached what was gathered. Refunding: free money
    is on its way back to the payer on its request, then open again. Rejected: opened on chain with terms that are not ours.
    Cumulative amounts: `claim_total` is how much of what was charged (`Charged`) frozen batches claim; `claimed` is what
    the chain says is claimed. What is spendable stands in the ledger's account `account_id`, what is in the jar in
    `jar_account_id`.

    `secured`, only of a channel whose payer signs as a contract wallet (None else): how much of what was charged the
    wallet cannot take back any more, because it is claimed on chain or the hub has paid it. The hub's `cover` account
    holds the rest. A channel that was refunded out of quarantine is treated alike: the hub has paid all of it.
    `gateway_id`: whose conversions it funds. It takes no payments; `secured` is then all that is claimed of it.

    `missing`: what the payer got back on chain though the books had promised it; its part of `shortfall`.
    `quarantine_id`: the open quarantine that the channel is in: no payments, and what waits is in no batch.
    `pressing`: how much of it waited for a batch when that became half of the limit (`channel_exposure`); None again when a
    batch takes it.
    """

    __tablename__ = "channel"
    __table_args__ = (
        Index("ix_channel_payer", "payer", "account_id"),
        Index("ix_channel_secured", "id", sqlite_where=_BY_CONTRACT, postgresql_where=_BY_CONTRACT),
        Index("ix_channel_quarantine", "id", sqlite_where=_QUARANTINED, postgresql_where=_QUARANTINED),
        Index("ix_channel_pressing", "id", sqlite_where=_PRESSING, postgresql_where=_PRESSING),
    )

    id: str = Field(primary_key=True)  # bytes32, 0x-hex
    state: str = Field(index=True)
    payer: str
    payer_authorizer: str
    receiver: str
    receiver_authorizer: str
    token: str
    withdraw_delay: int
    salt: str
    claim_total: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    claimed: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    secured: int | None = Field(default=None, sa_column=Column(BigInteger))
    missing: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))
    quarantine_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    pressing: int | None = Field(default=None, sa_column=Column(BigInteger))
    gateway_id: str | None = None
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    jar_account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    opened_at: datetime = Field(sa_type=UtcDateTime)

    def config(self) -> tuple[str, str, str, str, str, int, str]:
        """`ChannelConfig` as the contracts take it."""
        return (
            self.payer,
            self.payer_authorizer,
            self.receiver,
            self.receiver_authorizer,
            self.token,
            self.withdraw_delay,
            self.salt,
        )


class Charged(SQLModel, table=True):
    """What a channel's accepted payments add up to, which equals the last voucher's amount.

    Apart from `Channel`, whose rows are long: each payment changes one of these, and hundreds fit on a page.
    """

    __tablename__ = "charged"

    account_id: int = Field(sa_column=Column(BIG_ID, primary_key=True, autoincrement=False))
    amount: int = Field(default=0, sa_column=Column(BigInteger, nullable=False))


class DepositRelay(SQLModel, table=True):
    """A payer's signed deposit that the hub brings to the chain.

    `state`: received → sent (`transaction_id` is set) → confirmed, or failed with its reason.
    """

    __tablename__ = "deposit_relay"
    __table_args__ = (UniqueConstraint("channel_id", "salt"),)

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    channel_id: str = Field(foreign_key="channel.id", index=True)
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


class RefundRelay(SQLModel, table=True):
    """What is free in a channel, on its way back to its payer. At most one of a channel is on its way.

    `charged`: what the payer agrees was charged; `asked`: what it asks for, None: all. `state`: received → sent
    (`transaction_id` is set) → confirmed, or failed with its reason.
    """

    __tablename__ = "refund_relay"

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    channel_id: str = Field(foreign_key="channel.id", index=True)
    charged: int = Field(sa_column=Column(BigInteger, nullable=False))
    asked: int | None = Field(default=None, sa_column=Column(BigInteger))
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(index=True)
    attempts: int = 0
    transaction_id: int | None = Field(default=None, sa_column=Column(BigInteger, index=True))
    reason: str | None = None
    requested_at: datetime = Field(sa_type=UtcDateTime)


# ------------------------------------------------------------------- shapes


class ChannelConfig(Shape):
    """x402 `ChannelConfig`; its EIP-712 hash is the channel's id."""

    payer: Address
    payer_authorizer: Address = ShapeField(description="The hot key that signs vouchers; zero: the payer itself")
    receiver: Address
    receiver_authorizer: Address
    token: Address
    withdraw_delay: int = ShapeField(ge=900, le=2_592_000, description="Seconds")
    salt: Bytes32


class Erc3009Authorization(Shape):
    """The payer's `ReceiveWithAuthorization` to the deposit collector, nonce keccak256(abi.encode(channelId, salt))."""

    valid_after: AmountIn
    valid_before: AmountIn
    salt: Bytes32
    signature: Signature


class DepositCreate(Shape):
    amount: AmountIn
    authorization: Erc3009Authorization


class ChannelCreate(Shape):
    config: ChannelConfig
    deposit: DepositCreate


class DepositPublic(Shape):
    id: str
    channel_id: str
    amount: AmountOut
    state: str = ShapeField(description="received, sent, confirmed or failed")
    reason: str | None = None
    transaction: str | None = None


class ChannelRefundCreate(Shape):
    amount: AmountIn | None = ShapeField(default=None, description="Minor units; all that is free if left out")


class ChannelRefundPublic(Shape):
    id: str = ShapeField(examples=["rfd_019ac5b2f1d06f0c2a9b1d3e4f506172"])
    channel_id: str
    amount: AmountOut
    state: str = ShapeField(description="received, sent, confirmed or failed")
    reason: str | None
    requested_at: str
    transaction: str | None


class ChannelPublic(Shape):
    """Amounts in minor units of the reserve asset. `available` is what can still be spent. With its whole `ChannelConfig`, which
    its payer needs to withdraw without the hub."""

    id: str
    state: str
    payer: str
    payer_authorizer: str
    receiver: str
    receiver_authorizer: str
    token: str
    withdraw_delay: int = ShapeField(description="Seconds")
    salt: str
    available: AmountOut
    in_jar: AmountOut
    charged_cumulative: AmountOut
    claimed: AmountOut


class ChannelCreated(Shape):
    channel: ChannelPublic
    deposit: DepositPublic


class HubPublic(Shape):
    """What a client needs to know before it signs anything."""

    name: str
    network: str = ShapeField(description="CAIP-2")
    mode: Mode = ShapeField(description="Whether its money, and so its API keys, are test or live")
    asset: str = ShapeField(description="CAIP-19")
    asset_symbol: str
    asset_exponent: int
    asset_currency: str = ShapeField(description="ISO 4217: what the asset stands for, and amounts in rules are in")
    asset_domain: dict[str, str | int] = ShapeField(description="The asset's EIP-712 domain")
    gift_token: str
    gift_domain: dict[str, str | int]
    voucher_domain: dict[str, str | int]
    standing_orders_domain: dict[str, str | int] | None = ShapeField(description="Of signed rules; null: it takes none")
    settlement: str = ShapeField(description="The channels' receiver")
    receiver_authorizer: str
    collector: str
    withdraw_delay: int
    confirmation_depth_blocks: int
    max_payment: AmountOut
    chain_time: str | None = ShapeField(
        description="Of a local chain, whose clock may have been put forward: sign times by it. Null: by the wall clock"
    )
    min_relayed: AmountOut = ShapeField(description="Least deposit, redemption or payout that the hub pays the gas for")


class HoldingsPublic(Shape):
    """What a wallet holds on the chain. Minor units of the asset, which the gift token shares."""

    wallet: str
    asset: AmountOut
    gift: AmountOut
    savings: AmountOut | None = ShapeField(
        description="In gift tokens, what the vault would give for its shares; null: no vault"
    )
    block: int
    test_dollars: AmountOut = ShapeField(
        description="What POST /v1/test-dollars gives; 0: nothing, this chain is no local one"
    )


class TestDollarsPublic(Shape):
    amount: AmountOut
    transaction: str = ShapeField(description="Its hash")
