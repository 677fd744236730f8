"""One mail to a real mail server: what becomes of it is told right, in time, and no secret goes where it should not."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from taesan.core import smtp
from taesan.core.smtp import Outcome
from taesan.settings import Settings
from tests.support.certificates import server_context
from tests.support.chain import free_port
from tests.support.mail_server import BREAK, DRIP, END, FIRST, HANG, MailServer

ANNA = "anna@example.com"
CONTENT = b"Subject: dots\r\n\r\n.\r\n..two\r\n.three\r\n"
BROKEN = "the connection broke, or no answer came in time"


def settings_for(server: MailServer, **changes: Any) -> Settings:
    told = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_tls": "none", "smtp_from": "reports@hub.example"}
    return Settings(**told | changes)


def send(settings: Settings) -> Outcome:
    return smtp.send(settings, ANNA, CONTENT, threading.Event())


@pytest.fixture
def server() -> Iterator[MailServer]:
    with closing(MailServer()) as server:
        yield server


def test_a_mail_arrives_as_it_was_made(server: MailServer) -> None:
    assert send(settings_for(server)) == Outcome("accepted", "")
    (taken,) = server.got
    assert (taken.sender, taken.recipient, taken.content) == ("reports@hub.example", ANNA, CONTENT)
    assert server.asked[0] == "EHLO hub.example", "not what this machine is called"


@pytest.mark.parametrize(
    ("at", "answer", "outcome"),
    [
        (FIRST, "421 4.3.2 too busy", Outcome("later", "answered 421 4.3.2")),
        (FIRST, "554 not you", Outcome("later", "answered 554")),
        ("MAIL", "550 5.7.1 not from there", Outcome("later", "answered 550 5.7.1")),  # the hub's fault, not the mail's
        ("RCPT", f"451 4.7.1 greylisted <{ANNA}>", Outcome("later", "answered 451 4.7.1")),
        ("RCPT", f"550 5.1.1 no <{ANNA}> here", Outcome("refused", "answered 550 5.1.1")),
        ("DATA", "451 later", Outcome("later", "answered 451")),
        ("DATA", "554 5.6.0 no", Outcome("refused", "answered 554 5.6.0")),
        (END, "452 4.3.1 disk full", Outcome("later", "answered 452 4.3.1")),
        (END, "552 5.3.4 too large", Outcome("refused", "answered 552 5.3.4")),
        (END, "what?", Outcome("unknown", "answered what is no answer")),
        ("MAIL", BREAK, Outcome("later", BROKEN)),
        (END, BREAK, Outcome("unknown", BROKEN)),
        ("QUIT", BREAK, Outcome("accepted", "")),
    ],
    ids=str,
)
def test_what_became_of_it_is_told_without_the_address(
    server: MailServer, at: str, answer: str, outcome: Outcome
) -> None:
    server.answer = lambda command: answer if command == at else None
    assert send(settings_for(server)) == outcome


@pytest.mark.parametrize(
    ("how", "at", "result"),
    [
        (HANG, FIRST, "later"),
        (DRIP, FIRST, "later"),
        (HANG, "RCPT", "later"),
        (HANG, END, "unknown"),
        (DRIP, END, "unknown"),
    ],
)
def test_a_server_that_hangs_is_waited_for_so_long(
    server: MailServer, monkeypatch: pytest.MonkeyPatch, how: str, at: str, result: str
) -> None:
    monkeypatch.setattr(smtp, "WHOLE_S", 0.5)
    server.answer = lambda command: how if command == at else None
    began = time.monotonic()
    assert send(settings_for(server)) == Outcome(result, BROKEN)  # type: ignore[arg-type]
    assert time.monotonic() - began < 5


def test_a_process_that_ends_does_not_wait_for_it(server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "FAREWELL_S", 0.3)
    server.answer = lambda command: HANG if command == END else None
    stopping = threading.Event()
    threading.Timer(0.2, stopping.set).start()
    began = time.monotonic()
    assert smtp.send(settings_for(server), ANNA, CONTENT, stopping).result == "unknown"
    assert time.monotonic() - began < 5


def test_where_nobody_listens_it_is_tried_later(server: MailServer) -> None:
    assert send(settings_for(server, smtp_port=free_port())) == Outcome("later", "ConnectionRefusedError")


# ----------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return server_context(tmp_path_factory.mktemp("tls"), "127.0.0.1")


@pytest.mark.parametrize("how", ["starttls", "tls"])
def test_a_password_goes_to_who_has_the_certificate_and_nobody_else(
    tls: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    context, certificate = tls
    (tmp_path / "password").write_text("s3cret\n")
    with closing(MailServer(context, is_private=how == "tls")) as server:
        server.user, server.password = "hub", "s3cret"
        named = {"smtp_tls": how, "smtp_user": "hub", "smtp_password_file": tmp_path / "password"}
        assert send(settings_for(server, **named)) == Outcome("later", "SSLCertVerificationError")
        assert not [line for line in server.asked if line.startswith(("AUTH", "MAIL"))]
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert send(settings_for(server, **named)).result == "accepted"
        assert [(taken.is_private, taken.user) for taken in server.got] == [(True, "hub")]
        assert send(settings_for(server, **named, smtp_host="localhost")).reason == "SSLCertVerificationError"
        server.password = "another"
        assert send(settings_for(server, **named)) == Outcome("later", "answered 535 5.7.8")
        (tmp_path / "password").unlink()
        assert send(settings_for(server, **named)) == Outcome("later", "FileNotFoundError")
        assert len(server.got) == 1


def test_a_server_without_tls_is_told_nothing(server: MailServer) -> None:
    """Somebody between may have taken the offer out."""
    named = {"smtp_tls": "starttls", "smtp_user": "hub", "smtp_password": "s3cret"}
    assert send(settings_for(server, **named)) == Outcome("later", "SMTPNotSupportedError")
    assert [line.partition(" ")[0] for line in server.asked] == ["EHLO"]
