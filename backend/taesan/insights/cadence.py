"""How well days of payment follow a cadence: weekly, four-weekly, monthly or yearly. Pure.

A cadence is a grid of due days. A due day that is a weekend or a holiday may be kept to, put off to the next business day or drawn
forward to the last one: always the same of the three. How much likelier a row of days is by a standing order that is sometimes late
and sometimes left out than by somebody who comes about as often, but when she likes, is added up day by day, in thousandths of a nat;
the best row of the best grid is the fit. So three days that are exact may do, and thirty that are about right do not.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from math import log
from typing import TYPE_CHECKING, NamedTuple

from babel.core import get_global

if TYPE_CHECKING:
    from holidays import HolidayBase

_ONE = timedelta(days=1)
_WAYS = (1, 2, 3)  # places in a row of `_fits`
LEAST_HITS = 3
LEAST_ON_TIME = 65  # of a hundred payments
SKIPPED_AT_MOST = 4  # one of so many due days, at most, has no payment


class Cadence(NamedTuple):
    """:ivar days: from one due day to the next, or 0 and then so many `months`. :ivar early: days before the due day that still are
    its own, as `late` after it. :ivar a_year: how often it is due. :ivar about: days on any of which a habit would do as well
    :ivar prior: how usual it is, thousandths of a nat"""

    name: str
    days: int
    months: int
    early: int
    late: int
    a_year: int
    about: int
    prior: int

    @property
    def period(self) -> int:
        """About how many days."""
        return self.days or self.months * 365 // 12


WEEKLY = Cadence("weekly", 7, 0, 2, 4, 52, 6, -500)
FOUR_WEEKLY = Cadence("four-weekly", 28, 0, 4, 9, 13, 15, -1_000)
MONTHLY = Cadence("monthly", 0, 1, 4, 10, 12, 15, 0)
THIRTY_DAYS = Cadence("monthly", 30, 0, 4, 10, 12, 15, -1_500)  # passes that are good for thirty days
YEARLY = Cadence("yearly", 0, 12, 10, 20, 1, 21, 0)
CADENCES = (WEEKLY, FOUR_WEEKLY, MONTHLY, THIRTY_DAYS, YEARLY)


def _nats(odds: float) -> int:
    """In thousandths."""
    return round(1000 * log(odds))


# How often a standing order is on time, a day late, …; the last for each day that is later still.
_ON_TIME, _LATE, _EARLY = 0.80, (0.07, 0.03, 0.02, 0.01, 0.01, 0.007), (0.01, 0.002)
_SKIPS = 0.06
_FILLED = _nats((1 - _SKIPS) / (1 - 0.37))  # who comes once a period on the average leaves out 37 of a hundred
_LEFT_OUT = _nats(_SKIPS / 0.37)
_STRAY = -1_600  # a payment of the same price that no due day asks for


class Calendar:
    """Business days of a country; without one, weekends are all that is known."""

    def __init__(self, country: str | None) -> None:
        self._holidays: HolidayBase | frozenset[date] = frozenset()
        if country is not None and country in _countries():
            from holidays import country_holidays  # seldom needed, and a tenth of a second

            self._holidays = country_holidays(country)
        self._moved: dict[date, tuple[date, date, date]] = {}

    def is_open(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self._holidays

    def moved(self, due: date) -> tuple[date, date, date]:
        """The due day itself, the business day from it on, and the one up to it."""
        found = self._moved.get(due)
        if found is None:
            on = before = due
            while not self.is_open(on):
                on += _ONE
            while not self.is_open(before):
                before -= _ONE
            found = self._moved[due] = (due, on, before)
        return found


@cache
def _countries() -> frozenset[str]:
    from holidays.registry import COUNTRIES

    return frozenset(code for names in COUNTRIES.values() for code in names[1:])


@lru_cache(maxsize=64)
def calendar_of(zone: str) -> Calendar:
    """Of the country that a time zone lies in. :param zone: `Asia/Seoul`; for `UTC` no country is known"""
    zone = get_global("zone_aliases").get(zone, zone)
    return Calendar(get_global("zone_territories").get(zone))


# ------------------------------------------------------------------- the grid


class Grid(NamedTuple):
    """:ivar anchor: one due day. :ivar month_day: of a cadence in months: a shorter month's last day stands in for it"""

    cadence: Cadence
    anchor: date
    month_day: int = 0

    def due(self, slot: int) -> date:
        """:param slot: 0 is the anchor's"""
        if self.cadence.days:
            return self.anchor + timedelta(days=slot * self.cadence.days)
        month = self.anchor.year * 12 + self.anchor.month - 1 + slot * self.cadence.months
        return _in_month(month // 12, month % 12 + 1, self.month_day)

    def slot_of(self, day: date) -> int | None:
        """Whose day this would be; None between those of two due days."""
        if self.cadence.days:
            near = (day - self.anchor).days // self.cadence.days
        else:
            near = ((day.year - self.anchor.year) * 12 + day.month - self.anchor.month) // self.cadence.months
        for slot in (near, near + 1, near - 1):
            if -self.cadence.early <= (day - self.due(slot)).days <= self.cadence.late:
                return slot
        return None


@lru_cache(maxsize=20_000)  # of some forty years
def _in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


@cache
def _gain(about: int, late: int) -> int:
    """Of a payment so many days late (early, if negative), against one on any of so many days."""
    if late == 0:
        return _nats(_ON_TIME * about)
    table = _LATE if late > 0 else _EARLY
    return _nats(table[min(abs(late), len(table)) - 1] * about)


# --------------------------------------------------------------------- fitting


class Fit(NamedTuple):
    """:ivar hits: places in the days that were given, a slot each, in order. :ivar slots: of the hits
    :ivar score: thousandths of a nat"""

    grid: Grid
    hits: tuple[int, ...]
    slots: tuple[int, ...]
    score: int

    @property
    def skipped(self) -> int:
        return self.slots[-1] - self.slots[0] + 1 - len(self.slots)


def best_fit(days: Sequence[date], calendar: Calendar) -> Fit | None:
    """The best of all grids for days of payments, in order; None if no three of them make one."""
    fits = (fitted for grid in _grids(days) for fitted in _fits(grid, days, calendar))
    return max(fits, key=lambda fit: fit.score, default=None)


def _fits(grid: Grid, days: Sequence[date], calendar: Calendar) -> Iterator[Fit]:
    """The stretch of a grid that the days follow best, for each way of moving a due day that is no business day: that is kept to."""
    by_slot: dict[int, list[tuple[int, int, int, int]]] = {}  # place, and how late in each way
    strays: dict[int, int] = {}
    for place, day in enumerate(days):
        slot = grid.slot_of(day)
        if slot is None:
            near = (day - grid.anchor).days // grid.cadence.period
            strays[near] = strays.get(near, 0) + 1
            continue
        on, after, before = calendar.moved(grid.due(slot))
        by_slot.setdefault(slot, []).append((place, (day - on).days, (day - after).days, (day - before).days))
    if len(by_slot) < LEAST_HITS:
        return
    for slot, several in by_slot.items():
        if len(several) > 1:
            strays[slot] = strays.get(slot, 0) + len(several) - 1
    about = grid.cadence.about
    for way in _WAYS:
        chosen = {slot: max((_gain(about, row[way]), -row[0]) for row in rows) for slot, rows in by_slot.items()}
        score, slots = _stretch({slot: gain for slot, (gain, _) in chosen.items()}, strays)
        on_time = sum(1 for slot in slots if chosen[slot][0] == _gain(about, 0))
        length = slots[-1] - slots[0] + 1
        if len(slots) < LEAST_HITS or on_time * 100 < len(slots) * LEAST_ON_TIME:
            continue
        if (length - len(slots)) * SKIPPED_AT_MOST <= length:
            score += grid.cadence.prior - _nats(about)
            yield Fit(grid, tuple(-chosen[slot][1] for slot in slots), tuple(slots), score)


def _stretch(gains: dict[int, int], strays: dict[int, int]) -> tuple[int, list[int]]:
    """The slots from one to another that are worth the most together (Kadane)."""
    slots = sorted(gains)
    best, found, total, begin = 0, (0, 1), 0, 0
    for n, slot in enumerate(slots):
        total += (slot - slots[n - 1] - 1) * _LEFT_OUT if n else 0
        if total <= 0:
            total, begin = 0, n
        total += gains[slot] + _FILLED + strays.get(slot, 0) * _STRAY
        if total > best:
            best, found = total, (begin, n + 1)
    return best, slots[found[0] : found[1]]


def _grids(days: Sequence[date]) -> Iterator[Grid]:
    """Those that some of the payments speak for, of the cadences that are not far too seldom for the gaps, nor far too frequent."""
    if len(days) < LEAST_HITS:
        return
    least = max(2, len(days) // 6)
    gaps = [(b - a).days for a, b in pairwise(days)]
    for cadence in CADENCES:
        if max(gaps) < cadence.period - cadence.early - cadence.late or min(gaps) > 2 * cadence.period:
            continue
        if cadence.days:
            phases = Counter(day.toordinal() % cadence.days for day in days)
            yield from (
                Grid(cadence, date.fromordinal(n + cadence.days)) for n, count in phases.items() if count >= least
            )
        elif cadence.months == 1:
            yield from (Grid(cadence, _in_month(days[0].year, days[0].month, n), n) for n in _month_days(days, least))
        else:
            around = [day + timedelta(days=n) for day in days for n in range(-3, 4)]
            often = Counter((day.month, day.day) for day in around)
            once = {(day.month, day.day): day for day in around if often[day.month, day.day] >= least}
            yield from (Grid(cadence, day, day.day) for day in once.values())


def _month_days(days: Sequence[date], least: int) -> list[int]:
    """Days of the month that payments were on, or that a weekend or a short month may have moved there."""
    around = Counter((day + timedelta(days=n)).day for day in days for n in range(-3, 4))
    found = {day for day, count in around.items() if count >= least}
    return sorted(found | {29, 30, 31} if found & {27, 28, 29, 30, 31} else found)
