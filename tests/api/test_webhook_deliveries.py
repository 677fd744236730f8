"""The way of a delivery: tried, noted, tried again over days, by one worker or two, to receivers well and ill."""

import dataclasses
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from standardwebhooks.webhooks import Webhook

from taesan.app import create_app
from taesan.core import restoration
from taesan.core.clock import FixedClock
from taesan.core.db import Database
from taesan.hub import Hub
from taesan.identity import keys
from taesan.webhooks import couriers, deliveries, events, sending
from taesan.webhooks.addresses import NOT_PUBLIC
from taesan.webhooks.couriers import Couriers, WebhookWorker
from taesan.webhooks.deliveries import CLAIM, KEPT, OF_ENDPOINT_MAX, UNDER_WAY_MAX
from taesan.webhooks.endpoints import ENDPOINTS_MAX
from taesan.webhooks.models import Reference
from taesan.webhooks.schedule import DISABLED_AFTER, WAITS
from tests.support.chain import ROOT, free_port
from tests.support.offline import offline_hub
from tests.support.problems import assert_problem
from tests.support.receiver import Answer, Receiver, verify_by
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

EVERY = ["payout.paid", "payout.failed"]


class Shop:
    """A merchant with an endpoint at a receiver, and couriers that go when they are told to."""

    def __init__(self, hub: Hub, receiver: Receiver) -> None:
        self.hub, self.receiver = hub, receiver
        self.client = TestClient(create_app(hub))
        self.clock: FixedClock = hub.clock  # type: ignore[assignment]
        with hub.db.write() as session:
            self.merchant, key = keys.register(session, "Café", Wallet().address, self.clock.now(), hub.mode)
        self.headers = {"Authorization": f"Bearer {key}"}
        local = receiver.url if hub.settings.local_webhooks else "https://shop.example/"
        self.id, receiver.secret = self.add(local)
        self.couriers = Couriers(hub, chance=lambda: 0.0)
        self.news = 0

    def add(self, url: str) -> tuple[str, str]:
        """A further endpoint; its id and secret."""
        made = self.call("POST", "", {"url": url, "event_types": EVERY}, 201)
        return made["id"], made["secret"]

    def call(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.request(method, f"/v1/webhooks{path}", json=body, headers=self.headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def tell(self, count: int = 1) -> None:
        with self.hub.db.write() as session:
            for _ in range(count):
                self.news += 1
                ref = f"news {self.news}"
                events.tell(session, self.merchant.id, "payout.paid", ref, Reference(id=ref), self.clock.now())

    def go(self) -> None:
        """Until nothing is due and nothing under way."""
        for _ in range(2_000):
            if not self.couriers.step():
                return
        raise AssertionError("the couriers do not come to rest")

    def later(self, wait: timedelta) -> None:
        self.clock.at += wait

    def endpoint(self) -> Any:
        return self.call("GET", f"/{self.id}")

    def deliveries(self) -> Any:
        return self.call("GET", f"/{self.id}/deliveries")["items"]

    def delivery(self) -> Any:
        """The newest one, with its attempts."""
        return self.call("GET", f"/{self.id}/deliveries/{self.deliveries()[0]['id']}")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.hub.db.read() as session:
            return [tuple(row) for row in session.execute(text(sql))]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with closing(Receiver()) as receiver:
        yield receiver


@pytest.fixture
def open_shop(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Shop]]:
    shops = []

    def make(**settings: Any) -> Shop:
        hub = offline_hub(tmp_path, **settings)
        hub.clock.at = datetime.now(UTC)  # type: ignore[attr-defined]
        verify_by(monkeypatch, hub.clock)
        shops.append(Shop(hub, receiver))
        return shops[-1]

    yield make
    for shop in shops:
        shop.couriers.close()
        shop.hub.db.close()


@pytest.fixture
def shop(open_shop: Callable[..., Shop]) -> Shop:
    return open_shop()


# ---------------------------------------------------------------- all is well


def test_a_delivery_is_signed_sent_once_and_logged(shop: Shop) -> None:
    shop.tell()
    shop.go()
    (received,) = shop.receiver.got
    now = shop.clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert received.told == {"type": "payout.paid", "timestamp": now, "data": {"id": "news 1"}}
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("Taesan/")
    told = shop.delivery()
    assert (told["id"], told["state"], told["next_try_at"]) == (received.id, "delivered", None)
    assert told["body"] == received.told
    (attempt,) = told["attempts"]
    assert (attempt["status"], attempt["error"], attempt["answer"]) == (204, None, "")
    shop.later(timedelta(days=2))
    shop.go()
    assert len(shop.receiver.got) == 1


def test_what_nobody_subscribed_to_is_not_even_made(shop: Shop) -> None:
    with shop.hub.db.write() as session:
        events.tell(session, shop.merchant.id, "invoice.paid", "x", Reference(id="x"), shop.clock.now())
        events.tell(session, "mer_other", "payout.paid", "x", Reference(id="x"), shop.clock.now())
    assert shop.rows("SELECT count(*) FROM webhook_delivery") == [(0,)]


def test_the_same_news_is_told_once_and_each_endpoint_of_it(shop: Shop) -> None:
    shop.add(shop.receiver.url)
    for _ in range(3):
        with shop.hub.db.write() as session:
            events.tell(session, shop.merchant.id, "payout.paid", "one", Reference(id="one"), shop.clock.now())
    found = shop.rows("SELECT public_id, endpoint_id FROM webhook_delivery")
    assert len(set(found)) == len({id_ for id_, _ in found}) == 2


def test_a_restored_hub_tells_old_news_under_its_old_id(shop: Shop) -> None:
    shop.tell()
    shop.go()
    with shop.hub.db.write() as session:
        session.execute(text("DELETE FROM webhook_attempt"))
        session.execute(text("DELETE FROM webhook_delivery"))
        restoration.mark(session, "a test", shop.clock.now())
    shop.news = 0
    shop.tell()
    shop.go()
    assert len(shop.receiver.got) == 1, "not before it has caught up"
    with shop.hub.db.write() as session:
        restoration.finish(session, shop.clock.now())
    shop.go()
    assert len(shop.receiver.got) == 2
    assert len(set(shop.receiver.ids)) == 1


def test_a_secret_is_rotated_while_both_verify(shop: Shop) -> None:
    old = shop.receiver.secret
    new = shop.call("POST", f"/{shop.id}/rotate", {"overlap_s": 3_600})["secret"]
    assert new.startswith("whsec_")
    assert new != old
    for secret, wait, good in ((old, 0, True), (new, 3_599, True), (old, 1, False), (new, 0, True)):
        shop.receiver.secret, shop.receiver.got, shop.receiver.refused = secret, [], []
        shop.later(timedelta(seconds=wait))
        shop.tell()
        shop.go()
        assert (len(shop.receiver.got), len(shop.receiver.refused)) == ((1, 0) if good else (0, 1))


def test_without_an_overlap_the_old_secret_is_nothing_at_once(shop: Shop) -> None:
    shop.call("POST", f"/{shop.id}/rotate", {"overlap_s": 0})
    shop.tell()
    shop.go()
    assert (len(shop.receiver.got), len(shop.receiver.refused)) == (0, 1)


# ------------------------------------------------------------- all is not well


def test_a_receiver_that_is_wrong_is_asked_again_by_the_schedule_and_under_the_same_id(shop: Shop) -> None:
    shop.receiver.answer = lambda _: Answer(500, body=b"oh no")
    shop.tell()
    shop.go()
    for n, wait in enumerate(WAITS, start=1):
        assert len(shop.receiver.got) == n
        shop.later(wait - timedelta(seconds=0.5))
        shop.go()
        assert len(shop.receiver.got) == n, "not too early"
        shop.later(timedelta(seconds=0.5))
        shop.go()
    assert len(shop.receiver.got) == 1 + len(WAITS)
    assert len(set(shop.receiver.ids)) == 1
    assert len({r.body for r in shop.receiver.got}) == 1
    assert len({r.headers["webhook-timestamp"] for r in shop.receiver.got}) == 1 + len(WAITS), "of each try its own"
    told = shop.delivery()
    assert (told["state"], told["next_try_at"]) == ("failed", None)
    assert [(a["status"], a["answer"]) for a in told["attempts"]] == [(500, "oh no")] * 10
    shop.later(timedelta(days=5))
    shop.go()
    assert len(shop.receiver.got) == 10


def test_waits_are_longer_by_chance(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.couriers = Couriers(shop.hub, chance=lambda: 1.0)
    shop.receiver.answer = lambda _: Answer(503)
    shop.tell()
    shop.go()
    shop.later(timedelta(seconds=5.9))
    shop.go()
    assert len(shop.receiver.got) == 1
    shop.later(timedelta(seconds=0.2))
    shop.go()
    assert len(shop.receiver.got) == 2


def test_a_receiver_that_is_down_gets_it_when_it_is_back(shop: Shop) -> None:
    shop.call("PATCH", f"/{shop.id}", {"url": f"http://127.0.0.1:{free_port()}/"})
    shop.tell()
    shop.go()
    told = shop.delivery()
    assert told["state"] == "waiting"
    assert told["attempts"][0]["status"] is None
    assert told["attempts"][0]["error"]
    assert shop.endpoint()["failing_since"]
    shop.call("PATCH", f"/{shop.id}", {"url": shop.receiver.url})
    shop.later(WAITS[0])
    shop.go()
    assert len(shop.receiver.got) == 1
    assert shop.delivery()["state"] == "delivered"
    assert shop.endpoint()["failing_since"] is None


def test_a_redirect_is_a_failure_and_is_not_followed(shop: Shop) -> None:
    shop.receiver.answer = lambda _: Answer(307, {"Location": shop.receiver.url})
    shop.tell()
    shop.go()
    (attempt,) = shop.delivery()["attempts"]
    assert attempt["status"] == 307
    assert "redirects are not followed" in attempt["error"]
    assert len(shop.receiver.got) == 1


def test_a_name_that_leads_inside_is_a_failure_that_tells_nothing(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop(webhook_local_receivers=False)
    shop.call("POST", "", {"url": shop.receiver.url, "event_types": EVERY}, 422)
    shop.call("PATCH", f"/{shop.id}", {"url": f"https://localhost:{shop.receiver.port}/"})
    shop.tell()
    shop.go()
    (attempt,) = shop.delivery()["attempts"]
    assert (attempt["status"], attempt["error"]) == (None, NOT_PUBLIC)
    assert shop.receiver.got + shop.receiver.refused == []


def test_410_ends_it_at_once(shop: Shop) -> None:
    shop.receiver.answer = lambda _: Answer(410)
    shop.tell()
    shop.go()
    shop.later(timedelta(days=3))
    shop.tell()
    shop.go()
    assert len(shop.receiver.got) == 1
    endpoint = shop.endpoint()
    assert (endpoint["enabled"], endpoint["disabled_reason"]) == (False, "its receiver said that it is gone (410)")
    assert [d["state"] for d in shop.deliveries()] == ["failed"]


def test_days_of_failure_disable_an_endpoint_and_one_success_forgives(shop: Shop) -> None:
    shop.receiver.answer = lambda _: Answer(500)
    shop.tell()
    shop.go()
    shop.later(DISABLED_AFTER - timedelta(minutes=1))
    shop.receiver.answer = lambda _: Answer(204)
    shop.go()
    shop.later(timedelta(minutes=2))
    shop.receiver.answer = lambda _: Answer(500)
    shop.tell()
    shop.go()
    assert shop.endpoint()["enabled"]
    for wait in WAITS:
        shop.later(wait)
        shop.go()
    endpoint = shop.endpoint()
    assert not endpoint["enabled"]
    assert endpoint["disabled_reason"].startswith("nothing was delivered since ")
    assert endpoint["disabled_reason"].endswith("last: status 500")


def test_what_waits_is_sent_when_it_is_enabled_again_and_what_happened_meanwhile_is_not(shop: Shop) -> None:
    shop.tell()
    shop.call("PATCH", f"/{shop.id}", {"enabled": False})
    assert shop.endpoint()["disabled_reason"] == "disabled by its merchant"
    shop.tell()
    shop.go()
    assert shop.receiver.got == []
    shop.call("PATCH", f"/{shop.id}", {"enabled": True})
    shop.go()
    assert shop.receiver.data("payout.paid") == [{"id": "news 1"}]
    assert shop.endpoint()["disabled_reason"] is None


def test_a_deleted_endpoint_is_told_nothing_more(shop: Shop) -> None:
    shop.tell()
    shop.call("DELETE", f"/{shop.id}", status=204)
    shop.tell()
    shop.go()
    assert shop.receiver.got == []
    assert shop.call("GET", "") == []
    shop.call("GET", f"/{shop.id}", status=404)
    assert shop.receiver.secret not in str(shop.rows("SELECT * FROM webhook_endpoint"))


def test_a_deleted_endpoint_that_was_told_nothing_leaves_nothing(shop: Shop) -> None:
    shop.call("DELETE", f"/{shop.id}", status=204)
    assert shop.rows("SELECT count(*) FROM webhook_endpoint") == [(0,)]


# --------------------------------------------------------------- many at once


def test_a_slow_receiver_holds_up_itself_alone(shop: Shop) -> None:
    free = threading.Event()
    slow, quick = shop.receiver, Receiver()
    slow.answer = lambda _: Answer() if free.wait(20) else Answer(500)
    _, quick.secret = shop.add(quick.url)
    shop.tell(30)
    deadline = time.monotonic() + 20
    while len(quick.got) < 30:
        shop.couriers.step()
        assert time.monotonic() < deadline
    assert len(slow.got) == OF_ENDPOINT_MAX
    free.set()
    shop.go()
    assert sorted(slow.ids) == sorted(set(slow.ids))
    assert (len(slow.got), len(quick.got)) == (30, 30)
    assert slow.most_at_once == OF_ENDPOINT_MAX
    quick.close()


def test_of_many_endpoints_each_has_its_turn(shop: Shop) -> None:
    """More of them than there are tries at once, and the first have more to be told than they can take."""
    free = threading.Event()
    shop.receiver.answer = lambda _: Answer() if free.wait(20) else Answer(500)
    everybody = [(shop.id, shop.merchant.id)]
    with shop.hub.db.write() as session:
        for _ in range(UNDER_WAY_MAX):
            merchant, key = keys.register(session, "Kiosk", Wallet().address, shop.clock.now(), shop.hub.mode)
            everybody.append((key, merchant.id))
    for key, _ in everybody[1:]:
        body = {"url": shop.receiver.url, "event_types": EVERY}
        made = shop.client.post("/v1/webhooks", json=body, headers={"Authorization": f"Bearer {key}"})
        assert made.status_code == 201
        with shop.hub.db.write() as session:
            secret = text("UPDATE webhook_endpoint SET secret = :secret")
            session.execute(secret, {"secret": shop.receiver.secret})
    with shop.hub.db.write() as session:
        for _, merchant_id in everybody:
            for n in range(2 * OF_ENDPOINT_MAX):
                events.tell(session, merchant_id, "payout.paid", f"{n}", Reference(id=merchant_id), shop.clock.now())
    shop.couriers.step()
    under_way = Counter(shop.rows("SELECT endpoint_id FROM webhook_delivery WHERE claim IS NOT NULL"))
    assert under_way.total() == UNDER_WAY_MAX
    first = set(under_way)
    free.set()
    deadline = time.monotonic() + 20
    while len({r.told["data"]["id"] for r in shop.receiver.got}) < len(everybody):
        shop.couriers.step()
        assert time.monotonic() < deadline
    assert len(first) < len(everybody)
    assert len(shop.receiver.got) < len(everybody) * 2 * OF_ENDPOINT_MAX, "before all is told"
    shop.go()
    assert len(set(shop.receiver.ids)) == len(everybody) * 2 * OF_ENDPOINT_MAX


def test_two_workers_send_each_delivery_once(shop: Shop) -> None:
    """A lease can run out: what keeps them apart is the claim."""
    shop.tell(60)
    other = Database(shop.hub.db.url)
    second = Couriers(dataclasses.replace(shop.hub, db=other))
    meet = threading.Barrier(2)

    def work(its: Couriers) -> None:
        meet.wait()
        while its.step():
            pass

    threads = [threading.Thread(target=work, args=(each,)) for each in (shop.couriers, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(shop.receiver.ids) == sorted(set(shop.receiver.ids))
    assert len(shop.receiver.got) == 60
    assert shop.rows("SELECT state, count(*) FROM webhook_delivery GROUP BY state") == [("delivered", 60)]
    assert shop.rows("SELECT count(*) FROM webhook_attempt") == [(60,)]
    second.close()
    other.close()


SCRIPT = """
import sys
from taesan.webhooks.couriers import Couriers
from tests.support.offline import hub_on
couriers = Couriers(hub_on(sys.argv[1]))
while True:
    couriers.step()
"""


def test_who_dies_between_sending_and_noting_leaves_it_to_be_sent_again(shop: Shop) -> None:
    """At least once, under the same id, by which the receiver can tell."""
    shop.tell()
    shop.hub.db.close()
    died = threading.Event()
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, shop.hub.db.url], cwd=ROOT)

    def kill_the_sender(_: Any) -> Answer:
        process.kill()
        process.wait()
        died.set()
        return Answer()

    shop.receiver.answer = kill_the_sender
    assert died.wait(60)
    shop.receiver.answer = lambda _: Answer()
    assert shop.rows("SELECT state FROM webhook_delivery") == [("waiting",)]
    assert shop.rows("SELECT count(*) FROM webhook_attempt") == [(0,)]
    shop.clock.at = datetime.now(UTC)
    shop.go()
    assert len(shop.receiver.got) == 1, "while it may still be under way"
    shop.later(CLAIM + timedelta(seconds=1))
    shop.go()
    assert len(shop.receiver.got) == 2
    assert len(set(shop.receiver.ids)) == 1
    assert shop.delivery()["state"] == "delivered"


def test_a_note_that_comes_too_late_changes_nothing_and_is_logged(shop: Shop) -> None:
    shop.tell()
    now = shop.clock.now()
    parcels = []
    for wait in (timedelta(), CLAIM):
        shop.later(wait)
        with shop.hub.db.write() as session:
            due = deliveries.find_due(session, shop.clock.now(), 10, Counter(), 0)
            token = deliveries.claim(session, due.ids, shop.clock.now())
            parcels += deliveries.parcels(session, due.ids, token, shop.clock.now())
    late, current = parcels
    assert late.delivery_id == current.delivery_id
    with shop.hub.db.write() as session:
        deliveries.note(session, late, sending.Try(500, None, "late", 1), now, 0.0)
    assert shop.delivery()["state"] == "waiting"
    assert shop.rows("SELECT tries FROM webhook_delivery") == [(0,)]
    with shop.hub.db.write() as session:
        deliveries.note(session, current, sending.Try(200, None, "", 1), now, 0.0)
    told = shop.delivery()
    assert told["state"] == "delivered"
    assert [attempt["status"] for attempt in told["attempts"]] == [200, 500]


def test_a_claim_is_had_by_one_alone(shop: Shop) -> None:
    shop.tell(3)
    now = shop.clock.now()
    with shop.hub.db.write() as session:
        ids = deliveries.find_due(session, now, 10, Counter(), 0).ids
    assert len(ids) == 3
    with shop.hub.db.write() as session:
        first = deliveries.claim(session, ids, now)
        second = deliveries.claim(session, ids, now)
        assert len(deliveries.parcels(session, ids, first, now)) == 3
        assert deliveries.parcels(session, ids, second, now) == []


def test_what_cannot_be_noted_at_once_is_noted_later(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.tell()
    shop.couriers.step()
    while not shop.receiver.got:
        time.sleep(0.01)
    write = shop.hub.db.write

    def full() -> Any:
        raise OperationalError("UPDATE", {}, Exception("disk full"))

    monkeypatch.setattr(shop.hub.db, "write", full)
    with pytest.raises(OperationalError):
        shop.go()
    monkeypatch.setattr(shop.hub.db, "write", write)
    shop.go()
    assert (len(shop.receiver.got), shop.delivery()["state"]) == (1, "delivered")


def test_a_worker_that_is_told_to_stop_notes_what_is_under_way(shop: Shop) -> None:
    shop.receiver.answer = lambda _: Answer(delay_s=0.5)
    shop.tell()
    worker = WebhookWorker(shop.hub, shop.couriers)
    thread = threading.Thread(target=worker.run)
    thread.start()
    while not shop.receiver.got:
        time.sleep(0.01)
    worker.stopping.set()
    thread.join()
    assert shop.delivery()["state"] == "delivered"
    assert shop.rows("SELECT name FROM lease") == [("webhooks",)]


def test_who_hangs_does_not_keep_a_worker_from_ending(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(couriers, "FAREWELL_S", 0.3)
    free = threading.Event()
    shop.receiver.answer = lambda _: Answer() if free.wait(20) else Answer(500)
    shop.tell()
    shop.couriers.step()
    while not shop.receiver.got:
        time.sleep(0.01)
    started = time.monotonic()
    shop.couriers.close()
    assert time.monotonic() - started < 3
    free.set()
    shop.couriers = Couriers(shop.hub)
    shop.later(CLAIM + timedelta(seconds=1))
    shop.go()
    assert len(shop.receiver.got) == 2, "whoever comes next"


# ------------------------------------------------------------ by hand, and later


def test_a_test_is_sent_whatever_is_subscribed_to(shop: Shop) -> None:
    for _ in range(2):
        made = shop.call("POST", f"/{shop.id}/test", status=202)
        shop.go()
        assert shop.receiver.ids[-1] == made["id"]
        assert shop.receiver.got[-1].told["data"] == {"id": shop.id}
    assert shop.receiver.types() == ["webhook.test"] * 2
    assert len(set(shop.receiver.ids)) == 2


@pytest.mark.parametrize("status", [204, 500])
def test_a_delivery_is_sent_again_by_hand(shop: Shop, status: int) -> None:
    shop.receiver.answer = lambda _: Answer(status)
    shop.tell()
    shop.go()
    path = f"/{shop.id}/deliveries/{shop.delivery()['id']}/redeliver"
    again = shop.call("POST", path, status=202)
    assert (again["state"], again["id"]) == ("waiting", shop.receiver.ids[0])
    shop.go()
    assert len(shop.receiver.got) == 2
    assert len(set(shop.receiver.ids)) == 1
    assert len(shop.delivery()["attempts"]) == 2


def test_what_is_under_way_is_not_sent_again_by_hand(shop: Shop) -> None:
    free = threading.Event()
    shop.receiver.answer = lambda _: Answer() if free.wait(20) else Answer(500)
    shop.tell()
    shop.couriers.step()
    path = f"/v1/webhooks/{shop.id}/deliveries/{shop.deliveries()[0]['id']}/redeliver"
    for language in ("ko", "en"):
        answer = shop.client.post(path, headers=shop.headers | {"Accept-Language": language})
        assert_problem(answer, "webhook-under-way", 409)
    free.set()
    shop.go()
    assert len(shop.receiver.got) == 1


@pytest.mark.parametrize("what", ["test", "deliveries/{}/redeliver"])
def test_nothing_is_sent_by_hand_to_who_is_disabled(shop: Shop, what: str) -> None:
    shop.tell()
    shop.go()
    shop.call("PATCH", f"/{shop.id}", {"enabled": False})
    path = f"/v1/webhooks/{shop.id}/" + what.format(shop.deliveries()[0]["id"])
    for language in ("ko", "en"):
        answer = shop.client.post(path, headers=shop.headers | {"Accept-Language": language})
        assert_problem(answer, "webhook-disabled", 409)


def test_the_log_is_kept_for_so_long(shop: Shop) -> None:
    shop.tell(3)
    shop.go()
    shop.later(KEPT - timedelta(seconds=1))
    shop.tell()
    shop.go()
    shop.couriers.forget_step()
    assert len(shop.deliveries()) == 4
    shop.later(timedelta(hours=1))
    shop.couriers.forget_step()
    assert [d["id"] for d in shop.deliveries()] == [shop.receiver.ids[-1]]
    assert shop.rows("SELECT count(*) FROM webhook_attempt") == [(1,)]
    shop.call("DELETE", f"/{shop.id}", status=204)
    assert shop.rows("SELECT count(*) FROM webhook_endpoint") == [(1,)], "as long as there is a log of it"
    shop.later(KEPT)
    shop.couriers.forget_step()
    for table in ("webhook_attempt", "webhook_delivery", "webhook_endpoint"):
        assert shop.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_all_is_told_in_the_end_whatever_receivers_do(shop: Shop) -> None:
    """Whatever order of statuses: each delivery arrives as long as some day a try is answered well."""
    chance = random.Random(7)
    shop.receiver.answer = lambda _: Answer(chance.choice([200, 204, 301, 400, 404, 429, 500, 503]))
    shop.tell(40)
    for _ in range(len(WAITS)):
        shop.go()
        shop.later(timedelta(hours=1))
    shop.receiver.answer = lambda _: Answer()
    shop.later(timedelta(days=2))
    shop.go()
    assert {d["state"] for d in shop.deliveries()} == {"delivered"}
    assert len(set(shop.receiver.ids)) == 40


# ------------------------------------------------------------------- the routes


@pytest.mark.parametrize(
    "url",
    ["http://shop.example/", "https://10.0.0.1/", "https://user@shop.example/", "https://shop.example:22/", "nonsense"],
)
def test_a_url_that_is_refused_is_refused_with_why(shop: Shop, url: str) -> None:
    for language in ("ko", "en"):
        headers = shop.headers | {"Accept-Language": language}
        body = {"url": url, "event_types": EVERY}
        made = shop.client.post("/v1/webhooks", json=body, headers=headers)
        assert assert_problem(made, "webhook-url-refused", 422)["detail"]
        changed = shop.client.patch(f"/v1/webhooks/{shop.id}", json={"url": url}, headers=headers)
        assert_problem(changed, "webhook-url-refused", 422)
    assert shop.endpoint()["url"] == shop.receiver.url


@pytest.mark.parametrize(
    "body",
    [
        {"event_types": []},
        {"event_types": ["payment.made"]},
        {"event_types": EVERY * 10},
        {"url": "https://" + "a" * 600},
        {"description": "x" * 201},
        {"secret": "whsec_mine"},
    ],
    ids=lambda body: str(body)[:40],
)
def test_nonsense_is_refused(shop: Shop, body: Json) -> None:
    for method, path in (("POST", ""), ("PATCH", f"/{shop.id}")):
        whole = {"url": "https://shop.example/", "event_types": EVERY} | body if method == "POST" else body
        answer = shop.client.request(method, f"/v1/webhooks{path}", json=whole, headers=shop.headers)
        assert answer.status_code == 422, answer.text


def test_a_merchant_has_so_many_and_no_more(shop: Shop) -> None:
    for _ in range(ENDPOINTS_MAX - 1):
        last, _ = shop.add("https://shop.example/")
    for language in ("ko", "en"):
        body = {"url": "https://shop.example/", "event_types": EVERY}
        headers = shop.headers | {"Accept-Language": language}
        assert_problem(shop.client.post("/v1/webhooks", json=body, headers=headers), "too-many-webhooks", 409)
    shop.call("DELETE", f"/{last}", status=204)
    shop.add("https://shop.example/")


def test_a_secret_is_shown_once_and_in_no_list(shop: Shop) -> None:
    shop.tell()
    shop.go()
    told = str([shop.call("GET", ""), shop.endpoint(), shop.deliveries(), shop.delivery()])
    assert shop.receiver.secret not in told
    assert "whsec_" not in told
    assert len(Webhook(shop.receiver.secret)._whsecret) == 32
    assert shop.receiver.secret not in repr(shop.rows("SELECT * FROM webhook_delivery"))


def test_what_is_changed_is_changed_and_the_rest_stays(shop: Shop) -> None:
    before = shop.endpoint()
    after = shop.call("PATCH", f"/{shop.id}", {"description": "the till", "event_types": ["payout.failed"]})
    assert after == before | {"description": "the till", "event_types": ["payout.failed"]}
    assert shop.call("PATCH", f"/{shop.id}", {}) == after
    assert shop.call("PATCH", f"/{shop.id}", {"description": ""})["description"] == ""
