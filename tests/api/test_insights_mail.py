"""A month's report goes to a mail address when its holder has agreed: once a month, whatever the mail server does."""

import re
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pypdf import PdfReader
from sqlalchemy import func, select
from sqlmodel import col

from taesan.app import create_app
from taesan.core import restoration
from taesan.hub import Hub
from taesan.insights import filling, persons, privacy
from taesan.insights.mailing import CLAIM, DOUBTFUL, MailWorker
from taesan.insights.models import PersonTerms
from taesan.insights.schedule_models import MailLimit, ReportMail
from taesan.insights.scheduling import ReportWorker
from taesan.webhooks.schedule import WAITS
from taesan.work import Background
from tests.api.test_insights_budgets import Saver
from tests.support.mail_server import BREAK, END, HANG, MailServer, Taken
from tests.support.offline import offline_hub
from tests.support.problems import assert_problem
from tests.support.receiver import Receiver, verify_by
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")
PATH = "/v1/insights/me/schedule/mail"
ADDRESS = "anna@example.com"
OVER = datetime(2026, 11, 30, 16, tzinfo=UTC)  # an hour after November's end in Seoul
NEXT = datetime(2026, 12, 31, 16, tzinfo=UTC)
LINK = re.compile(r"http://127\.0\.0\.1:8000(/unsubscribe\?\S+)")


class Reader(Saver):
    """Who has her reports mailed. :ivar server: of the hub"""

    def __init__(self, hub: Hub, client: TestClient, server: MailServer) -> None:
        super().__init__(hub, client)
        self.server = server
        with hub.db.write() as session:
            terms = PersonTerms(zone="Asia/Seoul", language="ko")
            self.person = persons.ask(session, self.wallet, terms, self.clock.at)

    def ask(self, address: str = ADDRESS) -> Any:
        return self.client.put(PATH, json={"address": address}, headers=self.headers)

    def work(self) -> None:
        """As a process that has just been started."""
        worker = MailWorker(self.hub, chance=lambda: 0)
        while worker.tick():
            pass
        worker._hand_over()

    def code(self) -> str:
        """Out of the newest mail."""
        found = re.search(r"^    (\S{43})$", self.server.got[-1].text, re.MULTILINE)
        assert found, self.server.got[-1].text
        return found[1]

    def confirm(self, code: str) -> Any:
        return self.client.post(f"{PATH}/confirm", json={"code": code}, headers=self.headers)

    def subscribe(self, address: str = ADDRESS) -> None:
        """And forgets the mail with the code."""
        assert self.ask(address).status_code == 200
        self.work()
        answer = self.confirm(self.code())
        assert (answer.status_code, answer.json()["confirmed"]) == (200, True)
        self.server.got.clear()

    def told(self) -> tuple[str | None, datetime, str | None]:
        """(the next month, when, what the last try has brought)"""
        told = self.client.get(PATH, headers=self.headers).json()
        return told["month"], datetime.fromisoformat(told["due_at"]), told["fault"]

    def link(self, mail: Taken) -> str:
        """The one that unsubscribes, without the host."""
        found = LINK.search(mail.text)
        assert found
        assert mail.message["List-Unsubscribe"] == f"<{found[0]}>"
        return found[1]


@pytest.fixture
def server() -> Iterator[MailServer]:
    with closing(MailServer()) as server:
        yield server


@pytest.fixture
def hub(tmp_path: Path, server: MailServer) -> Iterator[Hub]:
    told: dict[str, Any] = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_tls": "none"}
    hub = offline_hub(tmp_path, **told, smtp_from="reports@hub.example", mail_confirmations_hourly=6)
    yield hub
    hub.db.close()


@pytest.fixture
def anna(hub: Hub, server: MailServer) -> Iterator[Reader]:
    with TestClient(create_app(hub)) as client:
        anna = Reader(hub, client, server)
        while filling.fill_step(hub):
            pass
        yield anna


def _text_of(pdf: bytes) -> str:
    return re.sub(r"\s", "", "".join(page.extract_text() for page in PdfReader(BytesIO(pdf)).pages))


# --------------------------------------------------------------- confirmation


def test_an_address_is_sent_a_code_and_nothing_else_until_it_is_confirmed(
    anna: Reader, capfd: pytest.CaptureFixture[str]
) -> None:
    assert anna.client.get(PATH, headers=anna.headers).json() == {
        "offered": True, "address": None, "confirmed": False, "month": None, "due_at": None, "sent_at": None, "fault": None,
    }  # fmt: skip
    asked = anna.ask("Anna@Example.com").json()
    assert (asked["address"], asked["confirmed"], asked["due_at"]) == ("Anna@example.com", False, None)
    anna.work()
    (mail,) = anna.server.got
    assert (mail.sender, mail.recipient) == ("reports@hub.example", "Anna@example.com")
    code, token = anna.code(), anna.link(mail)
    assert_problem(anna.confirm("wrong"), "mail-code-refused", 422)
    assert anna.confirm(code).json()["month"] == "2026-11"
    assert anna.confirm("again, since the answer was lost").status_code == 200
    anna.work()
    assert len(anna.server.got) == 1
    printed, exported = capfd.readouterr(), "".join(privacy.export(anna.hub.db, anna.person))
    assert '"address": "Anna@example.com"' in exported
    for secret in (code, token.partition("token=")[2].partition("&")[0]):
        assert secret not in exported + printed.out + printed.err
    assert "example.com" not in printed.out + printed.err


def test_only_the_newest_code_is_good_and_not_for_ever(anna: Reader) -> None:
    anna.ask()
    anna.work()
    first = anna.code()
    anna.clock.at += timedelta(hours=1)
    anna.ask()
    assert_problem(anna.confirm(first), "mail-code-refused", 422)
    anna.work()
    assert_problem(anna.confirm(first), "mail-code-refused", 422)
    anna.clock.at += timedelta(hours=24)
    assert_problem(anna.confirm(anna.code()), "mail-code-refused", 422)
    anna.work()
    assert len(anna.server.got) == 2
    assert anna.client.get(PATH, headers=anna.headers).json()["address"] is None, "whose it may be is forgotten"
    assert_problem(anna.confirm(anna.code()), "not-found", 404)


def test_a_code_bears_few_wrong_ones(anna: Reader) -> None:
    anna.ask()
    anna.work()
    for n in range(5):
        assert_problem(anna.confirm(f"{n}"), "mail-code-refused", 422)
    assert_problem(anna.confirm(anna.code()), "mail-code-refused", 422)
    anna.ask()
    anna.work()
    assert anna.confirm(anna.code()).json()["confirmed"]


def test_another_address_has_to_be_confirmed_anew(anna: Reader) -> None:
    anna.subscribe()
    assert anna.ask().json()["confirmed"], "the same one: nothing is to be done"
    assert not anna.ask("anna@other.example").json()["confirmed"]
    anna.clock.at = OVER
    anna.work()
    assert [mail.recipient for mail in anna.server.got] == ["anna@other.example"]
    anna.confirm(anna.code())
    anna.clock.at = NEXT
    anna.work()
    assert [mail.recipient for mail in anna.server.got[1:]] == ["anna@other.example"]
    assert anna.link(anna.server.got[1]) == anna.link(anna.server.got[0])


def test_the_hub_is_no_mail_cannon(anna: Reader) -> None:
    spellings = ["a.nna@example.com", "ANNA@EXAMPLE.COM", "anna+1@example.com", "an.na+2@example.com"]
    answers = [anna.ask(address) for address in spellings]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 86_400
    assert anna.client.get(PATH, headers=anna.headers).json()["address"] == "anna+1@example.com"
    assert anna.client.delete("/v1/insights/me", headers=anna.headers).status_code == 204
    with anna.hub.db.write() as session:
        anna.person = persons.ask(session, anna.wallet, PersonTerms(zone="Asia/Seoul"), anna.clock.at)
    assert_problem(anna.ask(), "rate-limited", 429)
    for n in range(2):
        assert anna.ask(f"{n}@example.com").status_code == 200
    assert_problem(anna.ask("5@example.com"), "rate-limited", 429)  # of this wallet
    ben = Reader(anna.hub, anna.client, anna.server)
    assert ben.ask("ben@example.com").status_code == 200
    assert_problem(ben.ask("ben@example.org"), "rate-limited", 429)  # of the hub
    anna.clock.at += timedelta(hours=1)
    assert ben.ask("ben@example.org").status_code == 200
    anna.clock.at += timedelta(days=1)
    assert anna.ask().status_code == 200
    with anna.hub.db.read() as session:
        assert session.scalar(select(func.count()).select_from(MailLimit)) == 3, "what counts no more is forgotten"
        assert "anna" not in "".join(session.scalars(select(col(MailLimit.key))))


@pytest.mark.parametrize(
    "address",
    ["anna@example.com\r\nBcc: ben@example.com", "anna@example.com\n", "a@x.example,b@x.example", "a b@x.example"],
)
def test_nobody_writes_into_a_mails_head(anna: Reader, address: str) -> None:
    assert_problem(anna.ask(address), "invalid-request", 422)
    anna.work()
    assert anna.server.asked == []
    assert anna.client.get(PATH, headers=anna.headers).json()["address"] is None


# -------------------------------------------------------------------- reports


def test_a_report_is_mailed_once_a_month_whoever_works_and_how_often_it_starts(anna: Reader) -> None:
    anna.move(1_234)
    anna.subscribe()
    anna.clock.at = OVER - timedelta(seconds=1)
    anna.work()
    assert anna.server.got == []
    anna.clock.at = OVER
    workers = [threading.Thread(target=MailWorker(anna.hub).send_step) for _ in range(3)]  # past the lease
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    anna.work()
    (mail,) = anna.server.got
    assert mail.message["Subject"] == "2026년 11월 소액 지출 보고서"
    assert "- 쓴 돈: 12.34달러 (1건, 전달 0.00달러)" in mail.text
    (pdf,) = mail.message.iter_attachments()
    told = _text_of(pdf.get_content())
    assert "2026년11월소액지출보고서" in told
    assert "12.34달러" in told
    for secret in (anna.wallet, anna.person.public_id):
        assert secret not in mail.content.decode() + mail.text + told
    assert anna.told() == ("2026-12", NEXT, None)
    assert anna.client.get(PATH, headers=anna.headers).json()["sent_at"] == "2026-11-30T16:00:00.000Z"
    anna.clock.at = NEXT
    anna.work()
    assert [m.message["Subject"] for m in anna.server.got[1:]] == ["2026년 12월 소액 지출 보고서"]
    assert len({m.message["Message-ID"] for m in anna.server.got}) == 2


def test_what_the_server_does_not_take_now_is_tried_again_under_the_same_id(anna: Reader) -> None:
    anna.subscribe()
    anna.server.answer = lambda command: f"451 4.7.1 not now, <{ADDRESS}>" if command == END else None
    anna.clock.at = OVER
    for tries, wait in enumerate(WAITS, 1):
        anna.work()
        assert len(anna.server.got) == tries
        assert anna.told() == ("2026-11", anna.clock.at + wait, "answered 451 4.7.1")
        anna.clock.at += wait
    anna.server.answer = lambda _: None
    anna.work()
    assert len(anna.server.got) == 10
    assert len({mail.message["Message-ID"] for mail in anna.server.got}) == 1
    assert anna.told() == ("2026-12", NEXT, None)


def test_what_it_refuses_for_good_stops_with_the_reason(anna: Reader) -> None:
    anna.subscribe()
    anna.server.answer = lambda command: f"550 5.1.1 no <{ADDRESS}> here" if command == "RCPT" else None
    anna.clock.at = OVER
    anna.work()
    assert anna.told() == ("2026-12", NEXT, "answered 550 5.1.1")
    asked = len(anna.server.asked)
    anna.clock.at = NEXT - timedelta(seconds=1)
    anna.work()
    assert (len(anna.server.asked), anna.server.got) == (asked, [])


def test_an_address_that_is_refused_is_asked_no_more(anna: Reader) -> None:
    anna.server.answer = lambda command: "550 5.1.1 nobody" if command == "RCPT" else None
    anna.ask()
    anna.work()
    told = anna.client.get(PATH, headers=anna.headers).json()
    assert (told["confirmed"], told["fault"]) == (False, "answered 550 5.1.1")
    asked = len(anna.server.asked)
    anna.clock.at += timedelta(hours=23)
    anna.work()
    assert len(anna.server.asked) == asked


def test_a_code_is_tried_again_for_some_hours(anna: Reader) -> None:
    anna.server.answer = lambda command: "421 4.3.2 busy" if command == "RCPT" else None
    anna.ask()
    for wait in WAITS[:4]:
        anna.work()
        anna.clock.at += wait
    anna.server.answer = lambda _: None
    anna.work()
    assert anna.confirm(anna.code()).json()["fault"] is None


def test_where_nobody_knows_whether_it_arrived_it_is_sent_twice_at_most(anna: Reader) -> None:
    anna.subscribe()
    anna.server.answer = lambda command: BREAK if command == END else None
    anna.clock.at = OVER
    anna.work()
    assert anna.told() == ("2026-11", OVER + WAITS[0], DOUBTFUL)
    anna.clock.at += WAITS[0]
    anna.work()
    assert anna.told() == ("2026-12", NEXT, DOUBTFUL)
    anna.clock.at = NEXT - timedelta(seconds=1)
    anna.work()
    assert len(anna.server.got) == 2
    assert len({mail.message["Message-ID"] for mail in anna.server.got}) == 1


def test_whoever_dies_with_it_may_have_sent_it(anna: Reader) -> None:
    anna.subscribe()
    anna.clock.at = OVER
    for _ in range(2):
        with anna.hub.db.write() as session:
            assert MailWorker(anna.hub)._claim(session, anna.clock.at)
        anna.work()
        assert anna.server.got == [], "it is still somebody's"
        anna.clock.at += CLAIM
    anna.work()
    assert (anna.server.got, anna.told()) == ([], ("2026-12", NEXT, DOUBTFUL))
    anna.clock.at = NEXT
    anna.work()
    assert (len(anna.server.got), anna.told()[2]) == (1, None)


def test_a_mail_server_that_hangs_holds_up_nothing_else(anna: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    verify_by(monkeypatch, anna.hub.clock)
    hangs = threading.Event()

    def answer(command: str) -> str | None:
        if command == END:
            hangs.set()
            return HANG
        return None

    anna.subscribe()
    anna.server.answer = answer
    with closing(Receiver()) as receiver:
        body = {"url": receiver.url}
        receiver.secret = anna.client.put("/v1/insights/me/schedule", json=body, headers=anna.headers).json()["secret"]
        anna.clock.at = OVER
        worker = MailWorker(anna.hub)
        thread = threading.Thread(target=worker.run)
        thread.start()
        assert hangs.wait(30)
        assert anna.ask("anna@other.example").status_code == 200, "whoever is served writes to the database"
        assert ReportWorker(anna.hub).tick()
        assert len(receiver.got) == 1
        worker.stopping.set()
        anna.server.closing.set()
        thread.join(30)
        assert not thread.is_alive()
    assert anna.client.get(PATH, headers=anna.headers).json()["fault"] is None, "it was another address's"


def test_a_restored_hub_mails_nothing_until_it_has_caught_up(anna: Reader) -> None:
    anna.subscribe()
    anna.clock.at = OVER
    with anna.hub.db.write() as session:
        restoration.mark(session, "restored", OVER)
    anna.work()
    assert anna.server.got == []


# -------------------------------------------------------------- no more of it


def test_a_link_that_is_opened_ends_nothing_and_its_button_does(anna: Reader) -> None:
    anna.subscribe()
    anna.clock.at = OVER
    anna.work()
    (mail,) = anna.server.got
    link = anna.link(mail)
    for _ in range(2):
        shown = anna.client.get(link, headers={"accept": "text/html"})
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        assert '<form method="post">' in shown.text
        assert "메일 그만 받기" in shown.text
        assert ADDRESS not in shown.text
    assert anna.told()[0] == "2026-12"
    one_click = {"List-Unsubscribe": "One-Click"}
    for _ in range(2):
        ended = anna.client.post(link, data=one_click)  # by the mail program: no session, no page
        assert (ended.status_code, "<form" in ended.text) == (200, False)
    assert "<form" not in anna.client.get(link).text
    assert anna.client.get(PATH, headers=anna.headers).json()["address"] is None
    anna.clock.at = NEXT
    anna.work()
    assert len(anna.server.got) == 1
    assert "example.com" not in "".join(privacy.export(anna.hub.db, anna.person))
    anna.subscribe()


def test_who_never_wanted_it_is_not_asked_again(anna: Reader) -> None:
    anna.ask()
    anna.work()
    assert anna.client.post(anna.link(anna.server.got[0])).status_code == 200
    ben = Reader(anna.hub, anna.client, anna.server)
    for asking in (anna, ben):
        assert_problem(asking.ask("an.na+x@example.com"), "rate-limited", 429)
    anna.clock.at += timedelta(days=30)
    assert anna.ask().status_code == 200


@pytest.mark.parametrize("query", ["", "?token=", "?token=%0d%0a", "?token=" + "x" * 101])
def test_a_link_that_is_broken_ends_nothing(anna: Reader, query: str) -> None:
    anna.subscribe()
    assert anna.client.post(f"/unsubscribe{query}").status_code == 422
    assert anna.told()[0] == "2026-11"


def test_who_wants_no_more_gets_no_more(anna: Reader) -> None:
    anna.subscribe()
    assert anna.client.delete(PATH, headers=anna.headers).status_code == 204
    assert_problem(anna.client.delete(PATH, headers=anna.headers), "not-found", 404)
    anna.subscribe()
    assert anna.client.delete("/v1/insights/me", headers=anna.headers).status_code == 204
    anna.clock.at = OVER
    anna.work()
    while filling.fill_step(anna.hub):
        pass
    with anna.hub.db.read() as session:
        assert session.scalar(select(func.count()).select_from(ReportMail)) == 0
    anna.clock.at += timedelta(days=1)
    anna.work()
    assert anna.server.got == []


def test_a_wallet_that_is_unlinked_sees_the_address_no_more(anna: Reader) -> None:
    ben = Reader(anna.hub, anna.client, anna.server)
    with anna.hub.db.write() as session:
        persons.erase(session, ben.person, anna.clock.at)
        persons.link(session, anna.person, ben.wallet, anna.clock.at)
    anna.subscribe()
    assert anna.client.get(PATH, headers=ben.headers).json()["address"] == ADDRESS
    unlinked = anna.client.delete(f"/v1/insights/me/wallets/{ben.wallet}", headers=anna.headers)
    assert unlinked.status_code == 200
    for method in ("GET", "DELETE"):
        assert_problem(anna.client.request(method, PATH, headers=ben.headers), "no-insights", 404)
    assert anna.told()[0] == "2026-11"


def test_a_hub_without_a_mail_server_says_so_and_sends_nothing(tmp_path: Path) -> None:
    hub = offline_hub(tmp_path)
    with TestClient(create_app(hub)) as client, closing(MailServer()) as server:
        anna = Reader(hub, client, server)
        assert_problem(anna.ask(), "mail-not-offered", 409)
        told = client.get(PATH, headers=anna.headers).json()
        assert (told["offered"], told["address"]) == (False, None)
        assert [worker.lease for worker in Background(hub)._beside] == ["webhooks", "reports"]
        stranger = {"Authorization": f"Bearer {Wallet().address}"}
        assert_problem(client.put(PATH, json={"address": ADDRESS}, headers=stranger), "unauthorized", 401)
    hub.db.close()


def test_a_hub_with_one_has_a_worker_for_it(hub: Hub) -> None:
    assert [worker.lease for worker in Background(hub)._beside] == ["webhooks", "reports", "mails"]
