"""What a month will have cost, and which of its spending is unusual."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taesan.insights.forecast import LEAST_DAYS, month_end
from taesan.insights.outlook import dues
from taesan.insights.recurring_models import Recurring
from taesan.insights.unusual import Payment, Unusual, kept, most_usual, new, unusual

AMOUNTS = st.integers(0, 10**12)


def test_what_never_varies_is_forecast_to_the_unit() -> None:
    found = month_end([700] * 100, spent=14_000, today=0, left=10)
    assert found == (21_000, 0, 7_000, 21_000, 21_000)


def test_standing_costs_are_counted_as_they_are_due() -> None:
    found = month_end([700] * 100, spent=14_000, today=0, left=10, due=9_900)
    assert found is not None
    assert (found.total, found.due, found.expected) == (30_900, 9_900, 7_000)


def test_of_today_as_much_is_to_come_as_it_lacks() -> None:
    totals = [found.total for today in (0, 300, 700, 5_000) if (found := month_end([700] * 100, 5_000, today, 3))]
    assert totals == [7_100, 6_800, 6_400, 6_400]


def test_the_last_weeks_count_most() -> None:
    slower = month_end([1_000] * 60 + [100] * 30, spent=0, today=0, left=10)
    faster = month_end([100] * 60 + [1_000] * 30, spent=0, today=0, left=10)
    assert slower is not None
    assert faster is not None
    assert 3_500 < slower.total < 5_500 < faster.total < 7_500
    assert slower.low is not None
    assert slower.low < slower.total


def test_too_little_history_gives_no_forecast_and_a_little_no_range() -> None:
    assert month_end([5] * (LEAST_DAYS - 1), 0, 0, 3) is None
    assert month_end([5] * LEAST_DAYS, 0, 0, 3) == (15, 0, 15, None, None)
    assert month_end([5] * 100, 0, 0, 0) is None


@settings(max_examples=50, deadline=None)
@given(st.lists(AMOUNTS, min_size=14, max_size=120), AMOUNTS, AMOUNTS, st.integers(1, 31), AMOUNTS)
def test_a_forecast_lies_within_its_range_and_above_what_is_certain(
    days: list[int], spent: int, today: int, left: int, due: int
) -> None:
    found = month_end(days, spent + today, today, left, due)
    assert found is not None
    assert found.total == spent + today + due + found.expected >= spent + today + due
    if found.low is not None and found.high is not None:
        assert spent + today + due <= found.low <= found.total <= found.high


@pytest.mark.parametrize(
    ("cadence", "next_due", "days"),
    [("weekly", 1, [1, 15, 22, 29]), ("weekly", 15, [15, 22, 29]), ("monthly", 1, [1]), ("monthly", 20, [20])],
)
def test_what_is_late_is_still_to_come_once(cadence: str, next_due: int, days: list[int]) -> None:
    row = Recurring(cadence=cadence, next_due=date(2026, 10, next_due))  # type: ignore[call-arg]
    found = dues(row, date(2026, 10, 14), date(2026, 11, 1))
    assert list(found) == [date(2026, 10, day) for day in days]


# --------------------------------------------------------------------- unusual


def _paid(*amounts: int) -> list[Payment]:
    return [Payment(n, date(2026, 11, 1) + timedelta(days=n), amount) for n, amount in enumerate(amounts)]


def test_one_dear_payment_explains_a_dear_month() -> None:
    payments = _paid(4_500, 4_500, 98_000, 4_500)
    assert unusual(payments, [[4_500] * 4] * 6) == Unusual("dearer", 111_500, 18_000, 27_000, (payments[2],))


def test_many_payments_explain_a_month_of_many() -> None:
    payments = _paid(*[4_500] * 14)
    found = unusual(payments, [[4_500] * 4, [4_500] * 5, [4_500] * 4])
    assert found is not None
    assert found.why == "more-often"
    assert found.payments == tuple(reversed(payments))[:8]
    assert found.total - sum(p.amount for p in found.payments) <= found.most


def test_a_month_as_the_others_is_not_unusual() -> None:
    before = [[10_000, 8_000], [12_000], [7_000, 7_000], [16_000]]
    assert unusual(_paid(17_000), before) is None
    assert unusual(_paid(40_000), before) is not None
    assert unusual(_paid(40_000), before[:2]) is None
    assert unusual(_paid(40_000), [[], [], []]) is None


def test_one_odd_month_before_changes_nothing() -> None:
    assert most_usual([10_000, 11_000, 9_000, 10_000, 900_000]) == most_usual([10_000, 11_000, 9_000, 10_000, 11_000])


def test_a_new_merchant_is_unusual_if_it_got_more_than_others_do() -> None:
    others = [5_000, 9_000, 12_000, 7_000]
    assert new(_paid(8_000), others, 3) is None
    assert new(_paid(20_000, 90_000), others, 3) == Unusual(
        "new", 110_000, 0, None, tuple(reversed(_paid(20_000, 90_000)))
    )
    assert new(_paid(90_000), others, 2) is None


@given(
    st.lists(st.integers(1, 10**9), max_size=12),
    st.lists(st.lists(st.integers(1, 10**9), max_size=5), min_size=3, max_size=8),
)
def test_without_its_causes_a_month_is_usual(amounts: list[int], before: list[list[int]]) -> None:
    found = unusual(_paid(*amounts), before)
    if found is not None:
        without = found.total - sum(p.amount for p in found.payments)
        assert without <= found.most < found.total
        assert without + found.payments[-1].amount > found.most  # none of them can be spared


def test_what_was_given_back_is_not_kept() -> None:
    def paid(*told: tuple[int, int]) -> list[Payment]:
        return [Payment(n, date(2026, 11, day), amount) for n, (day, amount) in enumerate(told)]

    payments = paid((1, 89_000), (5, 4_500), (9, 89_000), (20, 700))
    assert kept(payments, []) == payments
    assert kept(payments, paid((8, 89_000))) == payments[1:]  # the one before it
    assert kept(payments, paid((12, 89_000), (13, 89_000), (14, 89_000))) == [payments[1], payments[3]]
    part = [*payments[:2], payments[2]._replace(amount=88_000), payments[3]]
    assert kept(payments, paid((12, 1_000))) == part
    assert kept(payments, paid((12, 1_000), (12, 89_000))) == part[1:]
    assert kept([], paid((12, 1_000))) == []


def test_what_is_as_it_was_in_the_month_before_is_unusual_no_more() -> None:
    def of(*amounts: int) -> list[Payment]:
        return [Payment(n, date(2026, 11, n + 1), amount) for n, amount in enumerate(amounts)]

    begun = [[], [], [], [2_000] * 4]
    assert unusual(of(*[2_000] * 5), begun) is None
    found = unusual(of(*[2_000] * 6), begun)
    assert found is not None
    assert found.why == "more-often"
