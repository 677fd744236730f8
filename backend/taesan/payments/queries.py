"""Reading payments."""

from collections.abc import Sequence

from sqlalchemy import and_, select
from sqlmodel import Session, col

from taesan.channels.models import Channel, Charged
from taesan.core.clock import rfc3339
from taesan.core.db import Database
from taesan.core.pages import newest_first, newest_id
from taesan.core.problems import not_found
from taesan.payments.models import Payment, PaymentPublic, PersonalPayment, ReceivedPayment

NEWEST_OF_CHANNEL = and_(
    col(Payment.account_id) == col(Charged.account_id), col(Payment.cumulative) == col(Charged.amount)
)
"""Joins `Charged` with the payment whose voucher stands for all of a channel's."""


def find(session: Session, payment_id: str) -> Payment:
    """:param payment_id: `pay_…`. :raises Problem: `not-found`"""
    payment = session.scalar(select(Payment).where(col(Payment.public_id) == payment_id))
    if payment is None:
        raise not_found("The payment", payment_id)
    return payment


def of_channel(session: Session, channel: Channel, before: int | None, limit: int) -> Sequence[Payment]:
    """:param before: the cumulative amount of the payment before the page"""
    query = select(Payment).where(col(Payment.account_id) == channel.account_id)
    return newest_first(session, query, col(Payment.cumulative), before, limit)


def of_merchant(session: Session, merchant_id: str, before: int | None, limit: int) -> Sequence[Payment]:
    query = select(Payment).where(col(Payment.merchant_id) == merchant_id, col(Payment.merchant_id).is_not(None))
    return newest_first(session, query, col(Payment.id), before, limit)


def to_person(session: Session, wallet: str, before: int | None, limit: int) -> Sequence[tuple[Payment, str]]:
    """With their payers' addresses."""
    query = select(Payment).where(col(Payment.destination) == "person", col(Payment.payee) == wallet)
    rows = newest_first(session, query, col(Payment.id), before, limit)
    of_channels = select(col(Channel.id), col(Channel.payer)).where(col(Channel.id).in_({p.channel_id for p in rows}))
    payers = dict(session.execute(of_channels).all())
    return [(payment, payers[payment.channel_id]) for payment in rows]


def personal_payment(payment: Payment, payer: str) -> PersonalPayment:
    return PersonalPayment(
        id=payment.public_id,
        sender=payer,
        amount=payment.amount,
        reference=payment.reference,
        accepted_at=rfc3339(payment.accepted_at),
        batch_id=payment.batch_id,
    )


def public_payment(payment: Payment) -> PaymentPublic:
    return PaymentPublic(
        id=payment.public_id,
        channel_id=payment.channel_id,
        amount=payment.amount,
        charged_cumulative=payment.cumulative,
        destination=payment.destination,
        merchant_id=payment.merchant_id,
        recipient=payment.payee if payment.destination == "person" else None,
        reference=payment.reference,
        accepted_at=rfc3339(payment.accepted_at),
        batch_id=payment.batch_id,
    )


def received_payment(payment: Payment) -> ReceivedPayment:
    return ReceivedPayment(
        id=payment.public_id,
        channel_id=payment.channel_id,
        amount=payment.amount,
        reference=payment.reference,
        accepted_at=rfc3339(payment.accepted_at),
        batch_id=payment.batch_id,
    )


def newest_of_now(db: Database) -> int:
    """The id of the newest payment, for who follows them: while we have the writers' lock no intake is at work, so whatever comes later
    gets a higher one."""
    with db.write() as session:
        return newest_id(session, col(Payment.id))


def newest(session: Session, limit: int) -> list[Payment]:
    return list(session.scalars(select(Payment).order_by(col(Payment.id).desc()).limit(limit)))
