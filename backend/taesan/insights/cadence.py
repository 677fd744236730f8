"""Cadences - weekly, four-weekly, monthly, yearly - and how a day of payment lies about their due days. Pure.

A cadence is a grid of due days. A due day that is a weekend or a holiday may be kept to, put off to the next business day or drawn
forward to the last one. How much likelier a payment is on its day by a standing order that is sometimes late than by somebody who comes
about as often, but when she likes, is told in thousandths of a nat; `fitting.py` adds them up.
"""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache, lru_cache
from math import log
from typing import TYPE_CHECKING, NamedTuple

from babel.core import get_global

if TYPE_CHECKING:
    from holidays import HolidayBase

_ONE = timedelta(days=1)
WAYS = (0, 1, 2)  # of `Calendar.moved`


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


def nats(odds: float) -> int:
    """In thousandths."""
    return round(1000 * log(odds))


# How often a standing order is on time, a day late, …; the last for each day that is later still.
_ON_TIME, _LATE, _EARLY = 0.80, (0.07, 0.03, 0.02, 0.01, 0.01, 0.007), (0.01, 0.002)
_SKIPS = 0.06
_LEAVES_OUT = 0.37  # who comes once a period on the average
LEFT_OUT = nats(_SKIPS / _LEAVES_OUT)
APART = -700  # a payment of the same price that is not of the standing order speaks two to one against there being one
_LATE_DAYS = 3  # one that is later than that rather is none


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

    def due_for(self, day: date) -> list[date]:
        """On which days something may be due that is paid then, or up to three days late: those, and the days next to them that are not open."""
        in_time = [day - n * _ONE for n in range(_LATE_DAYS + 1)]
        found = list(in_time)
        for paid in filter(self.is_open, in_time):
            for step in (-_ONE, _ONE):
                due = paid + step
                while not self.is_open(due):
                    found.append(due)
                    due += step
        return list(dict.fromkeys(found))


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

Mark = tuple[int, tuple[int, ...], int]
"""Whose due day's a payment would be, what it speaks for in each of `WAYS`, and the most of that; nothing, between those of two due days."""


class Grid:
    """Due days of a cadence, and how days lie about them. It is equal to itself only.

    :ivar anchor: one due day; in months, its day is each month's, and a shorter one's last day stands in for it
    :ivar base: what its payments have to make up for. :ivar exact: what one on its day speaks for
    """

    def __init__(self, cadence: Cadence, anchor: date, calendar: Calendar) -> None:
        self.cadence = cadence
        self.anchor = anchor
        self.calendar = calendar
        self.base = cadence.prior - nats(cadence.about)
        self.exact = _gain(cadence.about, 0)
        self._marks: dict[date, Mark] = {}

    def due(self, slot: int) -> date:
        """:param slot: 0 is the anchor's"""
        if self.cadence.days:
            return self.anchor + timedelta(days=slot * self.cadence.days)
        month = self.anchor.year * 12 + self.anchor.month - 1 + slot * self.cadence.months
        return _in_month(month // 12, month % 12 + 1, self.anchor.day)

    def mark(self, day: date) -> Mark:
        found = self._marks.get(day)
        if found is None:
            slot, is_near = self._slot_of(day)
            dues = self.calendar.moved(self.due(slot)) if is_near else ()
            gains = tuple(_gain(self.cadence.about, (day - due).days) for due in dues)
            found = self._marks[day] = (slot, gains, max(gains, default=0))
        return found

    def _slot_of(self, day: date) -> tuple[int, bool]:
        if self.cadence.days:
            near = (day - self.anchor).days // self.cadence.days
        else:
            near = ((day.year - self.anchor.year) * 12 + day.month - self.anchor.month) // self.cadence.months
        for slot in (near, near + 1, near - 1):
            if -self.cadence.early <= (day - self.due(slot)).days <= self.cadence.late:
                return slot, True
        return near if self.due(near) <= day else near - 1, False


@lru_cache(maxsize=20_000)  # of some forty years
def _in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))


@cache
def _gain(about: int, late: int) -> int:
    """Of a payment so many days late (early, if negative), against one that may be left out, or be on any of so many days; more than if it
    were not counted in."""
    odds = _ON_TIME
    if late:
        table = _LATE if late > 0 else _EARLY
        odds = table[min(abs(late), len(table)) - 1]
    return nats(odds * about) + nats((1 - _SKIPS) / (1 - _LEAVES_OUT)) - APART


class Grids:
    """Those that a payment may speak for, each once."""

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self._grids: dict[tuple[Cadence, date], Grid] = {}
        self._of_day: dict[date, list[tuple[Grid, int]]] = {}

    def of(self, day: date) -> list[tuple[Grid, int]]:
        """All that a payment on that day speaks for, and how much in one of `WAYS`; those of its own day first."""
        found = self._of_day.get(day)
        if found is None:
            most: dict[Grid, int] = {}
            for due in self.calendar.due_for(day):
                moved = self.calendar.moved(due)
                for grid in self._due_on(due):
                    gain = max(_gain(grid.cadence.about, (day - to).days) for to in moved)
                    if gain > most.get(grid, 0):
                        most[grid] = gain
            found = self._of_day[day] = list(most.items())
        return found

    def _due_on(self, due: date) -> Iterator[Grid]:
        for cadence in CADENCES:
            if cadence.days:
                yield self._grid(cadence, date.fromordinal(due.toordinal() % cadence.days + cadence.days))
        is_last = (due + _ONE).day == 1
        for day in range(due.day, 32 if is_last else due.day + 1):
            yield self._grid(MONTHLY, date(_LEAP_YEAR, 1, day))
        yield self._grid(YEARLY, due.replace(year=_LEAP_YEAR))
        if is_last and due.day == 28:
            yield self._grid(YEARLY, date(_LEAP_YEAR, 2, 29))

    def _grid(self, cadence: Cadence, anchor: date) -> Grid:
        key = cadence, anchor
        if key not in self._grids:
            self._grids[key] = Grid(cadence, anchor, self.calendar)
        return self._grids[key]


_LEAP_YEAR = 2000
