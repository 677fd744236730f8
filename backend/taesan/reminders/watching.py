"""Finds what lies about. Nothing is searched through: what is new is followed once (`following.py`), and of jars and gift links (`links.py`)
those are looked at whose time has come."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import col

from taesan.channels.models import Channel
from taesan.core.clock import has_passed
from taesan.hub import Hub
from taesan.reminders import following, links, matters
from taesan.reminders.models import JarWatch

EVERY = timedelta(seconds=60)
ROWS = 100
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
        for look in LOOKS:
            for _ in range(MOST_PAGES):
                if not look(self._hub, now):
                    break
        self._looked_at = now
        return False


def look_at_jars(hub: Hub, now: datetime) -> bool:
    with hub.db.write() as session:
        due = select(JarWatch).where(col(JarWatch.look_at) <= now).order_by(col(JarWatch.look_at)).limit(ROWS)
        rows = session.scalars(due).all()
        for row in rows:
            row.look_at = None
            session.add(row)
            payer = session.get_one(Channel, row.channel_id).payer
            matters.tell(session, hub, "idle_jar", payer, row.channel_id, row.last_at, now)
    return len(rows) == ROWS


def end(hub: Hub, now: datetime) -> bool:
    with hub.db.write() as session:
        return matters.end(session, hub, now, ROWS) == ROWS


LOOKS: tuple[Callable[[Hub, datetime], bool], ...] = (
    following.follow_payments,
    following.follow_batches,
    following.follow_conversions,
    following.follow_rewards,
    look_at_jars,
    links.look_at_gifts,
    end,
)
