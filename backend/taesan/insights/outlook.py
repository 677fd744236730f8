"""What a person's month will come to, and what is unusual in it, asked of the streams when somebody asks."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Literal

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.problems import Problem
from taesan.insights import keeping, streams, unusual
from taesan.insights.forecast import month_end
from taesan.insights.models import MovementRow
from taesan.insights.movements import month_of, months, next_month
from taesan.insights.recurring_models import (
    CausePublic,
    ForecastList,
    ForecastPublic,
    Recurring,
    UnusualList,
    UnusualPublic,
)

KNOWN_DAYS, KNOWN_MONTHS = 365, 6  # before, that are looked at
MOST_UNUSUAL = 20
DAY = timedelta(days=1)
By = Literal["merchant", "category"]
Key = tuple[str, str, int]  # merchant or category, asset, exponent
_STEP_DAYS = {"weekly": 7, "four-weekly": 28}


def forecast(session: Session, owner: int, month: date, today: date) -> ForecastList:
    """Of all that is spent, by asset: what is certain also where too little is known for more. :raises Problem: `no-forecast` for another month than this"""
    if month != month_of(today):
        raise Problem("no-forecast", 422, "Only the month that goes on can be forecast.")
    end = next_month(month)
    spent: dict[tuple[str, int], dict[date, int]] = defaultdict(dict)
    for row in streams.sums(session, owner, today - KNOWN_DAYS * DAY, today + DAY, ("day",)):
        if row.kind == "spent":
            spent[row.asset, row.exponent][row.key[0]] = row.amount
    standing = [row for row in keeping.of_person(session, owner) if row.verdict != "dismissed"]
    items = []
    for (asset, exponent), of_day in sorted(spent.items()):
        own = [row for row in standing if row.asset == asset]
        apart = _charged(own, min(of_day))
        days = [of_day.get(day, 0) - apart.get(day, 0) for day in _days(min(of_day), today)]
        so_far = sum(amount for day, amount in of_day.items() if day >= month)
        due = sum(row.price for row in own if today <= row.over_after for _ in dues(row, today, end))
        casual = of_day.get(today, 0) - apart.get(today, 0)
        found = month_end(days, so_far, casual, (end - today).days, due)
        if found is None and not so_far and not due:
            continue
        told = found._asdict() if found else {"due": due, "expected": None, "total": None, "low": None, "high": None}
        items.append(ForecastPublic(asset=asset, exponent=exponent, spent=so_far, **told))
    return ForecastList(month=month.isoformat()[:7], items=items)


def _charged(rows: list[Recurring], since: date) -> dict[date, int]:
    """What standing costs have cost on each day."""
    of_day: dict[date, int] = defaultdict(int)
    for row in rows:
        for _, day, amount in row.charges:
            if (on := date.fromisoformat(day)) >= since:
                of_day[on] += int(amount)
    return of_day


def _days(first: date, until: date) -> Iterator[date]:
    for n in range((until - first).days):
        yield first + n * DAY


def dues(row: Recurring, today: date, end: date) -> Iterator[date]:
    """Due days of a standing cost that are not paid yet, before the month's end; all that is late is still to come, once."""
    due, step = row.next_due, _STEP_DAYS.get(row.cadence)
    if due < today:
        yield due
    while due < end:
        if due >= today:
            yield due
        if step is None:  # the next is in another month
            return
        due += step * DAY


# -------------------------------------------------------------------- unusual


def unusual_in(session: Session, owner: int, month: date, by: By) -> UnusualList:
    """The largest first of each asset. What a month is compared with are those before, from the person's first on."""
    end, first = next_month(month), month
    for _ in range(KNOWN_MONTHS):
        first = month_of(first - DAY)
    of: dict[Key, dict[date, int]] = defaultdict(dict)
    for row in streams.sums(session, owner, first, end, (by, "month")):
        if row.kind == "spent" and row.key[0]:
            of[row.key[0], row.asset, row.exponent][row.key[1]] = row.amount
    begun = min((at for totals in of.values() for at in totals), default=month)
    before = list(months(begun, month))
    suspects = [key for key, totals in of.items() if _stands_out(totals, month, before)]
    suspects.sort(key=lambda key: -of[key][month])
    items = [
        told for key in suspects[:MOST_UNUSUAL] if (told := _explained(session, owner, key, by, month, before, of))
    ]
    return UnusualList(
        month=month.isoformat()[:7], by=by, items=sorted(items, key=lambda u: (u.asset, -u.total, u.key))
    )


def _stands_out(totals: dict[date, int], month: date, before: list[date]) -> bool:
    """By its sum alone, so that only those are read that do."""
    if len(before) < unusual.LEAST_MONTHS:
        return False
    return totals.get(month, 0) > unusual.most_usual([totals.get(at, 0) for at in before])


def _are_due(session: Session, owner: int, payments: Sequence[unusual.Payment]) -> bool:
    """Whether all are a standing cost's, of which a month has five where another has four."""
    standing = (row for row in keeping.of_person(session, owner) if row.verdict != "dismissed")
    return {p.id for p in payments} <= {charge[0] for row in standing for charge in row.charges}


def _explained(
    session: Session, owner: int, key: Key, by: By, month: date, before: list[date], of: dict[Key, dict[date, int]]
) -> UnusualPublic | None:
    name, asset, exponent = key
    column = MovementRow.merchant if by == "merchant" else MovementRow.category
    lines = select(MovementRow).where(
        col(MovementRow.owner) == owner, col(column) == name, col(MovementRow.asset) == asset
    )
    lines = lines.where(col(MovementRow.kind).in_(["spent", "refunded"]), col(MovementRow.duplicate_of).is_(None))
    end = next_month(month)
    # What was bought at a month's end is given back in the next.
    lines = lines.where(col(MovementRow.day) >= before[0], col(MovementRow.day) < next_month(end))
    paid: dict[str, list[unusual.Payment]] = defaultdict(list)
    names: dict[int, str] = {}
    for row in session.scalars(lines):
        paid[row.kind].append(unusual.Payment(row.id or 0, row.day, row.amount))
        names[row.id or 0] = row.name
    now: list[unusual.Payment] = []
    earlier: dict[date, list[int]] = defaultdict(list)
    for payment in unusual.kept(paid["spent"], paid["refunded"]):
        if month <= payment.day < end:
            now.append(payment)
        elif payment.day < month:
            earlier[month_of(payment.day)].append(payment.amount)
    found = unusual.unusual(now, [earlier.get(at, []) for at in before])
    if not earlier:
        others = [
            n
            for (_, a, e), totals in of.items()
            if (a, e) == (asset, exponent)
            for at, n in totals.items()
            if at < month
        ]
        found = unusual.new(now, others, len(before))
    if found is None or (found.why == "more-often" and _are_due(session, owner, found.payments)):
        return None
    causes = [
        CausePublic(movement_id=f"{streams.PREFIX}{p.id}", day=p.day.isoformat(), name=names[p.id], amount=p.amount)
        for p in found.payments
    ]
    return UnusualPublic(
        key=name,
        asset=asset,
        exponent=exponent,
        why=found.why,
        total=found.total,
        usual=found.usual,
        most=found.most,
        causes=causes,
    )
