"""The operator's console: who runs the hub sees whether all is well, the batches on their way, and what was set aside."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.live import LiveHub

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000


def _sign_in(page: Page, language: str) -> None:
    name = {"en": "Operator's test wallet", "ko": "운영자용 테스트 지갑"}[language]
    page.get_by_role("button", name=name).click()
    expect(page.locator("#who code")).to_be_visible()
    expect(page.locator("#who .test")).to_be_visible()


@pytest.mark.parametrize(("language", "width", "scheme"), [("ko", 360, "dark"), ("en", 1280, "light")])
def test_the_operator_sees_how_the_hub_is(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot, language: str, width: int, scheme: str
) -> None:
    page = visit(f"{live_hub.url}/operator", language=language, width=width, scheme=scheme)
    _sign_in(page, language)
    expect(page.locator("#health .lamps li")).to_have_count(5)
    expect(page.locator("#health .lamps li[data-state=no]")).to_have_count(0)
    expect(page.locator("#reserve svg")).to_have_count(2)
    newest = page.locator("#batches li a").first.inner_text()
    live_hub.pay_once()
    expect(page.locator("#batches li a").first).not_to_have_text(newest, timeout=PATIENCE_MS)
    expect(page.locator("#batches li").first).to_contain_text(
        {"ko": "정산 완료", "en": "Fully settled"}[language], timeout=PATIENCE_MS
    )
    expect(page.locator("#gas canvas")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#gas tbody tr").first).to_be_attached()
    # Once the charts have their widths.
    page.wait_for_function("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    screenshot(page, f"operator-{language}-{width}")


def test_nobody_else_does(live_hub: LiveHub, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/operator", forgive="403")
    page.locator(".wallets summary").click()
    page.locator("#test-key").fill("0x1234")
    page.locator(".wallets form button").click()
    expect(page.locator("#told")).to_contain_text("That is no key")
    page.locator(".wallets > li > button").last.click()
    expect(page.locator("#health")).to_contain_text("Only the hub's operators may see and do this.")
    expect(page.locator("#quarantine")).to_contain_text("Only the hub's operators")
