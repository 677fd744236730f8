"""Refunds: a merchant gives back what it was paid, whole or in part, and never more. How the money goes:
`settlement.refunds`."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core import outbox
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.merchants import transfer_queries
from taesan.merchants.models import PersonalRefund, Redemption, RefundCreate, RefundPublic
from taesan.payments.models import Payment
from taesan.payments.requests import zero_amount
from taesan.settlement import refunds, rewards
from taesan.settlement.models import Batch, Refund

REFUNDED = "merchants.Refunded"


def make(session: Session, hub: Hub, merchant: Merchant, request: RefundCreate, now: datetime) -> Refund:
    """To be called in a transaction that is alone in writing, so that two refunds never add up to more than was paid.

    :raises Problem: `not-found`, `paid-on-chain`, `zero-amount`, `refund-exceeds-payment`, `refund-not-covered`,
        `amount-too-small`
    """
    account, paid = _paid(session, merchant, request.of)
    left = paid - refunds.refunded(session, request.of)
    amount = left if request.amount is None else request.amount
    if request.amount == 0:
        raise zero_amount()
    if amount > left or not left:
        raise Problem(
            "refund-exceeds-payment",
            409,
            "More than what is left of the payment cannot be refunded.",
            f"{left} of {paid} minor units are left.",
            left=str(left),
        )
    _refuse_dust(hub, amount, left)
    row = Refund(
        public_id=new_id("ref"),
        merchant_id=merchant.id,
        address=merchant.address,
        source=request.of,
        account=account,
        amount=amount,
        left_over=amount,
        note=request.note,
        made_at=now,
    )
    refunds.accept(session, hub, row, now)
    part = rewards.take_back(session, hub, request.of, paid, paid - left + amount, row.public_id, now)
    if part:
        refunds.take_off(session, hub, row, part, now)
    payload = {"merchant_id": merchant.id, "id": row.public_id}
    outbox.put(session, f"{REFUNDED}:{row.public_id}", REFUNDED, payload, now)
    return row


def _refuse_dust(hub: Hub, amount: int, left: int) -> None:
    """The hub pays the gas for what the payer is minted. :raises Problem: `amount-too-small`"""
    least: int = 10 ** max(hub.asset.exponent - 2, 0)  # a hundredth of the asset's unit
    if amount < min(least, left):
        raise Problem(
            "amount-too-small",
            422,
            "The amount is too small for this hub to pay the gas.",
            f"At least {least} minor units, or all that is left of the payment.",
            least=str(least),
        )


def _paid(session: Session, merchant: Merchant, source: str) -> tuple[str, int]:
    """Who paid with this payment or redemption, and how much.

    :raises Problem: `not-found` if it is not this merchant's, `paid-on-chain` if it is a transfer past the hub
    """
    by_voucher = select(col(Channel.payer), col(Payment.amount)).join(
        Channel, col(Channel.id) == col(Payment.channel_id)
    )
    by_voucher = by_voucher.where(col(Payment.public_id) == source, col(Payment.merchant_id) == merchant.id)
    by_tokens = select(col(Redemption.holder), col(Redemption.amount)).where(
        col(Redemption.public_id) == source,
        col(Redemption.merchant_id) == merchant.id,
        col(Redemption.state) == "confirmed",
    )
    found = session.execute(by_voucher).first() or session.execute(by_tokens).first()
    if found is None:
        transfer_queries.refuse_refund(session, merchant, source)
        raise not_found("The payment", source)
    return found[0], found[1]


def find(session: Session, merchant: Merchant, refund_id: str) -> Refund:
    """One of the merchant's own. :param refund_id: `ref_…`. :raises Problem: `not-found`"""
    query = select(Refund).where(col(Refund.public_id) == refund_id, col(Refund.merchant_id) == merchant.id)
    row = session.scalar(query.where(~col(Refund.is_reward)))
    if row is None:
        raise not_found("The refund", refund_id)
    return row


def of_merchant(session: Session, merchant: Merchant, before: int | None, limit: int) -> Sequence[Refund]:
    query = select(Refund).where(col(Refund.merchant_id) == merchant.id, ~col(Refund.is_reward))
    return newest_first(session, query, col(Refund.id), before, limit)


def to_account(session: Session, account: str, before: int | None, limit: int) -> Sequence[Refund]:
    query = select(Refund).where(col(Refund.account) == account, ~col(Refund.is_reward))
    return newest_first(session, query, col(Refund.id), before, limit)


def personal(session: Session, row: Refund) -> PersonalRefund:
    return PersonalRefund(
        id=row.public_id,
        of=row.source,
        merchant_id=row.merchant_id,
        amount=row.amount + row.taken_off,
        reward_taken_back=row.taken_off,
        state=_state(session, row),
        batch_id=row.batch_id,
        made_at=rfc3339(row.made_at),
    )


def public(session: Session, row: Refund) -> RefundPublic:
    return RefundPublic(
        id=row.public_id,
        of=row.source,
        account=row.account,
        amount=row.amount + row.taken_off,
        reward_taken_back=row.taken_off,
        state=_state(session, row),
        note=row.note,
        batch_id=row.batch_id,
        made_at=rfc3339(row.made_at),
    )


def _state(session: Session, row: Refund) -> str:
    if not row.amount:
        return "done"
    if row.batch_id is None:
        return "accepted" if row.covered == row.amount else "waiting"
    return "done" if session.get_one(Batch, row.batch_id).state == "posted" else "settling"
