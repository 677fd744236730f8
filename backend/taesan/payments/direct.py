"""Direct payments as they are stored and read: taken in here, brought to the chain together (`gathering.py`).

What is accepted so is authorised and no more: its payer can still spend the money elsewhere. So it is bounded, told as
`pending`, and that only until it is on the chain.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from taesan.chain.erc3009 import SignedTransfer
from taesan.chain.models import ChainCursor
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.pages import newest_first
from taesan.core.problems import not_found
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.payments.direct_models import DirectPayment, DirectPaymentPublic
from taesan.payments.token_models import TokenTransfer

UNSETTLED = ("received", "sent")
LEAST_LIFE_S = 20
"""A transfer that ends sooner may not get to the chain in time, and is not taken in."""
LANDING_S = 60
"""So long before its end it is sent, at the latest."""
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


def moment(unix_s: int) -> datetime:
    """As far as there is a date for it."""
    return datetime.fromtimestamp(unix_s, UTC) if unix_s < _NEVER.timestamp() else _NEVER


def signed(row: DirectPayment | TokenTransfer) -> SignedTransfer:
    return SignedTransfer(
        row.token,
        row.payer,
        row.pay_to,
        row.amount,
        row.valid_after,
        row.valid_before,
        row.nonce,
        row.signature,
    )


# -------------------------------------------------------------------- storing


def pending(session: Session, payer: str, token: str) -> int:
    """What a payer has authorised and the chain has not carried out yet."""
    found = select(func.sum(col(DirectPayment.amount))).where(
        col(DirectPayment.payer) == payer,
        col(DirectPayment.state).in_(UNSETTLED),
        col(DirectPayment.token) == token,
    )
    return int(session.scalar(found) or 0)


def pending_for(session: Session, merchant_id: str) -> int:
    """What a merchant was promised by all payers, and is not on the chain yet. Both tokens are worth the same."""
    found = select(func.sum(col(DirectPayment.amount))).where(
        col(DirectPayment.merchant_id) == merchant_id, col(DirectPayment.state).in_(UNSETTLED)
    )
    return int(session.scalar(found) or 0)


def store(
    session: Session,
    hub: Hub,
    merchant: Merchant,
    transfer: SignedTransfer,
    now: datetime,
    *,
    name: str | None,
    reference: str | None,
    wait_s: int,
) -> DirectPayment:
    """Keeps a checked one for the next gathering; the caller's commit makes it accepted.

    :param wait_s: how long it may wait for others
    """
    latest = moment(transfer.valid_before) - timedelta(seconds=LANDING_S)
    row = DirectPayment(
        public_id=new_id("dir"),
        merchant_id=merchant.id,
        name=name,
        reference=reference,
        state="received",
        due_at=max(now, min(now + timedelta(seconds=wait_s), latest)),
        accepted_at=now,
        accepted_block=session.get_one(ChainCursor, 1).head_block,
        **vars(transfer),
    )
    session.add(row)
    session.flush()
    return row


def hurry(session: Session, row: DirectPayment, now: datetime) -> None:
    """Somebody waits for it now."""
    is_waiting = col(DirectPayment.state) == "received", col(DirectPayment.reason).is_(None)
    session.execute(update(DirectPayment).where(col(DirectPayment.id) == row.id, *is_waiting).values(due_at=now))


# -------------------------------------------------------------------- reading


def by_nonce(session: Session, transfer: SignedTransfer) -> DirectPayment | None:
    return session.scalar(
        select(DirectPayment).where(
            col(DirectPayment.payer) == transfer.payer,
            col(DirectPayment.nonce) == transfer.nonce,
            col(DirectPayment.token) == transfer.token,
        )
    )


def by_name(session: Session, payer: str, name: str) -> DirectPayment | None:
    """:param name: what its client has called it"""
    return session.scalar(
        select(DirectPayment).where(col(DirectPayment.payer) == payer, col(DirectPayment.name) == name)
    )


def find(session: Session, payment_id: str) -> DirectPayment:
    """:param payment_id: `dir_…`. :raises Problem: `not-found`"""
    row = session.scalar(select(DirectPayment).where(col(DirectPayment.public_id) == payment_id))
    if row is None:
        raise not_found("The payment", payment_id)
    return row


def of_merchant(session: Session, merchant_id: str, before: int | None, limit: int) -> Sequence[DirectPayment]:
    query = select(DirectPayment).where(col(DirectPayment.merchant_id) == merchant_id)
    return newest_first(session, query, col(DirectPayment.id), before, limit)


def told_state(row: DirectPayment) -> str:
    """Nobody is told that something is settled before it is on the chain, deep enough."""
    return {"confirmed": "settled", "failed": "failed"}.get(row.state, "pending")


def public(hub: Hub, row: DirectPayment) -> DirectPaymentPublic:
    return DirectPaymentPublic(
        id=row.public_id,
        merchant_id=row.merchant_id,
        payer=row.payer,
        asset=f"{hub.contracts.network}/erc20:{row.token}",
        amount=row.amount,
        reference=row.reference,
        state=told_state(row),
        reason=row.reason,
        accepted_at=rfc3339(row.accepted_at),
        valid_before=row.valid_before,
        transaction=row.transaction_hash,
    )
