"""What a person pays again and again: standing costs among a merchant's payments, and what is odd about them. Pure.

At least three payments, one cadence (`cadence.py`), one price or one change of it. Payments are tried by their amounts: those that are
equal, those of one amount until another takes over, and those that are about equal, as what is charged in a foreign currency.
The likeliest is taken out, and the rest is looked at again; so a merchant may have several, also at the same price. The more
ways there were to look, the surer one has to be: a shop with thirty prices has something like a cadence by chance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations, permutations
from math import log
from typing import NamedTuple

from taesan.insights.cadence import LEAST_HITS, Calendar, Fit, best_fit

LEAST_SCORE = 3_200  # thousandths of a nat: some fifty to one
ABOUT = 106  # the highest of amounts that are about equal, in hundredths of the lowest
ABOUT_COSTS = 2_500
CHANGE_COSTS = 1_000
CHANGE_AT_MOST = 2  # a price that is more times another is no change of it
GAP_AT_MOST = 3  # periods without a payment after which it is not the same any more
EXPLAINED = 60  # of a hundred payments at a stream's price, by this stream or another
MOST_AMOUNTS = 24  # of those that are tried in pairs
MOST_CHARGES = 600  # of a merchant, the newest
TRIAL_DAYS = (2, 100)
TRIAL_AT_MOST = 2  # a first charge of at most half the price


class Charge(NamedTuple):
    """A payment to one merchant in one currency. :ivar id: whatever names it. :ivar amount: minor units"""

    id: int
    day: date
    amount: int
    category: str = ""


@dataclass(frozen=True)
class Stream:
    """:ivar charges: in order. :ivar about: amounts differ a little, as with a foreign currency. :ivar next_due: after the last charge
    :ivar trial: the small first charge before it"""

    cadence: str
    a_year: int
    period: int
    late: int
    charges: tuple[Charge, ...]
    about: bool
    next_due: date
    score: int
    trial: Charge | None = None

    @property
    def price(self) -> int:
        """As last charged."""
        return self.charges[-1].amount

    @property
    def changed(self) -> tuple[int, int] | None:
        """Where in the charges the price changed, and what it was."""
        if self.about:
            return None
        for n in range(len(self.charges) - 1, 0, -1):
            if self.charges[n].amount != self.charges[n - 1].amount:
                return n, self.charges[n - 1].amount
        return None

    @property
    def first(self) -> date:
        return self.charges[0].day

    @property
    def last(self) -> date:
        return self.charges[-1].day

    @property
    def yearly(self) -> int:
        """What it costs in a year at its price; about, the mean of the last ones."""
        if not self.about:
            return self.price * self.a_year
        recent = self.charges[-6:]
        return sum(c.amount for c in recent) * self.a_year // len(recent)

    @property
    def over_after(self) -> date:
        """If nothing has come until then, two in a row are missing: it is over."""
        return self.next_due + timedelta(days=self.period + self.late)


def streams(charges: Sequence[Charge], calendar: Calendar) -> list[Stream]:
    """The standing costs among payments to one merchant in one currency, the oldest first."""
    newest = sorted(charges, key=lambda c: (c.day, c.id))[-MOST_CHARGES:]
    search = _Search(newest, calendar)
    found = _joined(_explaining(list(search.run()), newest))
    taken = {charge.id for stream in found for charge in stream.charges}
    rest = [charge for charge in newest if charge.id not in taken]
    return sorted((_with_trial(stream, rest) for stream in found), key=lambda s: (s.first, s.charges[0].id))


def _explaining(found: list[Stream], charges: Sequence[Charge]) -> list[Stream]:
    """Without those whose prices are paid about as often apart from any cadence, at about that time: so a habit looks."""
    taken = {charge.id for stream in found for charge in stream.charges}
    kept = []
    for stream in found:
        low, high = min(c.amount for c in stream.charges), max(c.amount for c in stream.charges)
        prices = {c.amount for c in stream.charges}
        around = timedelta(days=max(365, 3 * len(stream.charges) * stream.period))
        near = [c for c in charges if stream.first - around <= c.day <= stream.last + around]
        alike = [c for c in near if (low <= c.amount <= high if stream.about else c.amount in prices)]
        if sum(1 for c in alike if c.id in taken) * 100 >= EXPLAINED * len(alike):
            kept.append(stream)
    return kept


class _Search:
    """:ivar left: places of the charges that no stream has taken"""

    def __init__(self, charges: Sequence[Charge], calendar: Calendar) -> None:
        self.charges = charges
        self.calendar = calendar
        self.left = list(range(len(charges)))
        self.tried: dict[tuple[int, ...], Fit | None] = {}

    def run(self) -> Iterator[Stream]:
        while (best := self._best()) is not None:
            hits, stream = best
            self.left = [place for place in self.left if place not in hits]
            yield stream

    def _best(self) -> tuple[frozenset[int], Stream] | None:
        by_amount: dict[int, list[int]] = {}
        for place in self.left:
            by_amount.setdefault(self.charges[place].amount, []).append(place)
        best: tuple[int, tuple[int, ...], Fit, bool] | None = None
        for places, costs, about in self._tries(by_amount):
            fit = self._fit(places)
            if fit is not None and fit.score - costs >= LEAST_SCORE and (best is None or fit.score - costs > best[0]):
                best = (fit.score - costs, places, fit, about)
        if best is None:
            return None
        score, places, fit, about = best
        hits = [places[hit] for hit in fit.hits]
        cadence = fit.grid.cadence
        stream = Stream(
            cadence.name,
            cadence.a_year,
            cadence.period,
            cadence.late,
            tuple(self.charges[place] for place in hits),
            about,
            fit.grid.due(fit.slots[-1] + 1),
            score,
        )
        return frozenset(hits), stream

    def _fit(self, places: tuple[int, ...]) -> Fit | None:
        if places not in self.tried:
            self.tried[places] = best_fit([self.charges[place].day for place in places], self.calendar)
        return self.tried[places]

    def _tries(self, by_amount: dict[int, list[int]]) -> Iterator[tuple[tuple[int, ...], int, bool]]:
        """Places that may be a stream's, what the try costs, and whether their amounts are only about equal."""
        looks = round(1000 * log(max(1, len(by_amount))))
        for places in by_amount.values():
            if len(places) >= LEAST_HITS:
                yield tuple(places), looks, False
        largest = sorted(by_amount, key=lambda amount: (-len(by_amount[amount]), amount))[:MOST_AMOUNTS]
        for old, new in permutations(largest, 2):
            if self._may_follow(by_amount[old], by_amount[new]):
                yield (*by_amount[old], *by_amount[new]), looks + CHANGE_COSTS, False
        for close in _about_equal(by_amount):
            yield close, looks + ABOUT_COSTS, True

    def _may_follow(self, old: Sequence[int], new: Sequence[int]) -> bool:
        """Whether the first may be a price, and the second what it was changed to."""
        a, b = self.charges[old[-1]], self.charges[new[0]]
        if len(old) + len(new) < LEAST_HITS or a.day >= b.day:
            return False
        low, high = sorted((a.amount, b.amount))
        return high <= CHANGE_AT_MOST * low


def _about_equal(by_amount: dict[int, list[int]]) -> Iterator[tuple[int, ...]]:
    """Places with amounts that are close together, as many as can be, of two amounts or more."""
    amounts, end, before = sorted(by_amount), 0, 0
    for n, lowest in enumerate(amounts):
        while end < len(amounts) and amounts[end] * 100 <= lowest * ABOUT:
            end += 1
        places = sorted(place for amount in amounts[n:end] for place in by_amount[amount])
        if end > before and end - n > 1 and len(places) >= LEAST_HITS:
            yield tuple(places)
        before = end


def _joined(found: list[Stream]) -> list[Stream]:
    """What paused and went on is one, and so is what goes on at another price, once."""
    found.sort(key=lambda s: (s.first, s.charges[0].id))
    for first, second in combinations(found, 2):
        if _goes_on(first, second):
            rest = [stream for stream in found if stream is not first and stream is not second]
            whole = replace(second, charges=first.charges + second.charges, score=first.score + second.score)
            return _joined([*rest, whole])
    return found


def _goes_on(first: Stream, second: Stream) -> bool:
    if first.cadence != second.cadence or first.about != second.about or second.first <= first.last:
        return False
    if (second.first - first.last).days > GAP_AT_MOST * first.period + first.late:
        return False
    low, high = sorted((first.price, second.charges[0].amount))
    if first.about:
        return high * 100 <= low * ABOUT
    changes = sum(1 for stream in (first, second) if stream.changed is not None) + (low != high)
    return changes <= 1 and high <= CHANGE_AT_MOST * low


def _with_trial(stream: Stream, rest: Sequence[Charge]) -> Stream:
    """A trial is a small first charge of the same merchant, shortly before the first full one."""
    before = [charge for charge in rest if charge.day < stream.first]
    if not before:
        return stream
    small = before[-1]
    fits = TRIAL_DAYS[0] <= (stream.first - small.day).days <= min(TRIAL_DAYS[1], stream.period + stream.late)
    if fits and small.amount * TRIAL_AT_MOST <= stream.charges[0].amount:
        return replace(stream, trial=small)
    return stream
