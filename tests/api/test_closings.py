"""A merchant's days: their closing, and payouts that follow a schedule."""

import csv
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Stage, key

pytestmark = pytest.mark.database("sqlite", "postgresql")

HOUR, DAY = 3_600, 86_400
SEOUL = ZoneInfo("Asia/Seoul")


@pytest.fixture
def noon(stage: Stage) -> Stage:
    """A stage on which it is noon in Seoul, 3 o'clock in the morning in UTC."""
    day = (stage.clock.now() + timedelta(days=1)).date()
    stage.clock.at = datetime(day.year, day.month, day.day, 3, tzinfo=UTC)
    return stage


def _set(cafe: Merchant, **settings: Any) -> httpx.Response:
    return cafe.stage.client.put("/v1/account/settings", json=settings, headers=cafe.headers)


def _today(stage: Stage) -> str:
    return stage.clock.now().astimezone(SEOUL).date().isoformat()


def _payouts(cafe: Merchant) -> list[tuple[str, str]]:
    """(period, amount), newest first."""
    return [(p["period"], p["amount"]) for p in cafe.stage.get("/v1/payouts", **cafe.headers)["items"]]


# ------------------------------------------------------------------- closings


def test_a_day_is_closed_in_the_merchants_time_zone(noon: Stage) -> None:
    stage, cafe, kiosk = noon, noon.merchant(), noon.merchant("Kiosk")
    anna, today = stage.payer(), _today(noon)
    assert _set(cafe, time_zone="Asia/Seoul").status_code == 200
    paid = anna.pay(DOLLAR, cafe)["id"]
    anna.pay_invoice(cafe.invoice(250))
    anna.pay(CENT, kiosk)
    assert cafe.refund(paid, 40 * CENT).status_code == 202
    anna.pay(2 * DOLLAR)
    stage.settle()
    cafe.redeem(anna.wallet, 30 * CENT)
    cafe.order_payout(DOLLAR)
    stage.confirm()
    stage.later(12 * HOUR)  # past midnight in Seoul, still the same day in UTC
    stage.confirm()
    anna.pay(7 * CENT, cafe)
    closing = stage.get(f"/v1/closings/{today}", **cafe.headers)
    assert closing["is_over"] is True
    assert closing["begins_at"].endswith("T15:00:00.000Z")
    expected = {
        "payments": (2, 350 * CENT),
        "of_invoices": (1, 250 * CENT),
        "redemptions": (1, 30 * CENT),
        "refunds": (1, 40 * CENT),
        "payouts": (1, DOLLAR),
    }
    assert {k: (closing[k]["count"], int(closing[k]["amount"])) for k in expected} == expected
    assert closing["net"] == str(340 * CENT)
    tomorrow = stage.get(f"/v1/closings/{_today(stage)}", **cafe.headers)
    assert (tomorrow["payments"], tomorrow["is_over"]) == ({"count": 1, "amount": str(7 * CENT)}, False)
    _set(cafe, time_zone="UTC")
    assert stage.get(f"/v1/closings/{today}", **cafe.headers)["payments"]["count"] == 3


def test_a_closing_as_csv_tells_the_same(noon: Stage) -> None:
    stage, cafe = noon, noon.merchant()
    _set(cafe, time_zone="Asia/Seoul")
    stage.payer().pay(DOLLAR, cafe)
    answer = stage.client.get(f"/v1/closings/{_today(stage)}/csv", headers=cafe.headers)
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"closing-{_today(stage)}.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(answer.text.splitlines()))
    kinds = ["payments", "of_invoices", "redemptions", "refunds", "rewards", "payouts", "paid_on_chain", "net"]
    assert [row["kind"] for row in rows] == kinds
    assert (rows[0]["count"], rows[0]["amount"], rows[0]["exponent"]) == ("1", str(DOLLAR), "6")
    assert rows[-1]["amount"] == str(DOLLAR)


def test_each_payment_is_in_one_day_whatever_lies_between(noon: Stage) -> None:
    """Days are found among the ids of everybody's payments, by halves."""
    stage, cafe, kiosk = noon, noon.merchant(), noon.merchant("Kiosk")
    _set(cafe, time_zone="Asia/Seoul")
    anna, day_of = stage.payer(), {}
    for n in range(12):
        day_of[_today(stage)] = day_of.get(_today(stage), 0) + n + 1
        anna.pay(n + 1, cafe)
        for _ in range(n % 3):
            anna.pay(CENT, kiosk)
        stage.later(7 * HOUR)
        stage.confirm()
    assert len(day_of) > 3
    told = {day: int(stage.get(f"/v1/closings/{day}", **cafe.headers)["payments"]["amount"]) for day in day_of}
    assert told == day_of
    assert stage.get("/v1/closings/2001-01-01", **cafe.headers)["payments"] == {"count": 0, "amount": "0"}


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "1999-12-31", "9999-12-31"])
def test_what_is_no_day_is_refused(stage: Stage, day: str) -> None:
    answer = stage.client.get(f"/v1/closings/{day}", headers=stage.merchant().headers)
    assert_problem(answer, "invalid-request", 422)


# ------------------------------------------------------------------- settings


def test_settings_are_what_they_were_set_to(noon: Stage) -> None:
    cafe = noon.merchant()
    before = noon.get("/v1/account/settings", **cafe.headers)
    assert before == {
        "time_zone": "UTC",
        "payouts": {"every": "never", "weekday": None, "at_least": "0", "next_at": None},
        "takes_transfers": True,
    }
    weekly = {"every": "week", "weekday": 0, "at_least": str(DOLLAR)}
    told = _set(cafe, time_zone="Asia/Seoul", payouts=weekly).json()
    assert told == noon.get("/v1/account/settings", **cafe.headers)
    next_at = datetime.fromisoformat(told["payouts"]["next_at"])
    assert next_at.astimezone(SEOUL).weekday() == 0
    assert timedelta() < next_at - noon.clock.now() <= timedelta(days=7)


@pytest.mark.parametrize(
    "settings",
    [
        {"time_zone": "Mars/Olympus"},
        {"time_zone": "../../etc/passwd"},
        {"payouts": {"every": "week"}},
        {"payouts": {"every": "day", "weekday": 1}},
        {"payouts": {"every": "hour"}},
        {"payouts": {"every": "week", "weekday": 7}},
    ],
)
def test_settings_that_make_no_sense_are_refused(shared_stage: Stage, settings: Any) -> None:
    assert_problem(_set(shared_stage.merchant(), **settings), "invalid-request", 422)


# ------------------------------------------------------------------ schedules


def test_a_daily_payout_is_ordered_once_a_day(noon: Stage) -> None:
    stage, cafe, anna = noon, noon.merchant(), noon.payer()
    _set(cafe, time_zone="Asia/Seoul", payouts={"every": "day", "at_least": str(DOLLAR)})
    anna.pay(DOLLAR, cafe)
    stage.settle()
    assert _payouts(cafe) == []
    stage.later(12 * HOUR)
    stage.confirm()
    first = (_today(stage), str(DOLLAR))
    assert _payouts(cafe) == [first]
    assert stage.chain.read("asset", "balanceOf", cafe.address) == DOLLAR
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    stage.later(HOUR)
    stage.confirm()
    assert _payouts(cafe) == [first], "more came on the same day"
    stage.later(DAY)
    stage.confirm()
    assert _payouts(cafe) == [(_today(stage), str(2 * DOLLAR)), first]
    assert stage.audit().differences == []


def test_too_little_waits_for_the_next_day(noon: Stage) -> None:
    stage, cafe, anna = noon, noon.merchant(), noon.payer()
    _set(cafe, payouts={"every": "day", "at_least": str(DOLLAR)})
    anna.pay(DOLLAR - 1, cafe)
    stage.settle()
    stage.later(DAY)
    stage.confirm()
    assert _payouts(cafe) == []
    anna.pay(1, cafe)
    stage.settle()
    assert _payouts(cafe) == []
    stage.later(DAY)
    stage.confirm()
    assert [amount for _, amount in _payouts(cafe)] == [str(DOLLAR)]


def test_a_hub_that_was_off_for_days_pays_once(noon: Stage) -> None:
    stage, cafe = noon, noon.merchant()
    _set(cafe, payouts={"every": "day"})
    stage.payer().pay(DOLLAR, cafe)
    stage.settle()
    stage.later(5 * DAY)
    stage.confirm()
    assert len(_payouts(cafe)) == 1


def test_who_moves_into_another_time_zone_is_not_paid_twice_for_a_day(noon: Stage) -> None:
    """The day begins in Seoul, the merchant moves to London, and there it begins once more."""
    stage, cafe, anna = noon, noon.merchant(), noon.payer()
    _set(cafe, time_zone="Asia/Seoul", payouts={"every": "day"})
    anna.pay(DOLLAR, cafe)
    stage.settle()
    stage.later(12 * HOUR)
    stage.confirm()
    day = _today(stage)
    _set(cafe, time_zone="Europe/London", payouts={"every": "day"})
    anna.pay(DOLLAR, cafe)
    stage.settle()
    stage.later(10 * HOUR)
    assert stage.clock.now().date().isoformat() == day
    stage.confirm()
    assert _payouts(cafe) == [(day, str(DOLLAR))]
    stage.later(DAY)
    stage.confirm()
    assert len(_payouts(cafe)) == 2


def test_a_schedule_that_was_taken_back_orders_nothing(noon: Stage) -> None:
    stage, cafe = noon, noon.merchant()
    _set(cafe, payouts={"every": "day"})
    stage.payer().pay(DOLLAR, cafe)
    stage.settle()
    assert _set(cafe).json()["payouts"]["next_at"] is None
    stage.later(2 * DAY)
    stage.confirm()
    assert _payouts(cafe) == []


def test_a_scheduled_payout_that_fails_is_the_merchants_again(noon: Stage) -> None:
    """With the same code as one on demand: the merchant has taken its credit itself meanwhile."""
    stage, cafe = noon, noon.merchant()
    _set(cafe, payouts={"every": "day"})
    stage.payer().pay(2 * DOLLAR, cafe)
    stage.settle()
    stage.later(DAY)
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, DOLLAR)
    stage.confirm()
    stage.confirm()
    assert stage.rows("SELECT state FROM payout") == [("failed",)]
    assert cafe.account()["credit"] == str(DOLLAR)
    assert stage.client.post("/v1/payouts", json={}, headers=cafe.headers | key()).status_code == 202
    assert stage.audit().differences == []
