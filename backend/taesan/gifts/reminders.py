"""What lies about and belongs to somebody: told once, and listed for as long as it is true. `watching.py` finds it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.conversions import queries as conversions
from taesan.conversions.models import Conversion
from taesan.conversions.sending import GIVEN_UP, KEPT
from taesan.core import outbox
from taesan.core.clock import rfc3339
from taesan.core.outbox import Handler
from taesan.core.pages import Page, newest_first, page
from taesan.gifts import service
from taesan.gifts.models import Gift, JarWatch, Reminder, ReminderKind, ReminderPublic
from taesan.hub import Hub
from taesan.ledger import posting

IDLE_JAR: ReminderKind = "idle_jar"
UNCLAIMED_TOKENS: ReminderKind = "unclaimed_tokens"
UNCLAIMED_GIFT: ReminderKind = "unclaimed_gift"
EXPIRED_GIFT: ReminderKind = "expired_gift"
KEPT_TOKENS: ReminderKind = "kept_tokens"
TOLD = "gifts.Reminded"
AGAIN_AFTER = timedelta(days=1)


def amount_of(session: Session, hub: Hub, row: Reminder, now: datetime) -> int:
    """What lies there now, minor units; 0: nothing any more, or not for so long."""
    if row.kind == IDLE_JAR:
        watch = session.get(JarWatch, row.subject)
        is_idle = watch is not None and watch.last_at == row.since
        return posting.balance(session, hub.chart.jar(row.subject)) if is_idle else 0
    if row.kind == UNCLAIMED_TOKENS:
        return posting.balance(session, hub.chart.entitled(row.subject))
    if row.kind == KEPT_TOKENS:
        kept = session.scalar(select(Conversion).where(col(Conversion.public_id) == row.subject))
        is_forgotten = kept is not None and kept.state == KEPT and kept.reason != conversions.KEPT_BY_PAYER
        return kept.amount if kept is not None and is_forgotten else 0
    gift = session.scalar(select(Gift).where(col(Gift.public_id) == row.subject))
    expected = "open" if row.kind == UNCLAIMED_GIFT else "expired"
    return gift.amount if gift is not None and service.state(session, gift, now) == expected else 0


def handlers(hub: Hub) -> dict[str, Handler]:
    def given_up(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = session.scalar(select(Conversion).where(col(Conversion.public_id) == event["id"]))
        if row is not None:
            tell(session, hub, KEPT_TOKENS, row.payer, row.public_id, now, now)

    return {GIVEN_UP: given_up}


def tell(
    session: Session, hub: Hub, kind: ReminderKind, wallet: str, subject: str, since: datetime, now: datetime
) -> None:
    """Puts a matter on the wallet's list and its news in the outbox, unless that was done, or nothing lies there."""
    matter = col(Reminder.kind) == kind, col(Reminder.subject) == subject, col(Reminder.since) == since
    row = Reminder(wallet=wallet, kind=kind, subject=subject, since=since, told_at=now, look_at=now + AGAIN_AFTER)
    if session.scalar(select(col(Reminder.id)).where(*matter)) is not None or not amount_of(session, hub, row, now):
        return
    session.add(row)
    session.flush()
    outbox.put(session, f"reminder:{kind}:{subject}:{rfc3339(since)}", TOLD, {"id": row.id}, now)


def is_listed(session: Session, kind: ReminderKind, subject: str) -> bool:
    """Whether such a matter has not ended yet, however it began."""
    matter = col(Reminder.kind) == kind, col(Reminder.subject) == subject, col(Reminder.ended_at).is_(None)
    return session.scalar(select(col(Reminder.id)).where(*matter).limit(1)) is not None


def end(session: Session, hub: Hub, now: datetime, limit: int) -> int:
    """Takes what has been seen to off the lists, of those that are due for a look; returns how many were looked at."""
    due = select(Reminder).where(col(Reminder.look_at) <= now).order_by(col(Reminder.look_at)).limit(limit)
    rows = session.scalars(due).all()
    for row in rows:
        row.look_at = now + AGAIN_AFTER
        if not amount_of(session, hub, row, now):
            row.look_at, row.ended_at = None, now
        session.add(row)
    session.flush()
    return len(rows)


def page_of(
    session: Session, hub: Hub, wallet: str, before: int | None, limit: int, now: datetime
) -> Page[ReminderPublic]:
    """Newest first. A page may hold fewer than `limit`: what was seen to since is left out."""
    query = select(Reminder).where(col(Reminder.wallet) == wallet, col(Reminder.ended_at).is_(None))
    rows = newest_first(session, query, col(Reminder.id), before, limit)
    told = page(rows, limit, lambda row: row.id, lambda row: public(session, hub, row, now))
    return Page(items=[item for item in told.items if item.amount], next_cursor=told.next_cursor)


def public(session: Session, hub: Hub, row: Reminder, now: datetime) -> ReminderPublic:
    return ReminderPublic(
        kind=row.kind,  # type: ignore[arg-type]
        subject=row.subject,
        amount=amount_of(session, hub, row, now),
        since=rfc3339(row.since),
        told_at=rfc3339(row.told_at),
    )
