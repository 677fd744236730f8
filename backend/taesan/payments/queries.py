"""Reading payments."""

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.problems import not_found
from taesan.payments.models import Payment


def find(session: Session, payment_id: str) -> Payment:
    """:param payment_id: `pay_…`. :raises Problem: `not-found`"""
    payment = session.scalar(select(Payment).where(col(Payment.public_id) == payment_id))
    if payment is None:
        raise not_found("The payment", payment_id)
    return payment


def newest(session: Session, limit: int) -> list[Payment]:
    return list(session.scalars(select(Payment).order_by(col(Payment.id).desc()).limit(limit)))
