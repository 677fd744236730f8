"""Standing costs, kept up to date: a merchant is looked at again when something was paid there, when what was is removed, and when a
payment turns out to be a duplicate, or not to be one; at no other time. All of those note it, and the worker looks."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from time import monotonic
from typing import Any

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from taesan.core import bulk
from taesan.core.db import Database
from taesan.core.ids import new_id
from taesan.core.pages import newest_id
from taesan.core.problems import not_found
from taesan.hub import Hub
from taesan.insights import hidden
from taesan.insights.cadence import calendar_of
from taesan.insights.models import MovementRow, Person
from taesan.insights.recurring import MOST_CHARGES, Charge, Stream, streams
from taesan.insights.recurring_models import (
    ChargePublic,
    DoublePublic,
    Recurring,
    RecurringCursor,
    RecurringDue,
    RecurringList,
    RecurringPublic,
    RisePublic,
    TrialPublic,
    Verdict,
    YearlyPublic,
)
from taesan.insights.streams import PREFIX

PAGE = 5_000  # movements whose merchants are noted at once
LOOKS, LOOKING_S = 1_000, 1  # notes of a step at most, and after how long it leaves the rest to the next
LISTED = 500
Found = Mapping[str, Sequence[tuple[Stream, dict[str, Any]]]]
"""By asset: what stands at a merchant, and what is told of it."""


# -------------------------------------------------------------------- looking


def note(session: Session, owner: int, merchants: Iterable[str]) -> None:
    """They are looked at again, soon."""
    rows = [(owner, merchant) for merchant in sorted({*merchants} - {""})]
    bulk.insert(session.connection(), RecurringDue, ("owner", "merchant"), rows)


def look_step(hub: Hub) -> bool:
    """Worker step: notes the merchants of a page of movements, and looks at some that are noted; returns whether there may be more.

    It takes long to look where much is paid, so nobody is held up meanwhile: no transaction is open.
    """
    with hub.db.read() as session:
        at = session.get(RecurringCursor, 1)
        is_behind = newest_id(session, col(MovementRow.id)) > (at.movement_id if at else 0)
    if is_behind:
        with hub.db.write() as session:
            is_behind = _note_page(session)
    return _look(hub) or is_behind


def _note_page(session: Session) -> bool:
    at = session.get(RecurringCursor, 1) or RecurringCursor()
    newest = newest_id(session, col(MovementRow.id))
    last = min(newest, at.movement_id + PAGE)
    new = select(col(MovementRow.owner), col(MovementRow.merchant)).distinct()
    new = new.where(col(MovementRow.id) > at.movement_id, col(MovementRow.id) <= last)
    of_persons: dict[int, list[str]] = defaultdict(list)
    for owner, merchant in session.execute(new.where(col(MovementRow.kind) == "spent")):
        of_persons[owner].append(merchant)
    for owner, merchants in of_persons.items():
        note(session, owner, merchants)
    at.movement_id = last
    session.add(at)
    return newest > last


def _look(hub: Hub) -> bool:
    """As what was noted first says. Whatever changes meanwhile is noted again."""
    ends = monotonic() + LOOKING_S
    noted: dict[tuple[int, str], list[int]] = defaultdict(list)
    with hub.db.read() as session:
        notes = select(col(RecurringDue.id), col(RecurringDue.owner), col(RecurringDue.merchant))
        for id_, owner, merchant in session.execute(notes.order_by(col(RecurringDue.id)).limit(LOOKS)):
            noted[owner, merchant].append(id_)
    if not noted:
        return False
    found: dict[tuple[int, str], Found] = {}
    for owner, merchant in noted:
        found[owner, merchant] = _find(hub.db, owner, merchant)
        if monotonic() > ends:
            break
    with hub.db.write() as session:
        for (owner, merchant), at_merchant in found.items():
            _keep(session, owner, merchant, at_merchant, hub.clock.now())
        done = [id_ for pair in found for id_ in noted[pair]]
        session.execute(delete(RecurringDue).where(col(RecurringDue.id).in_(done)))
    return True


def _find(db: Database, owner: int, merchant: str) -> Found:
    """What stands at one merchant of a person, by its newest payments."""
    with db.read() as session:
        person = session.get(Person, owner)
        if person is None:
            return {}
        calendar = calendar_of(person.zone)
        of_merchant = select(MovementRow).where(col(MovementRow.owner) == owner, col(MovementRow.merchant) == merchant)
        paid = of_merchant.where(col(MovementRow.kind) == "spent", col(MovementRow.duplicate_of).is_(None))
        newest = paid.order_by(col(MovementRow.day).desc(), col(MovementRow.id).desc()).limit(MOST_CHARGES)
        rows = session.scalars(newest).all()
        session.expunge_all()
    by_id = {row.id: row for row in rows}
    of_asset: dict[str, list[Charge]] = defaultdict(list)
    for row in reversed(rows):
        of_asset[row.asset].append(Charge(row.id or 0, row.day, row.amount, row.category))
    return {
        asset: [(stream, _told(stream, by_id[stream.charges[-1].id])) for stream in streams(charges, calendar)]
        for asset, charges in of_asset.items()
    }


def _keep(session: Session, owner: int, merchant: str, found: Found, now: datetime) -> None:
    if session.get(Person, owner) is None:  # what is erased does not come back
        return
    before: dict[str, list[Recurring]] = defaultdict(list)
    kept = select(Recurring).where(col(Recurring.owner) == owner, col(Recurring.merchant) == merchant)
    for old in session.scalars(kept.order_by(col(Recurring.id))).all():
        before[old.asset].append(old)
    for asset in found.keys() | before.keys():
        left = before[asset]
        for stream, told in found.get(asset, ()):
            known = _same(left, stream)
            if known is None:
                at: dict[str, Any] = {"owner": owner, "merchant": merchant, "asset": asset, "found_at": now}
                session.add(Recurring(public_id=new_id("rec"), **at, **told))
                continue
            left.remove(known)
            known.sqlmodel_update(told)
            session.add(known)
        for gone in left:
            if gone.verdict is None or not _count_all(session, gone):
                session.delete(gone)
    session.flush()


def _count_all(session: Session, row: Recurring) -> bool:
    """Its payments. What was judged stays as long as they do: else it would tell what was removed, or twice what is a duplicate."""
    ids = [id_ for id_, *_ in row.charges]
    counting = select(func.count()).where(col(MovementRow.id).in_(ids), col(MovementRow.duplicate_of).is_(None))
    return session.scalar(counting) == len(ids)


def _same(rows: Sequence[Recurring], stream: Stream) -> Recurring | None:
    """Which of those that are known a stream is: that with most payments in common, or, if the person has judged it, of one price."""
    ids = {charge.id for charge in stream.charges}
    shared = [(sum(1 for id_, *_ in row.charges if id_ in ids), row) for row in rows]
    most = max(shared, key=lambda pair: pair[0], default=(0, None))
    if most[0]:
        return most[1]
    alike = (
        row for row in rows if row.verdict and (row.cadence, row.price) == (stream.cadence, stream.charges[0].amount)
    )
    return next(alike, None)


def _told(stream: Stream, newest: MovementRow) -> dict[str, Any]:
    """Of a row all that a new payment may change."""
    changed, trial = stream.changed, stream.trial
    return {
        "name": newest.name,
        "category": newest.category,
        "exponent": newest.exponent,
        "cadence": stream.cadence,
        "price": stream.price,
        "yearly": stream.yearly,
        "about": stream.about,
        "was": changed[1] if changed else None,
        "changed_on": stream.charges[changed[0]].day if changed else None,
        "trial_amount": trial.amount if trial else None,
        "trial_day": trial.day if trial else None,
        "first_day": stream.first,
        "last_day": stream.last,
        "next_due": stream.next_due,
        "over_after": stream.over_after,
        "charges": [[charge.id, charge.day.isoformat(), str(charge.amount)] for charge in stream.charges],
    }


# -------------------------------------------------------------------- reading


def of_person(session: Session, owner: int) -> Sequence[Recurring]:
    """The newest, if there are more than are listed."""
    of_owner = select(Recurring).where(col(Recurring.owner) == owner)
    return session.scalars(of_owner.order_by(col(Recurring.id).desc()).limit(LISTED)).all()


def standing(row: Recurring, today: date) -> hidden.Standing:
    return hidden.Standing(
        row.public_id,
        row.merchant,
        row.category,
        row.asset,
        row.first_day,
        row.last_day,
        row.price,
        row.yearly,
        row.was,
        today > row.over_after,
    )


def judge(session: Session, owner: int, public_id: str, verdict: Verdict, now: datetime) -> Recurring:
    """:raises Problem: `not-found`, also if it is somebody else's"""
    row = session.scalars(select(Recurring).where(col(Recurring.public_id) == public_id)).first()
    if row is None or row.owner != owner:
        raise not_found("The standing cost", public_id)
    if row.verdict != verdict:
        row.verdict, row.judged_at = verdict, now
        session.add(row)
        session.flush()
    return row


def public_list(rows: Sequence[Recurring], today: date) -> RecurringList:
    ordered = sorted(rows, key=lambda row: (today > row.over_after, row.asset, -row.yearly, row.public_id))
    counting = [row for row in ordered if row.verdict != "dismissed" and today <= row.over_after]
    totals: dict[tuple[str, int], int] = defaultdict(int)
    for row in counting:
        totals[row.asset, row.exponent] += row.yearly
    twice = hidden.doubles([standing(row, today) for row in counting])
    return RecurringList(
        items=[public(row, today) for row in ordered],
        doubles=[DoublePublic(ids=list(double.ids), why=double.why, yearly=double.yearly) for double in twice],
        totals=[
            YearlyPublic(asset=asset, exponent=exponent, yearly=n) for (asset, exponent), n in sorted(totals.items())
        ],
    )


def public(row: Recurring, today: date) -> RecurringPublic:
    more, rise, trial = hidden.rise(standing(row, today)), None, None
    if more is not None and row.was is not None and row.changed_on is not None:
        rise = RisePublic(was=row.was, day=row.changed_on.isoformat(), more_a_year=more)
    if row.trial_amount is not None and row.trial_day is not None:
        first = row.first_day.isoformat()
        trial = TrialPublic(day=row.trial_day.isoformat(), amount=row.trial_amount, full_since=first)
    told = {
        name: getattr(row, name) for name in ("merchant", "name", "category", "asset", "exponent", "cadence", "price")
    }
    return RecurringPublic(
        **told,
        id=row.public_id,
        yearly=row.yearly,
        about=row.about,
        first_day=row.first_day.isoformat(),
        last_day=row.last_day.isoformat(),
        next_due=row.next_due.isoformat(),
        over=today > row.over_after,
        rise=rise,
        trial=trial,
        verdict=row.verdict,  # type: ignore[arg-type]
        charges=[
            ChargePublic(movement_id=f"{PREFIX}{n}", day=day, amount=int(amount)) for n, day, amount in row.charges
        ],
    )
