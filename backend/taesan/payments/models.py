"""Accepted payments. A row here is a promise: it is in the books, in a jar or a merchant's account, and will be settled."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field as ShapeField
from pydantic import model_validator
from sqlalchemy import BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from taesan.core.idempotency import IdempotencyKey
from taesan.core.models import BIG_ID, UtcDateTime
from taesan.core.values import Address, AmountIn, AmountOut, Bytes32, Money, Shape, Signature, Text
from taesan.jars.rule_models import MAX_CATEGORY, MAX_RULE_ID

MAX_BULK = 1_000
MAX_MERCHANT_ID, MAX_INVOICE_ID, MAX_REFERENCE = 80, 64, 64  # characters

_UNBATCHED = text("batch_id IS NULL")
_BATCHED = text("batch_id IS NOT NULL")
_TO_MERCHANT = text("merchant_id IS NOT NULL")
_TO_INVOICE = text("destination = 'invoice'")
_TO_PERSON = text("destination = 'person'")


class Payment(SQLModel, table=True):
    """`cumulative` is the voucher's amount with this payment; `payee` the merchant's payout address, or the payer's own
    for a payment to the jar. `destination`: jar, merchant, person (the `payee`), gateway (to the wallet of its customer, whose id is
    the `reference`) or invoice, whose id is the `reference` then: the last guard against paying one twice is a unique index that other payments
    have no part in. Within its batch a payment's leaf number is its rank by `id`. `entry_id` is the entry that books it,
    `account_id` the channel's account: short, so that indexes by channel are too. `rule_id`: the signed rule that gathers it;
    `purchase_…`: what was bought, as the payer's client tells it. With `idempotency_key` and the jar's state
    right after it, a repeated request gets its first answer.
    """

    __tablename__ = "payment"
    __table_args__ = (
        UniqueConstraint("account_id", "cumulative"),
        Index("ix_payment_batch", "batch_id", "id", sqlite_where=_BATCHED, postgresql_where=_BATCHED),
        Index("ix_payment_invoice", "reference", unique=True, sqlite_where=_TO_INVOICE, postgresql_where=_TO_INVOICE),
        Index("ix_payment_key", "account_id", "idempotency_key", unique=True),
        Index("ix_payment_merchant", "merchant_id", "id", sqlite_where=_TO_MERCHANT, postgresql_where=_TO_MERCHANT),
        Index("ix_payment_person", "payee", "id", sqlite_where=_TO_PERSON, postgresql_where=_TO_PERSON),
        Index("ix_payment_unbatched", "id", sqlite_where=_UNBATCHED, postgresql_where=_UNBATCHED),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    channel_id: str = Field(foreign_key="channel.id")
    account_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    cumulative: int = Field(sa_column=Column(BigInteger, nullable=False))
    signature: str
    destination: str
    merchant_id: str | None = Field(default=None, foreign_key="merchant.id")
    payee: str
    purchase_value: int | None = Field(default=None, sa_column=Column(BigInteger))
    purchase_currency: str | None = None
    purchase_merchant: str | None = None
    purchase_category: str | None = None
    reference: str | None = None
    rule_id: int | None = Field(default=None, sa_column=Column(BigInteger))
    accepted_at: datetime = Field(sa_type=UtcDateTime)
    idempotency_key: str
    entry_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    jar_gathered: int | None = Field(default=None, sa_column=Column(BigInteger))
    jar_payments: int | None = None
    jar_fired: int | None = Field(default=None, sa_column=Column(BigInteger))
    batch_id: int | None = Field(default=None, sa_column=Column(BigInteger))


# ------------------------------------------------------------------- shapes


class VoucherIn(Shape):
    """x402 `batch-settlement` voucher: cumulative, signed by the channel's `payerAuthorizer`, or by the payer if that is
    zero: with its key, or as a contract wallet understands it (ERC-1271)."""

    channel_id: Bytes32
    max_claimable_amount: AmountIn = ShapeField(description="All payments of the channel so far, and this one")
    signature: Signature
    network: str | None = ShapeField(default=None, description="CAIP-2; checked if given", examples=["eip155:31337"])
    contract: Address | None = ShapeField(default=None, description="The domain's verifyingContract; checked if given")


class ToJar(Shape):
    """Into the channel's own jar; by a signed rule, if it names one, or else by the jar's own."""

    type: Literal["jar"]
    rule_id: Text | None = ShapeField(default=None, max_length=MAX_RULE_ID, examples=["rul_019ac5b2f1d06f0c2a9b1d3e"])


class ToMerchant(Shape):
    type: Literal["merchant"]
    merchant_id: Text = ShapeField(max_length=MAX_MERCHANT_ID, examples=["mer_6f0c2a9b1d3e4f5061728394"])


class ToInvoice(Shape):
    """Pays an invoice, with exactly its quote."""

    type: Literal["invoice"]
    invoice_id: Text = ShapeField(max_length=MAX_INVOICE_ID, examples=["inv_019ac5b2f1d06f0c2a9b1d3e4f506172"])


class Purchase(Money):
    """What was bought, in its currency; `merchant_id` and `category` are what rules may ask for."""

    merchant_id: Text | None = ShapeField(default=None, max_length=MAX_MERCHANT_ID)
    category: Text | None = ShapeField(default=None, max_length=MAX_CATEGORY, examples=["coffee"])


class ToPerson(Shape):
    """To somebody else's address: hers at once, and in gift tokens with the next batch."""

    type: Literal["person"]
    address: Address


class PaymentCreate(Shape):
    voucher: VoucherIn
    amount: Money = ShapeField(description="In the hub's reserve asset")
    destination: Annotated[ToJar | ToMerchant | ToInvoice | ToPerson, ShapeField(discriminator="type")]
    purchase: Purchase | None = ShapeField(
        default=None,
        description="With it, a payment to the jar must be exactly its round-up, or what its rule gathers of it.",
    )
    reference: Text | None = ShapeField(default=None, max_length=MAX_REFERENCE, description="The client's own note")

    @model_validator(mode="after")
    def _invoice_has_its_own_reference(self) -> Self:
        if self.reference is not None and isinstance(self.destination, ToInvoice):
            raise ValueError("leave out `reference`: the payment's is the invoice's id")
        return self

    model_config = Shape.model_config | {
        "json_schema_extra": {
            "examples": [
                {
                    "voucher": {
                        "channel_id": "0x" + "5a" * 32,
                        "max_claimable_amount": "230000",
                        "signature": "0x" + "1b" * 65,
                    },
                    "amount": {
                        "value": "230000",
                        "asset": "eip155:31337/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3",
                        "exponent": 6,
                    },
                    "destination": {"type": "jar"},
                    "purchase": {"value": "1177", "asset": "USD", "exponent": 2},
                }
            ]
        }
    }


class BulkItem(PaymentCreate):
    idempotency_key: IdempotencyKey = ShapeField(description="As the header of a single payment; one for each")


class PaymentBulk(Shape):
    """Many payments at once, such as a gateway's. Those of one channel are taken in their order."""

    # What is no payment is told so in its own result.
    payments: list[Annotated[BulkItem | Any, ShapeField(union_mode="left_to_right")]] = ShapeField(
        min_length=1, max_length=MAX_BULK
    )


class JarProgress(Shape):
    """Of the jar's own rule, or of the signed one that the payment names."""

    gathered: AmountOut
    payments: int = ShapeField(description="Since the last firing")
    fired: AmountOut | None = ShapeField(description="What became a gift token with this payment, if anything did")


class PaymentPublic(Shape):
    id: str
    channel_id: str
    amount: AmountOut
    charged_cumulative: AmountOut
    destination: str
    merchant_id: str | None
    recipient: str | None = ShapeField(default=None, description="Of a payment to a person: the address")
    reference: str | None
    accepted_at: str
    batch_id: int | None = ShapeField(description="The batch that settles it, once one is frozen")


class ReceivedPayment(Shape):
    """As its merchant sees it: without what the payer has spent elsewhere."""

    id: str
    channel_id: str
    amount: AmountOut
    reference: str | None
    accepted_at: str
    batch_id: int | None = ShapeField(description="The batch that credits it, once one is frozen")


class PersonalPayment(Shape):
    """As the person sees it to whom it went."""

    id: str
    sender: str = ShapeField(description="The payer's address")
    amount: AmountOut
    reference: str | None
    accepted_at: str
    batch_id: int | None = ShapeField(description="The batch that makes gift tokens of it, once one is frozen")


class PaymentAccepted(PaymentPublic):
    jar: JarProgress | None = None


class BulkResult(Shape):
    """`status` is what a single payment would have been answered with; either `payment` or `problem` is set."""

    status: int = ShapeField(examples=[201])
    replayed: bool = False
    payment: PaymentAccepted | None = None
    problem: dict[str, Any] | None = ShapeField(default=None, description="RFC 9457")
    retry_after: int | None = ShapeField(default=None, description="Seconds to wait, if waiting helps")


class PaymentBulkAnswer(Shape):
    results: list[BulkResult] = ShapeField(description="One for each payment, in their order")
