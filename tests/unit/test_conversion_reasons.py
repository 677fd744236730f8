"""Why gift tokens were not converted, by codes, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from taesan.conversions import reasons
from taesan.conversions.reasons import again_at
from taesan.core.reasons import read

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "code", "values"),
    [
        ("StandingOrders_TooLittleReceived(98, 99)", "price-moved", {"received": "98", "minimum": "99"}),
        ("StandingOrders_TooLittlePaid(1, 2)", "price-not-paid", {"amount": "1", "price": "2"}),
        ("StandingOrders_ExceedsDay(2, 1)", "day-is-full", {}),
        ("StandingOrders_Paused()", "hub-paused", {}),
        ("Error(OLD)", "no-mean-price", {}),
        ("Error(no, not now)", "market-refuses", {"message": "no, not now"}),
        ("StandingOrders_UnknownKind(tulips)", "contract-refuses", {"error": "StandingOrders_UnknownKind(tulips)"}),
        ("StandingOrders_TooLittlePaid(1)", "contract-refuses", {"error": "StandingOrders_TooLittlePaid(1)"}),
        ("reverted without a reason", "contract-refuses", {"error": "reverted without a reason"}),
        ("0x12345678", "contract-refuses", {"error": "0x12345678"}),
    ],
)
def test_each_error_has_its_code_and_what_has_none_is_told_as_it_is(
    told: str, code: str, values: dict[str, str]
) -> None:
    assert read(reasons.of(told)) == (code, values)
    assert code in reasons.TITLES


def test_it_is_tried_later_each_time_and_at_least_once_a_day() -> None:
    waits = [again_at("x", attempts, NOON) - NOON for attempts in range(40)]
    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(days=1)


def test_a_days_limit_is_waited_out_until_the_contracts_next_day() -> None:
    reason = reasons.of("StandingOrders_ExceedsDay(2, 1)")
    assert again_at(reason, 0, NOON) == datetime(2026, 11, 27, tzinfo=UTC)
