"""Invoices as far as their payment depends on them: each is paid once, with exactly its quote, in the transaction that accepts
the payment. What merchants do with theirs: `merchants.invoices`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import JSON, BigInteger, Column, Index, insert, select, text
from sqlmodel import Field, Session, SQLModel, col

from taesan.core.models import BIG_ID, OutboxEvent, UtcDateTime
from taesan.core.problems import Problem
from taesan.payments.messages import Submission

PAID, EXPIRED = "merchants.InvoicePaid", "merchants.InvoiceExpired"
IS_OPEN = text("state = 'open'")


class Invoice(SQLModel, table=True):
    """What a merchant wants to be paid: `amount` minor units of `currency`, for which `quote` minor units of the reserve
    asset are due. `rate`: won for a dollar, if that was needed. `paid_by`: the `pay_…`, `red_…` or `tra_…` that paid it.

    `state`: open → paid, expired or cancelled; open → paying while gift tokens or a transfer are on their way → paid, or open again. That its
    time is over is told by the clock (`state_at`) before a worker's step writes it down.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        Index("ix_invoice_merchant_id", "merchant_id", "id"),
        Index("ix_invoice_merchant_state", "merchant_id", "state", "id"),
        Index("ix_invoice_open", "expires_at", sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
    )

    id: int | None = Field(default=None, sa_column=Column(BIG_ID, primary_key=True, autoincrement=True))
    public_id: str = Field(unique=True)
    merchant_id: str = Field(foreign_key="merchant.id")
    currency: str
    amount: int = Field(sa_column=Column(BigInteger, nullable=False))
    quote: int = Field(sa_column=Column(BigInteger, nullable=False))
    rate: str | None = None
    description: str
    reference: str | None = None
    details: dict[str, Any] = Field(sa_column=Column("metadata", JSON, nullable=False))
    state: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    paid_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    paid_by: str | None = None

    def state_at(self, now: datetime) -> str:
        return "expired" if self.state == "open" and now >= self.expires_at else self.state


def unknown_invoice(invoice_id: str) -> Problem:
    return Problem(
        "unknown-invoice", 404, "This invoice is not known here.", f"No invoice has the id {invoice_id[:80]}."
    )


def locked(session: Session, ids: Collection[str]) -> dict[str, Invoice]:
    """Those that there are; nobody else changes them until the transaction's end. In one order, so that two intakes never wait
    for each other crosswise."""
    if not ids:
        return {}
    query = select(Invoice).where(col(Invoice.public_id).in_(ids)).order_by(col(Invoice.id)).with_for_update()
    return {row.public_id: row for row in session.scalars(query)}


def check_open(invoice: Invoice, now: datetime) -> None:
    """:raises Problem: `invoice-paid`, `invoice-being-paid`, `invoice-expired`, `invoice-cancelled`"""
    state = invoice.state_at(now)
    if state == "paid":
        raise Problem("invoice-paid", 409, "This invoice is paid.", "You were not charged.")
    if state == "paying":
        raise Problem(
            "invoice-being-paid",
            409,
            "This invoice is being paid.",
            "Another payment is on its way for it. You were not charged.",
        )
    if state == "expired":
        raise Problem("invoice-expired", 409, "This invoice has expired.", "Ask the merchant for a new one.")
    if state == "cancelled":
        raise Problem("invoice-cancelled", 409, "The merchant has cancelled this invoice.", "You were not charged.")


def check_amount(invoice: Invoice, amount: int) -> None:
    """:raises Problem: `wrong-invoice-amount`"""
    if amount != invoice.quote:
        raise Problem(
            "wrong-invoice-amount",
            422,
            "The amount is not the invoice's.",
            f"Exactly {invoice.quote} minor units of the reserve asset are due.",
            quote=str(invoice.quote),
        )


def addressed(submission: Submission, invoices: Mapping[str, Invoice], now: datetime) -> Submission:
    """The submission as a payment to the merchant whose invoice it names.

    :raises Problem: `unknown-invoice`, `wrong-invoice-amount`, and as `check_open`
    """
    invoice = invoices.get(submission.invoice_id or "")
    if invoice is None:
        raise unknown_invoice(submission.invoice_id or "")
    check_open(invoice, now)
    check_amount(invoice, submission.amount)
    return msgspec.structs.replace(submission, merchant_id=invoice.merchant_id, reference=invoice.public_id)


def mark_paid(invoice: Invoice, paid_by: str, now: datetime) -> None:
    """:param paid_by: the payment's, the redemption's or the transfer's public id"""
    invoice.state, invoice.paid_at, invoice.paid_by = "paid", now, paid_by


def tell(session: Session, type_: str, invoices: Sequence[Invoice], now: datetime) -> None:
    """Puts an event for each; one that was told is not told again."""
    if not invoices:
        return
    by_key = {f"{type_}:{invoice.public_id}": invoice for invoice in invoices}
    known = set(session.scalars(select(col(OutboxEvent.key)).where(col(OutboxEvent.key).in_(by_key))))
    rows = [
        {
            "key": key,
            "type": type_,
            "payload": {"merchant_id": invoice.merchant_id, "id": invoice.public_id},
            "created_at": now,
        }
        for key, invoice in by_key.items()
        if key not in known
    ]
    if rows:
        session.execute(insert(OutboxEvent), rows)
