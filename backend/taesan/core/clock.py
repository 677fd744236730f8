"""Time as a dependency, so that tests and simulations decide what time it is."""

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...


def utc_now() -> datetime:
    return datetime.now(UTC)


class SystemClock:
    def now(self) -> datetime:
        return utc_now()


class FixedClock:
    """A clock that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


def has_passed(span: timedelta, since: datetime, now: datetime) -> bool:
    """Whether so much time has passed. Also if `since` is still to come: it is from a clock that was wrong, and nobody
    should wait until the right one gets there."""
    return not timedelta() <= now - since < span


def rfc3339(at: datetime) -> str:
    """`2026-11-22T13:00:00.123Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
