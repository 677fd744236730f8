"""Paying an invoice in gift tokens: the holder signs, the hub pays the gas, the merchant is credited at face value."""

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.merchants import invoices, redemption
from taesan.merchants.models import Redemption, RedemptionCreate
from taesan.payments.invoices import Invoice, check_amount, check_open, locked, unknown_invoice

LATE_S = 3_600  # so much later than the invoice a signature may end
MOST_FAILURES = 2  # of a holder's, for one invoice


def check(hub: Hub, invoice_id: str, request: RedemptionCreate, now: datetime) -> None:
    """What is costly: asks the node.

    :raises Problem: `unknown-invoice`, `wrong-invoice-amount`, what `check_open` and `redemption.check` raise
    """
    with hub.db.read() as session:
        invoice = invoices.find(session, invoice_id)
        merchant = session.get_one(Merchant, invoice.merchant_id)
    check_open(invoice, now)
    check_amount(invoice, request.amount)
    if not request.salt.startswith(invoices.salt_prefix(invoice_id)):
        raise redemption.invalid(
            f"The signature is not for this invoice: its salt begins with {invoices.salt_prefix(invoice_id)}."
        )
    if request.valid_before > invoice.expires_at.timestamp() + LATE_S:
        # What did not arrive may not turn up when somebody else has long paid.
        raise redemption.invalid(f"The signature has to end within {LATE_S} s after the invoice.")
    redemption.check(hub, merchant, request, now)


def pay(session: Session, invoice_id: str, request: RedemptionCreate, now: datetime) -> Redemption:
    """Sends checked gift tokens on their way, and nobody else may pay meanwhile.

    :raises Problem: what `check_open` and `redemption.request` raise; `invalid-redemption` if this holder's have failed here twice
    """
    invoice = locked(session, [invoice_id]).get(invoice_id)
    if invoice is None:
        raise unknown_invoice(invoice_id)
    check_open(invoice, now)
    _refuse_who_failed(session, invoice, request.holder)
    row = redemption.request(session, session.get_one(Merchant, invoice.merchant_id), request, now)
    invoices.hold_for(session, invoice, row)
    return row


def _refuse_who_failed(session: Session, invoice: Invoice, holder: str) -> None:
    """Else anybody could keep an invoice from being paid, by tokens that are never there."""
    failed = select(col(Redemption.id)).where(
        col(Redemption.merchant_id) == invoice.merchant_id,
        col(Redemption.holder) == holder,
        col(Redemption.invoice_id) == invoice.public_id,
        col(Redemption.state) == "failed",
    )
    if len(session.scalars(failed.limit(MOST_FAILURES)).all()) == MOST_FAILURES:
        raise redemption.invalid("This holder's tokens did not arrive for this invoice twice: pay it in another way.")
