"""The streams of a person's small money: lines, and sums of them by merchant, category, day or month. Duplicates are in no sum."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import JSON, Select, Text, column, func, literal, select
from sqlmodel import Session, col

from taesan.core import bulk
from taesan.core.clock import rfc3339
from taesan.core.pages import newest_id
from taesan.insights.merchants import category_of
from taesan.insights.models import MovementPublic, MovementRow, SumPublic, SumsPublic
from taesan.insights.movements import Kind, Source, month_of

By = Literal["merchant", "category", "day", "month", "source"]
PREFIX = "mov_"
MOST_SUMS = 5_000  # that one answer lists


@dataclass(frozen=True, slots=True)
class Sum:
    """Of one kind and asset. :ivar key: of what it was asked by, in that order; a month is its first day"""

    key: tuple[Any, ...]
    kind: Kind
    asset: str
    exponent: int
    count: int
    amount: int


def sums(
    session: Session, owner: int, since: date, until: date, by: Sequence[By] = (), *, source: Source | None = None
) -> list[Sum]:
    """Of the days in [since, until); one for each key, kind and asset that there is."""
    asked = ["day" if name == "month" else name for name in by]
    keys = [col(getattr(MovementRow, name)) for name in asked]
    of = [col(MovementRow.kind), col(MovementRow.asset), col(MovementRow.exponent)]
    query = _only(select(*keys, *of, func.count(), func.sum(MovementRow.amount)), owner, None, source)
    rows = session.execute(query.where(*_counting(since, until)).group_by(*keys, *of)).all()
    found: dict[tuple[Any, ...], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for *values, kind, asset, exponent, count, amount in rows:
        told = tuple(month_of(v) if name == "month" else v for name, v in zip(by, values, strict=True))
        before = found[told, kind, asset, exponent]
        found[told, kind, asset, exponent] = (before[0] + count, before[1] + int(amount))
    return [
        Sum(key, kind, asset, exponent, count, amount)
        for (key, kind, asset, exponent), (count, amount) in found.items()
    ]


def _counting(since: date, until: date) -> tuple[Any, ...]:
    day = col(MovementRow.day)
    return day >= since, day < until, col(MovementRow.duplicate_of).is_(None)


def _only(query: Select[Any], owner: int, merchant: str | None, source: str | None) -> Select[Any]:
    query = query.where(col(MovementRow.owner) == owner)
    for field, value in ((MovementRow.merchant, merchant), (MovementRow.source, source)):
        if value is not None:
            query = query.where(col(field) == value)
    return query


def public_sums(session: Session, owner: int, found: Sequence[Sum], by: By, since: date, until: date) -> SumsPublic:
    """By time in its order, else the largest first of each kind and asset."""
    in_order = by in ("day", "month")
    ordered = sorted(found, key=lambda s: (s.key if in_order else (), s.kind, s.asset, -s.amount, s.key))
    listed = ordered[:MOST_SUMS]
    named = names(session, owner, {row.key[0] for row in listed}) if by == "merchant" else {}
    items = [
        SumPublic(
            key=_told(by, row.key[0]),
            name=named.get(row.key[0]) or _told(by, row.key[0]),
            kind=row.kind,
            asset=row.asset,
            exponent=row.exponent,
            count=row.count,
            amount=row.amount,
        )
        for row in listed
    ]
    left_out = len(ordered) - len(items)
    return SumsPublic(since=since.isoformat(), until=until.isoformat(), items=items, left_out=left_out)


def _told(by: By, key: Any) -> str:
    return key.isoformat()[: 7 if by == "month" else 10] if isinstance(key, date) else str(key)


def names(session: Session, owner: int, merchants: Iterable[str]) -> dict[str, str]:
    """As the newest purchase at each writes it: one question, in which each is looked up by the index."""
    of_list = func.json_each if bulk.is_sqlite(session.connection()) else func.json_array_elements_text
    asked = literal(sorted(filter(None, merchants)), JSON)
    merchant = of_list(asked).table_valued(column("value", Text), name="json_each").c.value
    of_merchant = (
        col(MovementRow.owner) == owner,
        col(MovementRow.merchant) == merchant,
        col(MovementRow.kind) == "spent",
    )
    newest = select(col(MovementRow.name)).where(*of_merchant)
    newest = newest.order_by(col(MovementRow.day).desc(), col(MovementRow.id).desc()).limit(1)
    rows = session.execute(select(merchant, newest.correlate(merchant.table).scalar_subquery()))
    return {key: name for key, name in rows if name}


# --------------------------------------------------------------------- lists


def page(
    session: Session,
    owner: int,
    before: int | None,
    limit: int,
    *,
    since: date | None,
    until: date | None,
    merchant: str | None,
    category: str | None,
    source: str | None,
) -> Sequence[MovementRow]:
    """The newest days first, and of a day what came last; one more than `limit` if there are more. :param before: a `position`"""
    day, number = col(MovementRow.day), col(MovementRow.id)
    days = ([] if since is None else [day >= since]) + ([] if until is None else [day < until])
    query = _only(select(MovementRow), owner, merchant, source).where(*days)
    if category is not None:
        query = query.where(col(MovementRow.category).in_(_spellings(session, owner, category, days)))
    if before is not None:
        last_day, last_number = date.fromordinal(_bounded(before >> _BITS)), before & (1 << _BITS) - 1
        query = query.where(day <= last_day, (day < last_day) | (number < last_number))
    return session.scalars(query.order_by(day.desc(), number.desc()).limit(limit + 1)).all()


def _spellings(session: Session, owner: int, category: str, days: Sequence[Any]) -> list[str]:
    """A category as the sources write it."""
    written = select(col(MovementRow.category)).where(col(MovementRow.owner) == owner, *days).distinct()
    asked = category_of(category)
    return [one for one in session.scalars(written) if category_of(one) == asked]


_BITS = 40  # for a row's number; its day goes before


def position(row: MovementRow) -> int:
    """Of a row in the order of `page`, as one number."""
    assert row.id is not None
    return row.day.toordinal() << _BITS | row.id


def _bounded(ordinal: int) -> int:
    """A cursor may be anybody's invention."""
    return min(max(ordinal, 1), date.max.toordinal())


def news(session: Session, owner: int, after: int, limit: int) -> Sequence[MovementRow]:
    """What came after a row, in its order."""
    of_person = select(MovementRow).where(col(MovementRow.owner) == owner, col(MovementRow.id) > after)
    return session.scalars(of_person.order_by(col(MovementRow.id)).limit(limit)).all()


def newest(session: Session, owner: int | None = None) -> int:
    """The number of the last row, of the person or of all."""
    number = col(MovementRow.id)
    if owner is None:
        return newest_id(session, number)
    return session.scalar(select(func.max(number)).where(col(MovementRow.owner) == owner)) or 0


def public(row: MovementRow) -> MovementPublic:
    told = {name: getattr(row, name) for name in MovementPublic.model_fields if hasattr(row, name)}
    return MovementPublic(
        **told
        | {
            "id": f"{PREFIX}{row.id}",
            "at": rfc3339(row.at),
            "day": row.day.isoformat(),
            "duplicate_of": None if row.duplicate_of is None or row.is_excluded else f"{PREFIX}{row.duplicate_of}",
            "excluded": row.is_excluded,
        }
    )
