"""Signed rules: what they take in, when they fire, what becomes of it, and why not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from taesan.jars import rules
from taesan.jars.models import JarFiring
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, StageFactory
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

BEN = Wallet("ben").address
HALVES = [
    {"kind": "wallet", "share": 3_330},
    {"kind": "savings", "share": 3_330, "recipient": BEN},
    {"kind": "person", "share": 3_340, "recipient": BEN},
]


def test_a_rule_gathers_fires_and_splits_to_the_last_unit(open_stage: StageFactory) -> None:
    stage = open_stage()
    anna = stage.payer()
    rule = anna.sign_rule("round up to 0.50 USD x2", "every 3 payments", destinations=HALVES, per_day=str(DOLLAR))
    anna.pay(7 * CENT)
    assert rule.pay(46 * CENT, 127)["jar"] == {"gathered": str(46 * CENT), "payments": 1, "fired": None}
    assert rule.shown()["progress"]["text"] == "1 of 3 payments"
    rule.pay(20 * CENT, 240)
    assert (anna.jar()["gathered"], anna.jar()["payments"]) == (str(7 * CENT), 1), (
        "the jar's own rule counts for itself"
    )
    assert rule.pay(2 * CENT, 199)["jar"] == {"gathered": "0", "payments": 0, "fired": str(68 * CENT)}
    assert rule.history() == [("fired", "payments 3")]
    stage.settle()
    assert stage.gift_tokens(anna.address) == 68 * CENT
    with stage.hub.db.read() as session:
        firing = session.scalars(select(JarFiring)).one()
        parts = rules.parts_of(session, firing)
    assert [(part.destination.kind, part.destination.recipient) for part in parts[1:]] == [
        ("savings", BEN),
        ("person", BEN),
    ]
    assert sum(part.amount for part in parts) == firing.amount == 68 * CENT
    assert stage.audit().differences == []


def test_what_is_wrong_with_a_rule_is_told_in_its_own_words(shared_stage: Stage) -> None:
    anna = shared_stage.payer()
    body = anna.wallet.rule(shared_stage.facts, 1, "top-ups", "when I say so", "") | {"id": "-1"}
    answer = shared_stage.client.post(f"/v1/channels/{anna.id}/rules", json=body, headers=anna.headers())
    assert_problem(answer, "invalid-request", 422)
    assert "a whole number as a string" in answer.json()["detail"]
    rule = anna.sign_rule("top-ups", "when I say so")
    assert rule.ask("cancel").status_code == 200
    ended = rule.ask("fire")
    assert_problem(ended, "rule-ended", 409)
    assert ended.json()["detail"].startswith("It was cancelled at 20")


def test_the_amount_has_to_be_what_the_rule_says(stage: Stage) -> None:
    anna = stage.payer()
    rule = anna.sign_rule("3.5% of the price, fixed 0.10 USD, at most 0.50 USD a day", "every 5 USD", "category coffee")
    coffee = {"category": "coffee"}
    wrong = rule.try_to_pay(13 * CENT, 100, **coffee)
    assert_problem(wrong, "rule-mismatch", 422)
    assert wrong.json()["expected"] == str(135_000)
    assert_problem(rule.try_to_pay(135_000, 100, category="tea"), "rule-mismatch", 422)
    assert_problem(rule.try_to_pay(135_000, 100), "rule-mismatch", 422)
    assert_problem(rule.try_to_pay(135_000), "rule-mismatch", 422)
    for _ in range(3):
        rule.pay(135_000, 100, **coffee)
    assert rule.shown()["progress"]["left_today"] == "95000"
    assert rule.try_to_pay(135_000, 100, **coffee).json()["expected"] == "95000"
    rule.pay(95_000, 100, **coffee)
    assert_problem(rule.try_to_pay(1, 100, **coffee), "rule-cap-reached", 409)
    stage.later(24 * 3_600)
    stage.confirm()  # what is heard from the chain is new again
    anna.resume()
    rule.pay(135_000, 100, **coffee)
    assert rule.shown()["progress"]["gathered"] == str(635_000)
    other = stage.payer()
    assert_problem(other.try_to_pay(CENT, **rule.payment()), "unknown-rule", 422)
    assert_problem(anna.try_to_pay(CENT, destination={"type": "jar", "rule_id": "rul_1"}), "unknown-rule", 422)
    assert stage.audit().differences == []


def test_what_cannot_go_at_its_date_goes_within_hours(open_stage: StageFactory) -> None:
    stage = open_stage(withdraw_delay_s=2_592_000, channel_exposure=DOLLAR)
    stage.clock.at = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)
    stage.later(0)
    anna = stage.payer()
    monthly = anna.sign_rule("top-ups", "monthly on day 1 at Asia/Seoul")
    monthly.pay(150 * CENT)
    stage.clock.at = datetime(2026, 11, 30, 15, 0, 1, tzinfo=UTC)
    stage.tick()
    assert stage.balance("jar", anna.id) == 50 * CENT, "as much as the channel may owe"
    stage.confirm()
    stage.settle()
    stage.later(3_600)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 150 * CENT
    assert monthly.shown()["progress"]["due_at"] == "2026-12-31T15:00:00.000Z"


def test_more_than_a_channel_may_ever_owe_fires_as_far_as_it_goes(open_stage: StageFactory) -> None:
    stage = open_stage(channel_exposure=DOLLAR)
    anna = stage.payer()
    rule = anna.sign_rule("top-ups", "every 3 payments")
    for _ in range(3):
        rule.pay(50 * CENT)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    for _ in range(3):
        rule.pay(10 * CENT)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 180 * CENT


def test_a_date_fires_without_a_payment_and_the_next_batch_takes_it_along(open_stage: StageFactory) -> None:
    stage = open_stage(withdraw_delay_s=2_592_000)
    stage.clock.at = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)  # an hour before December begins in Seoul
    stage.later(0)
    anna = stage.payer()
    monthly = anna.sign_rule("top-ups, cashback", "monthly on day 1 at Asia/Seoul")
    weekly = anna.sign_rule("fixed 0.10 USD", "weekly on tuesday at Asia/Seoul, when I say so")
    assert monthly.shown()["progress"]["due_at"] == "2026-11-30T15:00:00.000Z"
    monthly.pay(40 * CENT)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 0
    stage.clock.at = datetime(2026, 11, 30, 15, 0, 1, tzinfo=UTC)
    stage.write("UPDATE channel SET state = 'refunding' WHERE id = :id", id=anna.id)
    stage.tick()
    assert monthly.history() == weekly.history() == [], "while money is on its way back to her the date waits"
    stage.write("UPDATE channel SET state = 'open' WHERE id = :id", id=anna.id)
    stage.tick()
    assert monthly.history() == [("fired", "date 2026-12-01")]
    assert weekly.history() == [("not fired", "nothing-gathered 2026-12-01")]
    assert monthly.shown()["progress"]["due_at"] == "2026-12-31T15:00:00.000Z"
    stage.settle()
    assert stage.gift_tokens(anna.address) == 40 * CENT
    assert [tuple(row) for row in stage.rows("SELECT payment_count, claimed FROM batch ORDER BY id")] == [
        (1, 0),
        (0, 40 * CENT),
    ], "no payment had to come for it"
    # With a payment that nobody has settled yet: the same batch takes both.
    weekly.pay(10 * CENT, 100)
    assert weekly.ask("fire").status_code == 200
    assert_problem(monthly.ask("fire"), "rule-fires-otherwise", 409)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 50 * CENT
    assert len(stage.batch_states()) == 3
    assert stage.audit().differences == []


def test_pause_cancel_and_expiry_leave_the_money_to_the_jar(stage: Stage) -> None:
    anna = stage.payer()
    ends = int((stage.clock.now() + timedelta(hours=1)).timestamp())
    first, second = (anna.sign_rule("top-ups", "every 100 payments", valid_until=end) for end in (2**40, ends))
    for rule in (first, second):
        rule.pay(30 * CENT)
    assert first.ask("pause").json()["state"] == "paused"
    assert_problem(first.try_to_pay(CENT), "rule-not-active", 409)
    assert first.ask("resume").json()["state"] == "active"
    first.pay(CENT)
    assert first.ask("cancel").json()["progress"]["gathered"] == "0"
    assert_problem(first.ask("resume"), "rule-ended", 409)
    assert anna.jar()["gathered"] == str(31 * CENT)
    stage.later(3_601)
    assert second.shown()["state"] == "expired"
    stage.confirm()
    assert second.history() == [("expired", "expired")]
    assert [kind for kind, _ in first.history()] == ["paused", "resumed", "cancelled"]
    assert anna.jar()["gathered"] == str(61 * CENT)
    assert anna.pay(39 * CENT)["jar"]["fired"] == str(DOLLAR), "the jar's own rule has it now"
    assert stage.audit().differences == []


def test_a_withdrawal_out_of_the_jar_takes_what_rules_have_gathered_last(open_stage: StageFactory) -> None:
    stage = open_stage(withdraw_delay_s=900)
    anna = stage.payer(DOLLAR)
    older, newer = (anna.sign_rule("top-ups", "every 100 payments") for _ in range(2))
    anna.pay(20 * CENT)
    older.pay(30 * CENT)
    newer.pay(40 * CENT)
    anna.announce_withdrawal(65 * CENT)
    stage.later(900)
    anna.finish_withdrawal()
    stage.confirm()
    assert [rule.shown()["progress"]["gathered"] for rule in (older, newer)] == [str(30 * CENT), str(5 * CENT)]
    assert newer.history() == [("released", "taken-out")]
    assert anna.jar()["gathered"] == "0"
    assert stage.audit().differences == []


@pytest.mark.parametrize(
    ("changes", "status", "type_"),
    [
        ({"gather": "round up to 500 KRW"}, 422, "invalid-rule"),
        ({"gather": "fixed 1 USD, at most 1.00 USD a day"}, 422, "invalid-rule"),
        ({"gather": "gateway", "fires": "when I say so"}, 422, "invalid-rule"),
        ({"gather": "top-ups", "only": "category tea"}, 422, "invalid-rule"),
        ({"destinations": [{"kind": "wallet", "share": 9_999}]}, 422, "invalid-rule"),
        ({"destinations": [{"kind": "wallet", "share": 10_000, "recipient": BEN}]}, 422, "invalid-rule"),
        ({"destinations": [{"kind": "cash", "share": 10_000}], "per_day": "1"}, 422, "invalid-rule"),
        ({"destinations": [{"kind": "swap", "share": 10_000, "recipient": BEN}], "per_day": "1"}, 422, "invalid-rule"),
        ({"destinations": [{"kind": "cash", "share": 10_000, "recipient": BEN}]}, 422, "invalid-rule"),
        ({"per_day": "1"}, 422, "invalid-rule"),
        ({"valid_until": 1}, 422, "invalid-rule"),
        ({"destinations": []}, 422, "invalid-request"),
        ({"destinations": [{"kind": "moon", "share": 10_000}]}, 422, "invalid-request"),
    ],
    ids=str,
)
def test_a_rule_that_makes_no_sense_is_not_kept(
    shared_stage: Stage, changes: dict[str, object], status: int, type_: str
) -> None:
    anna = shared_stage.payer(name="anna")
    terms: dict[str, Any] = {"gather": "fixed 0.10 USD", "fires": "every 10 payments"} | changes
    body = anna.wallet.rule(shared_stage.facts, 1, **terms)
    answer = shared_stage.client.post(f"/v1/channels/{anna.id}/rules", json=body, headers=anna.headers())
    assert_problem(answer, type_, status)


def test_only_what_the_payer_has_signed_is_a_rule_and_a_number_is_used_once(stage: Stage) -> None:
    anna, thief = stage.payer(), Wallet()
    path = f"/v1/channels/{anna.id}/rules"
    words = ("fixed 0.10 USD", "every 10 payments")
    own = anna.wallet.rule(stage.facts, 1, *words)
    redirected = own | {
        "destinations": [{"kind": "person", "share": 10_000, "recipient": thief.address}],
        "per_day": "9",
    }
    for body in (
        thief.rule(stage.facts, 1, *words),
        own | {"fires": "every 1 payments"},
        own | {"id": "2"},
        redirected,
    ):
        answer = stage.client.post(path, json=body, headers=anna.headers())
        assert_problem(answer, "invalid-rule-signature", 403)
    assert_problem(stage.client.post(path, json=own, headers=stage.session_of(thief)), "forbidden", 403)
    first = stage.client.post(path, json=own, headers=anna.headers())
    again = stage.client.post(path, json=own, headers=anna.headers())
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = anna.wallet.rule(stage.facts, 1, "fixed 0.20 USD", words[1])
    assert_problem(stage.client.post(path, json=other, headers=anna.headers()), "rule-number-used", 409)
    for _ in range(rules.MOST - 1):
        anna.sign_rule(*words)
    assert_problem(anna.try_to_sign(*words), "too-many-rules", 409)
    assert stage.row_counts()["signed_rule"] == rules.MOST


def test_a_dry_run_tells_what_last_month_would_have_brought(stage: Stage) -> None:
    stage.clock.at = datetime(2026, 10, 31, 14, 30, tzinfo=UTC)  # half an hour before November in Seoul
    anna, cafe = stage.payer(), stage.merchant()
    paid = anna.pay(127 * CENT, cafe, purchase={"value": "127", "asset": "USD", "category": "coffee"})
    anna.pay(73 * CENT, purchase={"value": "127", "asset": "USD"}, reference=paid["id"])
    anna.pay(20 * CENT, purchase={"value": "180", "asset": "USD", "category": "tea"})
    stage.later(3_600)
    stage.confirm()
    anna.pay(50 * CENT, cafe)
    anna.headers()
    before = stage.row_counts()

    def run(**asked: str) -> dict[str, object]:
        body = {"gather": "round up to 1 USD", "fires": "every 2 payments, monthly on day 1 at Asia/Seoul"} | asked
        answer = stage.client.post(f"/v1/channels/{anna.id}/rules/dry-run", json=body, headers=anna.headers())
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    october = run()
    assert october["text"] == "In 2026-10 this would have gathered 0.93 USD."
    assert (october["purchases"], october["payments"], october["complete"]) == (2, 2, True)
    assert [(firing["amount"], firing["reason"]["title"]) for firing in october["firings"]] == [
        (str(93 * CENT), "2 payments have come together.")
    ]  # type: ignore[attr-defined]
    assert october["never_moved"] == "0"
    small = run(per_day=str(50 * CENT))
    assert small["never_moved"] == str(93 * CENT)
    assert "1 of 1 firings are more than `per_day` lets pass" in str(small["text"])
    assert run(only="category coffee")["gathered"] == str(73 * CENT)
    assert run(only="category coffee")["fired"] == str(73 * CENT), "the month ends with a date"
    assert run(only=f"merchant {cafe.id}", month="2026-11")["gathered"] == str(50 * CENT)
    assert run(month="2025-01")["gathered"] == "0"
    assert stage.row_counts() == before
