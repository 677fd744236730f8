"""When a budget is told of."""

from datetime import date

import pytest

from taesan.insights.budgets import Standing, standing


@pytest.mark.parametrize(
    ("day", "spent", "pace", "warnings"),
    [
        (4, 799, None, set()),  # too early for a pace
        (4, 800, None, {"near"}),
        (5, 166, 996, set()),
        (5, 167, 1_002, {"pace"}),
        (15, 500, 1_000, set()),
        (15, 501, 1_002, {"pace"}),
        (25, 800, 960, {"near"}),
        (25, 834, 1_001, {"near", "pace"}),  # what begins to be a unit too many is one
        (30, 1_000, 1_000, {"near"}),
        (30, 1_001, 1_001, {"over"}),
        (1, 1_001, None, {"over"}),
        (9, -5, 0, set()),  # more was refunded than spent
    ],
)
def test_a_budget_of_a_thousand_in_november(day: int, spent: int, pace: int | None, warnings: set[str]) -> None:
    assert standing(1_000, spent, date(2026, 11, day)) == Standing(max(0, spent), pace, frozenset(warnings))


def test_the_pace_is_of_the_months_own_length() -> None:
    assert standing(1_000, 500, date(2026, 2, 14)).pace == 1_000
    assert standing(1_000, 500, date(2026, 3, 14)).pace == 1_108
