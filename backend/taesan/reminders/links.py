"""Gift links: told while nobody has used them, and sent back by themselves in the end."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.problems import Problem
from taesan.gifts import service
from taesan.gifts.models import Gift
from taesan.gifts.states import OVER
from taesan.hub import Hub
from taesan.reminders import matters

log = structlog.get_logger()
SOON = timedelta(seconds=60)
ROWS = 100


def look_at_gifts(hub: Hub, now: datetime) -> bool:
    """Those whose time has come; returns whether there may be more."""
    return_after = timedelta(days=hub.settings.gift_return_days)
    due = select(Gift).where(col(Gift.look_at) <= now).order_by(col(Gift.look_at)).limit(ROWS)
    with hub.db.read() as session:
        known = [(row.public_id, service.state(session, row, now), row.expires_at) for row in session.scalars(due)]
    gone: set[str] = set()
    for gift_id, state, expires_at in known:
        if state == "expired" and now >= expires_at + return_after:
            try:
                service.check_return(hub, gift_id, now)
            except Problem as problem:
                log.warning("gift.not_returned", gift_id=gift_id, reason=problem.detail)
                gone.add(gift_id)
    for gift_id, _, _ in known:
        try:
            with hub.db.write() as session:
                _look_at_gift(hub, session, gift_id, now, is_gone=gift_id in gone)
        except Problem as problem:  # it holds up no other
            log.warning("gift.not_returned", gift_id=gift_id, reason=problem.detail)
            with hub.db.write() as session:
                _look_at_gift(hub, session, gift_id, now, is_gone=True)
    return len(known) == ROWS


def _look_at_gift(hub: Hub, session: Session, gift_id: str, now: datetime, *, is_gone: bool) -> None:
    gift = service.find(session, gift_id)
    state = service.state(session, gift, now)
    gift.look_at = now + matters.AGAIN_AFTER
    if state in OVER or is_gone:
        gift.look_at = None
    elif state == "open":
        gift.look_at = gift.expires_at
        matters.tell(session, hub, "unclaimed_gift", gift.sender, gift_id, gift.made_at, now)
    elif state == "expired":
        matters.tell(session, hub, "expired_gift", gift.sender, gift_id, gift.expires_at, now)
        returns_at = gift.expires_at + timedelta(days=hub.settings.gift_return_days)
        gift.look_at = max(returns_at, now + SOON)
        if now >= returns_at:
            service.take_back(session, hub, gift_id, now)
            gift.look_at = now + matters.AGAIN_AFTER
    session.add(gift)
    session.flush()
