"""Mails: what they say in both languages, that nothing in them steers anything, and which addresses there are."""

import email
import email.policy
from datetime import UTC, datetime
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from pydantic import TypeAdapter, ValidationError

from taesan.core.i18n import translations
from taesan.core.values import MailAddress
from taesan.insights import mail
from taesan.insights.documents import Writer
from taesan.insights.mail import Way
from tests.support.korean import assert_told_in_korean
from tests.support.source import PACKAGE, calls, modules
from tests.unit.test_insights_reports import HOSTILE, TOKEN, audit_of

TOKEN_43 = "t" * 43
SITE = "https://a-hub-with-a-long-name.department.some-company.example"
LINK = f"{SITE}/unsubscribe?token={TOKEN_43}&lang=ko"
WAY = Way(
    "reports@hub.example", "anna+taesan@example.com", TOKEN_43, f"{SITE}/", "ko", datetime(2026, 12, 1, tzinfo=UTC)
)


def _read(content: bytes) -> Any:
    content.decode("ascii")
    lines = content.split(b"\r\n")
    assert not [line for line in lines if b"\n" in line or len(line) > 998]
    return email.message_from_bytes(content, policy=email.policy.default)


def _text(message: Any) -> str:
    return str(message.get_body().get_content()).replace("\r\n", "\n")


def _of_month(language: str) -> Any:
    say, audit = translations(language).gettext, audit_of(HOSTILE)
    writer = Writer(language, say, {TOKEN: "TUSD"})
    return _read(mail.of_month(WAY, say, audit.month, writer.title(audit), writer.brief(audit), b"%PDF-1.4"))


def test_a_korean_report_reads_as_it_was_written() -> None:
    message = _of_month("ko")
    assert message["Subject"] == "2026년 11월 소액 지출 보고서"
    text = _text(message)
    assert "- 쓴 돈: 12.345678 TUSD (31건, 전달 1.00 TUSD)" in text
    assert "- 쓴 돈: 4,500원 (31건, 전달 1,000,000원)" in text
    assert text.rstrip().endswith(LINK)
    (pdf,) = message.iter_attachments()
    assert (pdf.get_content_type(), pdf.get_filename()) == ("application/pdf", "taesan-2026-11.pdf")
    assert pdf.get_content() == b"%PDF-1.4"


def test_an_english_one_has_the_same_figures_and_no_merchants_name() -> None:
    message = _of_month("en")
    assert message["Subject"] == "Your small money in November 2026"
    text = _text(message)
    assert "- Spent: 12.345678 TUSD (31 times; the month before: 1.00 TUSD)" in text
    assert [name for name in HOSTILE if name in text] == []


def test_its_head_says_who_and_how_to_end_it_and_nothing_more() -> None:
    message = _of_month("ko")
    assert {name: str(value) for name, value in message.items() if name not in ("Subject", "Content-Type")} == {
        "From": "Taesan <reports@hub.example>",
        "To": "anna+taesan@example.com",
        "Date": "Tue, 01 Dec 2026 00:00:00 +0000",
        "Message-ID": message["Message-ID"],
        "Auto-Submitted": "auto-generated",
        "List-Unsubscribe": f"<{LINK}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "MIME-Version": "1.0",
    }
    assert str(message["Message-ID"]).endswith("@hub.example>")
    assert TOKEN_43 not in message["Message-ID"]


def test_one_months_mail_has_one_message_id() -> None:
    def id_of(way: Way, month: str) -> str:
        return str(_read(mail.of_month(way, str, month, "x", [], b""))["Message-ID"])

    later = WAY._replace(at=datetime(2026, 12, 3, tzinfo=UTC))
    assert id_of(WAY, "2026-11") == id_of(later, "2026-11")
    others = {id_of(WAY, "2026-12"), id_of(WAY._replace(token="u" * 43), "2026-11"), id_of(WAY, "2026-11")}
    assert len(others) == 3


def test_a_link_of_any_length_stands_whole_on_one_line() -> None:
    way = WAY._replace(site=f"https://{'sub.' * 50}hub.example")
    content = mail.confirmation(way, str, "code")
    assert f"\r\nList-Unsubscribe: <{way.unsubscribe}>\r\n".encode() in content


def test_who_is_asked_is_told_the_code_and_nothing_of_who_asks() -> None:
    message = _read(mail.confirmation(WAY, translations("ko").gettext, "the-code"))
    text = _text(message)
    assert message["Subject"] == "월간 보고서를 받을 메일 주소가 맞나요?"
    assert "\n    the-code\n" in text
    assert LINK in text
    assert "24시간" in text
    assert list(message.iter_attachments()) == []


def test_what_mails_say_has_its_korean() -> None:
    (module,) = (m for m in modules() if m.path.as_posix() == "insights/mail.py")
    said = {str(getattr(a, "value", "")) for name, call in calls(module.nodes) if name == "say" for a in call.args}
    found = extract_from_dir(PACKAGE / "web" / "templates", [("unsubscribe.html", "jinja2")])
    shown = {str(message) for _, _, message, *_ in found}
    assert (len(said), len(shown)) == (6, 6)
    assert_told_in_korean(said | shown)


# ------------------------------------------------------------------ addresses


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("anna@example.com", "anna@example.com"),
        ("Anna.Kim+won@Mail.Example.CO.KR", "Anna.Kim+won@mail.example.co.kr"),
        ("o'brien_1@xn--bj0bj06e.example", "o'brien_1@xn--bj0bj06e.example"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_plain_addresses_are_taken(written: str, meant: str) -> None:
    assert TypeAdapter(MailAddress).validate_python(written) == meant


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "anna",
        "anna@",
        "@example.com",
        "anna@localhost",
        "anna@127.0.0.1",
        "anna@[127.0.0.1]",
        "anna@example.com\n",
        "anna@example.com\r\nBcc: ben@example.com",
        "anna@example.com\0",
        "anna@example.com,ben@example.com",
        "anna@example.com ben@example.com",
        "Anna <anna@example.com>",
        "<anna@example.com>",
        '"anna\\r\\n"@example.com',
        "anna@example.com>",
        "anna(x)@example.com",
        "an na@example.com",
        ".anna@example.com",
        "anna.@example.com",
        "an..na@example.com",
        "-oX@example.com",
        "anna%other@example.com",
        "other!anna@example.com",
        "anna@ben@example.com",
        "anna@-example.com",
        "anna@example-.com",
        "anna@example..com",
        "anna@example.com.",
        "anna@example.c",
        "안나@example.com",
        "anna@예시.한국",
        "a" * 65 + "@example.com",
        "a@" + "b." * 126 + "com",
        "a@" + "b" * 64 + ".com",
    ],
)
def test_what_is_none_or_more_than_one_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(MailAddress).validate_python(wrong)
