"""A merchant's custom: how many come back, since when they come, and what was paid around a campaign's start. Pure.

No payer is named, and but for totals no figure is of fewer than five: groups that are smaller are joined with what is next to them.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple, TypeVar

from taesan.insights.forecast import Forecast, month_end
from taesan.insights.movements import month_of, months, next_month

LEAST = 5  # payers of whom a figure is told
WEEKS = 4  # before and after a campaign's start, that are compared
WHOLE = 10_000

Label = TypeVar("Label", bound=Hashable)
DAY = timedelta(days=1)


class Sale(NamedTuple):
    """:ivar day: in the merchant's time zone. :ivar amount: minor units"""

    payer: str
    at: datetime
    day: date
    amount: int


class Sums(NamedTuple):
    payers: int
    payments: int
    amount: int


class Repeat(NamedTuple):
    """In ten-thousandths of the month's payers. None: one to four.

    :ivar returning: have paid in the months before, as far as is looked at. :ivar again: have paid on two days of the month or more
    """

    returning: int | None
    again: int | None


class Cohort(NamedTuple):
    """:ivar first, last: months in which its payers first paid. :ivar active: how many of them paid in each month from then on; None: one
    to four, or as many as would tell of another cohort that it was one to four"""

    first: date
    last: date
    payers: int
    active: list[tuple[date, int | None]]


class Around(NamedTuple):
    """What a group has paid in as many days before and after. None: one to four of it have."""

    before: Sums | None
    after: Sums | None


def sums(sales: Iterable[Sale]) -> Sums:
    listed = list(sales)
    return Sums(len({sale.payer for sale in listed}), len(listed), sum(sale.amount for sale in listed))


def repeat(sales: Sequence[Sale], month: date) -> Repeat | None:
    """None: too few have paid."""
    days: dict[str, set[date]] = {}
    for sale in sales:
        if month_of(sale.day) == month:
            days.setdefault(sale.payer, set()).add(sale.day)
    if len(days) < LEAST:
        return None
    known = {sale.payer for sale in sales if sale.day < month}
    counts = len(known & days.keys()), sum(1 for of_payer in days.values() if len(of_payer) > 1)
    return Repeat(*(None if _is_few(count) else count * WHOLE // len(days) for count in counts))


def _is_few(count: int) -> bool:
    return 0 < count < LEAST


def cohorts(sales: Sequence[Sale], month: date) -> list[Cohort]:
    """By the month in which a payer is first seen; who is in the first of all may have come before."""
    first: dict[str, date] = {}
    active: dict[date, set[str]] = {}
    for sale in sorted(sales, key=lambda s: s.day):
        at = month_of(sale.day)
        if at <= month:
            first.setdefault(sale.payer, at)
            active.setdefault(at, set()).add(sale.payer)
    groups: dict[date, set[str]] = {}
    for payer, at in first.items():
        groups.setdefault(at, set()).add(payer)
    return _told(joined(sorted(groups.items())), active, month)


def _told(found: list[tuple[list[date], set[str]]], active: Mapping[date, set[str]], month: date) -> list[Cohort]:
    """In no month is one cohort alone hidden, as that one could be told from the month's total and the others."""
    spans = [list(months(labels[0], next_month(month))) for labels, _ in found]
    counts = [
        {at: len(payers & active.get(at, set())) for at in span} for span, (_, payers) in zip(spans, found, strict=True)
    ]
    hidden: dict[date, set[int]] = {}
    for at in spans[0] if spans else []:
        of_month = {n for n, of in enumerate(counts) if at in of}
        few = {n for n in of_month if _is_few(counts[n][at])}
        new = {n for n in of_month if found[n][0] == [at]}  # all of it has paid, and how many these are is told
        others = [(of[at] == 0, of[at], n) for n, of in enumerate(counts) if n in of_month - few - new]
        if len(few) == 1 and others:
            few.add(min(others)[2])
        elif len(few) == 1 and new:
            (n,) = new
            both = found[n - 1][0] + found[n][0], found[n - 1][1] | found[n][1]
            return _told([*found[: n - 1], both, *found[n + 1 :]], active, month)
        hidden[at] = few
    return [
        Cohort(labels[0], labels[-1], len(payers), [(at, None if n in hidden[at] else of[at]) for at in of])
        for n, ((labels, payers), of) in enumerate(zip(found, counts, strict=True))
    ]


def joined(groups: Sequence[tuple[Label, Collection[str]]]) -> list[tuple[list[Label], set[str]]]:
    """Groups of at least five payers, each with the labels of those that it is made of; none, if there are fewer in all."""
    found: list[tuple[list[Label], set[str]]] = []
    labels: list[Label] = []
    payers: set[str] = set()
    for label, of_group in groups:
        labels, payers = [*labels, label], payers | set(of_group)
        if len(payers) >= LEAST:
            found.append((labels, payers))
            labels, payers = [], set()
    if payers and found:
        found[-1] = (found[-1][0] + labels, found[-1][1] | payers)
    return found


# -------------------------------------------------------- what campaigns brought


def weeks_around(start: datetime, known_since: datetime, until: datetime) -> int:
    """How many full weeks before and after the start there is something to compare, four at most."""
    span = min(start - known_since, until - start)
    return max(0, min(WEEKS, span // timedelta(weeks=1)))


def near(sales: Sequence[Sale], start: datetime, weeks: int) -> list[Sale]:
    """Those of as many weeks before and after."""
    span = timedelta(weeks=weeks)
    first, end = start - span, start + span
    return [sale for sale in sales if first <= sale.at < end]


def around(sales: Iterable[Sale], start: datetime) -> Around:
    listed = list(sales)
    return Around(sums(s for s in listed if s.at < start), sums(s for s in listed if s.at >= start))


def apart(sales: Sequence[Sale], start: datetime, rewarded: Collection[str]) -> tuple[Around, Around] | None:
    """Those who were rewarded and the others; None if either are too few, as then the one could be told from the total."""
    payers = {sale.payer for sale in sales}
    groups = payers & set(rewarded), payers - set(rewarded)
    if min(map(len, groups)) < LEAST:
        return None
    both = [around((sale for sale in sales if sale.payer in group), start) for group in groups]
    ours, others = (Around(_of_some(one.before), _of_some(one.after)) for one in both)
    return None if None in (*ours, *others) else (ours, others)


def _of_some(sums: Sums | None) -> Sums | None:
    return None if sums is None or _is_few(sums.payers) else sums


def by_tier(sales: Sequence[Sale], month: date, tiers: Mapping[str, int]) -> list[tuple[list[int], Around]]:
    """What members of each tier have paid in the month, and the same ones in the month before. :param tiers: payer → level; 0: none"""
    now = [sale for sale in sales if month_of(sale.day) == month]
    earlier = [sale for sale in sales if next_month(sale.day) == month]
    groups: dict[int, set[str]] = {}
    for sale in now:
        groups.setdefault(tiers.get(sale.payer, 0), set()).add(sale.payer)
    return [
        (
            levels,
            Around(_of_some(sums(s for s in earlier if s.payer in payers)), sums(s for s in now if s.payer in payers)),
        )
        for levels, payers in joined(sorted(groups.items()))
    ]


# ------------------------------------------------------------------ forecast


def forecast(sales: Sequence[Sale], month: date, today: date) -> Forecast | None:
    """What the month will have come to, if it goes on; None: it is over, or too little is known."""
    if not sales or month_of(today) != month:
        return None
    of_day: dict[date, int] = {}
    for sale in sales:
        of_day[sale.day] = of_day.get(sale.day, 0) + sale.amount
    first = min(of_day)
    days = [of_day.get(first + n * DAY, 0) for n in range((today - first).days)]
    so_far = sum(amount for day, amount in of_day.items() if month <= day <= today)
    return month_end(days, so_far, of_day.get(today, 0), (next_month(month) - today).days)
