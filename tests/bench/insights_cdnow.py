"""Forecasts of months' ends on the CDNOW purchases, by ours and by others, out of sample.

Customers are dealt into pools, as a single one buys three times in eighteen months: a pool stands for a person. Even pools are what
the half-life was chosen on, odd ones what is told here.
"""

import csv
import gzip
import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import NamedTuple

from taesan.insights.forecast import month_end
from taesan.insights.movements import next_month

DATA = Path(__file__).parents[2] / "scripts" / "data" / "cdnow.csv.gz"
FIRST, LAST = date(1997, 1, 1), date(1998, 7, 1)
FORECAST_FROM = date(1997, 9, 1)
AFTER_DAYS = (10, 20)  # of the month
SEED = 7
# Customers in a pool, how many pools, and how many of these the libraries get: a fit takes up to a second.
LEVELS = ((1, 100, 12, 2), (20, 60, 12, 2), (200, 30, 12, 2))
LEAST_PURCHASES = 20  # of a customer who is a pool alone


class Asked(NamedTuple):
    """:ivar days: cents spent each day until now. :ivar begun: days of the month that are over. :ivar left: those that are not"""

    days: Sequence[int]
    begun: int
    left: int

    @property
    def spent(self) -> int:
        return sum(self.days[len(self.days) - self.begun :])

    @property
    def last_month(self) -> Sequence[int]:
        end = len(self.days) - self.begun
        first = FIRST + timedelta(days=end)
        before = (first - timedelta(days=1)).replace(day=1)
        return self.days[end - (first - before).days : end]


def ours(asked: Asked) -> float:
    found = month_end(asked.days, asked.spent, 0, asked.left)
    assert found is not None
    return found.total


def naive(asked: Asked) -> float:
    """The last month again."""
    return sum(asked.last_month)


def so_far(asked: Asked) -> float:
    """On at the rate of the month so far."""
    return asked.spent * (asked.begun + asked.left) / asked.begun


def seasonal_month(asked: Asked) -> float:
    """So far, and then what followed a month ago."""
    return asked.spent + sum(asked.last_month[asked.begun :][: asked.left])


def seasonal_week(asked: Asked) -> float:
    """So far, and then the last week again and again."""
    return asked.spent + sum(asked.days[-7 + n % 7] for n in range(asked.left))


def ets(asked: Asked) -> float:
    """statsmodels' exponential smoothing, additive, with a season of seven days, its parameters estimated."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ExponentialSmoothing(
            [float(day) for day in asked.days], seasonal="add", seasonal_periods=7, initialization_method="estimated"
        ).fit()
        return asked.spent + max(0.0, float(sum(model.forecast(asked.left))))


def arima(asked: Asked) -> float:
    """statsmodels' ARIMA(1, 1, 1) on days, its parameters estimated."""
    from statsmodels.tsa.arima.model import ARIMA

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ARIMA([float(day) for day in asked.days], order=(1, 1, 1)).fit()
        return asked.spent + max(0.0, float(sum(model.forecast(asked.left))))


Method = Callable[[Asked], float]
SIMPLE: dict[str, Method] = {
    "ours": ours,
    "naive: last month again": naive,
    "rate of the month so far": so_far,
    "seasonal naive, month": seasonal_month,
    "seasonal naive, week": seasonal_week,
}
LIBRARIES: dict[str, Method] = {"statsmodels' ETS": ets, "statsmodels' ARIMA(1, 1, 1)": arima}


@dataclass
class Errors:
    """Of a level. :ivar missed: by method, cents in all; of all there is. :ivar sample: the same on those the library got, beside ours"""

    size: int
    forecasts: int = 0
    actual: int = 0
    missed: Counter[str] = field(default_factory=Counter)
    bias: int = 0
    within: int = 0
    ranged: int = 0
    sample: dict[str, tuple[int, float, float, float]] = field(default_factory=dict)

    def share(self, method: str) -> float:
        return self.missed[method] / self.actual


@cache
def _purchases() -> dict[int, list[tuple[int, int]]]:
    of: dict[int, list[tuple[int, int]]] = defaultdict(list)
    with gzip.open(DATA, "rt") as file:
        for row in csv.DictReader(file):
            of[int(row["customer"])].append(((date.fromisoformat(row["date"]) - FIRST).days, int(row["cents"])))
    return of


def pools(size: int, count: int, parity: int = 1) -> list[list[int]]:
    """Cents spent each day. :param parity: 0 for the even ones, which the half-life was chosen on"""
    of = _purchases()
    customers = sorted(of if size > 1 else (c for c in of if len(of[c]) >= LEAST_PURCHASES))
    random.Random(SEED).shuffle(customers)
    dealt = [customers[n : n + size] for n in range(0, len(customers), size)][parity::2][:count]
    rows = []
    for pool in dealt:
        days = [0] * (LAST - FIRST).days
        for customer in pool:
            for day, cents in of[customer]:
                days[day] += cents
        rows.append(days)
    return rows


def asked(days: Sequence[int]) -> Iterator[tuple[Asked, int]]:
    """With what the month came to."""
    month = FORECAST_FROM
    while month < LAST:
        begin, end = (month - FIRST).days, (next_month(month) - FIRST).days
        for begun in AFTER_DAYS:
            yield Asked(days[: begin + begun], begun, end - begin - begun), sum(days[begin:end])
        month = next_month(month)


def measure(size: int, count: int, for_ets: int, for_arima: int) -> Errors:
    errors = Errors(size)
    rows = pools(size, count)
    for days in rows:
        for question, actual in asked(days):
            errors.forecasts += 1
            errors.actual += actual
            for name, method in SIMPLE.items():
                errors.missed[name] += abs(round(method(question)) - actual)
            found = month_end(question.days, question.spent, 0, question.left)
            assert found is not None
            errors.bias += found.total - actual
            if found.low is not None and found.high is not None:
                errors.ranged += 1
                errors.within += found.low <= actual <= found.high
    for (name, method), few in zip(LIBRARIES.items(), (for_ets, for_arima), strict=True):
        all_asked = [pair for days in rows[:few] for pair in asked(days)]
        actual = sum(a for _, a in all_asked)
        missed = sum(abs(method(q) - a) for q, a in all_asked)
        beside = sum(abs(ours(q) - a) for q, a in all_asked)
        seasonal = sum(abs(seasonal_month(q) - a) for q, a in all_asked)
        errors.sample[name] = (len(all_asked), missed / actual, beside / actual, seasonal / actual)
    return errors
