"""Which payments are a standing cost, what it costs, and what is hidden in it."""

from calendar import monthrange
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taesan.insights import fitting
from taesan.insights.cadence import Calendar, Grid, Grids, calendar_of
from taesan.insights.fitting import Payments, best_change, best_fit
from taesan.insights.hidden import Standing, doubles, rise
from taesan.insights.recurring import Charge, Stream, streams

KOREA, NOWHERE = Calendar("KR"), Calendar(None)
DAY = timedelta(days=1)
Paid = list[tuple[date, int]]


def _months(day: int, count: int, price: int = 9_900, begin: int = 0) -> Paid:
    months = [(2025 + n // 12, n % 12 + 1) for n in range(begin, begin + count)]
    return [(date(y, m, min(day, monthrange(y, m)[1])), price) for y, m in months]


def _every(step: int, count: int, price: int = 9_900, first: date = date(2025, 1, 8)) -> Paid:
    return [(first + step * n * DAY, price) for n in range(count)]


def _found(*paid: Paid, calendar: Calendar = NOWHERE) -> list[Stream]:
    rows = sorted(row for some in paid for row in some)
    return streams([Charge(n, day, amount) for n, (day, amount) in enumerate(rows)], calendar)


@pytest.mark.parametrize(
    ("paid", "cadence", "yearly", "next_due"),
    [
        (_every(7, 5), "weekly", 52 * 9_900, date(2025, 2, 12)),
        (_every(28, 4), "four-weekly", 13 * 9_900, date(2025, 4, 30)),
        (_months(15, 3), "monthly", 12 * 9_900, date(2025, 4, 15)),
        (_months(31, 8), "monthly", 12 * 9_900, date(2025, 9, 30)),
        (_every(30, 7), "monthly", 12 * 9_900, date(2025, 8, 6)),
        ([(date(y, 2, min(29, monthrange(y, 2)[1])), 50_000) for y in (2022, 2023, 2024)], "yearly", 50_000, date(2025, 2, 28)),
    ],
)  # fmt: skip
def test_each_cadence_is_found(paid: Paid, cadence: str, yearly: int, next_due: date) -> None:
    (found,) = _found(paid)
    assert (found.cadence, found.yearly, found.next_due) == (cadence, yearly, next_due)
    assert [(c.day, c.amount) for c in found.charges] == paid


@pytest.mark.parametrize(
    "paid",
    [
        [],
        _months(15, 2),
        _every(1, 60),
        _every(14, 20),
        _months(15, 1) + _months(15, 1, begin=5) + _months(15, 1, begin=9),
        [
            (date(2025, m, d), 21_000) for m, d in ((1, 9), (2, 14), (3, 28), (5, 2), (6, 11), (7, 19), (8, 29))
        ],  # a barber's
        [(day, 20_000 + 7_300 * (n * 5 % 11)) for n, (day, _) in enumerate(_every(7, 20))],  # a market's
        [(day + n * n % 4 * DAY, 12_000) for n, (day, _) in enumerate(_every(7, 20))],  # about once a week
    ],
)
def test_what_only_looks_regular_is_not(paid: Paid) -> None:
    assert _found(paid) == []


def test_weekends_and_holidays_of_the_country_put_payments_off() -> None:
    due = [day for day, _ in _months(5, 10)]
    put_off = [(KOREA.moved(day)[1], 9_900) for day in due]
    assert date(2025, 5, 7) in [
        day for day, _ in put_off
    ]  # after Children's Day, Buddha's birthday and the day that makes up for it
    (there,) = _found(put_off, calendar=KOREA)
    assert len(there.charges) == 10
    elsewhere = _found(put_off, calendar=NOWHERE)
    assert not elsewhere or elsewhere[0].score < there.score


def test_the_calendar_is_that_of_the_zones_country() -> None:
    chuseok = date(2025, 10, 6)
    assert [calendar_of(zone).is_open(chuseok) for zone in ("Asia/Seoul", "America/New_York", "UTC")] == [
        False,
        True,
        True,
    ]


def test_late_and_skipped_ones_are_tolerated() -> None:
    paid = _months(10, 14)
    late = [(day + 3 * DAY if n == 4 else day, price) for n, (day, price) in enumerate(paid) if n not in (7, 11)]
    (found,) = _found(late)
    assert len(found.charges) == 12
    assert found.next_due == date(2026, 3, 10)


@pytest.mark.parametrize(("before", "after"), [(6, 6), (10, 1), (1, 3), (2, 2)])
def test_a_price_may_change_once(before: int, after: int) -> None:
    (found,) = _found(_months(10, before), _months(10, after, 11_900, begin=before))
    assert len(found.charges) == before + after
    assert (found.price, found.yearly, found.changed) == (11_900, 12 * 11_900, (before, 9_900))


def test_who_pays_the_old_price_once_more_still_has_the_new_one() -> None:
    (found,) = _found(_months(10, 3), _months(10, 2, 11_900, begin=3), [(date(2025, 8, 23), 9_900)])
    assert [c.amount for c in found.charges] == 3 * [9_900] + 2 * [11_900]


def test_two_changes_are_not_one_standing_cost() -> None:
    found = _found(_months(10, 5), _months(10, 5, 11_900, begin=5), _months(10, 5, 13_900, begin=10))
    assert all(len({c.amount for c in stream.charges}) <= 2 for stream in found)


def test_a_foreign_price_may_drift() -> None:
    paid = [(day, 13_400 + 37 * (n * 7 % 12)) for n, (day, _) in enumerate(_months(10, 9))]
    (found,) = _found(paid)
    assert found.about
    assert found.changed is None
    assert found.yearly == sum(amount for _, amount in paid[-6:]) * 2


def test_two_at_one_merchant_are_told_apart_by_their_amounts() -> None:
    found = _found(_months(3, 9, 4_900), _months(20, 9, 17_000))
    assert sorted((s.price, len(s.charges)) for s in found) == [(4_900, 9), (17_000, 9)]


def test_two_at_one_price_are_told_apart_by_their_days() -> None:
    found = _found(_months(3, 9), _months(20, 9))
    assert [{c.day.day for c in s.charges} for s in found] == [{3}, {20}]


def test_two_at_one_price_may_be_further_apart_than_either_is_late() -> None:
    birthdays = [[(date(year, month, 4), 29_000) for year in range(2021, 2025)] for month in (1, 7)]
    assert [{c.day.month for c in s.charges} for s in _found(*birthdays)] == [{1}, {7}]


def test_three_payments_do_among_many_purchases_at_prices_of_their_own() -> None:
    casual = [(date(2025, 1, 1) + 3 * n * DAY, 20_000 + 1_730 * (n * 17 % 41)) for n in range(40)]
    found = _found(_months(15, 3, 4_900), casual)
    assert [(s.cadence, s.price, len(s.charges)) for s in found] == [("monthly", 4_900, 3)]


def test_three_that_are_regular_among_as_many_that_are_not_are_none() -> None:
    assert len(_found(_months(15, 3))) == 1
    assert _found(_months(15, 3), [(date(2025, *day), 9_900) for day in ((1, 23), (4, 27), (5, 6))]) == []


def test_what_is_late_nearly_as_often_as_not_is_still_found() -> None:
    late = [(day + 2 * DAY if n in (2, 3, 6, 7, 9) else day, price) for n, (day, price) in enumerate(_months(10, 12))]
    (found,) = _found(late)
    assert len(found.charges) == 12


def test_purchases_beside_it_do_not_hide_it() -> None:
    casual = [(date(2025, 1, 1) + 11 * n % 270 * DAY, 1_000 + 130 * (n * 17 % 23)) for n in range(40)]
    found = _found(_months(3, 9, 4_900), casual)
    assert [(s.price, len(s.charges)) for s in found] == [(4_900, 9)]


def test_what_pauses_and_goes_on_is_one() -> None:
    (found,) = _found(_months(10, 6), _months(10, 6, begin=8))
    assert len(found.charges) == 12


def test_a_trial_is_a_small_first_charge() -> None:
    (found,) = _found([(date(2025, 1, 3), 100)], _months(10, 6))
    assert found.trial == Charge(0, date(2025, 1, 3), 100)
    (found,) = _found([(date(2024, 8, 3), 100)], _months(10, 6))
    assert found.trial is None


def test_it_is_over_when_two_in_a_row_are_missing() -> None:
    (found,) = _found(_months(10, 6))
    days = (date(2025, 7, 25), date(2025, 8, 5), date(2025, 8, 25))
    assert [day > found.over_after for day in days] == [False, False, True]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 700), st.sampled_from((990, 1_000, 4_900, 5_000, 9_900, 13_000))), max_size=60)
)
def test_whatever_is_paid_each_payment_is_in_one_stream_that_keeps_the_rules(rows: list[tuple[int, int]]) -> None:
    found = _found([(date(2024, 1, 1) + n * DAY, amount) for n, amount in rows])
    ids = [charge.id for stream in found for charge in stream.charges]
    assert len(ids) == len(set(ids))
    for stream in found:
        assert len(stream.charges) >= 3
        assert all(a.day < b.day for a, b in pairwise(stream.charges))
        changes = sum(a.amount != b.amount for a, b in pairwise(stream.charges))
        assert stream.about or changes <= 1
        assert stream.next_due > stream.last - 10 * DAY


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 500), min_size=3, max_size=40),
    st.lists(st.integers(0, 500), min_size=1, max_size=40),
    st.integers(0, 9_000),
)
def test_what_is_not_looked_at_to_save_time_would_not_have_been_better(
    old: list[int], new: list[int], least: int
) -> None:
    grids = Grids(KOREA)
    before, after = (
        Payments(range(len(days)), [date(2024, 1, 1) + n * DAY for n in sorted(days)], grids) for days in (old, new)
    )
    quick = best_fit(before, least), best_change(before, after, least)
    with pytest.MonkeyPatch.context() as patch:
        # All grids, and each as if it might be the best.
        patch.setattr(Payments, "top", lambda *_: 10**9)
        patch.setattr(fitting, "_hopeful", lambda _, *parts: [(10**9, grid) for grid in _tried(parts)])
        slow = best_fit(before, least), best_change(before, after, least)
    assert [fit and fit.worth for fit in quick] == [fit and fit.worth for fit in slow]


def _tried(parts: tuple[Payments, ...]) -> list[Grid]:
    votes = sum((part.votes for part in parts), Counter[Grid]())
    enough = max(2, sum(len(part.days) for part in parts) // fitting.VOTES)
    return [grid for grid, n in votes.items() if n >= enough]


# ---------------------------------------------------------------------- hidden


def _standing(id_: str, merchant: str = "a", category: str = "", asset: str = "KRW", is_over: bool = False) -> Standing:
    return Standing(id_, merchant, category, asset, date(2025, 1, 1), date(2025, 6, 1), 1_200, 14_400, None, is_over)


def test_doubles_are_of_one_merchant_or_one_named_category_at_once() -> None:
    music, video = _standing("1", "a", "music"), _standing("2", "b", "video")
    assert doubles([music, video]) == []
    assert [(d.ids, d.why) for d in doubles([music, _standing("3", "c", "music")])] == [(("1", "3"), "category")]
    assert [(d.ids, d.why, d.yearly) for d in doubles([music, _standing("4")])] == [(("1", "4"), "merchant", 14_400)]
    assert doubles([_standing("5", "x"), _standing("6", "y")]) == []
    assert doubles([music, _standing("7", is_over=True)]) == []
    assert doubles([music, _standing("8")._replace(first=date(2025, 7, 1), last=date(2025, 9, 1))]) == []
    assert doubles([music, _standing("9", asset="USD")])[0].yearly is None


def test_a_rise_is_told_by_what_it_adds_in_a_year() -> None:
    one = _standing("1")
    assert [rise(one._replace(was=was)) for was in (None, 1_000, 1_200, 1_500)] == [None, 2_400, None, None]
