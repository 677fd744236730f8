"""Why gift tokens were not converted, for people, and when it is tried again."""

from datetime import UTC, datetime, timedelta

import pytest

from taesan.conversions.reasons import again_at, in_words

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            "StandingOrders_TooLittleReceived(98, 99)",
            "The price has moved: it would have brought 98, and 99 is the least that was accepted",
        ),
        ("StandingOrders_TooLittlePaid(1, 2)", "The collectible costs 2, here are 1"),
        ("StandingOrders_ExceedsDay(2, 1)", "The rule's limit for today is reached"),
        ("StandingOrders_Paused()", "The hub is paused"),
        ("Error(OLD)", "The market has no mean price yet"),
        ("Error(SPL)", "The market refuses: SPL"),
        ("Error(no, not now)", "Error(no, not now)"),
        ("StandingOrders_UnknownKind(tulips)", "StandingOrders_UnknownKind(tulips)"),
        ("reverted without a reason", "reverted without a reason"),
        ("0x12345678", "0x12345678"),
    ],
)
def test_each_has_its_words_and_what_has_none_is_told_as_it_is(told: str, words: str) -> None:
    assert in_words(told) == words


def test_it_is_tried_later_each_time_and_at_least_once_a_day() -> None:
    waits = [again_at("x", attempts, NOON) - NOON for attempts in range(40)]
    assert waits[:3] == [timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(days=1)


def test_a_days_limit_is_waited_out_until_the_contracts_next_day() -> None:
    reason = in_words("StandingOrders_ExceedsDay(2, 1)")
    assert again_at(reason, 0, NOON) == datetime(2026, 11, 27, tzinfo=UTC)
