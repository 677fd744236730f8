"""A merchant's days: when they begin in its time zone, and when its next payout is due. Pure."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def begins_at(day: date, zone: ZoneInfo) -> datetime:
    """Local midnight, in UTC. Where clocks are put forward at midnight, the first moment after it."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def day_of(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def next_due(now: datetime, zone: ZoneInfo, weekday: int | None) -> datetime:
    """The next local midnight, or the one that begins the weekday (Monday is 0)."""
    day = day_of(now, zone) + timedelta(days=1)
    if weekday is not None:
        day += timedelta(days=(weekday - day.weekday()) % 7)
    return begins_at(day, zone)
