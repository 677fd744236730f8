"""A month's audit, made of sums."""

from datetime import date

import pytest

from taesan.insights.audit_month import MOST_PLACES, Compared, Days, audited, compared
from taesan.insights.movements import Kind
from taesan.insights.streams import Sum


@pytest.mark.parametrize(
    ("month", "today", "before", "year_before", "end"),
    [
        ("2026-11-01", "2026-12-01", ("2026-10-01", "2026-11-01"), ("2025-11-01", "2025-12-01"), "2026-12-01"),
        ("2026-11-01", "2026-11-01", ("2026-10-01", "2026-10-02"), ("2025-11-01", "2025-11-02"), "2026-11-02"),
        ("2026-11-01", "2026-11-26", ("2026-10-01", "2026-10-27"), ("2025-11-01", "2025-11-27"), "2026-11-27"),
        # Of shorter months no more than there is.
        ("2026-03-01", "2026-03-30", ("2026-02-01", "2026-03-01"), ("2025-03-01", "2025-03-31"), "2026-03-31"),
        ("2024-02-01", "2024-02-29", ("2024-01-01", "2024-01-30"), ("2023-02-01", "2023-03-01"), "2024-03-01"),
        ("2026-01-01", "2026-02-07", ("2025-12-01", "2026-01-01"), ("2025-01-01", "2025-02-01"), "2026-02-01"),
    ],
)
def test_a_month_that_is_not_over_is_compared_with_as_many_days(
    month: str, today: str, before: tuple[str, str], year_before: tuple[str, str], end: str
) -> None:
    first = date.fromisoformat(month)
    spans = [Days(*map(date.fromisoformat, span)) for span in (before, year_before)]
    assert compared(first, date.fromisoformat(today)) == Compared(Days(first, date.fromisoformat(end)), *spans)


def test_a_month_to_come_has_no_audit() -> None:
    with pytest.raises(ValueError, match="has not begun"):
        compared(date(2026, 12, 1), date(2026, 11, 30))


def _of(
    merchant: str, amount: int, kind: Kind = "spent", category: str = "", asset: str = "USD", count: int = 1
) -> Sum:
    return Sum((merchant, category), kind, asset, 2, count, amount)


def test_what_went_where_and_what_it_grew_by() -> None:
    month = [
        _of("café dust", 500, category="coffee", count=2),
        _of("café dust", 100),
        _of("café dust", 50, "refunded"),
        _of("blue bottle", 700, category="coffee"),
        _of("", 40, "fee"),
        _of("", 1_000, asset="KRW", count=9),
    ]
    before = [_of("café dust", 450, count=7), _of("gone", 20), _of("", 30, "fee")]
    year_before = [_of("café dust", 10), _of("café dust", 15, "refunded")]
    day = Sum((date(2026, 11, 3),), "spent", "USD", 2, 4, 1_300)
    won, dollars = audited(month, before, year_before, [day])
    assert (won.asset, dollars.asset) == ("KRW", "USD")  # the one with more movements first
    places = {
        p.key: (p.count, p.spent, p.refunded, p.net, p.before, p.year_before, p.change) for p in dollars.merchants.items
    }
    assert places == {
        "blue bottle": (1, 700, 0, 700, 0, 0, 700),
        "café dust": (3, 600, 50, 550, 450, -5, 100),
        "gone": (0, 0, 0, 0, 20, 0, -20),
    }
    assert list(places) == ["blue bottle", "café dust", "gone"]
    assert {p.key: (p.net, p.before) for p in dollars.categories.items} == {"coffee": (1_200, 0), "": (50, 470)}
    assert {p.key: (p.count_before, p.count_year_before) for p in dollars.merchants.items} == {
        "blue bottle": (0, 0),
        "café dust": (7, 1),
        "gone": (1, 0),
    }
    assert [(m.kind, m.count_before, m.count_year_before) for m in dollars.moved] == [
        ("spent", 8, 1),
        ("refunded", 0, 1),
        ("fee", 1, 0),
    ]
    moved = {m.kind: (m.count, m.amount, m.before, m.year_before) for m in dollars.moved}
    assert moved == {"spent": (4, 1_300, 470, 10), "refunded": (1, 50, 0, 15), "fee": (1, 40, 30, 0)}
    assert [(d.day, d.spent, d.refunded, d.gathered) for d in dollars.days] == [("2026-11-03", 1_300, 0, 0)]


def test_what_the_list_is_too_short_for_is_told_as_one() -> None:
    before = [_of(f"shop {n:03}", 10 * n) for n in range(1, 4)]
    (asset,) = audited([_of(f"shop {n:03}", n) for n in range(1, MOST_PLACES + 4)], before, before[:1], [])
    assert (len(asset.merchants.items), asset.merchants.left_out, asset.merchants.left_out_net) == (MOST_PLACES, 3, 6)
    assert (asset.merchants.left_out_before, asset.merchants.left_out_year_before) == (60, 10)
    assert asset.merchants.items[0].net == MOST_PLACES + 3
