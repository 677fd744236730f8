"""A merchant's insights: of its own payments, of no fewer than five payers, with a key that may."""

from datetime import date, timedelta

import pytest

from taesan.insights import customers
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, key
from tests.support.wallet import Json

_AT = "UPDATE {} SET {} = :at WHERE public_id = :id"
pytestmark = pytest.mark.database("sqlite", "postgresql")


def _told(stage: Stage, cafe: Merchant, **query: str) -> Json:
    answer = stage.client.get("/v1/merchant-insights", params=query, headers=cafe.headers)
    assert answer.status_code == 200, answer.text
    told: Json = answer.json()
    return told


def _month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def _paid_on(stage: Stage, payer: Payer, cafe: Merchant, day: date, cents: int) -> None:
    id_ = payer.pay(cents * CENT, cafe)["id"]
    stage.write(_AT.format("payment", "accepted_at"), at=f"{day} 12:00:00.000000", id=id_)


def test_custom_is_told_by_months_campaigns_and_tiers_and_names_nobody(shared_stage: Stage) -> None:
    stage = shared_stage
    cafe, other = stage.merchant("Café Dust"), stage.merchant()
    payers = [stage.payer(2 * DOLLAR) for _ in range(6)]
    month = _month_before(stage.clock.now().date())
    earlier = _month_before(month)
    for payer in payers[:5]:
        _paid_on(stage, payer, cafe, earlier.replace(day=10), 10)
    for payer in payers:
        _paid_on(stage, payer, cafe, month.replace(day=10), 20)
        payer.pay(CENT, other)
    _paid_on(stage, payers[0], cafe, month.replace(day=20), 20)
    told = _told(stage, cafe, month=f"{month:%Y-%m}", before="2")
    assert told["paid"] == {"payers": 6, "payments": 7, "amount": str(140 * CENT)}
    assert told["repeat"] == {"returning": 8_333, "again": None}
    (cohort,) = told["cohorts"]
    assert (cohort["first"], cohort["last"], cohort["payers"]) == (f"{earlier:%Y-%m}", f"{month:%Y-%m}", 6)
    assert [active["payers"] for active in cohort["active"]] == [5, 6]
    assert (told["complete"], told["forecast"], told["tiers"], told["campaigns"]) == (True, None, [], [])
    assert not any(payer.address in str(told) for payer in payers)
    assert _told(stage, cafe)["paid"] == {"payers": 0, "payments": 0, "amount": "0"}

    programme = {"period": "month", "tiers": [{"name": "Regular", "count": 1}]}
    assert stage.client.put("/v1/programme", json=programme, headers=cafe.headers).status_code == 200
    stage.settle()
    campaign = {"name": "Autumn", "rate": 500, "budget": str(10 * CENT), "ends_at": "2999-01-01T00:00:00Z"}
    made = stage.client.post("/v1/campaigns", json=campaign, headers=cafe.headers | key())
    assert made.status_code == 201, made.text
    paid = [payer.pay(10 * CENT, cafe)["id"] for payer in payers]
    stage.tick()
    for id_ in paid[:5]:
        stage.write(_AT.format("payment", "accepted_at"), at=f"{month.replace(day=16)} 12:00:00.000000", id=id_)
    begun = f"{month.replace(day=14)} 00:00:00.000000"
    stage.write(_AT.format("campaign", "starts_at"), at=begun, id=made.json()["id"])
    told = _told(stage, cafe, month=f"{month:%Y-%m}")
    (effect,) = told["campaigns"]
    assert (effect["name"], effect["spent"]) == ("Autumn", str(6 * 10 * CENT // 20))
    assert effect["weeks"] >= 2
    assert effect["all"]["before"] == {"payers": 6, "payments": 6, "amount": str(120 * CENT)}
    assert effect["all"]["after"] == {"payers": 5, "payments": 6, "amount": str(70 * CENT)}
    assert (effect["rewarded"], effect["others"]) == (None, None), "all were: there are no others to tell them from"
    (tier,) = told["tiers"]
    assert (tier["levels"], tier["paid"]["after"]["payments"]) == ([1], 12)
    now = _told(stage, cafe)
    assert now["forecast"]["so_far"] == now["paid"]["amount"] == str(10 * CENT)


def test_only_the_newest_months_are_told_of_more_payments_than_are_looked_at(
    shared_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = shared_stage
    cafe, anna = stage.merchant(), stage.payer()
    month = _month_before(stage.clock.now().date())
    for day in (_month_before(month), month.replace(day=2), month.replace(day=3)):
        _paid_on(stage, anna, cafe, day, 10)
    monkeypatch.setattr(customers, "MOST", 2)
    told = _told(stage, cafe, month=f"{month:%Y-%m}")
    assert (told["complete"], told["since"], told["paid"]["payments"]) == (False, f"{month:%Y-%m}", 2)
    monkeypatch.setattr(customers, "MOST", 3)
    told = _told(stage, cafe, month=f"{month:%Y-%m}")
    assert (told["complete"], told["repeat"], told["cohorts"]) == (True, None, [])


def test_a_key_needs_the_scope_and_a_month_is_one(shared_stage: Stage) -> None:
    stage = shared_stage
    cafe = stage.merchant()
    made = stage.client.post(
        "/v1/merchants/me/keys",
        json={"name": "Till", "scopes": ["payments:read"]},
        headers=stage.session_of(cafe.wallet),
    )
    headers = {"Authorization": f"Bearer {made.json()['api_key']}"}
    assert_problem(stage.client.get("/v1/merchant-insights", headers=headers), "missing-scope", 403)
    to_come = stage.client.get("/v1/merchant-insights?month=2999-01", headers=cafe.headers)
    assert_problem(to_come, "month-to-come", 409)
    for query in ("month=2026-13", "before=0", "before=13"):
        wrong = stage.client.get(f"/v1/merchant-insights?{query}", headers=cafe.headers)
        assert wrong.status_code == 422
