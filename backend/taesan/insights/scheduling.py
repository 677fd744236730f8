"""Sends each month's report when the month is over, to the person's own server, in a Standard Webhooks message.

At least once, and always under the same `webhook-id` for one person and month: whoever dies between a try and its note tries again.
"""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlmodel import Session

from taesan.core import restoration
from taesan.core.clock import rfc3339
from taesan.core.days import day_of
from taesan.core.ids import new_id
from taesan.core.problems import not_found
from taesan.core.signing_secrets import new_secret
from taesan.core.worker import Worker
from taesan.hub import Hub
from taesan.insights import audits, persons, turns
from taesan.insights.models import Person
from taesan.insights.movements import month_of
from taesan.insights.schedule_models import ReportSchedule, SchedulePublic, ScheduleTerms, ScheduleTried
from taesan.webhooks import deliveries, endpoints, sending
from taesan.webhooks.schedule import wait_after
from taesan.webhooks.sending import Pinned, Try

TYPE, TEST = "insights.month", "insights.test"
LEASE = "reports"
AT_ONCE = 8  # so that a server that never answers holds up few


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
    row = turns.of_person(session, ReportSchedule, person) or ReportSchedule(owner=owner, created_at=now)  # type: ignore[call-arg]
    row.url, row.secret = terms.url, new_secret()
    turns.wait_for(row, person, month)
    session.add(row)
    session.flush()
    return row


def find(session: Session, person: Person) -> ReportSchedule:
    """:raises Problem: `not-found`"""
    row = turns.of_person(session, ReportSchedule, person)
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


# -------------------------------------------------------------------- trying


def trial_parcel(session: Session, hub: Hub, person: Person, now: datetime) -> Parcel:
    """What a month's report will look like: the running month so far. :raises Problem: `not-found`"""
    row = find(session, person)
    month = month_of(day_of(now, persons.zone_of(person)))
    audit = audits.month_audit(session, hub, person, month, now)
    body = json.dumps({"type": TEST, "timestamp": rfc3339(now), "data": audit.model_dump(mode="json")})
    headers = deliveries.signed(new_id("rep"), body, [row.secret], now)
    return Parcel(row.id or 0, month, row.url, headers, body)


async def try_now(hub: Hub, parcel: Parcel) -> ScheduleTried:
    """Once, and no more: nothing is kept of it."""
    transport = Pinned(local_allowed=hub.settings.local_webhooks)
    try:
        tried = await sending.post(transport, parcel.url, parcel.headers, parcel.body or "")
    finally:
        await transport.aclose()
    return ScheduleTried(arrived=tried.is_success, fault=_fault(tried))


def _fault(tried: Try) -> str | None:
    return None if tried.is_success else tried.error or f"answered {tried.status}"


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
            if not turns.due(session, ReportSchedule, now, 1) or restoration.is_reconciling(session):
                return False
        with self._hub.db.write() as session:
            rows = turns.claim(session, ReportSchedule, now, now + deliveries.CLAIM, AT_ONCE)
            claimed = [row.id for row in rows if row.id is not None]
        parcels = [parcel for schedule_id in claimed if (parcel := self._made(schedule_id, now)) is not None]
        tried = asyncio.run(self._post(parcels))
        with self._hub.db.write() as session:
            for parcel, one in zip(parcels, tried, strict=True):
                self._note(session, parcel, one, self._hub.clock.now())
        return True

    def _made(self, schedule_id: int, now: datetime) -> Parcel | None:
        """While others write: a busy month takes long to be added up."""
        with self._hub.db.read() as session:
            found = turns.claimed(session, ReportSchedule, schedule_id, now + deliveries.CLAIM)
            if found is None:
                return None
            row, person = found
            month, url, secret = row.month, row.url, row.secret
            audit = turns.audited(session, self._hub, row, person, now)
        if audit is None:
            return Parcel(schedule_id, month, url, {}, None)
        body = json.dumps({"type": TYPE, "timestamp": rfc3339(now), "data": audit.model_dump(mode="json")})
        id_ = f"rep_{person.public_id}_{audit.month}"
        return Parcel(schedule_id, month, url, deliveries.signed(id_, body, [secret], now), body)

    async def _post(self, parcels: Sequence[Parcel]) -> list[Try]:
        transport = self._transport or Pinned(local_allowed=self._hub.settings.local_webhooks)

        async def post(parcel: Parcel) -> Try:
            if parcel.body is None:
                return Try(None, turns.NOT_MADE, "", 0)
            return await sending.post(transport, parcel.url, parcel.headers, parcel.body)

        try:
            return await asyncio.gather(*map(post, parcels))
        finally:
            await transport.aclose()

    def _note(self, session: Session, parcel: Parcel, tried: Try, now: datetime) -> None:
        row = session.get(ReportSchedule, parcel.schedule_id)
        if row is None or (row.month, row.url) != (parcel.month, parcel.url):
            return  # changed meanwhile
        turns.note(session, row, _fault(tried), wait_after(row.tries, self._chance()), now)
