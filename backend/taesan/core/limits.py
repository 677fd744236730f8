"""Rate limits, counted in this process: several processes allow as many times as much."""

import math
import time

from limits import parse

from taesan.core.problems import Problem

MOST = 20_000  # counters kept at once


class RateLimit:
    """A fixed window for each, which begins with the first count.

    The library reads the rate; it would count in memory without a bound, and at three times the price, which each payment pays.
    When there are too many counters that still run, all begin anew: a crowd of strangers is let in rather than everybody
    locked out.

    :param rate: such as `200/second` or `1000 per minute`
    """

    def __init__(self, rate: str) -> None:
        self._rate = parse(rate)
        self._window_s, self._most = self._rate.get_expiry(), self._rate.amount
        self._counts: dict[str, tuple[int, float]] = {}

    def hit(self, who: str, count: int = 1) -> bool:
        """Counts some, which a negative count takes back; False if that is too many."""
        return self._count(who, count)[0] <= self._most

    def check(self, who: str, count: int = 1) -> None:
        """Counts some. :raises Problem: `rate-limited` if that is too many"""
        counted, until = self._count(who, count)
        if counted <= self._most:
            return
        wait_s = until - time.monotonic()
        raise Problem(
            "rate-limited",
            429,
            "Too many requests in too short a time.",
            f"At most {self._rate}; nothing was stored.",
            headers={"retry-after": str(max(1, math.ceil(wait_s)))},
        )

    def _count(self, who: str, count: int) -> tuple[int, float]:
        """How many there are now, and until when they count."""
        # Two threads at once may lose a count, never more.
        now = time.monotonic()
        before, until = self._counts.get(who, (0, 0.0))
        if until <= now:
            self._make_room(now)
            before, until = 0, now + self._window_s
        counted = max(0, before + count)  # what is taken back may be of a window that is over
        self._counts[who] = (counted, until)
        return counted, until

    def _make_room(self, now: float) -> None:
        if len(self._counts) < MOST:
            return
        self._counts = {who: counted for who, counted in list(self._counts.items()) if counted[1] > now}
        if len(self._counts) > MOST // 2:
            self._counts = {}
