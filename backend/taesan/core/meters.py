"""What this process has done so far, told at `/metrics`: plain numbers that cost next to nothing to raise.

A payment costs some 60 µs before the intake; a lock and a look-up of labels for each would be felt. So whoever counts adds to
an int in a dict, once a request or group, and only who asks for all of it pays for its form (`operations.metrics`).
One thread writes to a meter; others may read.
"""

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence

Labels = tuple[str, ...]
EVERY: "list[Counter | Histogram]" = []

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Counter:
    """:param name: as Prometheus knows it, without `_total`. :ivar values: the labels' values → how often"""

    def __init__(self, name: str, help_: str, labels: Labels = ()) -> None:
        self.name, self.help, self.labels = name, help_, labels
        self.values: defaultdict[Labels, int] = defaultdict(int)
        EVERY.append(self)


class _Series:
    """:ivar counts: how many fell into each bucket; the last is for what is above all bounds. :ivar total: their sum"""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts, self.total = [0] * buckets, 0.0


class Histogram:
    """:param bounds: the buckets' upper ends, ascending, which belong to them"""

    def __init__(self, name: str, help_: str, labels: Labels = (), bounds: Sequence[float] = SECONDS) -> None:
        self.name, self.help, self.labels, self.bounds = name, help_, labels, bounds
        self.series: dict[Labels, _Series] = {}
        EVERY.append(self)

    def observe(self, value: float, labels: Labels = ()) -> None:
        series = self.series.get(labels)
        if series is None:
            series = self.series[labels] = _Series(len(self.bounds) + 1)
        series.counts[bisect_left(self.bounds, value)] += 1
        series.total += value


class Timer:
    """Runs from when it is made."""

    __slots__ = ("_started",)

    def __init__(self) -> None:
        self._started = time.perf_counter()

    def observed(self, histogram: Histogram, labels: Labels = ()) -> float:
        """How long it has run so far, in seconds, which the histogram is told."""
        seconds = time.perf_counter() - self._started
        histogram.observe(seconds, labels)
        return seconds
