"""Advice: on her own purchases of the last month, with a rule whose dry run says the same; dismissed once for all."""

from datetime import date, timedelta
from typing import Any

import pytest

from taesan.insights import advising
from taesan.insights.advice import Advice
from taesan.insights.phrasing import Phraser
from tests.support.insights import ask_for_insights, link_wallet, number_of, pays, read_all
from tests.support.model import Model
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, key
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")


def _last_month(stage: Stage, months: int = 1) -> date:
    first = stage.clock.now().date().replace(day=1)
    for _ in range(months):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def _paid_last_month(stage: Stage, payer: Payer, merchant: Merchant, cents: list[int]) -> None:
    for price in cents:
        payer.pay(price * CENT, merchant)
    at = f"{_last_month(stage):%Y-%m}-10 12:00:00.000000"
    stage.write("UPDATE payment SET accepted_at = :at WHERE channel_id = :id", at=at, id=payer.id)


def _advice(stage: Stage, headers: Json) -> list[Json]:
    answer: list[Json] = stage.get("/v1/insights/advice", **headers)["items"]
    return answer


def test_a_piece_of_advice_is_one_click_from_its_dry_run_which_says_the_same(shared_stage: Stage) -> None:
    stage = shared_stage
    anna, cafe = stage.payer(), stage.merchant("Café Dust")
    _paid_last_month(stage, anna, cafe, [195, 95, 198, 95, 199])
    ask_for_insights(stage, anna.headers(), language="en")
    read_all(stage, anna.headers())
    (advice,) = _advice(stage, anna.headers())
    assert (advice["code"], advice["phrased"]) == ("round-up-merchant", None)
    month = _last_month(stage)
    assert advice["title"] == (
        f"Round up to $1.00 at Café Dust: about $0.18 a month, by your 5 payments there in {month:%B %Y}, $7.82 in all."
    )
    assert (advice["values"]["gathered"], advice["values"]["spent"]) == (str(18 * CENT), str(782 * CENT))
    rehearsed = stage.client.post(advice["dry_run"], json=advice["rule"], headers=anna.headers())
    assert rehearsed.status_code == 200, rehearsed.text
    assert rehearsed.json()["gathered"] == advice["values"]["gathered"]
    assert rehearsed.json()["purchases"] == 5

    rule = advice["rule"]
    anna.sign_rule(rule["gather"], rule["fires"], rule["only"])
    assert _advice(stage, anna.headers()) == []


def test_what_was_dismissed_stays_away_and_is_exported_and_erased(
    shared_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, found, locked = shared_stage, advising._all, []
    anna, ben, cafe = stage.payer(), Wallet(), stage.merchant("Tea House")
    _paid_last_month(stage, anna, cafe, [195] * 5)
    ask_for_insights(stage, anna.headers())
    read_all(stage, anna.headers())
    assert link_wallet(stage, anna.headers(), ben).status_code == 200
    (advice,) = _advice(stage, anna.headers())
    assert "올림해 보세요" in advice["title"]
    assert _advice(stage, stage.session_of(ben)) == [], "another wallet may not rehearse on this one's channel"
    path = "/v1/insights/advice/{}/dismiss"
    unknown = stage.client.post(path.format("adv_0"), headers=anna.headers())
    assert_problem(unknown, "not-found", 404)

    def looked_at(*told: Any) -> list[Advice]:
        locked.append(stage.hub.db._writer.locked())
        return found(*told)

    monkeypatch.setattr(advising, "_all", looked_at)
    for _ in range(2):
        assert stage.client.post(path.format(advice["id"]), headers=anna.headers()).status_code == 204
    assert locked == [False], "the first looks, and nobody waits for it to write"
    assert _advice(stage, anna.headers()) == []
    export = stage.client.get("/v1/insights/me/export", headers=anna.headers()).text
    assert advice["id"] in export
    assert stage.client.delete("/v1/insights/me", headers=anna.headers()).status_code == 204
    stage.tick(4)
    assert stage.rows("SELECT id FROM advice_dismissed WHERE advice = :id", id=advice["id"]) == []
    stranger = stage.client.get("/v1/insights/advice", headers=anna.headers())
    assert_problem(stranger, "no-insights", 404)


def test_standing_costs_idle_jars_and_cashback_elsewhere_are_advised_on(shared_stage: Stage) -> None:
    stage = shared_stage
    anna, cafe = stage.payer(), stage.merchant("Noodle Bar")
    anna.pay(7 * CENT)
    opened = {"at": "2026-01-01 00:00:00.000000", "id": anna.id}
    stage.write("UPDATE channel SET opened_at = :at WHERE id = :id", **opened)
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    campaign = {"name": "x", "rate": 500, "budget": str(DOLLAR), "ends_at": "2999-01-01T00:00:00Z"}
    made = stage.client.post("/v1/campaigns", json=campaign, headers=cafe.headers | key())
    assert made.status_code == 201, made.text
    ask_for_insights(stage, anna.headers(), zone="UTC", language="en")
    owner = number_of(stage, anna.address)
    today, month = stage.clock.now().date(), _last_month(stage)
    weekly = [today - timedelta(days=2 + 7 * n) for n in range(10)]
    pays(stage, owner, "film", [(day, 9_900 if n > 1 else 11_900) for n, day in enumerate(weekly)])
    pays(stage, owner, "noodle bar", [(month + timedelta(days=n * n), 8_000 + n) for n in range(5)])
    found = {advice["code"]: advice for advice in _advice(stage, anna.headers())}
    assert sorted(found) == ["cashback-here", "idle-jar", "price-rose"]
    assert found["price-rose"]["title"] == "FILM costs ₩11,900 now and was ₩9,900 before: ₩104,000 more a year."
    assert found["cashback-here"]["values"]["back"] == str(40_010 * 5 // 100)
    assert found["idle-jar"]["values"]["gathered"] == str(7 * CENT)
    assert all(advice["rule"] is None for advice in found.values())


def test_where_a_rule_gathers_already_nothing_is_advised_even_if_the_client_does_not_say_of_what(
    shared_stage: Stage,
) -> None:
    stage = shared_stage
    anna, cafe = stage.payer(), stage.merchant("Corner Café")
    rule = anna.sign_rule("round up to 0.50 USD", "every 1000 payments", "category coffee")
    for _ in range(5):
        anna.pay(195 * CENT, cafe)
        rule.pay(5 * CENT, 195, category="coffee")
    at = f"{_last_month(stage):%Y-%m}-10 12:00:00.000000"
    stage.write("UPDATE payment SET accepted_at = :at WHERE channel_id = :id", at=at, id=anna.id)
    ask_for_insights(stage, anna.headers(), zone="UTC")
    assert _advice(stage, anna.headers()) == []
    later = f"{_last_month(stage):%Y-%m}-10 12:11:00.000000"
    of_jar = "UPDATE payment SET accepted_at = :at WHERE channel_id = :id AND merchant_id IS NULL"
    stage.write(of_jar, at=later, id=anna.id)
    assert [advice["code"] for advice in _advice(stage, anna.headers())] == ["round-up-merchant"]


def test_a_rule_that_never_fires_is_to_fire_on_a_date_too(shared_stage: Stage) -> None:
    stage = shared_stage
    anna = stage.payer()
    rule = anna.sign_rule("round up to 0.50 USD", "every 1000 payments")
    rule.pay(5 * CENT, 195)
    long_ago = {"at": "2026-01-01 00:00:00.000000", "id": rule.id}
    stage.write("UPDATE signed_rule SET created_at = :at WHERE public_id = :id", **long_ago)
    ask_for_insights(stage, anna.headers(), zone="UTC")
    (advice,) = _advice(stage, anna.headers())
    assert (advice["code"], advice["values"]["gathered"]) == ("idle-rule", str(5 * CENT))
    assert advice["rule"]["fires"] == "every 1000 payments, monthly on day 1 at UTC"
    assert stage.client.post(advice["dry_run"], json=advice["rule"], headers=anna.headers()).status_code == 200


def test_a_model_may_phrase_it_and_no_transaction_is_open_meanwhile(
    shared_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, model = shared_stage, Model()
    anna = stage.payer()
    ask_for_insights(stage, anna.headers(), zone="UTC", language="en")
    today = stage.clock.now().date()
    rise = [(today - timedelta(days=2 + 7 * n), 9_900 if n > 1 else 11_900) for n in range(10)]
    pays(stage, number_of(stage, anna.address), "film", rise)
    connections: list[int] = []

    def say(sentences: list[str]) -> list[str]:
        connections.append(stage.hub.db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return ["FILM is ₩2,000 dearer." if "FILM" in sentence else sentence for sentence in sentences]

    model.say = say
    state = stage.client.app.state._state  # type: ignore[attr-defined]
    settings = stage.settings.model_copy(update={"advice_llm_url": model.url, "advice_llm_model": "small"})
    monkeypatch.setitem(state, "phraser", Phraser(settings))
    (advice,) = _advice(stage, anna.headers())
    assert advice["phrased"] is None, "nobody has told it that the difference is 2,000"
    assert "₩104,000 more a year" in advice["title"]
    model.say = lambda _: ["FILM went up to ₩11,900: ₩104,000 more a year."]
    monkeypatch.setitem(state, "phraser", Phraser(settings))
    (advice,) = _advice(stage, anna.headers())
    assert advice["phrased"] == "FILM went up to ₩11,900: ₩104,000 more a year."
    assert connections == [0]
    model.close()
