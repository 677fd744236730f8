"""What a person pays again and again: standing costs among a merchant's payments, and what is odd about them. Pure.

At least three payments, one cadence (`cadence.py`), one price or one change of it. Payments are tried by their amounts: those that are
equal, those of one amount until another takes over, and those that are about equal, as what is charged in a foreign currency.
The likeliest is taken out, and the rest is looked at again; so a merchant may have several, also at the same price. The more
ways there were to look, the surer one has to be: a shop with thirty prices has something like a cadence by chance.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import combinations, permutations
from math import log
from typing import NamedTuple

from taesan.insights.cadence import APART, Calendar, Grid, Grids
from taesan.insights.fitting import LEAST_HITS, Fit, Payments, best_change, best_fit

LEAST_SCORE = 1_600  # thousandths of a nat: five to one
ABOUT = 106  # the highest of amounts that are about equal, in hundredths of the lowest
ABOUT_COSTS = 2_500
CHANGE_COSTS = 1_000
CHANGE_AT_MOST = 2  # a price that is more times another is no change of it
GAP_AT_MOST = 3  # periods without a payment after which it is not the same any more
SHIFTED_AT_MOST = 2  # days between the due days of what is the same
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
    """:ivar grid: its due days. :ivar charges: in order. :ivar about: amounts differ a little, as with a foreign currency
    :ivar next_due: after the last charge. :ivar trial: the small first charge before it"""

    grid: Grid
    charges: tuple[Charge, ...]
    about: bool
    next_due: date
    score: int
    trial: Charge | None = None

    @property
    def cadence(self) -> str:
        return self.grid.cadence.name

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
            return self.price * self.grid.cadence.a_year
        recent = self.charges[-6:]
        return sum(c.amount for c in recent) * self.grid.cadence.a_year // len(recent)

    @property
    def over_after(self) -> date:
        """If nothing has come until then, two in a row are missing: it is over."""
        return self.next_due + timedelta(days=self.grid.cadence.period + self.grid.cadence.late)


def streams(charges: Sequence[Charge], calendar: Calendar) -> list[Stream]:
    """The standing costs among payments to one merchant in one currency, the oldest first."""
    newest = sorted(charges, key=lambda c: (c.day, c.id))[-MOST_CHARGES:]
    search = _Search(newest, calendar)
    found = _joined(_explaining(list(search.run()), newest))
    taken = {charge.id for stream in found for charge in stream.charges}
    rest = [charge for charge in newest if charge.id not in taken]
    return sorted((_with_trial(stream, rest) for stream in found), key=lambda s: (s.first, s.charges[0].id))


def _explaining(found: list[Stream], charges: Sequence[Charge]) -> list[Stream]:
    """Without those whose prices are paid apart from any cadence as well, at about that time: so a habit looks."""
    taken = {charge.id for stream in found for charge in stream.charges}
    kept = [stream for stream in found if _explains(stream, charges, taken)]
    return kept if len(kept) == len(found) else _explaining(kept, charges)


def _explains(stream: Stream, charges: Sequence[Charge], taken: Collection[int]) -> bool:
    prices = {charge.amount for charge in stream.charges}
    low, high = min(prices), max(prices)
    around = timedelta(days=max(365, 3 * len(stream.charges) * stream.grid.cadence.period))
    near = [c for c in charges if stream.first - around <= c.day <= stream.last + around]
    alike = [c for c in near if (low <= c.amount <= high if stream.about else c.amount in prices)]
    apart = sum(1 for charge in alike if charge.id not in taken)
    return apart * 100 <= (100 - EXPLAINED) * len(alike) and stream.score + apart * APART >= LEAST_SCORE


class Try(NamedTuple):
    """Charges that may be a standing cost: those of one price, of that and the one it was `changed` to, or `about` equal ones."""

    places: tuple[int, ...]
    changed: tuple[int, ...] = ()
    about: bool = False


class _Search:
    """:ivar left: places of the charges that no stream has taken"""

    def __init__(self, charges: Sequence[Charge], calendar: Calendar) -> None:
        self.charges = charges
        self.grids = Grids(calendar)
        self.left = list(range(len(charges)))
        self.payments: dict[tuple[int, ...], Payments] = {}
        self.tried: dict[Try, tuple[Fit | None, int]] = {}

    def run(self) -> Iterator[Stream]:
        while (best := self._best()) is not None:
            fit, costs, about = best
            self.left = sorted({*self.left}.difference(fit.places))
            charges = tuple(self.charges[place] for place in fit.places)
            yield Stream(fit.grid, charges, about, fit.grid.due(fit.slots[-1] + 1), fit.score - costs)

    def _best(self) -> tuple[Fit, int, bool] | None:
        """That which is worth most, what it costs to have looked for it, and whether its amounts are about equal."""
        by_amount: dict[int, list[int]] = {}
        for place in self.left:
            by_amount.setdefault(self.charges[place].amount, []).append(place)
        best: tuple[Fit, int, bool] | None = None
        for tries, kind_costs in (
            (_single(by_amount), 0),
            (self._changes(by_amount), CHANGE_COSTS),
            (_about_equal(by_amount), ABOUT_COSTS),
        ):
            costs = kind_costs + round(1000 * log(max(1, len(tries))))
            for one in tries:
                fit = self._fit(one, LEAST_SCORE + costs)
                if fit is not None and (best is None or fit.worth - costs > best[0].worth - best[1]):
                    best = fit, costs, one.about
        return best

    def _fit(self, one: Try, least: int) -> Fit | None:
        fit, asked = self.tried.get(one, (None, None))
        if asked is None or (fit is None and least < asked):
            old = self._payments(one.places)
            fit = best_change(old, self._payments(one.changed), least) if one.changed else best_fit(old, least)
            self.tried[one] = fit, least
        return fit if fit is not None and fit.score >= least else None

    def _payments(self, places: tuple[int, ...]) -> Payments:
        if places not in self.payments:
            self.payments[places] = Payments(places, [self.charges[place].day for place in places], self.grids)
        return self.payments[places]

    def _changes(self, by_amount: dict[int, list[int]]) -> list[Try]:
        largest = sorted(by_amount, key=lambda amount: (-len(by_amount[amount]), amount))[:MOST_AMOUNTS]
        pairs = [(old, new) for old, new in permutations(largest, 2) if max(old, new) <= CHANGE_AT_MOST * min(old, new)]
        tries = (Try(tuple(by_amount[old]), tuple(by_amount[new])) for old, new in pairs)
        return [one for one in tries if self._may_change(one)]

    def _may_change(self, one: Try) -> bool:
        old, new = self.charges[one.places[0]], self.charges[one.changed[-1]]
        return len(one.places) + len(one.changed) >= LEAST_HITS and old.day < new.day


def _single(by_amount: dict[int, list[int]]) -> list[Try]:
    return [Try(tuple(places)) for places in by_amount.values() if len(places) >= LEAST_HITS]


def _about_equal(by_amount: dict[int, list[int]]) -> list[Try]:
    """Amounts that are close together, as many as can be, of two or more."""
    tries: list[Try] = []
    amounts, end, before = sorted(by_amount), 0, 0
    for n, lowest in enumerate(amounts):
        while end < len(amounts) and amounts[end] * 100 <= lowest * ABOUT:
            end += 1
        places = sorted(place for amount in amounts[n:end] for place in by_amount[amount])
        if end > before and end - n > 1 and len(places) >= LEAST_HITS:
            tries.append(Try(tuple(places), about=True))
        before = end
    return tries


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
    """What begins on other days than the one was due on is another."""
    cadence = first.grid.cadence
    if first.cadence != second.cadence or first.about != second.about or second.first <= first.last:
        return False
    if (second.first - first.last).days > GAP_AT_MOST * cadence.period + cadence.late:
        return False
    if abs((second.next_due - first.grid.due(first.grid.mark(second.next_due)[0])).days) > SHIFTED_AT_MOST:
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
    small, cadence = before[-1], stream.grid.cadence
    fits = TRIAL_DAYS[0] <= (stream.first - small.day).days <= min(TRIAL_DAYS[1], cadence.period + cadence.late)
    if fits and small.amount * TRIAL_AT_MOST <= stream.charges[0].amount:
        return replace(stream, trial=small)
    return stream
