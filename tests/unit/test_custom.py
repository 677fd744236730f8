"""A merchant's custom: who comes back, of no fewer than five."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest

from taesan.insights import custom
from taesan.insights.custom import Around, Cohort, Repeat, Sale, Sums

AUGUST, SEPTEMBER, OCTOBER = date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1)


def _sale(payer: int | str, day: date, amount: int = 100) -> Sale:
    return Sale(str(payer), datetime(day.year, day.month, day.day, 12, tzinfo=UTC), day, amount)


def _sales(payers: Iterable[int], month: date, day: int = 10) -> list[Sale]:
    return [_sale(payer, month.replace(day=day)) for payer in payers]


def test_who_paid_before_returns_and_who_paid_on_two_days_does_so_again() -> None:
    sales = _sales(range(4), SEPTEMBER) + _sales(range(10), OCTOBER) + _sales(range(3), OCTOBER, 20)
    sales += [_sale(9, OCTOBER.replace(day=10))]  # twice on one day is one visit
    assert custom.repeat(sales, OCTOBER) == Repeat(None, None), "of one to four nothing is told"
    assert custom.repeat(sales, SEPTEMBER) is None, "four have paid"
    sales += _sales(range(4, 6), SEPTEMBER) + _sales(range(3, 5), OCTOBER, 20)
    assert custom.repeat(sales, OCTOBER) == Repeat(6_000, 5_000)
    assert custom.repeat(_sales(range(10), OCTOBER), OCTOBER) == Repeat(0, 0)


def test_cohorts_are_of_their_first_months_and_tell_how_many_come_back() -> None:
    sales = _sales(range(6), AUGUST) + _sales(range(6, 15), SEPTEMBER) + _sales(range(20), OCTOBER)
    sales += _sales(range(30), date(2026, 11, 1))
    assert custom.cohorts(sales, OCTOBER) == [
        Cohort(AUGUST, AUGUST, 6, [(AUGUST, 6), (SEPTEMBER, 0), (OCTOBER, 6)]),
        Cohort(SEPTEMBER, SEPTEMBER, 9, [(SEPTEMBER, 9), (OCTOBER, 9)]),
        Cohort(OCTOBER, OCTOBER, 5, [(OCTOBER, 5)]),
    ]


def test_a_cohort_of_whom_few_came_back_cannot_be_told_from_the_others() -> None:
    sales = _sales(range(6), AUGUST) + _sales(range(6, 15), SEPTEMBER)
    october = _sales([5, *range(6, 13), *range(15, 20)], OCTOBER)
    assert [cohort.active[-1] for cohort in custom.cohorts(sales + october, OCTOBER)] == [
        (OCTOBER, None),
        (OCTOBER, None),
        (OCTOBER, 5),
    ]
    # One came back in September, when all others were new: had they a cohort of their own, the total would tell.
    found = custom.cohorts(sales + _sales(range(5, 6), SEPTEMBER) + _sales(range(20), OCTOBER), OCTOBER)
    assert found == [
        Cohort(AUGUST, SEPTEMBER, 15, [(AUGUST, 6), (SEPTEMBER, 10), (OCTOBER, 15)]),
        Cohort(OCTOBER, OCTOBER, 5, [(OCTOBER, 5)]),
    ]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([5, 5], [["0"], ["1"]]),
        ([4, 1, 5], [["0", "1"], ["2"]]),
        ([5, 4], [["0", "1"]]),
        ([2, 2], []),
        ([], []),
    ],
)
def test_groups_of_fewer_than_five_are_joined_with_what_is_next_to_them(
    sizes: list[int], groups: list[list[str]]
) -> None:
    given = [(str(n), {f"{n}-{payer}" for payer in range(size)}) for n, size in enumerate(sizes)]
    found = custom.joined(given)
    assert [labels for labels, _ in found] == groups
    assert all(len(payers) >= 5 for _, payers in found)
    if found:
        assert set().union(*(payers for _, payers in found)) == set().union(*(payers for _, payers in given))


START = datetime(2026, 10, 8, tzinfo=UTC)


def test_around_a_start_as_many_weeks_are_compared_before_and_after() -> None:
    assert custom.weeks_around(START, START - timedelta(days=90), START + timedelta(days=13)) == 1
    assert custom.weeks_around(START, START - timedelta(days=15), START + timedelta(days=90)) == 2
    assert custom.weeks_around(START, START - timedelta(days=90), START + timedelta(days=90)) == 4
    assert custom.weeks_around(START, START + timedelta(days=1), START + timedelta(days=90)) == 0
    out = [_sale("x", date(2026, 9, 30), 7), _sale("x", date(2026, 10, 15), 7)]
    before, after = _sales(range(12), OCTOBER, 2), _sales(range(6), OCTOBER, 9) + _sales(range(6), OCTOBER, 11)
    sales = out + before + after
    near = custom.near(sales, START, 1)
    assert custom.around(near, START) == Around(Sums(12, 12, 1_200), Sums(6, 12, 1_200))
    both = custom.apart(near, START, [str(payer) for payer in range(6)])
    assert both == (Around(Sums(6, 6, 600), Sums(6, 12, 1_200)), Around(Sums(6, 6, 600), Sums(0, 0, 0)))


@pytest.mark.parametrize("rewarded", [range(4), range(8), range(6, 12)])
def test_no_side_of_a_comparison_is_of_fewer_than_five(rewarded: range) -> None:
    sales = _sales(range(12), OCTOBER, 2) + _sales(range(10), OCTOBER, 9)
    assert custom.apart(sales, START, [str(payer) for payer in rewarded]) is None


def test_tiers_are_told_with_what_the_same_members_paid_the_month_before() -> None:
    sales = _sales(range(20), SEPTEMBER) + _sales(range(3, 20), OCTOBER) + _sales(range(3, 9), OCTOBER, 20)
    tiers = {str(payer): 1 for payer in range(9)} | {"9": 2}
    assert custom.by_tier(sales, OCTOBER, tiers) == [
        ([0], Around(Sums(10, 10, 1_000), Sums(10, 10, 1_000))),
        ([1, 2], Around(Sums(7, 7, 700), Sums(7, 13, 1_300))),
    ]
    ((_, paid),) = custom.by_tier(_sales(range(3), SEPTEMBER) + _sales(range(6), OCTOBER), OCTOBER, {})
    assert paid == Around(None, Sums(6, 6, 600))


def test_the_months_end_is_forecast_from_what_each_day_brought() -> None:
    first, today = date(2026, 7, 1), date(2026, 10, 11)
    days = [first + timedelta(days=n) for n in range((today - first).days)]
    sales = [_sale(1, day, 1_000) for day in days] + [_sale(1, today, 400)]
    found = custom.forecast(sales, OCTOBER, today)
    assert found is not None
    assert (found.total, found.low, found.high) == (31_000, 31_000, 31_000)
    assert found.total - found.expected == 10_400
    assert custom.forecast(sales, SEPTEMBER, today) is None
    assert custom.forecast(sales[-5:], OCTOBER, today) is None
    assert custom.forecast([], OCTOBER, today) is None
