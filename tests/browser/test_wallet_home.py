"""A payer's first minutes: she signs in with her wallet, opens a channel, sees what she can spend and what gathers."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser_wallet import Extension
from tests.support.live import LiveHub
from tests.support.stage import DOLLAR

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000


def _is_narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


@pytest.mark.parametrize(("language", "width"), [("ko", 360), ("en", 1280)])
def test_with_the_test_wallet_of_a_local_chain(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot, language: str, width: int
) -> None:
    page = visit(f"{live_hub.url}/wallet", language=language, width=width)
    page.locator(".wallets li > button").click()
    expect(page.locator("#who code")).to_be_visible()
    page.locator("#amount").fill("5")
    page.locator("#channel form button").click()
    expect(page.locator("#told [role=alert]")).to_contain_text("$0.00")  # before anything is signed
    page.locator("#holdings button").click()
    expect(page.locator("#holdings dd").first).to_have_text("$20.00", timeout=PATIENCE_MS)
    page.locator("#amount").fill("12.50")
    page.locator("#channel form button").click()
    expect(page.locator("#channel .big")).to_have_text("$12.50", timeout=PATIENCE_MS)
    expect(page.locator("#jar .jar-picture")).to_be_visible()
    assert _is_narrow_enough(page)
    screenshot(page, f"wallet-home-{language}-{width}")
    page.locator("#who button").click()
    expect(page.locator("#sign-in")).to_be_visible()
    expect(page.locator("#signed")).to_be_hidden()


def test_with_an_extension_that_first_declines(live_hub: LiveHub, visit: Visit) -> None:
    extension = Extension(declines=True)
    live_hub.give_dollars(extension.account.address, 20 * DOLLAR)
    page = visit(f"{live_hub.url}/wallet", extension=extension)
    page.get_by_role("button", name="Anna's wallet").click()
    expect(page.locator("#told")).to_contain_text("You declined in your wallet")
    extension.declines = False
    page.get_by_role("button", name="Anna's wallet").click()
    expect(page.locator("#who code")).to_have_attribute("title", extension.account.address)
    page.locator("#amount").fill("5")
    page.locator("#channel form button").click()
    expect(page.locator("#channel .big")).to_have_text("$5.00", timeout=PATIENCE_MS)
    page.locator("#amount").fill("15.01")
    page.locator("#channel form button").click()
    expect(page.locator("#told [role=alert]")).to_contain_text("You have $15.00 in your wallet.")
    assert extension.asked.count("eth_signTypedData_v4") == 1
    page.locator("#amount").fill("3")
    page.locator("#channel form button").click()
    expect(page.locator("#told")).to_contain_text("$3.00 added: $8.00 are in your channel now.", timeout=PATIENCE_MS)
