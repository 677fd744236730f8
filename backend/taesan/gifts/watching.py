"""Finds what lies about. Nothing is searched through: payments and batches are followed once, in their order, and of jars and
gifts those are looked at whose time has come."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core import bulk
from taesan.core.clock import has_passed
from taesan.core.problems import Problem
from taesan.gifts import reminders, service
from taesan.gifts.models import Gift, JarWatch, ReminderCursor
from taesan.gifts.states import OVER
from taesan.hub import Hub
from taesan.payments.models import Payment
from taesan.settlement.models import Batch, BatchEntitlement, Entitlement

log = structlog.get_logger()
EVERY = timedelta(seconds=60)
PAYMENTS, BATCHES, ROWS = 5_000, 20, 100
"""In one transaction: it holds up the intake."""
MOST_PAGES = 20  # in a row; the rest is next minute's


class Watch:
    """The worker's step; it has days' time, so a look a minute is enough."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._looked_at = hub, hub.chain_clock.now() - EVERY

    def step(self) -> bool:
        now = self._hub.chain_clock.now()
        if not has_passed(EVERY, self._looked_at, now):
            return False
        for look in (self._follow_payments, self._follow_batches, self._look_at_jars, self._look_at_gifts, self._end):
            for _ in range(MOST_PAGES):
                if not look(now):
                    break
        self._looked_at = now
        return False

    # -------------------------------------------------------------- following

    def _follow_payments(self, now: datetime) -> bool:
        """Notes when something came into each jar; returns whether there is more."""
        with self._hub.db.read() as session:
            start = _cursor(session).payment_id
            if start >= _newest(session):
                return False
        with self._hub.db.write() as session:
            # While we have the writers' lock no intake is at work: whatever comes later gets a higher id.
            newest = _newest(session)
        last = min(newest, start + PAYMENTS)
        with self._hub.db.read() as session:
            came_in = session.execute(
                select(col(Payment.channel_id), func.max(col(Payment.accepted_at)))
                .where(col(Payment.id) > start, col(Payment.id) <= last, col(Payment.destination) == "jar")
                .group_by(col(Payment.channel_id))
            ).all()
        idle = timedelta(days=self._hub.settings.idle_jar_days)
        with self._hub.db.write() as session:
            cursor = _cursor(session)
            if cursor.payment_id != start:
                return True  # another worker was faster
            connection = session.connection()
            rows = [{"channel_id": id_, "last_at": at, "look_at": at + idle} for id_, at in came_in]
            if rows:
                bulk.insert_missing(connection, JarWatch, rows)
            times = [
                (bulk.timestamp(connection, at), bulk.timestamp(connection, at + idle), id_) for id_, at in came_in
            ]
            columns = ("last_at", "look_at", "channel_id")
            bulk.update(connection, JarWatch, "last_at = :last_at, look_at = :look_at", columns, times)
            cursor.payment_id = last
            session.add(cursor)
        return last < newest

    def _follow_batches(self, now: datetime) -> bool:
        """Accounts whose gift tokens were settled long ago and are not minted; returns whether there may be more."""
        long_ago = now - timedelta(days=self._hub.settings.unclaimed_days)
        with self._hub.db.read() as session:
            start = _cursor(session).batch_id
            batches = session.scalars(
                select(Batch).where(col(Batch.id) > start).order_by(col(Batch.id)).limit(BATCHES)
            ).all()
            old = [batch for batch in batches if batch.state == "posted" and batch.frozen_at <= long_ago]
            unclaimed = [(batch, _unclaimed(session, batch.id)) for batch in old]
        if not old:
            return False
        with self._hub.db.write() as session:
            cursor = _cursor(session)
            if cursor.batch_id != start:
                return True
            for batch, accounts in unclaimed:
                for account in accounts:
                    kind = reminders.UNCLAIMED_TOKENS
                    if not reminders.is_listed(session, kind, account):
                        reminders.tell(session, self._hub, kind, account, account, batch.frozen_at, now)
            cursor.batch_id = old[-1].id
            session.add(cursor)
        return len(old) == BATCHES

    # ---------------------------------------------------------------- looking

    def _look_at_jars(self, now: datetime) -> bool:
        with self._hub.db.write() as session:
            due = select(JarWatch).where(col(JarWatch.look_at) <= now).order_by(col(JarWatch.look_at)).limit(ROWS)
            rows = session.scalars(due).all()
            for row in rows:
                row.look_at = None
                session.add(row)
                payer = session.get_one(Channel, row.channel_id).payer
                reminders.tell(session, self._hub, reminders.IDLE_JAR, payer, row.channel_id, row.last_at, now)
        return len(rows) == ROWS

    def _look_at_gifts(self, now: datetime) -> bool:
        due = select(Gift).where(col(Gift.look_at) <= now).order_by(col(Gift.look_at)).limit(ROWS)
        with self._hub.db.read() as session:
            known = [(row.public_id, service.state(session, row, now), row.expires_at) for row in session.scalars(due)]
        gone: set[str] = set()
        for gift_id, state, expires_at in known:
            if state == "expired" and now >= expires_at + self._return_after:
                try:
                    service.check_return(self._hub, gift_id, now)
                except Problem as problem:
                    log.warning("gift.not_returned", gift_id=gift_id, reason=problem.detail)
                    gone.add(gift_id)
        for gift_id, _, _ in known:
            try:
                with self._hub.db.write() as session:
                    self._look_at_gift(session, gift_id, now, is_gone=gift_id in gone)
            except Problem as problem:  # it holds up no other
                log.warning("gift.not_returned", gift_id=gift_id, reason=problem.detail)
                with self._hub.db.write() as session:
                    self._look_at_gift(session, gift_id, now, is_gone=True)
        return len(known) == ROWS

    def _look_at_gift(self, session: Session, gift_id: str, now: datetime, *, is_gone: bool) -> None:
        gift = service.find(session, gift_id)
        state = service.state(session, gift, now)
        gift.look_at = now + reminders.AGAIN_AFTER
        if state in OVER or is_gone:
            gift.look_at = None
        elif state == "open":
            gift.look_at = gift.expires_at
            kind = reminders.UNCLAIMED_GIFT
            reminders.tell(session, self._hub, kind, gift.sender, gift_id, gift.made_at, now)
        elif state == "expired":
            kind = reminders.EXPIRED_GIFT
            reminders.tell(session, self._hub, kind, gift.sender, gift_id, gift.expires_at, now)
            returns_at = gift.expires_at + self._return_after
            gift.look_at = max(returns_at, now + EVERY)
            if now >= returns_at:
                service.take_back(session, self._hub, gift_id, now)
                gift.look_at = now + reminders.AGAIN_AFTER
        session.add(gift)
        session.flush()

    @property
    def _return_after(self) -> timedelta:
        return timedelta(days=self._hub.settings.gift_return_days)

    def _end(self, now: datetime) -> bool:
        with self._hub.db.write() as session:
            return reminders.end(session, self._hub, now, ROWS) == ROWS


def _cursor(session: Session) -> ReminderCursor:
    return session.get(ReminderCursor, 1) or ReminderCursor(payment_id=0, batch_id=0)


def _newest(session: Session) -> int:
    return session.scalar(select(func.max(col(Payment.id)))) or 0


def _unclaimed(session: Session, batch_id: int) -> Sequence[str]:
    of_batch = select(col(BatchEntitlement.account)).where(col(BatchEntitlement.batch_id) == batch_id)
    joined = of_batch.join(Entitlement, col(Entitlement.account) == col(BatchEntitlement.account))
    return session.scalars(joined.where(col(Entitlement.claimed) < col(BatchEntitlement.cumulative))).all()
