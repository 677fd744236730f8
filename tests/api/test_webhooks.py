"""What merchants are told of what happens in a hub: each thing once, in the API's own shapes, and never at the pipeline's cost."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlmodel import Session, col

from taesan.core import outbox
from taesan.core.db import Database
from taesan.payments.models import Payment
from taesan.webhooks import events, loyalty
from taesan.webhooks.couriers import Couriers, WebhookWorker
from taesan.webhooks.events import tell_payments_step
from taesan.webhooks.schedule import EVENT_TYPES
from taesan.work import event_handlers
from tests.support.receiver import Answer, Receiver, verify_by
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, key
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

ALL = list(EVENT_TYPES)


class Told:
    """Merchants' receivers, and the couriers that go there."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.couriers = stage, Couriers(stage.hub)
        self.receivers: list[Receiver] = []

    def listen(self, merchant: Merchant, *types: str) -> Receiver:
        receiver = Receiver()
        self.receivers.append(receiver)
        made = self.call(merchant, "POST", "", {"url": receiver.url, "event_types": types or ALL})
        receiver.secret, receiver.id = made["secret"], made["id"]
        return receiver

    def call(self, merchant: Merchant, method: str, path: str, body: Any = None) -> Any:
        answer = self.stage.client.request(method, f"/v1/webhooks{path}", json=body, headers=merchant.headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def go(self) -> None:
        while tell_payments_step(self.stage.hub):
            pass
        while self.couriers.step():
            pass

    def close(self) -> None:
        self.couriers.close()
        for receiver in self.receivers:
            receiver.close()


@pytest.fixture
def told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    verify_by(monkeypatch, stage.clock)
    with closing(Told(stage)) as told:
        yield told


# ------------------------------------------------------------------- payments


def test_payments_are_told_gathered_as_the_api_tells_them_and_once(stage: Stage, told: Told) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(CENT, cafe)
    receiver = told.listen(cafe)
    for n in range(5):
        anna.pay(CENT, cafe, reference=f"cup {n}")
    anna.pay(CENT)  # to her jar
    told.go()
    listed = stage.get("/v1/payments", **cafe.headers)["items"]
    (data,) = receiver.data("payment.received")
    assert data["payments"] == listed[:5][::-1], "oldest first, without the one from before the webhook"
    told.go()
    anna.pay(CENT, cafe)
    told.go()
    told.go()
    assert [len(data["payments"]) for data in receiver.data("payment.received")] == [5, 1]
    assert len(receiver.got) == len(set(receiver.ids)) == 2


def test_many_payments_are_so_many_to_a_delivery(stage: Stage, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAYMENTS_EACH", 10)
    anna, cafe = stage.payer(), stage.merchant()
    receiver = told.listen(cafe, "payment.received")
    _pay_in_bulk(stage, anna, cafe, 27)
    told.go()
    sizes = [len(data["payments"]) for data in receiver.data("payment.received")]
    assert sorted(sizes) == [7, 10, 10]
    ids = [payment["id"] for data in receiver.data("payment.received") for payment in data["payments"]]
    assert len(set(ids)) == len(ids) == 27


def _pay_in_bulk(stage: Stage, anna: Payer, cafe: Merchant, count: int) -> None:
    bulk = []
    for n in range(count):
        bulk.append(anna.payment(1, cafe) | {"idempotency_key": f"bulk-{n}"})
        anna.charged += 1
    answer = stage.client.post("/v1/payments/bulk", json={"payments": bulk})
    assert {result["status"] for result in answer.json()["results"]} == {201}


def test_a_retry_tells_the_same_though_the_payments_have_gone_on(stage: Stage, told: Told) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    receiver = told.listen(cafe, "payment.received")
    receiver.answer = lambda _: Answer(500)
    anna.pay(DOLLAR, cafe)
    told.go()
    stage.settle()
    assert stage.get("/v1/payments", **cafe.headers)["items"][0]["batch_id"] == 1
    receiver.answer = lambda _: Answer()
    told.go()
    assert len(receiver.got) == 2
    assert len({r.body for r in receiver.got}) == len({r.id for r in receiver.got}) == 1


def test_each_merchant_is_told_of_its_own_and_each_endpoint_of_it(stage: Stage, told: Told) -> None:
    anna, cafe, kiosk, silent = stage.payer(), stage.merchant(), stage.merchant("Kiosk"), stage.merchant("Silent")
    one, two, other = told.listen(cafe), told.listen(cafe, "payment.received"), told.listen(kiosk)
    for merchant in (cafe, kiosk, silent):
        anna.pay(CENT, merchant)
    stage.settle()
    told.go()
    for receiver, merchant in ((one, cafe), (two, cafe), (other, kiosk)):
        (data,) = receiver.data("payment.received")
        assert [p["id"] for p in data["payments"]] == [
            p["id"] for p in stage.get("/v1/payments", **merchant.headers)["items"]
        ]
    assert sorted(two.types()) == ["payment.received"]
    assert sorted(one.types()) == sorted(other.types()) == ["payment.received", "payment.settled"]


def test_what_happens_while_a_webhook_is_off_or_does_not_want_payments_is_not_told_later(
    stage: Stage, told: Told
) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    receiver = told.listen(cafe, "payment.received")
    changes = [
        {"enabled": False},
        {"enabled": True},
        {"event_types": ["payout.paid"]},
        {"event_types": ["payment.received"]},
    ]
    for n, change in enumerate(changes):
        told.call(cafe, "PATCH", f"/{receiver.id}", change)
        anna.pay(CENT, cafe, reference=f"{n}")
        told.go()
    references = [p["reference"] for data in receiver.data("payment.received") for p in data["payments"]]
    assert references == ["1", "3"]


def test_two_workers_gather_each_payment_once(stage: Stage, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one of them takes at once."""
    monkeypatch.setattr(events, "PAYMENTS_EACH", 5)
    monkeypatch.setattr(events, "DELIVERIES_EACH", 2)
    anna, cafe = stage.payer(), stage.merchant()
    receiver = told.listen(cafe, "payment.received")
    _pay_in_bulk(stage, anna, cafe, 150)
    meet = threading.Barrier(4)

    def gather() -> None:
        meet.wait()
        while tell_payments_step(stage.hub):
            pass

    threads = [threading.Thread(target=gather) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.go()
    ids = [payment["id"] for data in receiver.data("payment.received") for payment in data["payments"]]
    assert len(set(ids)) == len(ids) == 150


@pytest.mark.database("postgresql")
def test_a_payment_that_is_committed_late_is_told_too(stage: Stage, told: Told) -> None:
    """Where intakes work side by side, a payment with a lower number can be committed after one with a higher."""
    anna, cafe = stage.payer(), stage.merchant()
    receiver = told.listen(cafe, "payment.received")
    low, high = anna.pay(CENT, cafe)["id"], anna.pay(CENT, cafe)["id"]
    with stage.hub.db.write() as session:
        row = session.scalars(select(Payment).where(col(Payment.public_id) == low)).one().model_dump()
        session.execute(delete(Payment).where(col(Payment.public_id) == low))
    gathering = threading.Thread(target=told.go)
    other = Database(stage.hub.db.url)
    with other.take_in() as session:  # another process's intake, which has its number and has not committed yet
        session.execute(insert(Payment).values(**row))
        gathering.start()
        gathering.join(1)
        assert receiver.got == []
    gathering.join(30)
    other.close()
    told.go()
    assert [p["id"] for data in receiver.data("payment.received") for p in data["payments"]] == [low, high]


# ------------------------------------------------------- what the chain has done


@pytest.fixture
def holder(stage: Stage) -> Payer:
    """Somebody with two dollars in gift tokens."""
    anna = stage.payer()
    anna.pay(2 * DOLLAR)
    stage.settle()
    return anna


def test_a_settled_batch_is_told_with_what_the_merchant_is_credited(stage: Stage, told: Told) -> None:
    anna, cafe, kiosk = stage.payer(), stage.merchant(), stage.merchant("Kiosk")
    receiver = told.listen(cafe, "payment.settled")
    anna.pay(DOLLAR, cafe)
    anna.pay(2 * DOLLAR, cafe)
    anna.pay(DOLLAR, kiosk)
    stage.settle()
    told.go()
    batch = stage.get("/v1/batches/1")
    expected = {"batch_id": 1, "amount": str(3 * DOLLAR), "transaction": batch["transaction"]}
    assert receiver.data("payment.settled") == [expected]
    stage.settle()
    told.go()
    assert len(receiver.got) == 1


def test_a_payout_is_told_when_it_is_paid(stage: Stage, told: Told) -> None:
    cafe = stage.merchant()
    stage.payer().pay(2 * DOLLAR, cafe)
    stage.settle()
    receiver = told.listen(cafe, "payout.paid", "payout.failed")
    ordered = cafe.order_payout(DOLLAR).json()["id"]
    told.go()
    assert receiver.got == []
    stage.confirm()
    told.go()
    assert receiver.data("payout.paid") == [stage.get(f"/v1/payouts/{ordered}", **cafe.headers)]
    assert receiver.types() == ["payout.paid"]


@pytest.mark.parametrize("after_simulation", [False, True])
def test_a_payout_that_fails_is_told_with_why(stage: Stage, told: Told, after_simulation: bool) -> None:
    cafe = stage.merchant()
    stage.payer().pay(2 * DOLLAR, cafe)
    stage.settle()
    receiver = told.listen(cafe, "payout.paid", "payout.failed")
    ordered = cafe.order_payout().json()["id"]
    withdraw = (cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, DOLLAR)
    if after_simulation:
        with stage.chain.mining_paused():
            stage.tick()
            stage.chain.jump_queue(*withdraw)
            stage.chain.mine()
    else:
        stage.chain.send(*withdraw)
    stage.confirm()
    stage.confirm()
    told.go()
    (data,) = receiver.data("payout.failed")
    assert data == stage.get(f"/v1/payouts/{ordered}", **cafe.headers)
    assert data["reason"]
    assert receiver.types() == ["payout.failed"]


def test_redemptions_are_told_whether_they_succeed_or_fail(stage: Stage, told: Told, holder: Payer) -> None:
    cafe, kiosk = stage.merchant(), stage.merchant("Kiosk")
    at_cafe, at_kiosk = told.listen(cafe), told.listen(kiosk)
    one = cafe.redeem(holder.wallet, 2 * DOLLAR).json()["id"]
    two = kiosk.redeem(holder.wallet, 2 * DOLLAR).json()["id"]
    stage.confirm()
    stage.confirm()
    told.go()
    assert at_cafe.data("redemption.confirmed") == [stage.get(f"/v1/redemptions/{one}", **cafe.headers)]
    assert at_kiosk.data("redemption.failed") == [stage.get(f"/v1/redemptions/{two}", **kiosk.headers)]
    assert (at_cafe.types(), at_kiosk.types()) == (["redemption.confirmed"], ["redemption.failed"])


def test_invoices_are_told_when_they_are_paid_or_expire(stage: Stage, told: Told, holder: Payer) -> None:
    cafe, anna = stage.merchant(), stage.payer()
    receiver = told.listen(cafe, "invoice.paid", "invoice.expired")
    in_credit, in_tokens, forgotten = cafe.invoice(1, reference="table 3"), cafe.invoice(100), cafe.invoice(2)
    assert anna.pay_invoice(in_credit).status_code == 201
    assert holder.pay_invoice_in_tokens(in_tokens).status_code == 202
    stage.confirm()
    stage.later(int(timedelta(hours=1).total_seconds()))
    stage.confirm()
    told.go()
    assert _by_id(receiver.data("invoice.paid")) == _by_id([cafe.record(in_credit), cafe.record(in_tokens)])
    assert receiver.data("invoice.expired") == [cafe.record(forgotten)]
    assert {data["state"] for data in receiver.data("invoice.paid")} == {"paid"}


def test_a_refund_is_told_when_it_is_accepted(stage: Stage, told: Told) -> None:
    cafe = stage.merchant()
    receiver = told.listen(cafe, "refund.accepted")
    refund = cafe.refund(stage.payer().pay(DOLLAR, cafe)["id"], 40 * CENT).json()
    stage.tick()
    told.go()
    assert receiver.data("refund.accepted") == [refund]


def test_what_a_merchants_own_wallet_has_forgotten_is_told(stage: Stage, told: Told) -> None:
    anna = stage.payer()
    cafe = Merchant(stage, anna.wallet, "Café Dust")
    receiver = told.listen(cafe, "reminder.due")
    anna.pay(30 * CENT)
    stage.later(stage.settings.idle_jar_days * 86_400)
    stage.confirm()
    stage.later(61)
    stage.confirm()
    told.go()
    assert receiver.data("reminder.due") == stage.get("/v1/reminders", **stage.session_of(anna.wallet))["items"]
    assert [data["kind"] for data in receiver.data("reminder.due")] == ["idle_jar"]


def _by_id(things: Iterable[Json]) -> dict[str, Json]:
    return {thing["id"]: thing for thing in things}


def test_every_event_type_but_two_comes_from_the_outbox(stage: Stage) -> None:
    """And a handler stands behind the books' own: what it makes is in their transaction."""
    names = events.handlers(stage.hub).keys() | loyalty.handlers(stage.hub).keys()
    told_with_another = ["member.tier_at_risk"]  # which is of the same outbox event as `member.tier_changed`
    assert len(names) == len(EVENT_TYPES) - len(["payment.received", "webhook.test"]) - len(told_with_another)
    assert all(name in event_handlers(stage.hub) for name in names)
    *_, told = event_handlers(stage.hub)["settlement.BatchSettled"]
    assert told is events.handlers(stage.hub)["settlement.BatchSettled"]


def test_an_event_whose_handling_fails_makes_no_delivery(
    stage: Stage, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    cafe = stage.merchant()
    receiver = told.listen(cafe, "payment.settled")
    stage.payer().pay(DOLLAR, cafe)
    made: list[int] = []

    def broken(session: Session, *_: Any) -> None:
        made.append(len(stage.hub.db.url))
        raise RuntimeError("after the delivery was made")

    handlers = event_handlers(stage.hub)
    handlers["settlement.BatchSettled"].append(broken)
    monkeypatch.setitem(
        stage.worker.steps, "book events", lambda: outbox.deliver(stage.hub.db, handlers, stage.clock) > 0
    )
    stage.settle()
    told.go()
    assert made
    assert receiver.got == []
    handlers["settlement.BatchSettled"].remove(broken)
    stage.confirm()
    told.go()
    assert receiver.types() == ["payment.settled"]


# --------------------------------------------------------------- beside all else


def test_a_receiver_that_hangs_holds_up_neither_payments_nor_their_settlement(stage: Stage, told: Told) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    receiver = told.listen(cafe)
    free, came = threading.Event(), threading.Event()

    def hang(_: Any) -> Answer:
        came.set()
        free.wait(30)
        return Answer()

    receiver.answer = hang
    anna.pay(DOLLAR, cafe)
    worker = WebhookWorker(stage.hub, told.couriers)
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert came.wait(20)
    anna.pay(DOLLAR, cafe)
    stage.settle()
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert not free.is_set()
    free.set()
    worker.stopping.set()
    thread.join()
    assert stage.audit().differences == []


def test_a_key_without_the_scope_reads_and_changes_no_webhook(stage: Stage, told: Told) -> None:
    cafe = stage.merchant()
    receiver = told.listen(cafe)
    session = stage.session_of(cafe.wallet)
    made = {}
    for scope in ("webhooks:read", "payments:read"):
        answer = stage.client.post("/v1/merchants/me/keys", json={"scopes": [scope]}, headers=session)
        made[scope] = {"Authorization": f"Bearer {answer.json()['api_key']}"}
    path = f"/v1/webhooks/{receiver.id}"
    assert stage.client.get(path, headers=made["webhooks:read"]).status_code == 200
    assert stage.client.get(path, headers=made["payments:read"]).status_code == 403
    for method, body in (("DELETE", None), ("PATCH", {"enabled": False})):
        assert stage.client.request(method, path, json=body, headers=made["webhooks:read"]).status_code == 403
    assert stage.client.post(f"{path}/rotate", json={"overlap_s": 0}, headers=made["webhooks:read"]).status_code == 403


def test_a_merchants_webhooks_are_nobody_elses(stage: Stage, told: Told) -> None:
    cafe, eve = stage.merchant(), Merchant(stage, Wallet(), "Eve's")
    receiver = told.listen(cafe)
    delivery = told.call(cafe, "POST", f"/{receiver.id}/test")["id"]
    own = told.listen(eve)
    for path in (f"/{receiver.id}", f"/{receiver.id}/deliveries", f"/{own.id}/deliveries/{delivery}"):
        assert stage.client.get(f"/v1/webhooks{path}", headers=eve.headers).status_code == 404
    answer = stage.client.post(f"/v1/webhooks/{own.id}/deliveries/{delivery}/redeliver", headers=eve.headers | key())
    assert answer.status_code == 404
    assert [w["id"] for w in stage.get("/v1/webhooks", **eve.headers)] == [own.id]
