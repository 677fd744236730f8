"""Published rules for the same question, simpler than ours, written anew after their descriptions.

They get the merchant's normalised name for nothing, and all of its payments at once.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import mean, pstdev
from typing import NamedTuple

from tests.bench.insights_streams import Paid

BANDS = {"weekly": 7, "four-weekly": 28, "monthly": 30.4, "yearly": 365}


class Found(NamedTuple):
    """:ivar cadence: one of `BANDS`"""

    cadence: str
    ids: tuple[int, ...]


Rule = Callable[[Sequence[Paid]], list[Found]]


def most_common_gap(paid: Sequence[Paid]) -> list[Found]:
    """Finary's, as its help centre tells (<https://help.finary.com/en/articles/10279144-recurring-expense-detection>): payments of one
    name whose amounts are within 5 %, three at least; the most common number of days between two, give or take a tenth; none if the
    gaps vary too much. How much that is it does not tell: here, a standard deviation above four fifths of the mean gap, which suits it best
    on the seeds that ours was tuned on.
    Its window of six months is left out, which would cost it all that is yearly."""
    groups: list[list[Paid]] = []
    for row in sorted(paid, key=lambda row: row.amount):
        if groups and row.amount * 100 <= groups[-1][0].amount * 105:
            groups[-1].append(row)
        else:
            groups.append([row])
    found = []
    for group in groups:
        rows = sorted(group, key=lambda row: row.day)
        gaps = [(b.day - a.day).days for a, b in pairwise(rows)]
        if len(rows) < 3 or not mean(gaps) or pstdev(gaps) * 5 > mean(gaps) * 4:
            continue
        usual = Counter(gaps).most_common(1)[0][0]
        near = sum(1 for gap in gaps if abs(gap - usual) * 10 <= usual)
        cadence = min(BANDS, key=lambda band: abs(BANDS[band] - usual))
        if near * 2 >= len(gaps) and abs(BANDS[cadence] - usual) * 10 <= BANDS[cadence]:
            found.append(Found(cadence, tuple(row.id for row in rows)))
    return found


def day_of_month(paid: Sequence[Paid]) -> list[Found]:
    """Sure's (the maintained fork of Maybe Finance; `we-promise/sure`, `app/models/recurring_transaction/identifier.rb`): payments of one
    name and exactly one amount, three at least, whose days of the month lie close together on a circle of 31: a standard deviation
    of their distances from the middle one of at most five. It knows months only. Its window of three months is left out, which would
    cost it whatever has ended since."""
    groups: dict[int, list[Paid]] = defaultdict(list)
    for row in paid:
        groups[row.amount].append(row)
    found = []
    for rows in groups.values():
        if len(rows) < 3:
            continue
        days = [row.day.day - 1 for row in rows]
        pivot = min(range(31), key=lambda n: max((d - n) % 31 for d in days) - min((d - n) % 31 for d in days))
        turned = sorted((d - pivot) % 31 for d in days)
        half = len(turned) // 2
        middle = turned[half] if len(turned) % 2 else round((turned[half - 1] + turned[half]) / 2)
        expected = (middle + pivot) % 31
        away = [min(abs(d - expected), 31 - abs(d - expected)) for d in days]
        if pstdev(away) <= 5:
            found.append(Found("monthly", tuple(row.id for row in rows)))
    return found
