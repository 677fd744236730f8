"""Counting calls: windows, bounds, and who counts as one."""

import time

import pytest

from taesan.core import limits
from taesan.core.limits import RateLimit
from taesan.core.problems import Problem
from taesan.identity.rates import Rates
from taesan.settings import Settings


def test_so_many_and_no_more_until_the_window_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    rate = RateLimit("3/minute")
    assert [rate.hit("anna") for _ in range(4)] == [True, True, True, False]
    assert rate.hit("bora")
    assert _told(rate) == {"retry-after": "60"}
    now += 59.5
    assert not rate.hit("anna")
    assert _told(rate) == {"retry-after": "1"}
    now += 0.5
    assert rate.hit("anna", 3)
    assert not rate.hit("anna")


def _told(rate: RateLimit) -> dict[str, str]:
    with pytest.raises(Problem) as refused:
        rate.check("anna")
    return refused.value.headers


def test_what_is_taken_back_was_not_counted() -> None:
    rate = RateLimit("2/minute")
    assert [rate.hit("anna", count) for count in (1, 1, -1, 1, 1)] == [True, True, True, True, False]


def test_nothing_is_given_away_when_a_window_is_over_before_it_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    rate = RateLimit("2/minute")
    assert rate.hit("anna", 2)
    now += 60
    rate.hit("anna", -2)
    assert [rate.hit("anna") for _ in range(3)] == [True, True, False]


def test_a_request_counts_for_all_that_is_in_it() -> None:
    rate = RateLimit("1000/minute")
    rate.check("gateway", 999)
    with pytest.raises(Problem, match="rate-limited"):
        rate.check("gateway", 2)


def test_memory_is_bounded_however_many_come(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(limits.time, "monotonic", lambda: now)
    rate = RateLimit("1/minute")
    for n in range(3 * limits.MOST):
        rate.hit(f"stranger {n}")
        if n % 1_000 == 0:
            assert len(rate._counts) <= limits.MOST
    assert len(rate._counts) <= limits.MOST
    now += 60
    rate.hit("anna")
    for n in range(limits.MOST - 1):
        rate.hit(f"another {n}")
    assert not rate.hit("anna"), "counters whose window is over make room first"


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("", "", True),
    ],
)
def test_strangers_are_told_apart_by_what_they_cannot_choose(one: str, other: str, are_one: bool) -> None:
    rates = Rates(Settings(address_rate="1/minute"))
    rates.count_call(one)
    if are_one:
        with pytest.raises(Problem, match="rate-limited"):
            rates.count_call(other)
    else:
        rates.count_call(other)
