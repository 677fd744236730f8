"""Rate limits, counted in this process: several processes allow as many times as much."""

import math
import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from taesan.core.problems import Problem


class RateLimit:
    """:param rate: such as `200/second` or `1000 per minute`"""

    def __init__(self, rate: str) -> None:
        self._item = parse(rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def hit(self, who: str) -> bool:
        """Counts one; False if it is one too many."""
        return self._limiter.hit(self._item, who)

    def problem(self) -> Problem:
        window_s = self._item.get_expiry()
        wait_s = math.ceil(window_s - time.time() % window_s)
        return Problem(
            "rate-limited",
            429,
            "Too many requests in too short a time.",
            f"At most {self._item}; nothing was stored.",
            headers={"retry-after": str(wait_s)},
        )
