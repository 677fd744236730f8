"""Public ids."""

import secrets
import time


def new_id(prefix: str) -> str:
    """An id such as `pay_019a…`: the time in milliseconds, then 80 random bits, as in UUIDv7 (RFC 9562).

    Nobody can guess it; and as new ids sort behind old ones, an index of millions grows at its end only.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
