"""Follows payments, batches, conversions and rewards once, in their order, up to those that are old enough to be told of. Each function
takes a page in one transaction with its cursor's move, and returns whether there may be more."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.conversions.models import Conversion
from taesan.core import bulk
from taesan.core.pages import newest_id
from taesan.hub import Hub
from taesan.payments.models import Payment
from taesan.payments.queries import newest_of_now
from taesan.reminders import matters
from taesan.reminders.models import JarWatch, ReminderCursor
from taesan.settlement.models import Batch, BatchEntitlement, Entitlement
from taesan.settlement.reward_models import Campaign, Reward

PAYMENTS, BATCHES, ROWS = 5_000, 20, 100
"""In one transaction: it holds up the intake."""


def follow_payments(hub: Hub, now: datetime) -> bool:
    """Notes when something came into each jar."""
    with hub.db.read() as session:
        start = _cursor(session).payment_id
        if start >= newest_id(session, col(Payment.id)):
            return False
    newest = newest_of_now(hub.db)
    last = min(newest, start + PAYMENTS)
    with hub.db.read() as session:
        came_in = session.execute(
            select(col(Payment.channel_id), func.max(col(Payment.accepted_at)))
            .where(col(Payment.id) > start, col(Payment.id) <= last, col(Payment.destination) == "jar")
            .group_by(col(Payment.channel_id))
        ).all()
    idle = timedelta(days=hub.settings.idle_jar_days)
    with hub.db.write() as session:
        cursor = _cursor(session)
        if cursor.payment_id != start:
            return True  # another worker was faster
        connection = session.connection()
        rows = [{"channel_id": id_, "last_at": at, "look_at": at + idle} for id_, at in came_in]
        if rows:
            bulk.insert_missing(connection, JarWatch, rows)
        times = [(bulk.timestamp(connection, at), bulk.timestamp(connection, at + idle), id_) for id_, at in came_in]
        columns = ("last_at", "look_at", "channel_id")
        bulk.update(connection, JarWatch, "last_at = :last_at, look_at = :look_at", columns, times)
        cursor.payment_id = last
        session.add(cursor)
    return last < newest


def follow_batches(hub: Hub, now: datetime) -> bool:
    """Tells of accounts whose gift tokens were settled long ago and are not minted."""
    long_ago = now - timedelta(days=hub.settings.unclaimed_days)
    with hub.db.read() as session:
        start = _cursor(session).batch_id
        batches = session.scalars(
            select(Batch).where(col(Batch.id) > start).order_by(col(Batch.id)).limit(BATCHES)
        ).all()
        old = [batch for batch in batches if batch.state == "posted" and batch.frozen_at <= long_ago]
        unclaimed = [(batch, _unclaimed(session, batch.id)) for batch in old]
    if not old:
        return False
    with hub.db.write() as session:
        cursor = _cursor(session)
        if cursor.batch_id != start:
            return True
        for batch, accounts in unclaimed:
            for account in accounts:
                matters.tell_unless_listed(session, hub, "unclaimed_tokens", account, account, batch.frozen_at, now)
        cursor.batch_id = old[-1].id
        session.add(cursor)
    return len(old) == BATCHES


def _unclaimed(session: Session, batch_id: int) -> Sequence[str]:
    of_batch = select(col(BatchEntitlement.account)).where(col(BatchEntitlement.batch_id) == batch_id)
    joined = of_batch.join(Entitlement, col(Entitlement.account) == col(BatchEntitlement.account))
    return session.scalars(joined.where(col(Entitlement.claimed) < col(BatchEntitlement.cumulative))).all()


def follow_conversions(hub: Hub, now: datetime) -> bool:
    """Tells of gift tokens that a rule has not been able to convert for long."""
    long_ago = now - timedelta(days=hub.settings.held_days)
    with hub.db.read() as session:
        if not _old_conversions(session, long_ago):
            return False
    with hub.db.write() as session:
        cursor, rows = _cursor(session), _old_conversions(session, long_ago)
        for row in rows:
            if row.state != "done":
                matters.tell(session, hub, "held_conversion", row.payer, row.public_id, row.created_at, now)
            cursor.conversion_id = row.id or 0
        session.add(cursor)
    return len(rows) == ROWS


def _old_conversions(session: Session, long_ago: datetime) -> list[Conversion]:
    after = select(Conversion).where(col(Conversion.id) > _cursor(session).conversion_id)
    rows = session.scalars(after.order_by(col(Conversion.id)).limit(ROWS))
    return list(takewhile(lambda row: row.created_at <= long_ago, rows))


def follow_rewards(hub: Hub, now: datetime) -> bool:
    """Tells of cashback that has waited long for enough to gather."""
    long_ago = now - timedelta(days=hub.settings.unpaid_cashback_days)
    with hub.db.read() as session:
        if not _old_rewards(session, long_ago):
            return False
    with hub.db.write() as session:
        cursor, rows = _cursor(session), _old_rewards(session, long_ago)
        unpaid = [row for row in rows if row.payout_id is None and row.amount > row.reversed]
        for row in {(row.address, row.payer): row for row in reversed(unpaid)}.values():  # the oldest of each
            merchant = session.get_one(Campaign, row.campaign_id).merchant_id
            matters.tell_unless_listed(session, hub, "unpaid_cashback", row.payer, merchant, row.made_at, now)
        if rows:
            cursor.reward_id = rows[-1].id or 0
        session.add(cursor)
    return len(rows) == ROWS


def _old_rewards(session: Session, long_ago: datetime) -> list[Reward]:
    after = select(Reward).where(col(Reward.id) > _cursor(session).reward_id)
    rows = session.scalars(after.order_by(col(Reward.id)).limit(ROWS))
    return list(takewhile(lambda row: row.made_at <= long_ago, rows))


def _cursor(session: Session) -> ReminderCursor:
    return session.get(ReminderCursor, 1) or ReminderCursor(payment_id=0, batch_id=0, conversion_id=0, reward_id=0)
