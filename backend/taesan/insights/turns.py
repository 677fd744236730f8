"""Whose report is due, whichever way it goes: once a month, tried again if need be, given up in the end.

Each step is one short transaction of the caller's; nothing is made or sent in any. Whoever dies between a try and its note leaves a claim
that runs out.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.days import begins_at
from taesan.core.db import UNAVAILABLE
from taesan.hub import Hub
from taesan.insights import audits, persons
from taesan.insights.audit_models import MonthAudit
from taesan.insights.models import Person
from taesan.insights.movements import next_month
from taesan.insights.schedule_models import ReportMail, ReportSchedule

log = structlog.get_logger()

AFTER_MONTH = timedelta(hours=1)
"""What moved in its last moments is known by then."""
NOT_MADE = "the report could not be made"
Row = TypeVar("Row", ReportSchedule, ReportMail)


def due_at(person: Person, month: date) -> datetime:
    return begins_at(next_month(month), persons.zone_of(person)) + AFTER_MONTH


def wait_for(row: ReportSchedule | ReportMail, person: Person, month: date) -> None:
    """It is this month's turn, when it is over."""
    row.month, row.tries, row.fault = month, 0, None
    row.due_at = due_at(person, month)


def of_person(session: Session, table: type[Row], person: Person) -> Row | None:
    return session.scalar(select(table).where(col(table.owner) == persons.number_of(person)))


def due(session: Session, table: type[Row], now: datetime, most: int) -> Sequence[Row]:
    """Those that are due longest."""
    waiting = select(table).where(col(table.due_at) <= now)
    return session.scalars(waiting.order_by(col(table.due_at)).limit(most)).all()


def claim(session: Session, table: type[Row], now: datetime, until: datetime, most: int) -> list[Row]:
    """Those that nobody else tries meanwhile. Whoever dies with them has tried, too."""
    claimed = []
    for row in due(session, table, now, most):
        row.due_at = until
        session.add(row)
        person = session.get(Person, row.owner)
        if person is None:
            continue  # who is being erased
        if row.is_monthly and now < (over_at := due_at(person, row.month)):
            row.due_at = over_at  # in another time zone since
            continue
        row.tries += 1
        claimed.append(row)
    session.flush()
    return claimed


def claimed(session: Session, table: type[Row], id_: int, until: datetime) -> tuple[Row, Person] | None:
    """None: removed or changed since it was claimed."""
    row = session.get(table, id_)
    person = None if row is None else session.get(Person, row.owner)
    return None if row is None or person is None or row.due_at != until else (row, person)


def audited(
    session: Session, hub: Hub, row: ReportSchedule | ReportMail, person: Person, now: datetime
) -> MonthAudit | None:
    """None: it cannot be made, which holds up this one person, but nobody else."""
    try:
        return audits.month_audit(session, hub, person, row.month, now)
    except UNAVAILABLE:
        raise
    except Exception:
        log.exception("insights.report_not_made", table=row.__tablename__, schedule=row.id)
        return None


def note(
    session: Session, row: ReportSchedule | ReportMail, fault: str | None, wait: timedelta | None, now: datetime
) -> None:
    """What has become of a try.

    :param fault: None: it has arrived. :param wait: until it is tried again; None: it is not, and the month after has its turn
    """
    session.add(row)
    if fault is not None and wait is not None:
        row.fault, row.due_at = fault, now + wait
    elif (person := session.get(Person, row.owner)) is not None:
        wait_for(row, person, next_month(row.month))
        row.fault = fault
        row.sent_at = now if fault is None else row.sent_at
    session.flush()
