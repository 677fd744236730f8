"""A hub whose database is put back to an older state: it catches up with its chain, then goes on; nothing is paid twice."""

import random
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from taesan.core import restoration
from taesan.settlement import pipeline
from tests.support.chain import RICH_KEY
from tests.support.examples import examples
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, key
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")


class Sent:
    """What a client has sent and keeps, as it does until it has an answer."""

    def __init__(self, payer: Payer, amount: int, merchant: Merchant | None = None) -> None:
        self.payer, self.amount = payer, amount
        self.body, self.key = payer.payment(amount, merchant), key()
        self.answer = self.again()
        assert self.answer.status_code == 201, self.answer.text
        payer.charged += amount

    def again(self) -> httpx.Response:
        return self.payer.stage.client.post("/v1/payments", json=self.body, headers=self.key)


def _is_reconciling(stage: Stage) -> bool:
    with stage.hub.db.read() as session:
        return restoration.is_reconciling(session)


def _mark(stage: Stage) -> None:
    with stage.hub.db.write() as session:
        restoration.mark(session, "a test", stage.clock.now())
    stage.restart()


def _catch_up(stage: Stage) -> dict[str, int]:
    """Until the hub takes in again; what the audit has counted."""
    stage.confirm()
    assert not _is_reconciling(stage)
    report = stage.audit()
    assert report.differences == []
    return report.counted


def _goes_on(stage: Stage, payers: list[Payer], merchant: Merchant) -> None:
    """New payments to the jar and to a merchant are settled, minted and paid out as ever."""
    for payer in payers:
        payer.resume()
        payer.pay(DOLLAR, merchant)
        payer.pay(DOLLAR + 30 * CENT)
    stage.settle()
    assert set(stage.batch_states()) == {"posted"}
    assert merchant.order_payout().status_code == 202
    stage.confirm()
    assert merchant.account()["paying_out"] == "0"
    assert stage.audit().differences == []
    assert stage.balance("recovered") == stage.balance("shortfall") == 0


def test_firings_without_a_payment_are_found_on_the_chain_whether_they_are_known_or_lost(stage: Stage) -> None:
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    hers, his = (payer.sign_rule("top-ups", "when I say so") for payer in (anna, ben))
    for payer, rule in ((anna, hers), (ben, his)):
        rule.pay(30 * CENT)
        payer.pay(20 * CENT)
        payer.pay(DOLLAR, cafe)
    assert hers.ask("fire").status_code == 200
    kept = stage.kept()

    assert his.ask("fire").status_code == 200
    hers.pay(5 * CENT)
    stage.settle()
    assert (stage.gift_tokens(anna.address), stage.gift_tokens(ben.address)) == (30 * CENT, 30 * CENT)

    stage.restore(kept)
    _catch_up(stage)
    assert stage.balance("jar", anna.id) == 20 * CENT
    assert stage.balance("jar", ben.id) == 20 * CENT
    assert [kind for kind, _ in his.history()] == ["released"]
    assert [kind for kind, _ in hers.history()] == ["fired"]
    _goes_on(stage, [anna, ben], cafe)


def test_what_was_settled_after_the_backup_is_in_the_books_again(stage: Stage) -> None:
    anna, ben, cafe, kiosk = stage.payer(), stage.payer(), stage.merchant(), stage.merchant("Kiosk")
    anna.pay(30 * CENT)
    anna.pay(2 * DOLLAR, cafe)
    ben.pay(DOLLAR, kiosk)
    kept = stage.kept()

    anna.pay(80 * CENT)  # the jar fires, with what was in it at the time of the backup
    anna.pay(DOLLAR, cafe)
    ben.pay(30 * CENT, cafe)
    stage.settle()
    assert kiosk.order_payout(60 * CENT).status_code == 202
    assert cafe.redeem(anna.wallet, 50 * CENT).status_code == 202
    carla = stage.payer()
    carla.pay(20 * CENT, kiosk)
    anna.pay(5 * CENT)
    stage.settle()
    owed = {m.address: stage.balance("credit", m.address) for m in (cafe, kiosk)}
    assert owed == {cafe.address: 3 * DOLLAR + 80 * CENT, kiosk.address: 60 * CENT}
    expected = {kind: stage.balance(kind) for kind in ("escrow", "reserve", "gift_supply")}

    stage.restore(kept)
    assert_problem(anna.try_to_pay(CENT, cafe), "reconciling", 503)
    counted = _catch_up(stage)
    assert {m.address: stage.balance("credit", m.address) for m in (cafe, kiosk)} == owed
    assert {kind: stage.balance(kind) for kind in expected} == expected
    assert (counted["recovered batches"], counted["payments in them unknown here"]) == (2, 5)
    assert counted["paid by vouchers unknown here"] == 2 * DOLLAR + 50 * CENT
    # What was known is no longer waiting, what was gathered and not fired is the payers' own.
    assert stage.balance("pending", cafe.address) == stage.balance("pending", kiosk.address) == 0
    assert stage.balance("jar", anna.id) == 10 * CENT
    assert stage.balance("channel", anna.id) == 10 * DOLLAR - 4 * DOLLAR - 10 * CENT
    assert anna.charged - int(_charged(stage, anna)) == 5 * CENT, "a voucher for the jar that the chain has not seen"
    batch = stage.get("/v1/batches/1")
    assert (batch["payments_root"], batch["payments"]) == (None, 6)
    assert stage.client.get("/batches/1").status_code == 200
    known = stage.rows("SELECT public_id FROM payment WHERE batch_id = 1 ORDER BY id")[0][0]
    assert_problem(stage.client.get(f"/v1/payments/{known}/proof"), "proof-lost", 409)
    _goes_on(stage, [anna, ben, carla], cafe)


def test_a_refund_that_was_settled_after_the_backup_is_in_the_books_again(stage: Stage) -> None:
    """One that the backup knows, and one that it does not."""
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    paid = anna.pay(2 * DOLLAR, cafe)["id"]
    later = ben.pay(3 * DOLLAR, cafe)["id"]
    assert cafe.refund(paid, DOLLAR).json()["state"] == "accepted"
    kept = stage.kept()

    assert cafe.refund(later, 50 * CENT).json()["state"] == "accepted"
    anna.pay(DOLLAR, cafe)
    stage.settle()
    owed = cafe.account()["credit"]
    assert owed == str(4 * DOLLAR + 50 * CENT)

    stage.restore(kept)
    _catch_up(stage)
    assert cafe.account() == {
        "merchant_id": cafe.id,
        "pending": "0",
        "credit": owed,
        "paying_out": "0",
        "refunding": "0",
        "budget": "0",
    }
    assert (stage.gift_tokens(anna.address), stage.gift_tokens(ben.address)) == (DOLLAR, 50 * CENT)
    (refund,) = stage.get("/v1/refunds", **cafe.headers)["items"]
    assert (refund["of"], refund["state"], refund["batch_id"]) == (paid, "done", 1)
    _goes_on(stage, [anna, ben], cafe)


def test_a_lost_refund_of_known_payments_alone_does_not_stop_the_books(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    paid = anna.pay(2 * DOLLAR, cafe)["id"]
    kept = stage.kept()
    assert cafe.refund(paid).json()["state"] == "accepted"
    stage.settle()
    stage.restore(kept)
    _catch_up(stage)
    assert cafe.account()["pending"] == cafe.account()["credit"] == "0"
    assert stage.gift_tokens(anna.address) == 2 * DOLLAR
    _goes_on(stage, [anna], cafe)


def _charged(stage: Stage, payer: Payer) -> int:
    sql = "SELECT charged.amount FROM charged JOIN channel USING (account_id) WHERE channel.id = :id"
    return int(stage.rows(sql, id=payer.id)[0][0])


def test_a_batch_of_which_all_payments_are_known_is_whole_again(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR + 20 * CENT)
    paid = anna.pay(2 * DOLLAR, cafe)
    kept = stage.kept()
    stage.settle()
    stage.restore(kept)
    counted = _catch_up(stage)
    assert "recovered batches" not in counted
    proof = stage.get(f"/v1/payments/{paid['id']}/proof")
    assert proof["root"] == stage.get("/v1/batches/1")["root"]
    assert stage.get("/v1/batches/1")["transaction"] is not None
    _goes_on(stage, [anna], cafe)


def test_payments_that_were_lost_are_taken_once_more_and_once_only(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    first = Sent(anna, DOLLAR, cafe)
    kept = stage.kept()
    lost = [Sent(anna, 30 * CENT), Sent(anna, DOLLAR, cafe), Sent(anna, 80 * CENT), Sent(anna, 20 * CENT, cafe)]
    stage.restore(kept)
    _mark(stage)  # nothing on the chain tells of them
    assert_problem(lost[0].again(), "reconciling", 503)
    assert first.again().status_code == 201, "an answer that is kept is given"
    _catch_up(stage)
    assert_problem(lost[1].again(), "voucher-out-of-sequence", 409)
    assert [sent.again().status_code for sent in lost] == [201] * 4
    for sent in [first, *lost]:
        answer = sent.again()
        assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (201, "true")
    assert anna.channel()["charged_cumulative"] == str(anna.charged)
    stage.settle()
    assert cafe.account()["credit"] == str(2 * DOLLAR + 20 * CENT)
    assert stage.audit().differences == []
    assert stage.audit().counted["payments"] == 5


def test_lost_payments_that_the_chain_has_settled_are_not_taken_again(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    kept = stage.kept()
    settled = [Sent(anna, DOLLAR, cafe), Sent(anna, 30 * CENT), Sent(anna, DOLLAR, cafe)]
    stage.settle()
    open_ = [Sent(anna, 50 * CENT, cafe), Sent(anna, 10 * CENT)]
    stage.restore(kept)
    _catch_up(stage)
    for sent in settled:
        body = assert_problem(sent.again(), "voucher-out-of-sequence", 409)
        assert body["channel"]["charged_cumulative"] == str(2 * DOLLAR + 30 * CENT)
    assert [sent.again().status_code for sent in open_] == [201, 201]
    stage.settle()
    assert cafe.account()["credit"] == str(2 * DOLLAR + 50 * CENT)
    assert stage.audit().differences == []


def test_an_order_that_was_paid_after_the_backup_is_not_paid_again(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(4 * DOLLAR, cafe)
    stage.settle()
    order = cafe.order_payout(DOLLAR).json()
    kept = stage.kept()
    stage.confirm()
    stage.restore(kept)
    _catch_up(stage)
    assert stage.get(f"/v1/payouts/{order['id']}", **cafe.headers)["state"] == "paid"
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == DOLLAR
    assert stage.chain.read("settlement", "credits", cafe.address) == 3 * DOLLAR == int(cafe.account()["credit"])


STAGES: dict[str, Callable[[Stage], Any]] = {
    "frozen": lambda stage: None,
    "signed": lambda stage: pipeline.sign_step(stage.hub),
}


@pytest.mark.parametrize("state", STAGES)
def test_a_batch_that_was_on_its_way_is_recognised_as_ours(stage: Stage, state: str) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR + 20 * CENT)
    anna.pay(2 * DOLLAR, cafe)
    stage.later(61)
    assert pipeline.freeze_step(stage.hub)
    STAGES[state](stage)
    assert stage.batch_states() == [state]
    kept = stage.kept()
    anna.pay(DOLLAR, cafe)
    stage.confirm()
    stage.settle()
    stage.restore(kept)
    _mark(stage)
    stage.confirm()
    assert stage.batch_states() == ["posted", "posted"]
    counted = _catch_up(stage)
    assert counted["recovered batches"] == 1
    assert counted["payment proofs"] == 2
    # And what was signed then is known to be mined, not sent anew.
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE state NOT IN ('confirmed')") == [(0,)]
    _goes_on(stage, [anna], cafe)


def test_a_frozen_batch_of_which_the_chain_has_another_is_dissolved(stage: Stage) -> None:
    """Such as one that was frozen, restored away, and frozen again with more in it."""
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    before = stage.kept()
    stage.later(61)
    assert pipeline.freeze_step(stage.hub)
    frozen = stage.kept()
    stage.restore(before)
    anna.pay(DOLLAR + 10 * CENT)
    ben.pay(DOLLAR, cafe)
    stage.settle()
    stage.restore(frozen)
    assert stage.batch_states() == ["frozen"]
    counted = _catch_up(stage)
    assert counted["recovered batches"] == 1
    assert stage.rows("SELECT batch_id FROM payment") == [(1,)]
    _goes_on(stage, [anna, ben], cafe)


def test_nothing_is_accepted_while_a_transaction_of_the_lost_time_is_on_its_way(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    kept = stage.kept()
    anna.pay(2 * DOLLAR, cafe)
    stage.later(61)
    with stage.chain.mining_paused():
        stage.tick(2)
        assert stage.batch_states() == ["broadcast"]
        stage.restore(kept)
        _mark(stage)
        stage.tick(3)
        assert_problem(anna.try_to_pay(CENT, cafe), "reconciling", 503)
        stage.chain.mine()
        stage.tick(3)
        assert_problem(anna.try_to_pay(CENT, cafe), "reconciling", 503)
    counted = _catch_up(stage)
    assert counted["recovered batches"] == 1
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    _goes_on(stage, [anna], cafe)


def test_everything_else_that_costs_money_waits_too_and_reading_goes_on(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(2 * DOLLAR + 20 * CENT)
    anna.pay(DOLLAR, cafe)
    stage.settle()
    _mark(stage)
    new = Payer(stage, Wallet())
    stage.chain.give_dollars(new.address, DOLLAR)
    deposit = {"config": new.config, "deposit": new.wallet.deposit(stage.facts, new.config, DOLLAR)}
    assert_problem(stage.client.post("/v1/channels", json=deposit, headers=key()), "reconciling", 503)
    assert_problem(cafe.redeem(anna.wallet, CENT), "reconciling", 503)
    assert_problem(cafe.order_payout(CENT), "reconciling", 503)
    answer = stage.client.post("/v1/payments", json=anna.payment(CENT), headers=key() | {"accept-language": "ko"})
    assert answer.headers["retry-after"] == "10"
    assert assert_problem(answer, "reconciling", 503)["title"].startswith("백업")
    bulk = {"payments": [anna.payment(CENT) | {"idempotency_key": "x"}]}
    answers = stage.client.post("/v1/payments/bulk", json=bulk).json()["results"]
    assert answers[0]["problem"]["type"].endswith(":reconciling")
    assert anna.channel()["available"] == str(10 * DOLLAR - 3 * DOLLAR - 20 * CENT)
    assert stage.client.get("/").status_code == 200
    stage.tick()
    assert stage.client.post("/v1/channels", json=deposit, headers=key()).status_code == 202


def test_a_hub_that_lost_everything_has_its_books_from_the_chain(stage: Stage) -> None:
    empty = stage.kept()
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR + 30 * CENT)
    anna.pay(DOLLAR, cafe)
    stage.settle()
    cafe.redeem(anna.wallet, 50 * CENT)
    stage.confirm()
    stage.restore(empty)
    _catch_up(stage)
    assert stage.balance("credit", cafe.address) == DOLLAR + 50 * CENT
    again = Merchant(stage, cafe.wallet, "Café Dust")  # the same address, so the same credit
    assert again.account()["credit"] == str(DOLLAR + 50 * CENT)
    _goes_on(stage, [anna], again)


def test_money_that_came_and_went_without_the_hub_is_booked(stage: Stage) -> None:
    anna, ben, cafe = stage.payer(), stage.payer(), stage.merchant()
    ben.pay(DOLLAR, cafe)
    kept = stage.kept()
    ben.pay(DOLLAR + 50 * CENT)
    stage.settle()
    anna.announce_withdrawal(10 * DOLLAR)
    stage.confirm()
    anna.finish_withdrawal()
    ben.deposit_directly(3 * DOLLAR)
    stage.chain.send(ben.wallet.key, "settlement", "redeem", 40 * CENT, ben.address)
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, 30 * CENT)
    stage.chain.send(RICH_KEY, "asset", "mint", stage.chain.deployment.settlement, CENT)
    stage.confirm()
    stage.restore(kept)
    _catch_up(stage)
    assert stage.balance("channel", anna.id) == 0
    _goes_on(stage, [ben], cafe)


@pytest.mark.parametrize("seed", range(max(2, examples(2))))
def test_any_backup_leads_back_to_the_chain(stage: Stage, seed: int) -> None:
    """Random stories with a backup at random points; each is restored, in any order, on the same chain."""
    chance = random.Random(seed)
    merchants = [stage.merchant("Café"), stage.merchant("Kiosk")]
    payers = [stage.payer(40 * DOLLAR) for _ in range(3)]
    kept: list[str] = []

    def step() -> None:
        kind = chance.choices(("pay", "settle", "tick", "redeem", "payout"), (8, 2, 1, 1, 1))[0]
        payer, merchant = chance.choice(payers), chance.choice(merchants)
        if kind == "pay":
            payer.pay(chance.randrange(1, 150) * CENT, chance.choice([*merchants, None]))
        elif kind == "settle":
            stage.settle()
        elif kind == "tick":
            stage.later(61)
            stage.tick()
        elif kind == "redeem" and stage.gift_tokens(payer.address):
            merchant.redeem(payer.wallet, CENT)
        elif kind == "payout":
            merchant.order_payout(chance.randrange(1, 50) * CENT)  # refused if the credit does not cover it

    for _ in range(3):
        for _ in range(chance.randrange(3, 9)):
            step()
        kept.append(stage.kept())
        for _ in range(chance.randrange(3, 9)):
            step()
    for backup in chance.sample(kept, 3):
        stage.restore(backup)
        _mark(stage)
        _catch_up(stage)
        for payer in payers:
            payer.resume()
        for _ in range(chance.randrange(2, 7)):
            step()
        stage.settle()
        report = stage.audit()
        assert report.differences == []
        assert stage.balance("recovered") == stage.balance("shortfall") == 0
