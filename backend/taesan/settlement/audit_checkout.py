"""The audit of invoices and refunds."""

from sqlalchemy import and_, column, func, or_, select, table
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.identity.models import Merchant
from taesan.ledger.audit import Report
from taesan.payments.invoices import Invoice
from taesan.payments.models import Payment
from taesan.payments.transfers import Transfer, TransferOffer
from taesan.settlement.models import Refund

_REDEMPTION = table(
    "redemption", *(column(name) for name in ("public_id", "merchant_id", "holder", "amount", "state", "invoice_id"))
)
"""Its class is a floor higher; here its rows are only compared."""


def audit_checkout(session: Session, report: Report) -> None:
    """Each payment to an invoice has paid just that one, with its quote; no more was given back than was paid,
    and to who paid it."""
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
    _audit_redemptions(session, report)
    _audit_refunds(session, report)
    refunded = session.scalar(select(func.count()).select_from(Refund).where(~col(Refund.is_reward))) or 0
    report.counted |= {name: n for name, n in (("invoices paid", count), ("refunds", refunded)) if n}


def _audit_redemptions(session: Session, report: Report) -> None:
    """An invoice that is paid in gift tokens was paid by a redemption that has come, of its quote, for it alone."""
    wrong = (
        select(col(Invoice.public_id))
        .outerjoin(_REDEMPTION, _REDEMPTION.c.public_id == col(Invoice.paid_by))
        .where(
            col(Invoice.state) == "paid",
            col(Invoice.paid_by).startswith("red_"),
            or_(
                _REDEMPTION.c.public_id.is_(None),
                _REDEMPTION.c.state != "confirmed",
                _REDEMPTION.c.amount != col(Invoice.quote),
                _REDEMPTION.c.merchant_id != col(Invoice.merchant_id),
                _REDEMPTION.c.invoice_id.is_distinct_from(col(Invoice.public_id)),
            ),
        )
    )
    report.check("invoices that are not what their redemption says", [], list(session.scalars(wrong)))


def _audit_refunds(session: Session, report: Report) -> None:
    """Each gives back to who paid what the same merchant was paid, and all of a payment no more than it was."""
    # One that a reorganisation has taken back is sent again: it may have been refunded before.
    came = and_(_REDEMPTION.c.public_id == col(Refund.source), _REDEMPTION.c.state.in_(["confirmed", "sent"]))
    merchant_id = func.coalesce(col(Payment.merchant_id), _REDEMPTION.c.merchant_id)
    wrong = (
        select(col(Refund.public_id))
        .join(Merchant, col(Merchant.id) == col(Refund.merchant_id))
        .outerjoin(Payment, col(Payment.public_id) == col(Refund.source))
        .outerjoin(Channel, col(Channel.id) == col(Payment.channel_id))
        .outerjoin(_REDEMPTION, came)
        .where(
            ~col(Refund.is_reward),  # see `audit_rewards`
            or_(
                merchant_id.is_(None),
                merchant_id != col(Refund.merchant_id),
                col(Merchant.address) != col(Refund.address),
                func.coalesce(col(Channel.payer), _REDEMPTION.c.holder) != col(Refund.account),
            ),
        )
    )
    report.check("refunds that are not what their payment says", [], list(session.scalars(wrong)))
    amount = func.sum(col(Refund.amount) + col(Refund.taken_off)).label("amount")
    given_back = select(col(Refund.source), amount).where(~col(Refund.is_reward)).group_by(col(Refund.source))
    sums = given_back.subquery()
    beyond = (
        select(sums.c.source)
        .outerjoin(Payment, col(Payment.public_id) == sums.c.source)
        .outerjoin(_REDEMPTION, _REDEMPTION.c.public_id == sums.c.source)
        .where(sums.c.amount > func.coalesce(col(Payment.amount), _REDEMPTION.c.amount, 0))
    )
    report.check("payments of which more was refunded than was paid", [], list(session.scalars(beyond)))


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
