"""How well payments follow a cadence (`cadence.py`): at one price, or at one until another takes over. Pure.

How much likelier they are by a standing order that is sometimes late and sometimes left out than by somebody who comes about as often,
but when she likes, is added up due day by due day; the best stretch of the best grid is the fit. What falls on a weekend is kept to, put
off or drawn forward: always the same of the three. So three days that are exact may do, and thirty that are about right do not.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from taesan.insights.cadence import APART, LEFT_OUT, WAYS, Grid, Grids, Mark

LEAST_HITS = 3
LEAST_ON_TIME = 55  # of a hundred payments
SKIPPED_AT_MOST = 4  # one of so many due days, at most, has no payment
VOTES = 6  # one of so many payments, at least, speaks for a grid that is tried
STRAY = -1_600  # a payment of the same price that no due day asks for


class Fit(NamedTuple):
    """:ivar slots: due days of the grid that are paid, in order. :ivar places: of what pays them. :ivar worth: in thousandths of a nat, against
    all payments being apart"""

    grid: Grid
    slots: list[int]
    places: list[int]
    worth: int

    @property
    def score(self) -> int:
        """Against there being no such payments."""
        return self.worth + len(self.places) * APART


class Row(NamedTuple):
    """Payments on a grid, in one of `WAYS`: the best one of each slot that has any, and what it is worth with those that stray there.

    :ivar ending: of the best stretch up to a slot (Kadane), and `since`, where it begins. :ivar starting: of the best one from a slot on,
    and `until`, where it ends. :ivar top: of the best one of all
    """

    slots: list[int]
    places: list[int]
    timely: list[bool]
    ending: list[int]
    since: list[int]
    starting: list[int]
    until: list[int]
    top: int


class Payments:
    """Some that may be a standing cost's, or what it was at one price. What was found out about them is kept.

    :ivar places: whatever names them. :ivar votes: how many speak for a grid. :ivar most: they are worth no more on it
    """

    def __init__(self, places: Sequence[int], days: Sequence[date], grids: Grids) -> None:
        self.places = places
        self.days = days
        self.votes: Counter[Grid] = Counter()
        self.most: Counter[Grid] = Counter()
        for day in days:
            for grid, gain in grids.of(day):
                self.votes[grid] += 1
                self.most[grid] += gain
        self.widest_gap = max(((b - a).days for a, b in pairwise(days)), default=0)
        self._tops: dict[Grid, int] = {}
        self._rows: dict[Grid, tuple[Row, ...]] = {}

    def top(self, grid: Grid) -> int:
        """What a stretch of theirs is worth at most, if each due day were moved in the way that suits it."""
        found = self._tops.get(grid)
        if found is None:
            found = self._tops[grid] = _top(grid, self.days)
        return found

    def rows(self, grid: Grid) -> tuple[Row, ...]:
        """In each of `WAYS`; one, if they do not differ; none, if no payment is near a due day."""
        found = self._rows.get(grid)
        if found is None:
            found = self._rows[grid] = tuple(_rows(grid, self.days, self.places))
        return found


def _top(grid: Grid, days: Sequence[date]) -> int:
    """As the rows' `top`, in one pass: most grids need no more."""
    top = total = last = 0
    current, hit, others = None, None, -1
    for slot, gains, most in (*map(grid.mark, days), _END):
        if slot != current:
            if hit is not None and current is not None:
                total = hit + others * STRAY + max(0, total + (current - last - 1) * LEFT_OUT if total > 0 else 0)
                top, last = max(top, total), current
            current, hit, others = slot, None, -1
        others += 1
        if gains and (hit is None or most > hit):
            hit = most
    return top


_END: Mark = (10**9, (), 0)


def _rows(grid: Grid, days: Sequence[date], places: Sequence[int]) -> Iterator[Row]:
    by_slot: dict[int, list[tuple[tuple[int, ...], int]]] = {}
    strays: Counter[int] = Counter()
    for place, day in zip(places, days, strict=True):
        slot, gains, _ = grid.mark(day)
        if gains:
            by_slot.setdefault(slot, []).append((gains, -place))
        else:
            strays[slot] += 1
    slots = sorted(by_slot)
    hits = [by_slot[slot] for slot in slots]
    astray = [(strays[slot] + len(by_slot[slot]) - 1) * STRAY for slot in slots]
    differ = any(min(gains) != max(gains) for several in hits for gains, _ in several)
    for way in WAYS[: len(WAYS) if differ else min(1, len(slots))]:
        chosen = [max((gains[way], place) for gains, place in several) for several in hits]
        worth = [gain + lost for (gain, _), lost in zip(chosen, astray, strict=True)]
        ending, since = _endings(slots, worth)
        starting, until = _endings([-slot for slot in reversed(slots)], worth[::-1])
        yield Row(
            slots,
            [-place for _, place in chosen],
            [gain == grid.exact for gain, _ in chosen],
            ending,
            since,
            starting[::-1],
            [len(slots) - 1 - n for n in reversed(until)],
            max(ending),
        )


def _endings(slots: Sequence[int], worth: Sequence[int]) -> tuple[list[int], list[int]]:
    ending: list[int] = []
    since: list[int] = []
    for n, own in enumerate(worth):
        before = ending[-1] + (slots[n] - slots[n - 1] - 1) * LEFT_OUT if n else 0
        ending.append(own + max(0, before))
        since.append(since[-1] if before > 0 else n)
    return ending, since


# --------------------------------------------------------------------- fitting


def best_fit(paid: Payments, least: int) -> Fit | None:
    """The stretch of all grids' that is worth most, if its score is so much at least."""
    best, wanted = None, least - LEAST_HITS * APART
    for most, grid in _hopeful(wanted, paid):
        if most < wanted:
            break
        if 2 * paid.widest_gap <= grid.cadence.period:  # something more frequent
            continue
        for row in paid.rows(grid) if paid.top(grid) + grid.base >= wanted else ():
            if row.top + grid.base >= wanted:
                end = row.ending.index(row.top)
                fit = _fit(grid, row.top, least, (row, row.since[end], end))
                best, wanted = (fit, fit.worth + 1) if fit is not None else (best, wanted)
    return best


def best_change(old: Payments, new: Payments, least: int) -> Fit | None:
    """As `best_fit`, of stretches that are paid at the one price up to some day, and then at the other."""
    best, wanted = None, least - LEAST_HITS * APART
    for most, grid in _hopeful(wanted, old, new):
        if most < wanted:
            break
        if old.top(grid) + new.top(grid) + grid.base < wanted:
            continue
        olds, news = old.rows(grid), new.rows(grid)
        for way in WAYS[: max(len(olds), len(news))] if olds and news else ():
            a, b = olds[way % len(olds)], news[way % len(news)]
            if a.top + b.top + grid.base >= wanted:
                worth, end, begin = _change(a, b)
                if worth + grid.base >= wanted:
                    fit = _fit(grid, worth, least, (a, a.since[end], end), (b, begin, b.until[begin]))
                    best, wanted = (fit, fit.worth + 1) if fit is not None else (best, wanted)
    return best


def _hopeful(wanted: int, *parts: Payments) -> list[tuple[int, Grid]]:
    """Grids by what a stretch may be worth at most, the highest first: so that few need be looked at."""
    most, votes = Counter[Grid](), Counter[Grid]()
    for part in parts:
        most.update(part.most)
        votes.update(part.votes)
    enough = max(2, sum(len(part.days) for part in parts) // VOTES)
    found = [(n + grid.base, grid) for grid, n in most.items() if n + grid.base >= wanted and votes[grid] >= enough]
    return sorted(found, key=lambda one: -one[0])


def _change(old: Row, new: Row) -> tuple[int, int, int]:
    """What the best stretch is worth, and in which slots of the one it ends and of the other goes on; a very low score, if none is."""
    best, carried = (-(10**9), 0, 0), (-(10**9), 0)
    n = 0
    for begin, slot in enumerate(new.slots):
        while n < len(old.slots) and old.slots[n] < slot:
            carried = max(carried, (old.ending[n] - (old.slots[n] + 1) * LEFT_OUT, n))
            n += 1
        best = max(best, (carried[0] + slot * LEFT_OUT + new.starting[begin], carried[1], begin))
    return best


def _fit(grid: Grid, worth: int, least: int, *parts: tuple[Row, int, int]) -> Fit | None:
    """If it is one: it is most often paid, and on time."""
    slots = [slot for row, begin, end in parts for slot in row.slots[begin : end + 1]]
    on_time = sum(sum(row.timely[begin : end + 1]) for row, begin, end in parts)
    due = slots[-1] - slots[0] + 1
    if len(slots) < LEAST_HITS or on_time * 100 < len(slots) * LEAST_ON_TIME:
        return None
    if (due - len(slots)) * SKIPPED_AT_MOST > due:
        return None
    places = [place for row, begin, end in parts for place in row.places[begin : end + 1]]
    fit = Fit(grid, slots, places, worth + grid.base)
    return fit if fit.score >= least else None
