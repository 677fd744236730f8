"""The audit of invoices and refunds."""

from sqlalchemy import func, or_, select
from sqlmodel import Session, col

from taesan.ledger.audit import Report
from taesan.payments.invoices import Invoice
from taesan.payments.models import Payment
from taesan.payments.transfers import Transfer, TransferOffer
from taesan.settlement.models import Refund


def audit_checkout(session: Session, report: Report) -> None:
    """Each payment to an invoice has paid just that one, with its quote; no more was given back than was paid."""
    to_invoices = select(func.count()).select_from(Payment).where(col(Payment.destination) == "invoice")
    of_payments = select(func.count()).select_from(Invoice).where(col(Invoice.paid_by).startswith("pay_"))
    count = session.scalar(to_invoices) or 0
    report.check("invoices paid in channel credit", count, session.scalar(of_payments))
    wrong = (
        select(col(Payment.public_id))
        .outerjoin(Invoice, col(Invoice.public_id) == col(Payment.reference))
        .where(
            col(Payment.destination) == "invoice",
            or_(
                col(Invoice.id).is_(None),
                col(Invoice.state) != "paid",
                col(Invoice.paid_by) != col(Payment.public_id),
                col(Invoice.quote) != col(Payment.amount),
                col(Invoice.merchant_id) != col(Payment.merchant_id),
            ),
        )
    )
    report.check("payments that are not what their invoice says", [], list(session.scalars(wrong)))
    _audit_transfers(session, report)
    given_back = select(col(Refund.source), func.sum(Refund.amount).label("amount")).group_by(col(Refund.source))
    sums = given_back.subquery()
    beyond = select(sums.c.source).join(Payment, col(Payment.public_id) == sums.c.source)
    too_much = list(session.scalars(beyond.where(sums.c.amount > col(Payment.amount))))
    report.check("payments of which more was refunded than was paid", [], too_much)
    refunded = session.scalar(select(func.count()).select_from(Refund)) or 0
    report.counted |= {name: n for name, n in (("invoices paid", count), ("refunds", refunded)) if n}


def _audit_transfers(session: Session, report: Report) -> None:
    """No money of the hub's: what is checked is that each invoice was paid by one transfer, of the amount that it had."""
    paid = select(func.count()).select_from(Transfer).where(col(Transfer.state) == "paid")
    of_transfers = select(func.count()).select_from(Invoice)
    of_transfers = of_transfers.where(col(Invoice.state) == "paid", col(Invoice.paid_by).startswith("tra_"))
    count = session.scalar(paid) or 0
    report.check("invoices paid on chain", count, session.scalar(of_transfers))
    wrong = (
        select(col(Transfer.public_id))
        .outerjoin(Invoice, col(Invoice.public_id) == col(Transfer.invoice_id))
        .outerjoin(TransferOffer, col(TransferOffer.invoice_id) == col(Transfer.invoice_id))
        .where(
            col(Transfer.state) == "paid",
            or_(
                col(Invoice.id).is_(None),
                col(Invoice.paid_by) != col(Transfer.public_id),
                col(Invoice.merchant_id) != col(Transfer.merchant_id),
                col(TransferOffer.invoice_id).is_(None),
                col(TransferOffer.address) != col(Transfer.address),
                col(TransferOffer.amount) != col(Transfer.amount),
            ),
        )
    )
    report.check("transfers that are not what their invoice says", [], list(session.scalars(wrong)))
    report.counted |= {"invoices paid on chain": count} if count else {}
