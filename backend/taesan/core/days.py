"""Days as people have them: when they begin in a time zone, and when the next of a kind does. Pure."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

zones = cache(available_timezones)  # which looks for files


def begins_at(day: date, zone: ZoneInfo) -> datetime:
    """Local midnight, in UTC. Where clocks are put forward at midnight, the first moment after it."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def day_of(at: datetime, zone: ZoneInfo) -> date:
    """At the calendar's ends, which no zone may lead beyond, UTC's."""
    try:
        return at.astimezone(zone).date()
    except OverflowError:
        return at.date()


def first_of(month: str) -> date:
    """The first day of a month such as 2026-11.

    :raises ValueError: it is none
    """
    return date.fromisoformat(f"{month}-01")


def next_due(now: datetime, zone: ZoneInfo, weekday: int | None) -> datetime:
    """The next local midnight, or the one that begins the weekday (Monday is 0)."""
    day = day_of(now, zone) + timedelta(days=1)
    if weekday is not None:
        day += timedelta(days=(weekday - day.weekday()) % 7)
    return begins_at(day, zone)


def next_of_month(now: datetime, zone: ZoneInfo, day_of_month: int) -> datetime:
    """The next local midnight that begins this day of a month, or the last day of a month that is shorter."""
    today = day_of(now, zone)
    day = _in_month(today.year, today.month, day_of_month)
    if day <= today:
        later = today.replace(day=28) + timedelta(days=4)
        day = _in_month(later.year, later.month, day_of_month)
    return begins_at(day, zone)


def _in_month(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
