"""Refunds: never more than was paid, always backed, and by named entries."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from taesan.settlement import refunds
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory, key

pytestmark = pytest.mark.database("sqlite", "postgresql")


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def anna(stage: Stage) -> Payer:
    return stage.payer()


def _refund(cafe: Merchant, id_: str) -> dict[str, str]:
    return dict(cafe.stage.get(f"/v1/refunds/{id_}", **cafe.headers))


def _entries(stage: Stage) -> list[str]:
    return [kind for (kind,) in stage.rows("SELECT kind FROM journal_entry WHERE kind LIKE 'refund%' ORDER BY id")]


def test_what_is_not_settled_yet_becomes_the_payers_gift_tokens(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    invoice = cafe.invoice(300)
    paid = anna.pay_invoice(invoice).json()["id"]
    made = cafe.refund(paid, DOLLAR)
    assert made.status_code == 202, made.text
    assert (made.json()["state"], made.json()["account"]) == ("accepted", anna.address)
    assert cafe.account()["pending"] == str(2 * DOLLAR)
    assert stage.get(f"/v1/invoices/{invoice['id']}")["state"] == "partly_refunded"
    stage.settle()
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert _refund(cafe, made.json()["id"])["state"] == "done"
    assert _entries(stage) == ["refund"]
    assert stage.rows("SELECT claimed, credited, entitled FROM batch") == [(3 * DOLLAR, 2 * DOLLAR, DOLLAR)]
    assert stage.audit().differences == []


def test_a_whole_refund_leaves_the_merchant_nothing(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    invoice = cafe.invoice(300)
    paid = anna.pay_invoice(invoice).json()["id"]
    assert cafe.refund(paid).json()["amount"] == str(3 * DOLLAR)
    stage.settle()
    assert cafe.account() == {
        "merchant_id": cafe.id,
        "pending": "0",
        "credit": "0",
        "paying_out": "0",
        "refunding": "0",
        "budget": "0",
    }
    assert stage.gift_tokens(anna.address) == 3 * DOLLAR
    assert cafe.record(invoice)["state"] == "refunded"
    assert stage.audit().differences == []


def test_what_is_settled_comes_out_of_what_the_merchant_is_paid_next(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    paid, ben = anna.pay(3 * DOLLAR, cafe)["id"], stage.payer()
    stage.settle()
    made = cafe.refund(paid).json()
    assert made["state"] == "waiting"
    assert (cafe.account()["credit"], cafe.account()["refunding"]) == ("0", str(3 * DOLLAR))
    assert_problem(cafe.order_payout(), "insufficient-credit", 422)
    stage.settle()
    assert stage.audit().differences == []
    ben.pay(DOLLAR, cafe)
    stage.settle()  # too little: it brings a part
    assert _refund(cafe, made["id"])["state"] == "waiting"
    assert (cafe.account()["credit"], cafe.account()["refunding"]) == (str(DOLLAR), str(2 * DOLLAR))
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []
    ben.pay(4 * DOLLAR, cafe)
    stage.settle()
    assert _refund(cafe, made["id"])["state"] == "done"
    assert (cafe.account()["credit"], cafe.account()["refunding"]) == (str(5 * DOLLAR), "0")
    assert stage.gift_tokens(anna.address) == 3 * DOLLAR
    assert _entries(stage) == ["refund held", *["refund covered"] * 2]
    assert stage.audit().differences == []


def test_who_paid_is_told_of_what_is_given_back(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    paid, ben = anna.pay(3 * DOLLAR, cafe)["id"], stage.payer()
    for amount in (DOLLAR, CENT):
        assert cafe.refund(paid, amount).status_code == 202
    stage.settle()
    told = stage.get("/v1/personal-refunds?limit=1", **anna.headers())
    (newest,) = told["items"]
    assert {name: newest[name] for name in ("of", "merchant_id", "amount", "reward_taken_back", "state")} == {
        "of": paid,
        "merchant_id": cafe.id,
        "amount": str(CENT),
        "reward_taken_back": "0",
        "state": "done",
    }
    assert "note" not in newest
    rest = stage.get(f"/v1/personal-refunds?cursor={told['next_cursor']}", **anna.headers())
    assert [refund["amount"] for refund in rest["items"]] == [str(DOLLAR)]
    assert stage.get("/v1/personal-refunds", **ben.headers())["items"] == []


def test_a_refund_in_a_batch_that_waits_to_be_settled_is_settling(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    made = cafe.refund(anna.pay(DOLLAR, cafe)["id"]).json()["id"]
    stage.later(stage.settings.batch_interval_s + 1)
    stage.tick()
    assert _refund(cafe, made)["state"] == "settling"


def test_what_a_frozen_batch_has_promised_is_not_refunded_out_of(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    paid = anna.pay(DOLLAR, cafe)["id"]
    stage.later(stage.settings.batch_interval_s + 1)
    stage.tick()
    assert cafe.account()["pending"] == str(DOLLAR)
    assert assert_problem(cafe.refund(paid), "refund-not-covered", 409)["available"] == "0"
    stage.confirm()
    assert cafe.refund(paid).json()["state"] == "waiting"
    assert stage.audit().differences == []


def test_no_more_is_refunded_than_was_paid(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    paid = anna.pay(3 * DOLLAR, cafe)["id"]
    anna.pay(5 * DOLLAR, cafe)
    assert_problem(cafe.refund(paid, 3 * DOLLAR + 1), "refund-exceeds-payment", 409)
    assert_problem(cafe.refund(paid, 0), "zero-amount", 422)
    assert cafe.refund(paid, 2 * DOLLAR).status_code == 202
    for language in ("ko", "en"):
        headers = cafe.headers | key() | {"Accept-Language": language}
        body = {"of": paid, "amount": str(DOLLAR + 1)}
        answer = stage.client.post("/v1/refunds", json=body, headers=headers)
        assert assert_problem(answer, "refund-exceeds-payment", 409)["left"] == str(DOLLAR)
    assert cafe.refund(paid).json()["amount"] == str(DOLLAR)
    assert_problem(cafe.refund(paid), "refund-exceeds-payment", 409)
    assert [r["amount"] for r in stage.get("/v1/refunds", **cafe.headers)["items"]] == [str(DOLLAR), str(2 * DOLLAR)]
    stage.settle()
    assert stage.gift_tokens(anna.address) == 3 * DOLLAR
    assert stage.audit().differences == []


def test_dust_is_refunded_only_as_the_rest_of_a_payment(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    paid = anna.pay(2 * CENT + 1, cafe)["id"]
    for language in ("ko", "en"):
        headers = cafe.headers | key() | {"Accept-Language": language}
        answer = stage.client.post("/v1/refunds", json={"of": paid, "amount": str(CENT - 1)}, headers=headers)
        assert assert_problem(answer, "amount-too-small", 422)["least"] == str(CENT)
    assert [cafe.refund(paid, amount).status_code for amount in (CENT, CENT, 1)] == [202, 202, 202]
    stage.settle()
    assert stage.gift_tokens(anna.address) == 2 * CENT + 1
    assert stage.audit().differences == []


def test_of_many_part_refunds_at_once_no_more_than_was_paid_succeeds(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    paid = anna.pay(100 * CENT, cafe)["id"]
    anna.pay(3 * DOLLAR, cafe)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: cafe.refund(paid, 30 * CENT), range(8)))
    assert sorted(a.status_code for a in answers) == [202] * 3 + [409] * 5
    stage.settle()
    assert stage.gift_tokens(anna.address) == 90 * CENT
    assert stage.audit().differences == []


def test_a_repeated_refund_is_one(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    body, headers = {"of": anna.pay(DOLLAR, cafe)["id"], "amount": str(CENT)}, cafe.headers | key()
    first, second = (stage.client.post("/v1/refunds", json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert stage.rows("SELECT count(*) FROM refund") == [(1,)]
    ((type_, payload),) = stage.rows("SELECT type, payload FROM outbox_event WHERE type LIKE 'merchants.%'")
    assert type_ == "merchants.Refunded"
    assert first.json()["id"] in str(payload)


def test_only_who_was_paid_refunds(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    kiosk = stage.merchant("Kiosk")
    anna.pay(DOLLAR, kiosk)
    paid, gathered = anna.pay(DOLLAR, cafe)["id"], anna.pay(CENT)["id"]
    for source in (paid, gathered, "pay_none"):
        assert_problem(kiosk.refund(source), "not-found", 404)
    made = cafe.refund(paid).json()["id"]
    assert_problem(stage.client.get(f"/v1/refunds/{made}", headers=kiosk.headers), "not-found", 404)


def test_money_that_was_paid_out_is_not_there_to_refund(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    paid = anna.pay(DOLLAR, cafe)["id"]
    stage.settle()
    assert cafe.order_payout().status_code == 202
    stage.confirm()
    for language in ("ko", "en"):
        headers = cafe.headers | key() | {"Accept-Language": language}
        answer = stage.client.post("/v1/refunds", json={"of": paid}, headers=headers)
        assert assert_problem(answer, "refund-not-covered", 409)["available"] == "0"


def test_a_merchant_that_takes_what_is_held_from_the_contract_still_owes_the_refund(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    paid = anna.pay(2 * DOLLAR, cafe)["id"]
    stage.settle()
    assert cafe.refund(paid).json()["state"] == "waiting"
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, 2 * DOLLAR)
    stage.confirm()
    assert cafe.account()["refunding"] == "0"
    assert stage.audit().differences == []
    anna.pay(3 * DOLLAR, cafe)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 2 * DOLLAR
    assert cafe.account()["credit"] == str(DOLLAR)
    assert stage.audit().differences == []


def test_a_redemption_is_refunded_too(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    anna.pay(2 * DOLLAR)
    stage.settle()
    invoice = cafe.invoice(200)
    redemption = anna.pay_invoice_in_tokens(invoice).json()["id"]
    assert_problem(cafe.refund(redemption), "not-found", 404)  # nothing has come yet
    stage.confirm()
    assert cafe.refund(redemption, DOLLAR).json()["state"] == "waiting"
    assert cafe.record(invoice)["state"] == "partly_refunded"
    stage.payer().pay(DOLLAR, cafe)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


def test_refunds_take_no_others_money(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    """Two merchants, one batch: who gives back is credited less, the other what it was paid."""
    kiosk, ben = stage.merchant("Kiosk"), stage.payer()
    paid = anna.pay(2 * DOLLAR, cafe)["id"]
    ben.pay(DOLLAR, kiosk)
    assert cafe.refund(paid, DOLLAR).status_code == 202
    stage.settle()
    assert (cafe.account()["credit"], kiosk.account()["credit"]) == (str(DOLLAR), str(DOLLAR))
    assert stage.audit().differences == []


def test_a_refund_of_a_channel_in_quarantine_waits_with_it(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    """Its money is pending, but no batch brings it: the refund waits for what one does."""
    paid = anna.pay(2 * DOLLAR, cafe)["id"]
    made = cafe.refund(paid).json()["id"]
    stage.write(
        "INSERT INTO quarantine (id, public_id, channel_id, batch_id, reason, payments, amount, state, since) "
        "VALUES (1, 'qua_1', :id, 1, 'a test', 1, :amount, 'held', '2026-11-01 12:00:00')",
        id=anna.id,
        amount=2 * DOLLAR,
    )
    stage.write("UPDATE channel SET quarantine_id = 1 WHERE id = :id", id=anna.id)
    ben = stage.payer()
    ben.pay(DOLLAR, cafe)
    stage.settle()
    assert _refund(cafe, made)["state"] == "accepted"
    assert stage.gift_tokens(anna.address) == DOLLAR, "so much came in"
    ben.pay(2 * DOLLAR, cafe)
    stage.settle()
    assert _refund(cafe, made)["state"] == "done"
    assert stage.gift_tokens(anna.address) == 2 * DOLLAR
    assert stage.audit().differences == []


def test_not_more_of_them_wait_than_a_batch_can_keep_up_with(
    stage: Stage, cafe: Merchant, anna: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refunds, "MOST_WAITING", 2)
    paid = anna.pay(DOLLAR, cafe)["id"]
    assert [cafe.refund(paid, CENT).status_code for _ in range(2)] == [202, 202]
    for language in ("ko", "en"):
        headers = cafe.headers | key() | {"Accept-Language": language}
        answer = stage.client.post("/v1/refunds", json={"of": paid, "amount": str(CENT)}, headers=headers)
        assert_problem(answer, "too-many-refunds", 409)
    stage.settle()
    anna.pay(DOLLAR, cafe)
    assert cafe.refund(paid, CENT).status_code == 202


def test_a_refund_that_is_more_than_a_batch_brings_goes_in_parts(open_stage: StageFactory) -> None:
    """Whatever a batch brings the merchant goes to it, so that nothing is credited that is needed for the rest."""
    stage = open_stage(batch_max_payments=1)
    cafe, anna, ben = stage.merchant(), stage.payer(), stage.payer()
    paid = anna.pay(2 * DOLLAR, cafe)["id"]
    stage.settle()
    ben.pay(DOLLAR, cafe)
    ben.pay(150 * CENT, cafe)
    made = cafe.refund(paid).json()
    assert made["state"] == "accepted"
    stage.later(stage.settings.batch_interval_s + 1)
    stage.tick()
    assert stage.rows("SELECT credited, entitled FROM batch WHERE id = 2") == [(0, DOLLAR)]
    stage.settle()
    assert stage.rows("SELECT credited, entitled FROM batch WHERE id = 3") == [(50 * CENT, DOLLAR)]
    assert _refund(cafe, made["id"])["state"] == "done"
    assert stage.gift_tokens(anna.address) == 2 * DOLLAR
    assert cafe.account()["credit"] == str(250 * CENT)
    assert stage.audit().differences == []


def test_what_covers_a_refund_is_not_paid_out(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    """A part of it waits to be settled, the rest is credit."""
    paid = anna.pay(5 * DOLLAR, cafe)["id"]
    stage.settle()
    assert cafe.order_payout(4 * DOLLAR).status_code == 202
    stage.payer().pay(4 * DOLLAR, cafe)
    assert cafe.refund(paid).json()["state"] == "waiting"
    stage.settle()
    assert (cafe.account()["credit"], cafe.account()["refunding"]) == ("0", str(DOLLAR))
    assert_problem(cafe.order_payout(), "insufficient-credit", 422)
    assert stage.gift_tokens(anna.address) == 4 * DOLLAR
    stage.payer().pay(DOLLAR, cafe)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 5 * DOLLAR
    assert (cafe.account()["credit"], cafe.account()["refunding"]) == (str(DOLLAR), "0")
    assert stage.audit().differences == []


def test_new_credit_is_held_for_what_is_still_owed(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    """What was held the merchant has taken from the contract; a batch that was frozen before credits it more."""
    paid = anna.pay(2 * DOLLAR, cafe)["id"]
    stage.settle()
    stage.payer().pay(3 * DOLLAR, cafe)
    stage.later(stage.settings.batch_interval_s + 1)
    stage.tick()
    assert cafe.refund(paid).json()["state"] == "waiting"
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, 2 * DOLLAR)
    stage.confirm()
    assert (cafe.account()["credit"], cafe.account()["refunding"]) == (str(DOLLAR), str(2 * DOLLAR))
    assert stage.audit().differences == []


def test_a_refund_leaves_a_merchant_that_is_not_in_the_batch_alone(open_stage: StageFactory) -> None:
    stage = open_stage(batch_max_payments=1)
    cafe, kiosk, anna = stage.merchant(), stage.merchant("Kiosk"), stage.payer()
    anna.pay(DOLLAR, kiosk)
    made = cafe.refund(anna.pay(DOLLAR, cafe)["id"], CENT).json()["id"]
    stage.later(stage.settings.batch_interval_s + 1)
    stage.tick()
    assert stage.rows("SELECT credited, entitled FROM batch") == [(DOLLAR, 0)]
    assert _refund(cafe, made)["state"] == "accepted"
