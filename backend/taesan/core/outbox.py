"""Events that carry news upwards: put in the transaction of the change, handled after commit, each exactly once."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import func, insert, select, update
from sqlmodel import Session, col

from taesan.core.clock import Clock
from taesan.core.crashpoints import reach
from taesan.core.db import UNAVAILABLE, Database
from taesan.core.models import OutboxEvent

log = structlog.get_logger()

Handler = Callable[[Session, Mapping[str, Any], datetime], None]
"""Does one event's work in the transaction that marks the event handled."""


def put(session: Session, key: str, type_: str, payload: Mapping[str, Any], now: datetime) -> bool:
    """Adds an event unless one with this key exists already; tells whether it did."""
    if session.scalar(select(OutboxEvent.id).where(col(OutboxEvent.key) == key)) is not None:  # type: ignore[call-overload]
        return False
    session.execute(insert(OutboxEvent).values(key=key, type=type_, payload=dict(payload), created_at=now))
    return True


def deliver(db: Database, handlers: Mapping[str, list[Handler]], clock: Clock, limit: int = 1_000) -> int:
    """Handles waiting events in order, each in a transaction of its own; returns how many.

    Stops at the first that fails: the events of a chain only make sense in order. It is tried again at the next call.

    :raises UNAVAILABLE: the database's own trouble, which is held against no event
    """
    with db.read() as session:
        waiting = session.scalars(
            select(OutboxEvent).where(col(OutboxEvent.handled_at).is_(None)).order_by(col(OutboxEvent.id)).limit(limit)
        ).all()
    for handled, event in enumerate(waiting):
        try:
            with db.write() as session:
                now = clock.now()
                marked = session.execute(
                    update(OutboxEvent)
                    .where(col(OutboxEvent.id) == event.id, col(OutboxEvent.handled_at).is_(None))
                    .values(handled_at=now, last_error=None)
                )
                if marked.rowcount == 0:  # type: ignore[attr-defined]
                    continue  # another worker was faster
                for handler in handlers.get(event.type, []):
                    handler(session, event.payload, now)
                reach("outbox.before_commit", event.type)
            reach("outbox.after_commit", event.type)
        except UNAVAILABLE:
            raise  # not the event's fault
        except Exception as error:
            log.exception("outbox.failed", event_id=event.id, event_type=event.type)
            with db.write() as session:
                session.execute(
                    update(OutboxEvent).where(col(OutboxEvent.id) == event.id).values(last_error=repr(error)[:500])
                )
            return handled
    return len(waiting)


def oldest_waiting(session: Session) -> datetime | None:
    """When the oldest unhandled event was put."""
    return session.scalar(
        select(col(OutboxEvent.created_at))
        .where(col(OutboxEvent.handled_at).is_(None))
        .order_by(col(OutboxEvent.id))
        .limit(1)
    )


def is_stuck(session: Session) -> bool:
    """Whether an event could not be handled: a person has to look. It is the oldest that waits, as none goes before it."""
    oldest = select(col(OutboxEvent.last_error)).where(col(OutboxEvent.handled_at).is_(None))
    return session.scalar(oldest.order_by(col(OutboxEvent.id)).limit(1)) is not None


def waiting_count(session: Session, key: str = "") -> int:
    """Of all events, or of those whose key begins with `key`."""
    waiting = select(func.count()).select_from(OutboxEvent).where(col(OutboxEvent.handled_at).is_(None))
    return session.scalar(waiting.where(col(OutboxEvent.key).startswith(key)) if key else waiting) or 0
