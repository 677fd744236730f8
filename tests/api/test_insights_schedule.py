"""A month's report goes to the person's own server when the month is over: once, and tried again if need be."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlmodel import Session

from taesan.app import create_app
from taesan.core import restoration
from taesan.hub import Hub
from taesan.insights import audits, filling, privacy, turns
from taesan.insights.audit_models import MonthAudit
from taesan.insights.models import Person
from taesan.insights.schedule_models import ReportSchedule
from taesan.insights.scheduling import ReportWorker
from taesan.webhooks.deliveries import CLAIM
from taesan.webhooks.schedule import WAITS
from tests.api.test_insights_budgets import Saver
from tests.support.offline import offline_hub
from tests.support.problems import assert_problem
from tests.support.receiver import Answer, Receiver, verify_by

pytestmark = pytest.mark.database("sqlite", "postgresql")
PATH = "/v1/insights/me/schedule"
OVER = datetime(2026, 11, 30, 16, tzinfo=UTC)  # an hour after November's end in Seoul


class Subscriber(Saver):
    """Who has her reports sent to a receiver. :ivar worker: sends when it is told to"""

    receiver: Receiver

    def subscribe(self, receiver: Receiver) -> None:
        self.receiver = receiver
        answer = self.client.put(PATH, json={"url": receiver.url}, headers=self.headers)
        assert answer.status_code == 200, answer.text
        receiver.secret = answer.json()["secret"]
        self.worker = ReportWorker(self.hub, chance=lambda: 0)

    def work(self) -> None:
        while self.worker.tick():
            pass

    def schedule(self) -> tuple[str, datetime, str | None]:
        """(the next month, when, what the last try has brought)"""
        told = self.client.get(PATH, headers=self.headers).json()
        return told["month"], datetime.fromisoformat(told["due_at"]), told["fault"]


@pytest.fixture
def anna(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Subscriber]:
    hub = offline_hub(tmp_path)
    verify_by(monkeypatch, hub.clock)
    with TestClient(create_app(hub)) as client, closing(Receiver()) as receiver:
        anna = Subscriber(hub, client)
        while filling.fill_step(hub):
            pass
        anna.subscribe(receiver)
        yield anna
    hub.db.close()


def test_a_report_is_sent_once_when_its_month_is_over_there(
    anna: Subscriber, capfd: pytest.CaptureFixture[str]
) -> None:
    anna.move(1_234)
    assert anna.schedule() == ("2026-11", OVER, None)
    for at in (anna.clock.at, OVER - timedelta(seconds=1)):
        anna.clock.at = at
        anna.work()
        assert anna.receiver.got == []
    anna.clock.at = OVER
    anna.work()
    (received,) = anna.receiver.got
    assert received.id == f"rep_{anna.person.public_id}_2026-11"
    assert received.told["type"] == "insights.month"
    assert received.told["data"] == anna.client.get("/v1/insights/months/2026-11", headers=anna.headers).json()
    assert received.told["data"]["assets"][0]["moved"][0]["amount"] == "1234"
    assert anna.schedule() == ("2026-12", datetime(2026, 12, 31, 16, tzinfo=UTC), None)
    anna.clock.at += timedelta(days=30)
    anna.work()
    assert len(anna.receiver.got) == 1
    anna.clock.at += timedelta(days=1)
    anna.work()
    assert [received.told["data"]["month"] for received in anna.receiver.got] == ["2026-11", "2026-12"]
    assert anna.receiver.refused == []
    exported = "".join(privacy.export(anna.hub.db, anna.person))
    printed = capfd.readouterr()
    assert '"table": "report_schedule"' in exported
    assert anna.receiver.secret not in exported + printed.out + printed.err


def test_it_can_be_tried_at_once(anna: Subscriber) -> None:
    """Months are long: whether a server reads what we send is told before one is over."""
    anna.move(1_234)
    before = anna.schedule()
    answer = anna.client.post(f"{PATH}/test", headers=anna.headers)
    assert (answer.status_code, answer.json()) == (200, {"arrived": True, "fault": None})
    (received,) = anna.receiver.got
    assert (received.told["type"], received.told["data"]["month"]) == ("insights.test", "2026-11")
    assert received.told["data"]["assets"][0]["moved"][0]["amount"] == "1234"
    anna.receiver.answer = lambda _: Answer(500)
    assert anna.client.post(f"{PATH}/test", headers=anna.headers).json() == {"arrived": False, "fault": "answered 500"}
    assert (anna.schedule(), anna.receiver.refused) == (before, [])
    assert anna.client.delete(PATH, headers=anna.headers).status_code == 204
    assert_problem(anna.client.post(f"{PATH}/test", headers=anna.headers), "not-found", 404)


def test_a_month_ends_where_she_lives_now(anna: Subscriber) -> None:
    moved = anna.client.put("/v1/insights/me", json={"zone": "America/New_York"}, headers=anna.headers)
    assert moved.status_code == 200
    anna.clock.at = OVER
    anna.work()
    assert anna.receiver.got == []
    anna.clock.at = anna.schedule()[1]
    assert anna.clock.at == datetime(2026, 12, 1, 6, tzinfo=UTC)
    anna.work()
    assert len(anna.receiver.got) == 1


def test_it_is_tried_again_under_the_same_id_and_given_up_in_the_end(anna: Subscriber) -> None:
    anna.receiver.answer = lambda _: Answer(500)
    anna.clock.at = OVER
    for tries, wait in enumerate(WAITS, 1):
        anna.work()
        assert len(anna.receiver.got) == tries
        assert anna.schedule() == ("2026-11", anna.clock.at + wait, "answered 500")
        anna.clock.at += wait - timedelta(seconds=1)
        anna.work()
        assert len(anna.receiver.got) == tries
        anna.clock.at += timedelta(seconds=1)
    anna.work()
    assert len(set(anna.receiver.ids)) == 1
    assert anna.schedule() == ("2026-12", datetime(2026, 12, 31, 16, tzinfo=UTC), "answered 500")
    anna.receiver.answer = lambda _: Answer()
    anna.clock.at = datetime(2026, 12, 31, 16, tzinfo=UTC)
    anna.work()
    assert anna.receiver.ids[-1].endswith("2026-12")
    assert anna.schedule()[2] is None


def test_what_is_being_sent_is_no_other_workers(anna: Subscriber) -> None:
    """Not until its claim has run out: whoever died meanwhile is followed by somebody."""
    anna.clock.at = OVER
    with anna.hub.db.write() as session:
        assert len(turns.claim(session, ReportSchedule, OVER, OVER + CLAIM, 1)) == 1
    anna.work()
    assert anna.receiver.got == []
    anna.clock.at += timedelta(minutes=1)
    anna.work()
    assert len(anna.receiver.got) == 1


def test_a_report_is_made_while_others_may_write(anna: Subscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    made, locked = audits.month_audit, []

    def looked_at(*told: Any) -> MonthAudit:
        locked.append(anna.hub.db._writer.locked())
        return made(*told)

    monkeypatch.setattr(audits, "month_audit", looked_at)
    anna.clock.at = OVER
    anna.work()
    assert locked == [False]
    assert len(anna.receiver.got) == 1


def test_whose_report_cannot_be_made_holds_up_nobody_elses(anna: Subscriber, monkeypatch: pytest.MonkeyPatch) -> None:
    ben, made = Subscriber(anna.hub, anna.client), audits.month_audit
    ben.subscribe(anna.receiver)
    anna.subscribe(anna.receiver)

    def of_ben(session: Session, hub: Hub, person: Person, *month: Any) -> MonthAudit:
        if person.id == ben.person.id:
            raise OverflowError
        return made(session, hub, person, *month)

    monkeypatch.setattr(audits, "month_audit", of_ben)
    anna.clock.at = OVER
    anna.work()
    assert anna.receiver.ids == [f"rep_{anna.person.public_id}_2026-11"]
    assert ben.schedule() == ("2026-11", OVER + WAITS[0], "the report could not be made")


def test_servers_that_take_long_are_waited_for_together(anna: Subscriber) -> None:
    with closing(Receiver()) as other:
        ben = Subscriber(anna.hub, anna.client)
        ben.subscribe(other)
        both = threading.Barrier(2, timeout=10)
        for receiver in (anna.receiver, other):
            receiver.answer = lambda _: Answer() if both.wait() >= 0 else Answer(500)
        anna.clock.at = OVER
        anna.work()
        assert (anna.schedule()[2], ben.schedule()[2]) == (None, None)


def test_a_restored_hub_sends_nothing_until_it_has_caught_up(anna: Subscriber) -> None:
    anna.clock.at = OVER
    with anna.hub.db.write() as session:
        restoration.mark(session, "restored", OVER)
    anna.work()
    assert anna.receiver.got == []


def test_who_wants_no_more_gets_no_more(anna: Subscriber) -> None:
    old = anna.receiver.secret
    anna.subscribe(anna.receiver)
    assert anna.receiver.secret != old
    assert anna.client.delete(PATH, headers=anna.headers).status_code == 204
    for method in ("GET", "DELETE"):
        assert_problem(anna.client.request(method, PATH, headers=anna.headers), "not-found", 404)
    anna.subscribe(anna.receiver)
    assert anna.client.delete("/v1/insights/me", headers=anna.headers).status_code == 204
    anna.clock.at = OVER
    anna.worker.tick()
    assert anna.receiver.got == []
    while filling.fill_step(anna.hub):
        pass
    anna.clock.at += timedelta(days=1)
    anna.work()
    assert anna.receiver.got == []


@pytest.mark.parametrize("url", ["http://example.com/", "https://10.0.0.1/", "https://user:x@example.com/", "ftp://x"])
def test_reports_go_to_no_place_that_webhooks_may_not(anna: Subscriber, url: str) -> None:
    assert_problem(anna.client.put(PATH, json={"url": url}, headers=anna.headers), "webhook-url-refused", 422)
