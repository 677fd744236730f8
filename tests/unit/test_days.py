"""When a merchant's days begin."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.core.days import begins_at, day_of, first_of, next_due

ZONES = ["UTC", "Asia/Seoul", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"]
NOW = st.integers(1_577_836_800, 2_208_988_800).map(
    lambda seconds: datetime.fromtimestamp(seconds, UTC)
)  # 2020 to 2040


def test_a_day_begins_at_local_midnight() -> None:
    assert begins_at(date(2026, 11, 26), ZoneInfo("Asia/Seoul")) == datetime(2026, 11, 25, 15, tzinfo=UTC)


def test_at_the_calendars_ends_there_is_a_day_too() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert day_of(first, ZoneInfo("America/New_York")) == date.min
    assert day_of(last, ZoneInfo("Asia/Seoul")) == date.max


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 6, 1), 24)])
def test_a_day_has_the_hours_that_its_clocks_give_it(day: date, hours: int) -> None:
    zone = ZoneInfo("America/New_York")
    assert begins_at(day + timedelta(days=1), zone) - begins_at(day, zone) == timedelta(hours=hours)


def test_a_month_begins_on_its_first_day() -> None:
    assert first_of("2026-11") == date(2026, 11, 1)
    for month in ("2026-13", "2026-1", "2026-11-01", ""):
        with pytest.raises(ValueError, match=r"isoformat|month"):
            first_of(month)


def test_where_midnight_is_left_out_the_day_begins_right_after_it() -> None:
    zone = ZoneInfo("America/Asuncion")  # put forward at midnight of 1 October 2023
    begins = begins_at(date(2023, 10, 1), zone)
    assert day_of(begins, zone) == date(2023, 10, 1)
    assert day_of(begins - timedelta(seconds=1), zone) == date(2023, 9, 30)


@given(NOW, st.sampled_from(ZONES), st.one_of(st.none(), st.integers(0, 6)))
def test_the_next_payout_is_due_at_the_next_midnight_that_fits(
    now: datetime, zone_name: str, weekday: int | None
) -> None:
    zone = ZoneInfo(zone_name)
    due = next_due(now, zone, weekday)
    assert due > now
    assert day_of(due - timedelta(seconds=1), zone) < day_of(due, zone)
    if weekday is None:
        assert due - now <= timedelta(hours=25)
    else:
        assert day_of(due, zone).weekday() == weekday
        assert due - now <= timedelta(days=7, hours=1)
