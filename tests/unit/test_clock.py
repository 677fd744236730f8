"""Spans of time by clocks that may have been wrong."""

from datetime import UTC, datetime, timedelta

import pytest

from taesan.core.clock import has_passed

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since_s", "expected"), [(0, False), (-59, False), (-60, True), (-86_400, True), (1, True), (86_400, True)]
)
def test_a_minute_has_passed_or_began_in_the_future(since_s: int, expected: bool) -> None:
    assert has_passed(timedelta(minutes=1), NOW + timedelta(seconds=since_s), NOW) is expected
