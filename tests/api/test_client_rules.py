"""`taesan.client` and signed rules: what is put into the jar for each purchase is what the rules say."""

import pytest

from taesan.client import KeyReused, Refused, Terms
from taesan.jars.grammar import NotARule
from taesan.jars.signed import Destination
from tests.api.test_cashback import campaign
from tests.api.test_client import Patient
from tests.support.signing import ZERO_ADDRESS
from tests.support.stage import CENT, DOLLAR, Stage


@pytest.fixture
def anna(stage: Stage) -> Patient:
    anna = Patient(stage)
    stage.chain.give_dollars(anna.address, 5 * DOLLAR)
    anna.open_channel(5 * DOLLAR)
    return anna


def _price(cents: int) -> dict[str, str]:
    return {"value": str(cents), "asset": "USD"}


def test_the_most_specific_rule_gathers_and_nothing_is_gathered_twice(stage: Stage, anna: Patient) -> None:
    assert anna.add_change(_price(130)) is None, "there is no rule yet"
    assert anna.why_nothing == "no active rule takes such a purchase"
    assert anna.sign_rule(Terms("round up to 1 USD", "every 2 payments"), 1)["number"] == "1"
    coffee = anna.sign_rule(Terms("10% of the price, fixed 0.10 USD", "every 5 USD", "category coffee"), 2)
    assert anna.sign_rule(Terms("round up to 1 USD", "every 2 payments"), 1)["number"] == "1"
    assert [rule["number"] for rule in anna.rules()] == ["1", "2"]
    first = anna.add_change(_price(130), key="shoes")
    assert first is not None
    assert first["amount"] == str(70 * CENT)
    assert anna.add_change(_price(130), key="shoes") == first
    assert anna.add_change(_price(200)) is None, "there is nothing to round up"
    assert str(anna.why_nothing).endswith("finds nothing to gather in this price")
    assert anna.add_change({"value": "4510", "asset": "KRW"}) is None
    assert str(anna.why_nothing).endswith("gathers in USD, and not in KRW")
    second = anna.add_change(_price(400), category="coffee", reference="latte")
    assert second is not None
    assert (second["amount"], second["reference"]) == (str(50 * CENT), "latte")
    anna.lost = 1
    assert anna.add_change(_price(170)) is not None
    assert [amount for (amount,) in stage.rows("SELECT amount FROM payment ORDER BY id")] == [
        70 * CENT,
        50 * CENT,
        30 * CENT,
    ]
    # Another device has paused a rule.
    path = f"/v1/channels/{coffee['channel_id']}/rules/{coffee['id']}/pause"
    anna.as_wallet("POST", path)
    third = anna.add_change(_price(450), category="coffee")
    assert third is not None
    assert third["amount"] == str(50 * CENT), "the other rule takes it then"
    with pytest.raises(KeyReused):
        anna.pay(CENT, key="shoes")
    assert stage.audit().differences == []


def test_caps_cut_what_is_gathered(stage: Stage, anna: Patient) -> None:
    anna.sign_rule(Terms("round up to 1 USD x3, at most 1 USD a day", "every 10 USD"))
    told = [anna.add_change(_price(180)), anna.add_change(_price(180)), anna.add_change(_price(180))]
    assert [answer["amount"] if answer else None for answer in told] == [str(60 * CENT), str(40 * CENT), None]
    assert anna.why_nothing is not None
    assert "has gathered as much as its caps leave" in anna.why_nothing
    (rule,) = anna.rules()
    assert rule["progress"]["text"].endswith(" of 10 USD, no more for now: at most 1 USD a day")
    history = anna.as_wallet("GET", f"/v1/channels/{rule['channel_id']}/rules/{rule['id']}/history")["items"]
    assert [note["reason"]["title"] for note in history] == ["400000 of 600000 minor units: its caps leave no more."]


def test_what_is_more_than_one_payment_may_be_is_cut(stage: Stage, anna: Patient) -> None:
    stage.chain.give_dollars(anna.address, 5 * DOLLAR)
    anna.top_up(5 * DOLLAR, 10 * DOLLAR)
    rule = anna.sign_rule(Terms("round up to 1 USD x10", "every 100 payments"))
    for cents, gathered in ((130, 5 * DOLLAR), (170, 3 * DOLLAR)):
        answer = anna.add_change(_price(cents))
        assert answer is not None
        assert answer["amount"] == str(gathered)
    history = anna.as_wallet("GET", f"/v1/channels/{rule['channel_id']}/rules/{rule['id']}/history")["items"]
    assert [(note["kind"], note["amount"], note["reason"]["title"]) for note in history] == [
        ("cut", str(5 * DOLLAR), "5000000 of 7000000 minor units: one payment may be no more.")
    ]
    asked = {"gather": "round up to 1 USD x10", "fires": "every 100 payments", "month": "2026-10"}
    month = f"{stage.clock.now():%Y-%m}"
    told = anna.as_wallet("POST", f"/v1/channels/{rule['channel_id']}/rules/dry-run", asked | {"month": month})
    assert told["gathered"] == str(8 * DOLLAR), "a dry run tells what is gathered"


def test_a_tier_multiplies_round_ups_as_far_as_was_signed(stage: Stage, anna: Patient) -> None:
    cafe = stage.merchant()
    tiers = {"tiers": [{"name": "Regular", "count": 1, "round_up_multiplier": 20_000}]}
    assert stage.client.put("/v1/operator/programme", json=tiers, headers=stage.operator()).status_code == 200
    anna.sign_rule(Terms("round up to 1 USD x2 to x5 by tier", "every 100 payments"))
    first = anna.add_change(_price(170))
    anna.pay(CENT, cafe.id)
    stage.tick()
    second = anna.add_change(_price(170))  # what it knew of the rule is not true any more
    assert first is not None
    assert second is not None
    assert (first["amount"], second["amount"]) == (str(60 * CENT), str(120 * CENT))


def test_cashback_that_was_paid_out_feeds_a_rule_for_it_once(stage: Stage, anna: Patient) -> None:
    cafe = stage.merchant()
    anna.pay(DOLLAR, cafe.id)
    stage.settle()
    campaign(cafe)
    anna.pay(30 * CENT, cafe.id)
    stage.tick()
    assert anna.add_cashback() == [], "there is no rule for it"
    stage.later(1)
    rule = anna.sign_rule(Terms("cashback, at most 0.15 USD a day", "every 100 payments"))
    anna.pay(DOLLAR, cafe.id)
    stage.tick()
    assert anna.add_cashback() == [], "it is not paid out yet"
    stage.settle()
    (first,) = anna.add_cashback()
    assert (first["amount"], first["jar"]["gathered"]) == (str(10 * CENT), str(10 * CENT))
    anna.pay(DOLLAR, cafe.id)
    stage.settle()
    assert [paid["amount"] for paid in anna.add_cashback()] == [str(5 * CENT)], "as much as its cap leaves"
    assert anna.add_cashback() == []
    stage.later(86_400)
    stage.confirm()
    assert anna.add_cashback() == [], "a new day's cap makes nothing anew"
    (told,) = anna.rules()
    assert (told["id"], told["progress"]["gathered"]) == (rule["id"], str(15 * CENT))
    assert stage.audit().differences == []


def test_what_makes_no_sense_is_not_signed(anna: Patient) -> None:
    with pytest.raises(NotARule):
        anna.sign_rule(Terms("everything", "every 10 USD"))
    with pytest.raises(Refused, match="name amounts in it"):
        anna.sign_rule(Terms("fixed 100 KRW", "every 10 payments"))
    assert anna.rules() == []


def test_what_rules_may_move_is_allowed_by_one_signature(stage: Stage, anna: Patient) -> None:
    saves = Destination("savings", 10_000, anna.address, ZERO_ADDRESS, 0)
    anna.sign_rule(Terms("round up to 1 USD", "every 1 payments", destinations=(saves,), per_day=DOLLAR))
    assert anna.allow(2 * DOLLAR)["permitted"] == str(2 * DOLLAR)
    anna.add_change(_price(130))
    stage.settle()
    path = f"/v1/channels/{anna.channel()['id']}/jar/conversions"
    (conversion,) = anna.as_wallet("GET", path)["items"]
    assert (conversion["state"], conversion["amount"]) == ("done", str(70 * CENT))
    assert anna.allow(DOLLAR)["allowance"] == str(2 * DOLLAR - 70 * CENT), "until the new one goes along"
