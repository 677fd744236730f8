"""Sends each month's report when the month is over, to the person's own server, in a Standard Webhooks message.

At least once, and always under the same `webhook-id` for one person and month: whoever dies between a try and its note tries again.
"""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core import restoration
from taesan.core.clock import rfc3339
from taesan.core.days import begins_at, day_of
from taesan.core.db import UNAVAILABLE
from taesan.core.problems import not_found
from taesan.core.signing_secrets import new_secret
from taesan.core.worker import Worker
from taesan.hub import Hub
from taesan.insights import audits, persons
from taesan.insights.models import Person
from taesan.insights.movements import month_of, next_month
from taesan.insights.schedule_models import ReportSchedule, SchedulePublic, ScheduleTerms
from taesan.webhooks import deliveries, endpoints, sending
from taesan.webhooks.schedule import wait_after
from taesan.webhooks.sending import Pinned, Try

log = structlog.get_logger()

TYPE = "insights.month"
LEASE = "reports"
AFTER_MONTH = timedelta(hours=1)
"""What moved in its last moments is known by then."""
AT_ONCE = 8  # so that a server that never answers holds up few
NOT_MADE = "the report could not be made"


class Parcel(NamedTuple):
    """:ivar body: None: it could not be made"""

    schedule_id: int
    month: date
    url: str
    headers: dict[str, str]
    body: str | None


def put(session: Session, hub: Hub, person: Person, terms: ScheduleTerms, now: datetime) -> ReportSchedule:
    """With a new secret. The running month's report is the first. :raises Problem: `webhook-url-refused`"""
    endpoints.check_url(hub, terms.url)
    owner, month = persons.number_of(person), month_of(day_of(now, persons.zone_of(person)))
    row = _of_person(session, owner) or ReportSchedule(owner=owner, created_at=now)  # type: ignore[call-arg]
    row.url, row.secret = terms.url, new_secret()
    _await(row, person, month)
    session.add(row)
    session.flush()
    return row


def find(session: Session, person: Person) -> ReportSchedule:
    """:raises Problem: `not-found`"""
    row = _of_person(session, persons.number_of(person))
    if row is None:
        raise not_found("A schedule of", person.public_id)
    return row


def remove(session: Session, person: Person) -> None:
    """:raises Problem: `not-found`"""
    session.delete(find(session, person))
    session.flush()


def public(row: ReportSchedule) -> SchedulePublic:
    return SchedulePublic(
        url=row.url,
        month=row.month.isoformat()[:7],
        due_at=rfc3339(row.due_at),
        sent_at=rfc3339(row.sent_at) if row.sent_at else None,
        fault=row.fault,
    )


def _of_person(session: Session, owner: int) -> ReportSchedule | None:
    return session.scalar(select(ReportSchedule).where(col(ReportSchedule.owner) == owner))


def _await(row: ReportSchedule, person: Person, month: date) -> None:
    row.month, row.tries, row.fault = month, 0, None
    row.due_at = _due_at(person, month)


def _due_at(person: Person, month: date) -> datetime:
    return begins_at(next_month(month), persons.zone_of(person)) + AFTER_MONTH


# -------------------------------------------------------------------- sending


class ReportWorker(Worker):
    """Beside the others, with a lease of its own: a server that is slow holds up nothing but reports.

    :param chance: from 0 to 1, for the jitter
    """

    def __init__(self, hub: Hub, transport: Pinned | None = None, chance: Callable[[], float] = random.random) -> None:
        self._hub, self._chance = hub, chance
        self._transport = transport
        steps = {"send reports": self.send_step}
        super().__init__(hub.db, hub.clock, steps, hub.settings.worker_tick_s, hub.settings.worker_lease_s, LEASE)

    def send_step(self) -> bool:
        """Worker step: tries some of those that are due longest, side by side; returns whether there were any."""
        now = self._hub.clock.now()
        with self._hub.db.read() as session:
            if not _due(session, now) or restoration.is_reconciling(session):
                return False
        with self._hub.db.write() as session:
            claimed = self._claim(session, now)
        parcels = [parcel for schedule_id in claimed if (parcel := self._made(schedule_id, now)) is not None]
        tried = asyncio.run(self._post(parcels))
        with self._hub.db.write() as session:
            for parcel, one in zip(parcels, tried, strict=True):
                self._note(session, parcel, one, self._hub.clock.now())
        return True

    def _claim(self, session: Session, now: datetime) -> list[int]:
        """Schedules of which nobody else makes a report meanwhile. Whoever dies with them has tried, too."""
        claimed = []
        for row in _due(session, now):
            row.due_at = now + deliveries.CLAIM
            session.add(row)
            person = session.get(Person, row.owner)
            if person is None:
                continue  # who is being erased
            if now < (due_at := _due_at(person, row.month)):
                row.due_at = due_at  # in another time zone since
                continue
            row.tries += 1
            assert row.id is not None
            claimed.append(row.id)
        session.flush()
        return claimed

    def _made(self, schedule_id: int, now: datetime) -> Parcel | None:
        """While others write: a busy month takes long to be added up."""
        with self._hub.db.read() as session:
            row = session.get(ReportSchedule, schedule_id)
            person = None if row is None else session.get(Person, row.owner)
            if row is None or person is None or row.due_at != now + deliveries.CLAIM:
                return None  # removed or changed meanwhile
            month, url, secret = row.month, row.url, row.secret
            try:
                audit = audits.month_audit(session, self._hub, person, month, now)
            except UNAVAILABLE:
                raise
            except Exception:  # of one person, whom it may hold up, but nobody else
                log.exception("insights.report_not_made", schedule=schedule_id)
                return Parcel(schedule_id, month, url, {}, None)
        body = json.dumps({"type": TYPE, "timestamp": rfc3339(now), "data": audit.model_dump(mode="json")})
        id_ = f"rep_{person.public_id}_{audit.month}"
        return Parcel(schedule_id, month, url, deliveries.signed(id_, body, [secret], now), body)

    async def _post(self, parcels: Sequence[Parcel]) -> list[Try]:
        transport = self._transport or Pinned(local_allowed=self._hub.settings.local_webhooks)

        async def post(parcel: Parcel) -> Try:
            if parcel.body is None:
                return Try(None, NOT_MADE, "", 0)
            return await sending.post(transport, parcel.url, parcel.headers, parcel.body)

        try:
            return await asyncio.gather(*map(post, parcels))
        finally:
            await transport.aclose()

    def _note(self, session: Session, parcel: Parcel, tried: Try, now: datetime) -> None:
        row = session.get(ReportSchedule, parcel.schedule_id)
        if row is None or (row.month, row.url) != (parcel.month, parcel.url):
            return  # changed meanwhile
        wait = None if tried.is_success else wait_after(row.tries, self._chance())
        if wait is not None:
            row.fault, row.due_at = tried.error or f"answered {tried.status}", now + wait
        else:
            person = session.get(Person, row.owner)
            if person is None:
                return
            _await(row, person, next_month(row.month))
            if tried.is_success:
                row.sent_at = now
            else:  # given up; the month after is sent again
                row.fault = tried.error or f"answered {tried.status}"
        session.add(row)
        session.flush()


def _due(session: Session, now: datetime) -> Sequence[ReportSchedule]:
    due = select(ReportSchedule).where(col(ReportSchedule.due_at) <= now)
    return session.scalars(due.order_by(col(ReportSchedule.due_at)).limit(AT_ONCE)).all()
