"""Points that lapse: told in time, then gone."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core import outbox
from taesan.core.clock import rfc3339
from taesan.hub import Hub
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import Member, PointsLot

EXPIRING, EXPIRED = "loyalty.PointsExpiring", "loyalty.PointsExpired"
PAGE = 500

_LEFT = col(PointsLot.remaining) > 0


def lapse_step(hub: Hub) -> bool:
    """Worker step: tells of points that will lapse soon, and lets those lapse whose time is over."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if not _to_tell(session, now) and not _over(session, now):
            return False
    with hub.db.write() as session:
        coming, over = _to_tell(session, now), _over(session, now)
        _tell(session, EXPIRING, [row for row in coming if row.remaining], now)
        for row in coming:
            row.tell_at = None
            session.add(row)
        _tell(session, EXPIRED, over, now)
        for row in over:
            row.remaining, row.lapsed = 0, True
            session.add(row)
    return PAGE in (len(coming), len(over))


def _to_tell(session: Session, now: datetime) -> Sequence[PointsLot]:
    rows = select(PointsLot).where(col(PointsLot.tell_at) <= now)
    return session.scalars(rows.order_by(col(PointsLot.tell_at)).limit(PAGE)).all()


def _over(session: Session, now: datetime) -> Sequence[PointsLot]:
    """Never before it was told."""
    rows = select(PointsLot).where(_LEFT, col(PointsLot.expires_at) <= now, col(PointsLot.tell_at).is_(None))
    return session.scalars(rows.order_by(col(PointsLot.expires_at)).limit(PAGE)).all()


def _tell(session: Session, type_: str, lots: Sequence[PointsLot], now: datetime) -> None:
    """One event for all of a member's. The hub's own programme is no merchant's."""
    of: dict[int, list[PointsLot]] = defaultdict(list)
    for lot in lots:
        of[lot.member_id].append(lot)
    for member_id, rows in of.items():
        member = session.get_one(Member, member_id)
        payload = {
            "merchant_id": None if member.owner == HUB else member.owner,
            "payer": member.payer,
            "points": sum(row.remaining for row in rows),
            "at": rfc3339(min(row.expires_at for row in rows)),
        }
        outbox.put(session, f"{type_}:{rows[0].id}", type_, payload, now)
