"""Tiers and points: reached at once, lost with notice, taken back by refunds, told to merchants, the same when done again."""

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.api.test_cashback import campaign, earn, rewards
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage

pytestmark = pytest.mark.database("sqlite", "postgresql")

WEEK = 7 * 86_400
BRONZE = {"name": "Bronze", "count": 2}
SILVER = {"name": "Silver", "value": str(2 * DOLLAR), "cashback_multiplier": 20_000, "round_up_multiplier": 15_000}


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def anna(stage: Stage) -> Payer:
    return stage.payer()


def define(cafe: Merchant, *tiers: Any, **more: Any) -> Any:
    body = {"period": "week", "time_zone": "Asia/Seoul", "tiers": list(tiers)} | more
    answer = cafe.stage.client.put("/v1/programme", json=body, headers=cafe.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def membership(anna: Payer) -> Any:
    (found,) = anna.stage.get("/v1/memberships", **anna.stage.session_of(anna.wallet))["items"]
    return found


def next_week(stage: Stage) -> None:
    """Its first minutes, by the programme's clock."""
    stage.later(WEEK)
    stage.confirm()


def told(stage: Stage) -> list[tuple[str, Any]]:
    """What the outbox has of loyalty."""
    rows = stage.rows("SELECT type, payload FROM outbox_event WHERE type LIKE 'loyalty.%' ORDER BY id")
    return [(type_, json.loads(p) if isinstance(p, str) else p) for type_, p in rows]


def test_a_tier_is_reached_at_once_and_its_perks_hold_from_that_payment_on(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    earn(cafe, anna)
    assert stage.get("/v1/memberships", **anna.headers())["items"] == []
    define(cafe, BRONZE, BRONZE | SILVER)
    campaign(cafe)
    anna.pay(DOLLAR, cafe)
    stage.tick()
    found = membership(anna)
    assert (found["tier"], found["next_tier"]["name"]) == (None, "Bronze")
    assert (found["count"], found["value"], found["streak"]) == (1, str(DOLLAR), 1)
    anna.pay(50 * CENT, cafe)
    stage.tick()
    assert membership(anna)["tier"]["name"] == "Bronze"
    anna.pay(50 * CENT, cafe)
    stage.tick()
    found = membership(anna)
    assert (found["tier"]["name"], found["tier"]["level"], found["next_tier"]) == ("Silver", 2, None)
    assert found["tier"]["round_up_multiplier"] == 15_000
    assert [amount for amount, *_ in rewards(anna)] == [10 * CENT, 5 * CENT, 10 * CENT]
    (member,) = stage.get("/v1/members", **cafe.headers)["items"]
    assert member == found
    assert member["payer"] == anna.address
    assert stage.audit().differences == []


def test_a_tier_multiplies_the_round_ups_of_rules_that_say_so(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    define(cafe, BRONZE, BRONZE | SILVER)
    by_tier = anna.sign_rule("round up to 1 USD x2 to x5 by tier", "every 100 payments")
    plain = anna.sign_rule("round up to 1 USD x2", "every 100 payments")
    by_tier.pay(60 * CENT, 170, merchant_id=cafe.id)
    for _ in range(2):
        anna.pay(DOLLAR, cafe)
    stage.tick()
    assert by_tier.shown()["perks"] == {cafe.id: 15_000}
    assert plain.shown()["perks"] == {}
    wrong = by_tier.try_to_pay(60 * CENT, 170, merchant_id=cafe.id)
    assert_problem(wrong, "rule-mismatch", 422)
    assert wrong.json()["expected"] == str(90 * CENT)
    by_tier.pay(90 * CENT, 170, merchant_id=cafe.id)
    by_tier.pay(60 * CENT, 170)  # bought elsewhere
    plain.pay(60 * CENT, 170, merchant_id=cafe.id)
    define(cafe, BRONZE, BRONZE | SILVER | {"round_up_multiplier": 40_000})
    by_tier.pay(150 * CENT, 170, merchant_id=cafe.id)  # no more than she has signed
    for lost in ("UPDATE round_up_perk SET multiplier = 1", "DELETE FROM round_up_perk"):
        with stage.undone():
            stage.write(lost)
            assert [d for d in stage.audit().differences if "does to round-ups" in d], lost
    define(cafe)
    by_tier.pay(60 * CENT, 170, merchant_id=cafe.id)
    next_week(stage)
    anna.resume()
    stage.tick()
    assert stage.rows("SELECT * FROM round_up_perk") == []
    assert stage.audit().differences == []


def test_a_tier_is_lost_a_step_at_a_time_and_told_before(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    define(cafe, BRONZE, BRONZE | SILVER)
    for _ in range(2):
        anna.pay(DOLLAR, cafe)
    found = []
    for _ in range(6):
        stage.confirm()
        now = membership(anna)
        found.append((now["tier"] and now["tier"]["name"], now["at_risk"]))
        next_week(stage)
    assert found == [
        ("Silver", False),
        ("Silver", False),
        ("Silver", True),
        ("Bronze", False),
        ("Bronze", True),
        (None, False),
    ]
    kinds = stage.rows("SELECT kind FROM loyalty_change ORDER BY id")
    assert [kind for (kind,) in kinds] == ["up", "notice", "down", "notice", "down"]
    assert [type_ for type_, _ in told(stage)] == ["loyalty.TierChanged"] * 5
    assert stage.audit().differences == []


def test_a_member_that_nobody_has_looked_at_is_told_as_it_stands(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    define(cafe, BRONZE)
    for _ in range(2):
        anna.pay(CENT, cafe)
    stage.tick()
    stage.later(2 * WEEK)
    assert membership(anna)["at_risk"]
    assert stage.rows("SELECT noticed FROM loyalty_member") == [(None,)]


def test_a_refund_takes_back_the_tier_and_the_points_that_its_payment_has_brought(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    define(cafe, BRONZE, BRONZE | SILVER, points={"per": str(10 * CENT)})
    first, second = anna.pay(DOLLAR, cafe)["id"], anna.pay(DOLLAR, cafe)["id"]
    stage.tick()
    assert (membership(anna)["tier"]["name"], membership(anna)["points"]) == ("Silver", 20)
    assert cafe.refund(first, 25 * CENT).status_code == 202
    stage.tick()
    found = membership(anna)
    assert (found["tier"]["name"], found["points"], found["value"], found["count"]) == (
        "Bronze",
        17,
        str(175 * CENT),
        2,
    )
    assert [cafe.refund(id_).status_code for id_ in (first, second)] == [202, 202]
    stage.tick()
    found = membership(anna)
    assert (found["tier"], found["points"], found["value"], found["count"]) == (None, 0, "0", 0)
    assert stage.audit().differences == []


def test_points_lapse_and_that_is_told_before(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    define(cafe, BRONZE, points={"per": str(CENT), "valid_days": 30, "notice_days": 10})
    anna.pay(5 * CENT, cafe)
    stage.tick()
    first = stage.clock.now()
    next_week(stage)
    anna.pay(3 * CENT, cafe)
    stage.tick()
    assert (membership(anna)["points"], membership(anna)["points_lapsing"]) == (8, 5)
    events = []
    for days in (19, 20, 29, 30, 36, 37):
        stage.clock.at = first + timedelta(days=days, seconds=1)
        stage.confirm()
        now = [(type_, payload["points"]) for type_, payload in told(stage) if "Points" in type_]
        events.append((membership(anna)["points"], now))
    coming, gone = "loyalty.PointsExpiring", "loyalty.PointsExpired"
    all_told = [(coming, 5), (coming, 3), (gone, 5), (gone, 3)]
    assert events == [
        (8, []),
        (8, all_told[:1]),
        (8, all_told[:2]),
        (3, all_told[:3]),
        (3, all_told[:3]),
        (0, all_told),
    ]
    assert told(stage)[-1][1]["merchant_id"] == cafe.id
    assert stage.audit().differences == []


def test_what_is_changed_holds_for_payments_to_come(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    define(cafe, BRONZE)
    for _ in range(2):
        anna.pay(CENT, cafe)
    stage.tick()
    define(cafe, BRONZE | {"count": 4}, points={"per": "1"})
    assert membership(anna)["tier"]["name"] == "Bronze", "until it is looked at"
    anna.pay(CENT, cafe)
    stage.tick()
    assert (membership(anna)["tier"]["level"], membership(anna)["points"]) == (1, CENT)
    next_week(stage)
    assert membership(anna)["at_risk"], "three are not enough any more"
    define(cafe)
    next_week(stage)
    anna.pay(CENT, cafe)
    stage.tick()
    assert membership(anna)["tier"] is None
    assert stage.audit().differences == []


def test_periods_are_fixed(shared_stage: Stage) -> None:
    stage, cafe = shared_stage, shared_stage.merchant()
    nothing = {"period": "month", "time_zone": "UTC", "window": 1, "tiers": [], "points": None}
    assert stage.get("/v1/programme", **cafe.headers) == nothing
    define(cafe, BRONZE)
    for language in ("ko", "en"):
        headers = cafe.headers | {"Accept-Language": language}
        answer = stage.client.put("/v1/programme", json={"tiers": []}, headers=headers)
        assert_problem(answer, "programme-periods-fixed", 409)
    assert stage.get("/v1/programme", **cafe.headers)["time_zone"] == "Asia/Seoul"


@pytest.mark.parametrize(
    "wrong",
    [
        {"tiers": [{"name": "x"}]},
        {"tiers": [{"name": "x", "count": 5}, {"name": "y", "count": 4}]},
        {"tiers": [{"name": "x", "count": 1, "cashback_multiplier": 9_999}]},
        {"tiers": [], "time_zone": "Mars/Olympus"},
        {"tiers": [], "points": {"per": "0"}},
    ],
)
def test_a_programme_that_cannot_be_is_refused(shared_stage: Stage, wrong: Any) -> None:
    cafe = shared_stage.merchant()
    assert shared_stage.client.put("/v1/programme", json=wrong, headers=cafe.headers).status_code == 422


def test_the_hubs_programme_counts_what_is_paid_to_all(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    kiosk = stage.merchant("Kiosk")
    earn(cafe, anna)
    body = {"tiers": [BRONZE | {"cashback_multiplier": 20_000}]}
    assert stage.client.put("/v1/operator/programme", json=body, headers=cafe.headers).status_code == 401
    answer = stage.client.put("/v1/operator/programme", json=body, headers=stage.operator())
    assert answer.status_code == 200, answer.text
    assert stage.get("/v1/operator/programme", **stage.operator()) == answer.json()
    (act,) = stage.get("/v1/operator/actions", **stage.operator())["items"]
    assert act["action"] == "programme.set"
    campaign(cafe, tiers_of="hub")
    anna.pay(DOLLAR, kiosk)
    anna.pay(DOLLAR, cafe)
    stage.tick()
    found = membership(anna)
    assert (found["merchant_id"], found["tier"]["name"], found["badge"]) == (None, "Bronze", 0)
    assert rewards(anna)[0][0] == 20 * CENT
    assert stage.get("/v1/members", **cafe.headers)["items"] == []
    assert [type_ for type_, _ in told(stage)] == []
    assert stage.audit().differences == []


def test_merchants_are_told_by_webhook(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    earn(cafe, anna)
    types = ["member.tier_changed", "member.tier_at_risk", "points.expiring", "points.expired", "campaign.ended"]
    wanted = {"url": "https://shop.example/", "event_types": types}
    webhook = stage.client.post("/v1/webhooks", json=wanted, headers=cafe.headers).json()["id"]
    define(cafe, BRONZE, points={"per": str(CENT), "valid_days": 5, "notice_days": 1})
    made = campaign(cafe, ends_at="2999-01-01T00:00:00Z")["id"]
    for _ in range(2):
        anna.pay(CENT, cafe)
    stage.tick()
    stage.client.post(f"/v1/campaigns/{made}/end", headers=cafe.headers)
    for _ in range(3):
        next_week(stage)
    listed = stage.get(f"/v1/webhooks/{webhook}/deliveries", **cafe.headers)["items"]
    path = f"/v1/webhooks/{webhook}/deliveries"
    bodies = [stage.get(f"{path}/{d['id']}", **cafe.headers)["body"] for d in reversed(listed)]
    by_type = {body["type"]: body["data"] for body in bodies}
    assert set(by_type) == set(types)
    assert by_type["campaign.ended"]["id"] == made
    assert by_type["points.expired"]["points"] == 2
    risk = by_type["member.tier_at_risk"]
    assert (risk["payer"], risk["before"], risk["after"], risk["reason"]) == (anna.address, 1, 0, "notice")
    assert by_type["member.tier_changed"]["reason"] == "down"


def test_the_audit_does_all_again(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    define(cafe, BRONZE, points={"per": str(CENT)})
    for _ in range(2):
        anna.pay(CENT, cafe)
    stage.tick()
    for wrong in (
        "UPDATE loyalty_member SET tier = 0",
        "UPDATE loyalty_period SET count = 3",
        "UPDATE loyalty_points SET remaining = 0",
        "DELETE FROM loyalty_points",
        "DELETE FROM loyalty_member",
    ):
        with stage.undone():
            stage.write(wrong)
            assert stage.audit().differences, wrong
    assert stage.audit().differences == []
