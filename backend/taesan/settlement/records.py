"""What the hub has of one payment, for whose it is: its payer, and in part its merchant."""

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.channels.vouchers import ZERO_ADDRESS
from taesan.core.clock import rfc3339
from taesan.core.problems import Problem
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.jars import queries as jars
from taesan.jars.models import JarFiring
from taesan.ledger.accounts import AccountName
from taesan.ledger.models import JournalEntry
from taesan.ledger.posting import transfer
from taesan.payments import queries as payments
from taesan.payments.models import Payment
from taesan.settlement import refunds
from taesan.settlement.models import LedgerLine, PaymentRecord, RecordedEntry, RecordedVoucher


def of_payment(session: Session, hub: Hub, payment_id: str, wallet: str, language: str) -> PaymentRecord:
    """:raises Problem: `not-found`, or `forbidden` if the wallet has neither paid nor was paid as a merchant"""
    payment = payments.find(session, payment_id)
    channel = session.get_one(Channel, payment.channel_id)
    is_payer = wallet == channel.payer
    if not is_payer and (payment.merchant_id is None or wallet != payment.payee):
        raise Problem("forbidden", 403, "This is not yours.", "Only the payment's payer and its merchant may see this.")
    entry = session.get_one(JournalEntry, payment.entry_id)
    fired = select(JarFiring).where(col(JarFiring.payment_id) == payment.public_id).order_by(col(JarFiring.id))
    return PaymentRecord(
        payment_id=payment.public_id,
        voucher=_voucher(payment, channel) if is_payer else None,
        entry=RecordedEntry(
            id=entry.id or 0, kind=entry.kind, posted_at=rfc3339(entry.posted_at), hash=hex_of(entry.hash)
        ),
        lines=_lines(hub, payment),
        firings=[jars.public_firing(row, language) for row in session.scalars(fired)] if is_payer else [],
        refunded=refunds.refunded(session, payment.public_id),
    )


def _voucher(payment: Payment, channel: Channel) -> RecordedVoucher:
    is_own = channel.payer_authorizer == ZERO_ADDRESS
    return RecordedVoucher(
        channel_id=payment.channel_id,
        max_claimable_amount=payment.cumulative,
        signature=payment.signature,
        signer=channel.payer if is_own else channel.payer_authorizer,
    )


def _lines(hub: Hub, payment: Payment) -> list[LedgerLine]:
    """Its own part: the entry's lines are sums of all payments that were accepted with it, whose amounts are other people's."""
    source, to = _accounts(hub, payment)
    return [LedgerLine(account=str(line.account), amount=line.amount) for line in transfer(source, to, payment.amount)]


def _accounts(hub: Hub, payment: Payment) -> tuple[AccountName, AccountName]:
    """From which account to which it was booked."""
    chart, free = hub.chart, hub.chart.channel(payment.channel_id)
    if payment.destination == "gateway":  # drawn for its customer before
        return chart.gathered(payment.reference or ""), chart.converting(payment.payee)
    if payment.destination == "jar":
        return free, chart.jar(payment.channel_id)
    return free, chart.converting(payment.payee) if payment.merchant_id is None else chart.pending(payment.payee)
