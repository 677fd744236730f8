"""Duplicates between sources, in the database: looked for when a statement is imported and when the hub learns of new payments, kept
as `duplicate_of`, confirmed or dismissed by the person."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select, update
from sqlmodel import Session, col

from taesan.core import bulk
from taesan.core.pages import newest_first, newest_id
from taesan.core.problems import Problem, not_found
from taesan.gateways.models import Gateway
from taesan.hub import Hub
from taesan.insights import changes, streams
from taesan.insights.duplicates import KINDS, WINDOW, Entry, Pair, find
from taesan.insights.figures import CURRENCIES
from taesan.insights.import_models import DuplicateCursor, DuplicatePublic, DuplicateVerdict, Verdict
from taesan.insights.lines import account_in
from taesan.insights.merchants import normalised
from taesan.insights.models import MovementRow
from taesan.insights.movements import Kind, Source
from taesan.insights.streams import PREFIX

PAGE = 500
MOST_OF_A_DAY = 100  # movements of one amount: nobody's small money has more, and one who says so holds up nobody
CHUNK = 5_000  # values of one question; a database takes some ten thousands
UNSTORED = 2**62
_COLUMNS = (
    col(MovementRow.id),
    col(MovementRow.source),
    col(MovementRow.kind),
    col(MovementRow.key),
    col(MovementRow.asset),
    col(MovementRow.amount),
    col(MovementRow.day),
    col(MovementRow.merchant),
)


class Known(NamedTuple):
    """:ivar reference: what a movement is called wherever it is stored again"""

    entry: Entry
    reference: str


def known(id_: int, source: Source, kind: Kind, key: str, asset: str, amount: int, day: date, merchant: str) -> Known:
    account = account_in(key) if source == "statement" else ""
    return Known(Entry(id_, source, account, kind, asset, amount, day, merchant), f"{source}/{kind}/{key}")


def reference(row: MovementRow) -> str:
    return f"{row.source}/{row.kind}/{row.key}"


# ------------------------------------------------------------------- looking


def look(session: Session, owner: int, new: Sequence[Known]) -> list[Pair]:
    """Which of these are the same as what is stored, or the other way round.

    :param new: stored or not; those that are not have ids from `UNSTORED` on
    """
    # Statements tell nothing in tokens, of which there may be many payments of one amount.
    new = [one for one in new if one.entry.kind in KINDS and one.entry.asset in CURRENCIES]
    if not new:
        return []
    ids = {one.entry.id for one in new}
    stored = [one for one in _candidates(session, owner, [one.entry for one in new]) if one.entry.id not in ids]
    said = _said(session, owner, {one.reference: one.entry.id for one in (*new, *stored)})
    return find(
        [one.entry for one in (*new, *stored)],
        together=said["confirmed"],
        # Which of two came first may have changed since.
        apart={Pair(*p) for pair in said["dismissed"] for p in (pair, pair[::-1])},
        taken=_taken(session, owner, [id_ for one in (*new, *stored) if (id_ := one.entry.id) < UNSTORED]),
        between={normalised(name) for name in session.scalars(select(col(Gateway.name)))},
    )


def mark(session: Session, owner: int, pairs: Sequence[Pair]) -> None:
    rows = [(pair.original, pair.duplicate) for pair in pairs]
    bulk.update(session.connection(), MovementRow, "duplicate_of = :duplicate_of", ("duplicate_of", "id"), rows)
    changes.note_those_of(session, owner, [pair.duplicate for pair in pairs])


def _candidates(session: Session, owner: int, new: Sequence[Entry]) -> list[Known]:
    """What is stored of their amounts and about their days; of one amount and day so many at most, the first ones."""
    days: dict[tuple[str, int], list[date]] = defaultdict(list)
    for entry in new:
        days[entry.asset, entry.amount].append(entry.day)
    for of in days.values():
        of.sort()
    first, last = min(of[0] for of in days.values()) - WINDOW, max(of[-1] for of in days.values()) + WINDOW
    of_day = (col(MovementRow.asset), col(MovementRow.amount), col(MovementRow.day))
    found: list[Known] = []
    for amounts in _chunks({amount for _, amount in days}):
        place = func.row_number().over(partition_by=of_day, order_by=col(MovementRow.id)).label("place")
        rows = select(*_COLUMNS, place).where(
            col(MovementRow.owner) == owner,
            col(MovementRow.asset).in_({asset for asset, _ in days}),
            col(MovementRow.amount).in_(amounts),
            col(MovementRow.day).between(first, last),
            col(MovementRow.kind).in_(KINDS),
            col(MovementRow.duplicate_of).is_(None),
        )
        placed = rows.subquery()
        few = session.execute(select(placed).where(placed.c.place <= MOST_OF_A_DAY))
        found += [known(*row) for *row, _ in few]
    return [one for one in found if _is_near(one.entry.day, days[one.entry.asset, one.entry.amount])]


def _chunks(numbers: Collection[int]) -> Iterator[Sequence[int]]:
    ordered = sorted(numbers)
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))


def _is_near(day: date, days: Sequence[date]) -> bool:
    """:param days: in order"""
    place = bisect_left(days, day - WINDOW)
    return place < len(days) and days[place] <= day + WINDOW


def _said(session: Session, owner: int, ids: dict[str, int]) -> dict[str, list[Pair]]:
    """What the person has said of these. :param ids: by reference"""
    found: dict[str, list[Pair]] = {"confirmed": [], "dismissed": []}
    columns = col(DuplicateVerdict.line), col(DuplicateVerdict.other), col(DuplicateVerdict.verdict)
    for line, other, verdict in session.execute(select(*columns).where(col(DuplicateVerdict.owner) == owner)):
        if line in ids and other in ids and line != other:
            found[verdict].append(Pair(ids[line], ids[other]))
    return found


def _taken(session: Session, owner: int, ids: Collection[int]) -> set[tuple[int, str]]:
    """Who has a duplicate in which account."""
    taken: set[tuple[int, str]] = set()
    for some in _chunks(ids):
        of = select(col(MovementRow.duplicate_of), col(MovementRow.key)).where(col(MovementRow.duplicate_of).in_(some))
        rows = session.execute(of.where(col(MovementRow.owner) == owner))
        taken |= {(original, account_in(key)) for original, key in rows}
    return taken


def look_again(session: Session, owner: int, ids: Sequence[int]) -> None:
    """For movements that are stored."""
    rows = session.execute(select(*_COLUMNS).where(col(MovementRow.id).in_(ids)))
    mark(session, owner, look(session, owner, [known(*row) for row in rows]))


def release(session: Session, owner: int, originals: Collection[int]) -> None:
    """To be called when movements are gone: what was the same as they is looked for anew."""
    for some in _chunks(originals):
        of = (col(MovementRow.owner) == owner, col(MovementRow.duplicate_of).in_(some))
        found = session.scalars(select(col(MovementRow.id)).where(*of)).all()
        session.execute(update(MovementRow).where(*of).values(duplicate_of=None))
        for ids in _chunks([id_ for id_ in found if id_ is not None]):
            look_again(session, owner, ids)
            changes.note_those_of(session, owner, ids)


# ------------------------------------------------------------------- following


def started(session: Session) -> None:
    """With the first import it begins: that looks at what there is itself."""
    if session.get(DuplicateCursor, 1) is None:
        session.add(DuplicateCursor(movement_id=newest_id(session, col(MovementRow.id))))
        session.flush()


def look_step(hub: Hub) -> bool:
    """Worker step: compares a page of what the hub has learned since with statements; returns whether there may be more."""
    with hub.db.read() as session:
        if not _is_behind(session):
            return False
    with hub.db.write() as session:
        at = session.get_one(DuplicateCursor, 1)
        columns = col(MovementRow.id), col(MovementRow.owner), col(MovementRow.source)
        after = select(*columns).where(col(MovementRow.id) > at.movement_id).order_by(col(MovementRow.id))
        rows = session.execute(after.limit(PAGE)).all()
        learned: dict[int, list[int]] = defaultdict(list)
        for id_, owner, source in rows:
            if source != "statement":
                learned[owner].append(id_)
        for owner, ids in learned.items():
            look_again(session, owner, ids)
        at.movement_id = rows[-1][0] if rows else at.movement_id
        session.add(at)
        return len(rows) == PAGE


def _is_behind(session: Session) -> bool:
    at = session.get(DuplicateCursor, 1)
    return at is not None and newest_id(session, col(MovementRow.id)) > at.movement_id


# ------------------------------------------------------------------- verdicts


def find_movement(session: Session, owner: int, movement_id: str) -> MovementRow:
    """:raises Problem: `not-found`"""
    number = re.fullmatch(rf"{PREFIX}([1-9][0-9]{{0,17}})", movement_id)
    row = session.get(MovementRow, int(number[1])) if number else None
    if row is None or row.owner != owner:
        raise not_found("The movement", movement_id)
    return row


def duplicates_of(session: Session, owner: int, before: int | None, limit: int) -> Sequence[MovementRow]:
    of_person = select(MovementRow).where(
        col(MovementRow.owner) == owner,
        col(MovementRow.duplicate_of).is_not(None),
        col(MovementRow.duplicate_of) != col(MovementRow.id),  # what the person has left out
    )
    return newest_first(session, of_person, col(MovementRow.id), before, limit)


def public(session: Session, row: MovementRow) -> DuplicatePublic:
    original = original_of(session, row)
    return DuplicatePublic(
        movement=streams.public(row),
        original=streams.public(original) if original is not None else None,
        verdict=_verdict(session, row, original),
    )


def original_of(session: Session, row: MovementRow) -> MovementRow | None:
    return None if row.duplicate_of is None or row.is_excluded else session.get(MovementRow, row.duplicate_of)


def confirm(session: Session, row: MovementRow, now: datetime) -> None:
    """It is the same; also if that was dismissed before. :raises Problem: `no-duplicate`, also if it is the one that stays"""
    other = None if row.is_excluded else original_of(session, row) or _dismissed(session, row)
    if other is None or other.duplicate_of is not None or (other.source == "statement" and row.source != "statement"):
        raise _no_duplicate()
    row.duplicate_of = other.id
    session.add(row)
    _say(session, row, other, "confirmed", now)


def dismiss(session: Session, row: MovementRow, now: datetime) -> None:
    """They are two, and stay so. :raises Problem: `no-duplicate`"""
    other = original_of(session, row)
    if other is None:
        if _dismissed(session, row) is None:
            raise _no_duplicate()
        return
    row.duplicate_of = None
    session.add(row)
    _say(session, row, other, "dismissed", now)


def unsay(session: Session, owner: int, references: Collection[str]) -> None:
    """Forgets what was said of movements that are to be forgotten themselves."""
    of_them = or_(col(DuplicateVerdict.line).in_(references), col(DuplicateVerdict.other).in_(references))
    session.execute(delete(DuplicateVerdict).where(col(DuplicateVerdict.owner) == owner, of_them))


def _verdict(session: Session, row: MovementRow, original: MovementRow | None) -> Verdict:
    if original is None:
        return "dismissed"
    said = _said_of(session, row, original)
    return "confirmed" if said is not None and said.verdict == "confirmed" else "suspected"


def _say(session: Session, row: MovementRow, other: MovementRow, verdict: Verdict, now: datetime) -> None:
    said = _said_of(session, row, other) or DuplicateVerdict(
        owner=row.owner, line=reference(row), other=reference(other), verdict=verdict, said_at=now
    )
    said.verdict, said.said_at = verdict, now
    session.add(said)
    session.flush()
    changes.note(session, row.owner, (row.merchant, other.merchant))


def _said_of(session: Session, row: MovementRow, other: MovementRow) -> DuplicateVerdict | None:
    """Of two statements' lines either may have come first."""
    names = (reference(row), reference(other))
    both = select(DuplicateVerdict).where(
        col(DuplicateVerdict.owner) == row.owner,
        col(DuplicateVerdict.line).in_(names),
        col(DuplicateVerdict.other).in_(names),
        col(DuplicateVerdict.line) != col(DuplicateVerdict.other),
    )
    return session.scalars(both).first()


def _dismissed(session: Session, row: MovementRow) -> MovementRow | None:
    """What the person has said last that it is not, if that is still there."""
    name = reference(row)
    said = select(DuplicateVerdict).where(
        col(DuplicateVerdict.owner) == row.owner,
        or_(col(DuplicateVerdict.line) == name, col(DuplicateVerdict.other) == name),
        col(DuplicateVerdict.verdict) == "dismissed",
    )
    newest = session.scalars(said.order_by(col(DuplicateVerdict.said_at).desc(), col(DuplicateVerdict.id).desc()))
    verdict = newest.first()
    if verdict is None:
        return None
    source, kind, key = (verdict.other if verdict.line == name else verdict.line).split("/", 2)
    one = select(MovementRow).where(
        col(MovementRow.owner) == row.owner,
        col(MovementRow.source) == source,
        col(MovementRow.kind) == kind,
        col(MovementRow.key) == key,
    )
    return session.scalars(one).first()


def _no_duplicate() -> Problem:
    return Problem("no-duplicate", 409, "Nothing else seems to be the same as this movement.")
