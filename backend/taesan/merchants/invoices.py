"""Invoices: what a merchant asks for, at a quote that holds until the invoice expires. Their payment in channel credit is the
intake's (`payments.invoices`), that in gift tokens follows its redemption, that by a plain transfer is seen on the chain (`transfers`)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from babel.numbers import get_currency_precision
from eth_utils.crypto import keccak
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.pages import newest_first
from taesan.core.problems import not_found
from taesan.core.values import MAX_AMOUNT, hex_of
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.merchants import transfer_queries, transfers
from taesan.merchants.models import InvoiceCreate, InvoicePublic, InvoiceRecord, MoneyOut, Redemption
from taesan.payments import invoices
from taesan.payments.invoices import Invoice
from taesan.payments.requests import over_cap, quoted, zero_amount
from taesan.settlement import refunds

EXPIRED_AT_ONCE = 500
SALT_BYTES = 16


def make(session: Session, hub: Hub, merchant: Merchant, request: InvoiceCreate, now: datetime) -> Invoice:
    """:raises Problem: `currency-not-quoted`, `wrong-exponent`, `zero-amount`, `amount-over-cap`"""
    asked = request.amount
    due, rate = quoted(hub, asked)
    if due == 0:
        raise zero_amount()
    if due > MAX_AMOUNT:
        raise over_cap(MAX_AMOUNT)
    row = Invoice(
        public_id=new_id("inv"),
        merchant_id=merchant.id,
        currency=asked.asset,
        amount=asked.value,
        quote=due,
        rate=None if rate is None else str(rate),
        description=request.description,
        reference=request.reference,
        details=request.metadata,
        state="open",
        created_at=now,
        expires_at=now + timedelta(seconds=request.expires_in_s),
    )
    session.add(row)
    session.flush()
    transfers.offer(session, hub, merchant, row)
    return row


def cancel(session: Session, merchant: Merchant, invoice_id: str, now: datetime) -> Invoice:
    """Nobody can pay it any more. One that is cancelled already stays so.

    :raises Problem: `not-found`, and as `invoices.check_open`
    """
    row = find_own(session, merchant, invoice_id)
    if row.state != "cancelled":
        invoices.check_open(row, now)
        row.state = "cancelled"
        session.add(row)
    return row


def expire_step(hub: Hub) -> bool:
    """Worker step: writes down whose time is over, and tells of it; returns whether there were any."""
    now = hub.clock.now()
    due = (
        select(Invoice)
        .where(col(Invoice.state) == "open", col(Invoice.expires_at) <= now)
        .order_by(col(Invoice.expires_at))
        .limit(EXPIRED_AT_ONCE)
    )
    with hub.db.read() as session:
        if session.scalar(due.limit(1)) is None:
            return False
    with hub.db.write() as session:
        rows = session.scalars(due).all()
        for row in rows:
            row.state = "expired"
        invoices.tell(session, invoices.EXPIRED, rows, now)
    return True


# ------------------------------------------------------- paid in gift tokens


def salt_prefix(invoice_id: str) -> str:
    """What the salt of a redemption for this invoice begins with: so the holder's signature is for it alone."""
    return hex_of(keccak(text=invoice_id)[:SALT_BYTES])


def hold_for(session: Session, invoice: Invoice, redemption: Redemption) -> None:
    """A holder's signed gift tokens are on their way for it."""
    invoice.state, invoice.paid_by = "paying", redemption.public_id
    redemption.invoice_id = invoice.public_id
    session.add_all([invoice, redemption])


def confirm(session: Session, redemption: Redemption, now: datetime) -> None:
    """The tokens have arrived. If they are late and it was paid otherwise, or cancelled, the merchant has been paid all the
    same: the redemption tells for which invoice."""
    row = _behind(session, redemption)
    if row is not None and (row.paid_by == redemption.public_id or row.state in ("open", "expired")):
        if row.state != "paid":
            invoices.mark_paid(row, redemption.public_id, now)
            session.add(row)
        invoices.tell(session, invoices.PAID, [row], now)


def unconfirm(session: Session, redemption: Redemption) -> None:
    """A reorganisation of the chain has taken the tokens back; they are sent again."""
    row = _behind(session, redemption)
    if row is not None and row.state == "paid" and row.paid_by == redemption.public_id:
        row.state, row.paid_at = "paying", None
        session.add(row)


def reopen(session: Session, redemption: Redemption) -> None:
    """The tokens did not arrive: somebody else may pay, if there is time."""
    row = _behind(session, redemption)
    if row is not None and row.state == "paying" and row.paid_by == redemption.public_id:
        row.state, row.paid_by = "open", None
        session.add(row)


def _behind(session: Session, redemption: Redemption) -> Invoice | None:
    if redemption.invoice_id is None:
        return None
    return session.scalar(select(Invoice).where(col(Invoice.public_id) == redemption.invoice_id))


# -------------------------------------------------------------------- reading


def find(session: Session, invoice_id: str) -> Invoice:
    """:param invoice_id: `inv_…`. :raises Problem: `unknown-invoice`"""
    row = session.scalar(select(Invoice).where(col(Invoice.public_id) == invoice_id))
    if row is None:
        raise invoices.unknown_invoice(invoice_id)
    return row


def find_own(session: Session, merchant: Merchant, invoice_id: str) -> Invoice:
    """:raises Problem: `not-found` if it is none of this merchant's"""
    query = select(Invoice).where(col(Invoice.public_id) == invoice_id, col(Invoice.merchant_id) == merchant.id)
    row = session.scalar(query)
    if row is None:
        raise not_found("The invoice", invoice_id)
    return row


def of_merchant(
    session: Session, merchant: Merchant, state: str | None, before: int | None, limit: int
) -> Sequence[Invoice]:
    """:param state: as it is written down"""
    query = select(Invoice).where(col(Invoice.merchant_id) == merchant.id)
    if state is not None:
        query = query.where(col(Invoice.state) == state)
    return newest_first(session, query, col(Invoice.id), before, limit)


def public(session: Session, hub: Hub, row: Invoice) -> InvoicePublic:
    """What whoever has the link may see."""
    return InvoicePublic(**_shown(session, hub, row))


def record(session: Session, hub: Hub, row: Invoice) -> InvoiceRecord:
    """What its merchant sees."""
    return InvoiceRecord(
        **_shown(session, hub, row),
        reference=row.reference,
        metadata=row.details,
        paid_by=row.paid_by if row.state in ("paid", "paying") else None,
        refunded=_refunded(session, row),
    )


def _refunded(session: Session, row: Invoice) -> int:
    return refunds.refunded(session, row.paid_by) if row.state == "paid" and row.paid_by else 0


def _shown(session: Session, hub: Hub, row: Invoice) -> dict[str, Any]:
    state = row.state_at(hub.clock.now())
    if refunded := _refunded(session, row):
        state = "refunded" if refunded == row.quote else "partly_refunded"
    transfer = transfer_queries.for_payer(session, hub, row, state)
    ways = {
        "channel": row.quote <= hub.settings.max_payment,
        "gift_tokens": row.quote >= hub.settings.least_relayed,
        "transfer": transfer is not None,
    }
    merchant = session.get_one(Merchant, row.merchant_id)
    return {
        "id": row.public_id,
        "state": state,
        "merchant_id": merchant.id,
        "merchant_name": merchant.name,
        "merchant_address": merchant.address,
        "amount": MoneyOut(value=row.amount, asset=row.currency, exponent=get_currency_precision(row.currency)),
        "quote": MoneyOut(value=row.quote, asset=hub.asset.id, exponent=hub.asset.exponent),
        "won_for_a_dollar": row.rate,
        "description": row.description,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "paid_at": rfc3339(row.paid_at) if row.paid_at else None,
        "payable_in": [way for way, is_open in ways.items() if is_open],
        "transfer": transfer,
        "salt_prefix": salt_prefix(row.public_id),
        "pay_url": f"{hub.settings.public_url.rstrip('/')}/pay/{row.public_id}",
    }
