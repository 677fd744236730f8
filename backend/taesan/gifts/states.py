"""What has become of a gift link, told by its transfers and the clock. Pure."""

from datetime import datetime
from typing import NamedTuple

CONFIRMED, FAILED = "confirmed", "failed"
OVER = frozenset({"claimed", "returned", "failed"})


class Steps(NamedTuple):
    """The states of its transfers, see `DirectPayment`; None: there is none yet."""

    wrap: str
    claim: str | None = None
    back: str | None = None


def state_of(steps: Steps, expires_at: datetime, now: datetime) -> str:
    """As `GiftPublic` tells it. A claim or a return that has failed is none."""
    if steps.back is not None and steps.back != FAILED:
        return "returned" if steps.back == CONFIRMED else "returning"
    if steps.claim is not None and steps.claim != FAILED:
        return "claimed" if steps.claim == CONFIRMED else "claiming"
    if steps.wrap == FAILED:
        return "failed"
    if steps.wrap != CONFIRMED:
        return "wrapping"
    return "open" if now < expires_at else "expired"
