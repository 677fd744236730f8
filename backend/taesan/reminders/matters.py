"""What lies about and belongs to somebody: told once, and listed for as long as it is true. `watching.py` finds it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlmodel import Session, col

from taesan.conversions.models import Conversion
from taesan.conversions.reasons import KEPT_BY_PAYER
from taesan.conversions.sending import GIVEN_UP, KEPT
from taesan.core import outbox
from taesan.core.clock import rfc3339
from taesan.core.outbox import Handler
from taesan.core.pages import Page, newest_first, page
from taesan.gifts import service as gifts
from taesan.gifts.models import Gift
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.loyalty import lapsing
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import Member, PointsLot
from taesan.reminders.models import JarWatch, Reminder, ReminderKind, ReminderPublic
from taesan.settlement.reward_models import Cashback

OF_THE_HUB = "hub"
"""The subject of what is not a merchant's."""
TOLD = "reminders.Told"
AGAIN_AFTER = timedelta(days=1)


class Lying(NamedTuple):
    """:ivar amount: minor units, or points; 0: nothing any more, or not for so long. :ivar until: when it is lost"""

    amount: int
    until: datetime | None = None


NOTHING = Lying(0)
Look = Callable[[Session, Hub, Reminder, datetime], Lying]


def _idle_jar(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
    watch = session.get(JarWatch, row.subject)
    is_idle = watch is not None and watch.last_at == row.since
    return Lying(posting.balance(session, hub.chart.jar(row.subject))) if is_idle else NOTHING


def _unclaimed_tokens(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
    return Lying(posting.balance(session, hub.chart.entitled(row.subject)))


def _held_conversion(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
    """Waiting and sent count, too: it may be held again in a moment."""
    found = _conversion(session, row.subject)
    return Lying(found.amount) if found is not None and found.state in ("waiting", "sent", "held") else NOTHING


def _kept_tokens(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
    kept = _conversion(session, row.subject)
    is_forgotten = kept is not None and kept.state == KEPT and kept.reason != KEPT_BY_PAYER
    return Lying(kept.amount) if kept is not None and is_forgotten else NOTHING


def _conversion(session: Session, id_: str) -> Conversion | None:
    return session.scalar(select(Conversion).where(col(Conversion.public_id) == id_))


def _unpaid_cashback(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
    merchant = session.get(Merchant, row.subject)
    waiting = merchant and session.get(Cashback, (merchant.address, row.wallet))
    return Lying(waiting.amount) if waiting else NOTHING


def _expiring_points(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
    """Those that lapse so soon that it was told."""
    owner = HUB if row.subject == OF_THE_HUB else row.subject
    left = col(PointsLot.remaining) > 0, col(PointsLot.expires_at) > now, col(PointsLot.tell_at).is_(None)
    of_member = select(func.sum(PointsLot.remaining), func.min(PointsLot.expires_at)).join(
        Member, col(Member.id) == col(PointsLot.member_id)
    )
    points, until = session.execute(
        of_member.where(col(Member.owner) == owner, col(Member.payer) == row.wallet, *left)
    ).one()
    return Lying(int(points or 0), until)


def _gift(expected: str) -> Look:
    def look(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
        gift = session.scalar(select(Gift).where(col(Gift.public_id) == row.subject))
        if gift is None or gifts.state(session, gift, now) != expected:
            return NOTHING
        return Lying(gift.amount, gift.expires_at if expected == "open" else None)

    return look


LOOKS: dict[str, Look] = {
    "idle_jar": _idle_jar,
    "unclaimed_tokens": _unclaimed_tokens,
    "held_conversion": _held_conversion,
    "kept_tokens": _kept_tokens,
    "unpaid_cashback": _unpaid_cashback,
    "expiring_points": _expiring_points,
    "unclaimed_gift": _gift("open"),
    "expired_gift": _gift("expired"),
}


def lying(session: Session, hub: Hub, row: Reminder, now: datetime) -> Lying:
    """What lies there now."""
    return LOOKS[row.kind](session, hub, row, now)


def handlers(hub: Hub) -> dict[str, Handler]:
    """What lower floors tell of."""

    def given_up(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = _conversion(session, event["id"])
        if row is not None:
            tell(session, hub, "kept_tokens", row.payer, row.public_id, now, now)

    def points_expire(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        tell_unless_listed(
            session, hub, "expiring_points", event["payer"], event["merchant_id"] or OF_THE_HUB, now, now
        )

    return {GIVEN_UP: given_up, lapsing.EXPIRING: points_expire}


def tell(
    session: Session, hub: Hub, kind: ReminderKind, wallet: str, subject: str, since: datetime, now: datetime
) -> None:
    """Puts a matter on the wallet's list and its news in the outbox, unless that was done, or nothing lies there."""
    row = Reminder(wallet=wallet, kind=kind, subject=subject, since=since, told_at=now, look_at=now + AGAIN_AFTER)
    known = select(col(Reminder.id)).where(*_such(kind, wallet, subject), col(Reminder.since) == since)
    if session.scalar(known) is not None or not lying(session, hub, row, now).amount:
        return
    session.add(row)
    session.flush()
    outbox.put(session, f"reminder:{kind}:{wallet}:{subject}:{rfc3339(since)}", TOLD, {"id": row.id}, now)


def tell_unless_listed(
    session: Session, hub: Hub, kind: ReminderKind, wallet: str, subject: str, since: datetime, now: datetime
) -> None:
    """As `tell`; nothing while such a matter is on the list, however it began."""
    listed = select(col(Reminder.id)).where(*_such(kind, wallet, subject), col(Reminder.ended_at).is_(None))
    if session.scalar(listed.limit(1)) is None:
        tell(session, hub, kind, wallet, subject, since, now)


def _such(kind: ReminderKind, wallet: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return col(Reminder.wallet) == wallet, col(Reminder.kind) == kind, col(Reminder.subject) == subject


def end(session: Session, hub: Hub, now: datetime, limit: int) -> int:
    """Takes what has been seen to off the lists, of those that are due for a look; returns how many were looked at."""
    due = select(Reminder).where(col(Reminder.look_at) <= now).order_by(col(Reminder.look_at)).limit(limit)
    rows = session.scalars(due).all()
    for row in rows:
        row.look_at = now + AGAIN_AFTER
        if not lying(session, hub, row, now).amount:
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
    found = lying(session, hub, row, now)
    return ReminderPublic(
        kind=row.kind,  # type: ignore[arg-type]
        subject=row.subject,
        amount=found.amount,
        until=rfc3339(found.until) if found.until else None,
        since=rfc3339(row.since),
        told_at=rfc3339(row.told_at),
    )
