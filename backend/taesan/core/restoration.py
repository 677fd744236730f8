"""A database that was put back to an older state takes nothing in until it has caught up with its chain."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.db import Database
from taesan.core.models import Restoration
from taesan.core.problems import Problem

RESTORED, MARKED = "restored from ", "marked by hand"
"""Causes that a person has given; all others were found out."""


def mark(session: Session, cause: str, now: datetime) -> None:
    """From here on the database counts as restored, and as behind its chain until `finish`. Once is enough."""
    if not is_reconciling(session):
        session.add(Restoration(cause=cause, marked_at=now))


def finish(session: Session, now: datetime) -> None:
    last = _newest(session)
    if last is not None and last.done_at is None:
        last.done_at = now
        session.add(last)


def was_put_back(session: Session) -> bool:
    """Whether a person has said that the database is an older one."""
    last = _newest(session)
    return last is not None and last.cause.startswith((RESTORED, MARKED))


def is_reconciling(session: Session) -> bool:
    """Whether the chain may still know of money that these books do not."""
    last = _newest(session)
    return last is not None and last.done_at is None


def reconciling() -> Problem:
    return Problem(
        "reconciling",
        503,
        "The hub was restored from a backup and is catching up with its blockchain.",
        "Nothing was stored; try again soon with the same Idempotency-Key.",
        headers={"retry-after": "10"},
    )


class Gate:
    """Holds a worker's steps back while the database is behind its chain, which it may come to be at any time: another process
    finds it out when it starts."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._is_open: bool | None = None

    def look(self) -> bool:
        """Worker step, the first of all."""
        with self._db.read() as session:
            self._is_open = not is_reconciling(session)
        return False

    @property
    def is_open(self) -> bool:
        """As of the last look."""
        if self._is_open is None:
            self.look()
        return bool(self._is_open)

    def behind(self, step: Callable[[], bool]) -> Callable[[], bool]:
        return lambda: self.is_open and step()


def _newest(session: Session) -> Restoration | None:
    return session.scalar(select(Restoration).order_by(col(Restoration.id).desc()).limit(1))
