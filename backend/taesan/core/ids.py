"""Public ids."""

import secrets
import time


def new_ids(prefix: str, count: int) -> list[str]:
    """As `new_id`, for many at once; in ascending order."""
    now = f"{prefix}_{time.time_ns() // 1_000_000:012x}"
    random = secrets.token_hex(10 * count)
    return sorted(now + random[n : n + 20] for n in range(0, 20 * count, 20))


def new_id(prefix: str) -> str:
    """An id such as `pay_019a…`: the time in milliseconds, then 80 random bits, as in UUIDv7 (RFC 9562).

    Nobody can guess it; and as new ids sort behind old ones, an index of millions grows at its end only.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
