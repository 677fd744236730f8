"""Jars: their rules, their firings, and what becomes of what they hold."""

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, StageFactory

pytestmark = pytest.mark.database("sqlite", "postgresql")


def test_a_jar_has_a_rule_before_its_first_payment_and_looking_makes_none(stage: Stage) -> None:
    anna = stage.payer()
    before = stage.row_counts() | {"login_session": 1}
    assert anna.jar() == {
        "channel_id": anna.id,
        "round_up_step": str(DOLLAR),
        "trigger_count": 100,
        "trigger_value": str(DOLLAR),
        "gathered": "0",
        "payments": 0,
        "firings": [],
    }
    assert stage.row_counts() == before


def test_the_payer_sets_the_rule_for_payments_to_come(stage: Stage) -> None:
    anna = stage.payer()
    anna.pay(40 * CENT)
    answer = anna.set_rule(trigger_count=2, round_up_step=str(50 * CENT))
    assert answer.status_code == 200
    assert (answer.json()["trigger_count"], answer.json()["trigger_value"]) == (2, None)
    assert anna.jar()["gathered"] == str(40 * CENT), "what is in the jar stays"
    fired = anna.pay(30 * CENT, purchase={"value": "120", "asset": "USD", "exponent": 2})
    assert fired["jar"] == {"gathered": "0", "payments": 0, "fired": str(70 * CENT)}


def test_a_hundred_payments_make_one_gift_token(open_stage: StageFactory) -> None:
    stage = open_stage()
    anna = stage.payer()
    anna.set_rule(trigger_count=100)
    answers = [anna.pay(CENT) for _ in range(100)]
    assert [a["jar"]["fired"] for a in answers] == [None] * 99 + [str(DOLLAR)]
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    (firing,) = anna.jar()["firings"]
    assert (firing["amount"], firing["payments"], firing["batch_id"]) == (str(DOLLAR), 100, 1)
    assert firing["reason"] == {
        "code": "payments",
        "title": "100 payments have come together.",
        "values": {"count": "100"},
    }
    korean = stage.get(f"/v1/channels/{anna.id}/jar/firings", **anna.headers(), **{"accept-language": "ko"})["items"]
    assert korean[0]["reason"]["title"] == "결제 100건이 모였어요."
    assert stage.audit().differences == []


def test_a_value_trigger_takes_whole_multiples(stage: Stage) -> None:
    anna = stage.payer()
    anna.set_rule(trigger_value=str(50 * CENT))
    assert anna.pay(49 * CENT)["jar"]["fired"] is None
    assert anna.pay(73 * CENT)["jar"] == {"gathered": str(22 * CENT), "payments": 0, "fired": str(DOLLAR)}
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.balance("jar", anna.id) == 22 * CENT
    # What is left in the jar stays in the channel: it is neither claimed nor minted.
    assert stage.chain.read("settlement", "liabilities") == DOLLAR
    assert stage.audit().differences == []


def test_several_firings_in_one_batch_are_one_entitlement(stage: Stage) -> None:
    anna = stage.payer()
    anna.set_rule(trigger_count=1)
    for _ in range(3):
        anna.pay(7 * CENT)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 21 * CENT
    anna.pay(CENT)
    stage.settle()
    entitlement = stage.get(f"/v1/entitlements/{anna.address}")
    assert (entitlement["cumulative"], entitlement["claimed"], entitlement["batch_id"]) == (
        str(22 * CENT),
        str(22 * CENT),
        2,
    )
    assert stage.audit().differences == []


def test_two_channels_of_one_payer_have_two_jars_and_one_wallet(stage: Stage) -> None:
    one = stage.payer(name="anna")
    two = stage.payer(name="anna")
    assert one.id != two.id
    for payer in (one, two):
        payer.pay(60 * CENT)
    assert (one.jar()["gathered"], two.jar()["gathered"]) == (str(60 * CENT), str(60 * CENT))
    one.pay(40 * CENT)
    two.pay(50 * CENT)
    stage.settle()
    assert stage.gift_tokens(one.address) == 2 * DOLLAR
    assert two.jar()["gathered"] == str(10 * CENT)
    assert stage.audit().differences == []


@pytest.mark.parametrize(
    ("rule", "type_"),
    [
        ({}, "invalid-request"),
        ({"trigger_count": 0}, "invalid-request"),
        ({"trigger_count": 100_001}, "invalid-request"),
        ({"trigger_count": -5}, "invalid-request"),
        ({"trigger_value": "0"}, "invalid-request"),
        ({"trigger_value": "-1"}, "invalid-amount"),
        ({"trigger_value": 5}, "invalid-amount"),
        ({"trigger_count": 5, "round_up_step": "0"}, "invalid-request"),
        ({"trigger_count": 5, "round_up_step": "1.5"}, "invalid-amount"),
        ({"trigger_count": 5, "colour": "red"}, "unknown-field"),
    ],
    ids=str,
)
def test_a_rule_that_makes_no_sense_is_refused(stage: Stage, rule: dict[str, object], type_: str) -> None:
    anna = stage.payer()
    anna.headers()
    before = stage.row_counts()
    assert_problem(anna.set_rule(**rule), type_, 422)
    assert stage.row_counts() == before
    assert anna.set_rule(trigger_count=5).status_code == 200


def test_a_jar_of_no_channel_is_not_found(stage: Stage) -> None:
    anna = stage.payer()
    answer = stage.client.get(f"/v1/channels/0x{'ab' * 32}/jar", headers=anna.headers())
    assert_problem(answer, "unknown-channel", 404)
    answer = stage.client.get("/v1/channels/nonsense/jar", headers=anna.headers())
    assert_problem(answer, "malformed-hex", 422)


def test_purchases_in_won_are_rounded_up_without_minor_units(open_stage: StageFactory) -> None:
    stage = open_stage(asset_currency="KRW", max_payment=10_000 * DOLLAR)
    anna = stage.payer(1_000 * DOLLAR)
    anna.set_rule(trigger_count=10, round_up_step=str(1_000 * DOLLAR))
    purchase = {"value": "4500", "asset": "KRW", "exponent": 0}
    anna.pay(500 * DOLLAR, purchase=purchase)
    anna_again = anna.try_to_pay(500, purchase=purchase)
    assert_problem(anna_again, "round-up-mismatch", 422)
    wrong = anna.try_to_pay(500 * DOLLAR, purchase=purchase | {"exponent": 2})
    assert_problem(wrong, "wrong-exponent", 422)
