"""Rate limits, counted in this process: several processes allow as many times as much."""

import math
import time

from limits import parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from taesan.core.problems import Problem


class RateLimit:
    """:param rate: such as `200/second` or `1000 per minute`"""

    def __init__(self, rate: str) -> None:
        self._item = parse(rate)
        self._limiter = FixedWindowRateLimiter(_Counters())

    def hit(self, who: str, count: int = 1) -> bool:
        """Counts some; False if that is too many."""
        return self._limiter.hit(self._item, who, cost=count)

    def problem(self, who: str) -> Problem:
        wait_s = self._limiter.get_window_stats(self._item, who).reset_time - time.time()
        return Problem(
            "rate-limited",
            429,
            "Too many requests in too short a time.",
            f"At most {self._item}; nothing was stored.",
            headers={"retry-after": str(max(1, math.ceil(wait_s)))},
        )

    def check(self, who: str, count: int = 1) -> None:
        """Counts some. :raises Problem: `rate-limited` if that is too many"""
        if not self.hit(who, count):
            raise self.problem(who)


class _Counters(Storage):
    """In memory, as the library's own, which keeps a thread busy looking through all counters and has no bound.

    When it is full of counters that still run, all begin anew: a crowd of strangers is let in rather than everybody locked out.
    """

    STORAGE_SCHEME = ["bounded-memory"]  # noqa: RUF012  # the library's way to register it
    MOST = 20_000
    base_exceptions = ValueError

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, tuple[int, float]] = {}

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        # Two threads at once may lose a count, never more.
        now = time.time()
        count, until = self._counts.get(key, (0, 0.0))
        if until <= now:
            if len(self._counts) >= self.MOST:
                self._counts = {k: c for k, c in list(self._counts.items()) if c[1] > now}
                if len(self._counts) > self.MOST // 2:
                    self._counts = {}
            count, until = 0, now + expiry
        self._counts[key] = (count + amount, until)
        return count + amount

    def get(self, key: str) -> int:
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > time.time() else 0

    def get_expiry(self, key: str) -> float:
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        had = len(self._counts)
        self._counts = {}
        return had

    def clear(self, key: str) -> None:
        self._counts.pop(key, None)
