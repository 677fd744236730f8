"""The page behind a mail's link: it can be read and pressed anywhere, has no script, and only its button ends anything."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select
from sqlmodel import col

from taesan.insights.schedule_models import ReportMail
from tests.browser.conftest import Visit
from tests.support.live import LiveHub


def _is_kept(hub: LiveHub, token: str) -> bool:
    with hub._hub.db.read() as session:
        return session.scalar(select(ReportMail).where(col(ReportMail.token) == token)) is not None


@pytest.mark.parametrize(("language", "width", "scheme"), [("ko", 360, "light"), ("en", 1280, "dark")])
def test_its_button_ends_it(
    live_hub: LiveHub,
    visit: Visit,
    screenshot: Callable[[Page, str], None],
    language: str,
    width: int,
    scheme: str,
) -> None:
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    never = now + timedelta(days=9_000)
    row = ReportMail(
        owner=secrets.randbits(40),
        address="anna@example.com",
        token=token,
        confirmed_at=now,
        month=never.date(),
        due_at=never,
        created_at=now,
    )
    with live_hub._hub.db.write() as session:
        session.add(row)
    url = f"{live_hub.url}/unsubscribe?token={token}&lang={language}"
    page = visit(url, width=width, language=language, scheme=scheme)
    expect(page.locator("script")).to_have_count(0)
    screenshot(page, f"unsubscribe-{language}-{width}")
    assert _is_kept(live_hub, token)
    other = "en" if language == "ko" else "ko"
    page.locator(f"nav a[hreflang={other}]").click()
    page.locator(f"nav a[hreflang={language}]").click()
    page.locator("main button").click()
    expect(page.locator("main button")).to_have_count(0)
    expect(page.locator("h1")).to_have_text("이제 메일을 보내지 않아요" if language == "ko" else "No more mails come")
    assert not _is_kept(live_hub, token)
