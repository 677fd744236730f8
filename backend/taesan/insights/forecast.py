"""What a month will have cost at its end, and between what it will lie in four cases of five. Pure; integers in minor units.

What is due for certain (standing costs) is counted as it is due. The rest goes on at the rate of the last weeks, in which a day
counts half as much as one thirty days later. How far such a forecast may be out, the same person's past tells: it is made for
each earlier day as well, for as many days, and compared with what came. docs/benchmarks/insights.md has it beside others.
"""

from collections.abc import Sequence
from typing import NamedTuple

HALF_LIFE_DAYS = 30
LEAST_DAYS = 14  # of history, for a forecast
_WARM_UP_DAYS = 28  # before the first one that is compared
_LEAST_COMPARED = 28
_YEAR = 365  # of history that is looked at
_ONE = 1 << 32
_KEPT = round(_ONE * 0.5 ** (1 / HALF_LIFE_DAYS))  # of a day's weight, a day later


class Forecast(NamedTuple):
    """:ivar total: spent, due and to be expected. :ivar low, high: a tenth of cases is below, a tenth above; None: too little is known"""

    total: int
    due: int
    expected: int
    low: int | None
    high: int | None


class _Rate:
    """Mean of days, the later the more."""

    def __init__(self) -> None:
        self.value = self.weight = 0

    def add(self, amount: int) -> None:
        self.value = (self.value * _KEPT >> 32) + (amount << 32)
        self.weight = (self.weight * _KEPT >> 32) + _ONE

    def times(self, days: int) -> int:
        return (self.value * days + self.weight // 2) // self.weight


def month_end(days: Sequence[int], spent: int, today: int, left: int, due: int = 0) -> Forecast | None:
    """:param days: spent on each day until yesterday, the oldest first, without standing costs
    :param spent: in this month in all. :param today: of this, without standing costs
    :param left: days of the month that are not over, today included. :param due: standing costs until its end
    :returns: None if too little is known
    """
    days = days[-_YEAR:]
    if len(days) < LEAST_DAYS or left < 1:
        return None
    rate, missed = _Rate(), []
    sums = [0]
    for amount in days:
        sums.append(sums[-1] + amount)
    for day, amount in enumerate(days):
        rate.add(amount)
        if day + 1 >= _WARM_UP_DAYS and day + 1 + left <= len(days):
            missed.append(sums[day + 1 + left] - sums[day + 1] - rate.times(left))
    # Of the day that has begun, as much is still to come as it lacks.
    expected = rate.times(left - 1) + max(0, rate.times(1) - today)
    total = spent + due + expected
    if len(missed) < _LEAST_COMPARED:
        return Forecast(total, due, expected, None, None)
    missed.sort()
    low, high = missed[len(missed) // 10], missed[len(missed) - 1 - len(missed) // 10]
    return Forecast(total, due, expected, max(spent + due, min(total, total + low)), max(total, total + high))
