"""Cashback: held out of the merchant's credit, paid by the mechanism of refunds, taken back by refunds, never beyond the budget."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from taesan.core.clock import rfc3339
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory, key

pytestmark = pytest.mark.database("sqlite", "postgresql")


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def anna(stage: Stage) -> Payer:
    return stage.payer()


def try_campaign(cafe: Merchant, **changes: Any) -> httpx.Response:
    ends = rfc3339(cafe.stage.clock.now() + timedelta(days=7))
    body = {"name": "Autumn", "rate": 1_000, "budget": str(DOLLAR), "ends_at": ends} | changes
    return cafe.stage.client.post("/v1/campaigns", json=body, headers=cafe.headers | key())


def campaign(cafe: Merchant, **changes: Any) -> Any:
    answer = try_campaign(cafe, **changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


def earn(cafe: Merchant, anna: Payer, amount: int = 2 * DOLLAR) -> None:
    """So much credit."""
    anna.pay(amount, cafe)
    cafe.stage.settle()


def now_is(cafe: Merchant, made: Any) -> Any:
    return cafe.stage.get(f"/v1/campaigns/{made['id']}", **cafe.headers)


def rewards(anna: Payer) -> list[tuple[int, int, str]]:
    """(amount, reversed, state), the newest first."""
    items = anna.stage.get("/v1/rewards", **anna.headers())["items"]
    return [(int(r["amount"]), int(r["reversed"]), r["state"]) for r in items]


def entries(stage: Stage, *kinds: str) -> list[str]:
    found = [kind for (kind,) in stage.rows("SELECT kind FROM journal_entry ORDER BY id")]
    return [kind for kind in found if kind in kinds]


def test_a_reward_becomes_the_payers_gift_tokens_out_of_what_the_merchant_is_paid(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    earn(cafe, anna)
    made = campaign(cafe)
    assert (made["state"], made["spent"]) == ("running", "0")
    assert (cafe.account()["credit"], cafe.account()["budget"]) == (str(DOLLAR), str(DOLLAR))
    assert stage.audit().differences == []
    anna.pay(3 * DOLLAR, cafe)
    stage.tick()
    assert rewards(anna) == [(30 * CENT, 0, "ordered")]
    assert (now_is(cafe, made)["spent"], now_is(cafe, made)["rewards"]) == (str(30 * CENT), 1)
    assert stage.audit().differences == []
    stage.settle()
    assert rewards(anna) == [(30 * CENT, 0, "done")]
    assert stage.gift_tokens(anna.address) == 30 * CENT
    # Paid was 5, of which 30 cents went back, and 70 are still held.
    assert (cafe.account()["credit"], cafe.account()["budget"]) == (str(4 * DOLLAR), str(70 * CENT))
    assert stage.rows("SELECT credited, entitled FROM batch WHERE id = 2") == [(270 * CENT, 30 * CENT)]
    assert stage.get("/v1/refunds", **cafe.headers)["items"] == []
    assert stage.audit().differences == []


def test_what_is_left_of_a_budget_is_credit_again_when_the_campaign_is_over(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    earn(cafe, anna)
    made = campaign(cafe)
    anna.pay(DOLLAR, cafe)
    stage.tick()
    path = f"/v1/campaigns/{made['id']}/end"
    assert stage.client.post(path, headers=cafe.headers).json()["state"] == "running"
    stage.later(60)
    anna.pay(DOLLAR, cafe)
    stage.tick()
    assert len(rewards(anna)) == 1, "it came too late"
    assert now_is(cafe, made)["state"] == "ending"
    stage.later(60)
    stage.tick()
    assert stage.client.post(path, headers=cafe.headers).json()["state"] == "ended"
    assert cafe.account()["budget"] == "0"
    assert entries(stage, "campaign budget given back") == ["campaign budget given back"]
    stage.settle()
    assert int(cafe.account()["credit"]) == 4 * DOLLAR - 10 * CENT
    assert stage.audit().differences == []


def test_what_has_gathered_waits_until_it_is_enough(open_stage: StageFactory) -> None:
    stage = open_stage(reward_min=25 * CENT)
    cafe, anna = stage.merchant(), stage.payer()
    earn(cafe, anna)
    campaign(cafe)
    for n in (1, 2):
        anna.pay(DOLLAR, cafe)
        stage.tick()
        (waiting,) = stage.get("/v1/cashback", **anna.headers())
        assert (waiting["merchant_id"], waiting["amount"], waiting["least"]) == (
            cafe.id,
            str(n * 10 * CENT),
            str(25 * CENT),
        )
    assert [state for *_, state in rewards(anna)] == ["waiting"] * 2
    anna.pay(50 * CENT, cafe)
    stage.tick()
    assert stage.get("/v1/cashback", **anna.headers()) == []
    assert [state for *_, state in rewards(anna)] == ["ordered"] * 3
    assert stage.rows("SELECT amount FROM refund") == [(25 * CENT,)]
    stage.settle()
    assert stage.gift_tokens(anna.address) == 25 * CENT
    assert stage.audit().differences == []


def test_a_refund_takes_back_what_waits(open_stage: StageFactory) -> None:
    stage = open_stage(reward_min=DOLLAR)
    cafe, anna = stage.merchant(), stage.payer()
    earn(cafe, anna)
    campaign(cafe)
    paid = anna.pay(DOLLAR, cafe)["id"]
    stage.tick()
    assert cafe.refund(paid, 30 * CENT).json()["reward_taken_back"] == "0"
    assert rewards(anna) == [(10 * CENT, 3 * CENT, "waiting")]
    assert cafe.account()["budget"] == str(97 * CENT), "what comes back is the merchant's, not for others"
    assert cafe.refund(paid).status_code == 202
    assert rewards(anna) == [(10 * CENT, 10 * CENT, "reversed")]
    assert stage.get("/v1/cashback", **anna.headers()) == []
    assert entries(stage, "reward reversed") == ["reward reversed"] * 2
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


def test_what_was_paid_out_is_taken_off_the_refund(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    earn(cafe, anna)
    campaign(cafe)
    paid = anna.pay(DOLLAR, cafe)["id"]
    stage.settle()
    assert stage.gift_tokens(anna.address) == 10 * CENT
    credit = int(cafe.account()["credit"])
    made = cafe.refund(paid, 50 * CENT).json()
    assert (made["amount"], made["reward_taken_back"], made["state"]) == (str(50 * CENT), str(5 * CENT), "waiting")
    assert (cafe.account()["refunding"], cafe.account()["credit"]) == (str(45 * CENT), str(credit - 45 * CENT))
    assert entries(stage, "refund held", "reward taken back") == ["refund held", "reward taken back"]
    assert rewards(anna) == [(10 * CENT, 5 * CENT, "done")]
    assert stage.audit().differences == []
    assert assert_problem(cafe.refund(paid, 51 * CENT), "refund-exceeds-payment", 409)["left"] == str(50 * CENT)
    anna.pay(DOLLAR, cafe)  # brings the refund its money, and another reward
    second = cafe.refund(paid).json()
    assert (second["amount"], second["reward_taken_back"], second["state"]) == (
        str(50 * CENT),
        str(5 * CENT),
        "accepted",
    )
    stage.settle()
    assert stage.gift_tokens(anna.address) == 10 * CENT + 90 * CENT + 10 * CENT
    given_back = stage.get("/v1/personal-refunds", **anna.headers())["items"]
    assert [(r["amount"], r["reward_taken_back"]) for r in given_back] == [(str(50 * CENT), str(5 * CENT))] * 2
    assert stage.audit().differences == []


def test_a_payment_that_was_refunded_before_it_was_looked_at_earns_the_rest(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    earn(cafe, anna)
    made = campaign(cafe)
    half, whole = anna.pay(DOLLAR, cafe)["id"], anna.pay(DOLLAR, cafe)["id"]
    for id_, amount in ((half, 50 * CENT), (whole, None)):
        assert cafe.refund(id_, amount).json()["reward_taken_back"] == "0"
    stage.tick()
    assert rewards(anna) == [(10 * CENT, 10 * CENT, "reversed"), (10 * CENT, 5 * CENT, "ordered")]
    assert now_is(cafe, made)["spent"] == str(20 * CENT)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 155 * CENT
    assert stage.audit().differences == []


def test_a_reward_as_large_as_its_payment_leaves_nothing_of_the_refund(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    earn(cafe, anna)
    campaign(cafe, rate=10_000)
    paid = anna.pay(DOLLAR, cafe)["id"]
    stage.settle()
    made = cafe.refund(paid).json()
    assert (made["reward_taken_back"], made["state"]) == (str(DOLLAR), "done")
    anna.pay(DOLLAR, cafe)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


def test_a_merchant_that_takes_the_budget_from_the_contract_still_owes_what_was_promised(
    open_stage: StageFactory,
) -> None:
    stage = open_stage(reward_min=15 * CENT)
    cafe, anna = stage.merchant(), stage.payer()
    earn(cafe, anna)
    made = campaign(cafe)
    anna.pay(DOLLAR, cafe)
    stage.settle()
    assert (cafe.account()["credit"], cafe.account()["budget"]) == (str(2 * DOLLAR), str(DOLLAR))
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, 3 * DOLLAR - 4 * CENT)
    stage.confirm()
    assert now_is(cafe, made)["state"] == "taken"
    assert (cafe.account()["credit"], cafe.account()["budget"]) == ("0", str(4 * CENT))
    assert stage.audit().differences == []
    anna.pay(DOLLAR, cafe)
    stage.tick()
    assert rewards(anna) == [(10 * CENT, 0, "waiting")], "nothing more is promised"
    stage.settings = stage.settings.model_copy(update={"reward_min": 10 * CENT})
    stage.restart()
    stage.settle()
    assert stage.gift_tokens(anna.address) == 10 * CENT
    assert (cafe.account()["credit"], cafe.account()["refunding"]) == (str(94 * CENT), "0")
    assert stage.audit().differences == []


def test_a_merchant_that_takes_a_part_of_the_budget_has_the_rest_again(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    earn(cafe, anna)
    campaign(cafe)
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, 150 * CENT)
    stage.confirm()
    assert (cafe.account()["credit"], cafe.account()["budget"]) == (str(50 * CENT), "0")
    assert stage.audit().differences == []


def test_only_credit_is_promised(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    anna.pay(DOLLAR, cafe)
    for language in ("ko", "en"):
        headers = cafe.headers | key() | {"Accept-Language": language}
        body = {"name": "x", "rate": 1, "budget": "1", "ends_at": "2999-01-01T00:00:00Z"}
        answer = stage.client.post("/v1/campaigns", json=body, headers=headers)
        assert assert_problem(answer, "budget-not-covered", 409)["credit"] == "0"
    stage.settle()
    assert campaign(cafe)["state"] == "running"
    assert_problem(try_campaign(cafe, budget="1"), "budget-not-covered", 409)
    assert_problem(cafe.order_payout(), "insufficient-credit", 422)


@pytest.mark.parametrize(
    "changes",
    [
        {"budget": "0"},
        {"cap_payer": "0"},
        {"rate": 10_001},
        {"rate": 0},
        {"ends_at": "2999-01-01T00:00:00"},
        {"ends_at": "2999-01-01"},
        {"ends_at": "2999-02-30T00:00:00Z"},
        {"ends_at": "9999-12-31T23:59:59-10:00"},
        {"ends_at": 32_472_144_000},
        {"starts_at": "2999-01-02T00:00:00Z", "ends_at": "2999-01-01T00:00:00Z"},
    ],
)
def test_a_campaign_that_cannot_be_is_refused(shared_stage: Stage, changes: Any) -> None:
    assert try_campaign(shared_stage.merchant(), **changes).status_code == 422


def test_a_campaign_of_the_past_is_refused_and_too_many_are(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    earn(cafe, anna)
    for language in ("ko", "en"):
        headers = cafe.headers | key() | {"Accept-Language": language}
        body = {"name": "x", "rate": 1, "budget": "1", "ends_at": "2026-01-01T00:00:00Z"}
        assert_problem(stage.client.post("/v1/campaigns", json=body, headers=headers), "campaign-over", 422)
    made = [campaign(cafe, budget="1")["id"] for _ in range(10)]
    for language in ("ko", "en"):
        headers = cafe.headers | key() | {"Accept-Language": language}
        body |= {"ends_at": "2999-01-01T00:00:00Z"}
        assert_problem(stage.client.post("/v1/campaigns", json=body, headers=headers), "too-many-campaigns", 409)
    assert [c["id"] for c in stage.get("/v1/campaigns", **cafe.headers)["items"]] == made[::-1]


def test_a_campaign_is_for_its_category_and_its_time_and_the_best_one_rewards(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    earn(cafe, anna)
    later = rfc3339(stage.clock.now() + timedelta(hours=1))
    campaign(cafe, rate=500, budget=str(CENT * 50))
    campaign(cafe, rate=2_000, budget=str(CENT * 50), category="tea")
    assert campaign(cafe, rate=5_000, budget=str(CENT * 50), starts_at=later)["state"] == "scheduled"
    for metadata in ({"category": "tea"}, {"category": "cake"}, {}):
        assert anna.pay_invoice(cafe.invoice(100, metadata=metadata)).status_code == 201
    stage.tick()
    assert [amount for amount, *_ in rewards(anna)] == [5 * CENT, 5 * CENT, 20 * CENT]
    stage.later(3_600)
    anna.pay(60 * CENT, cafe)
    stage.tick()
    assert rewards(anna)[0][0] == 30 * CENT
    assert stage.audit().differences == []


def test_caps_hold_for_a_payment_and_for_a_payer(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    earn(cafe, anna)
    campaign(cafe, cap_payment=str(15 * CENT), cap_payer=str(20 * CENT))
    ben = stage.payer()
    for payer in (anna, ben):
        payer.pay(2 * DOLLAR, cafe)
    stage.tick()
    for payer in (anna, ben, anna):
        payer.pay(DOLLAR, cafe)
    stage.tick()
    assert [amount for amount, *_ in rewards(anna)] == [5 * CENT, 15 * CENT]
    assert [amount for amount, *_ in rewards(ben)] == [5 * CENT, 15 * CENT]
    assert stage.audit().differences == []


def test_the_audit_notices_what_was_never_decided(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    earn(cafe, anna)
    campaign(cafe)
    anna.pay(DOLLAR, cafe)
    stage.tick()
    assert stage.audit().differences == []
    for wrong in (
        "UPDATE reward SET amount = amount + 1",
        "UPDATE campaign SET spent = spent - 1",
        "UPDATE campaign SET budget = budget + 1",
        "UPDATE refund SET amount = amount + 1 WHERE is_reward",
        "DELETE FROM reward",
    ):
        with stage.undone():
            stage.write(wrong)
            assert stage.audit().differences, wrong
    assert stage.audit().differences == []


@pytest.mark.parametrize("is_ordered", [True, False])
def test_a_restored_hub_promises_what_it_knows_and_its_books_are_right(
    stage: Stage, cafe: Merchant, anna: Payer, is_ordered: bool
) -> None:
    """What was paid after the backup, on an order that it has not, is paid once more: within the budget."""
    earn(cafe, anna)
    made = campaign(cafe)
    anna.pay(DOLLAR, cafe)
    if is_ordered:
        stage.tick()
    kept = stage.kept()
    stage.settle()
    assert stage.gift_tokens(anna.address) == 10 * CENT
    stage.restore(kept)
    stage.confirm()
    stage.catch_up()
    anna.pay(DOLLAR, cafe)
    stage.settle()
    assert now_is(cafe, made)["spent"] == str(20 * CENT)
    assert stage.gift_tokens(anna.address) == (20 if is_ordered else 30) * CENT
    assert stage.audit().differences == []
