"""Gift links made in the wallet: the key stays in the browser and in the link; what nobody takes comes back; tokens to an address."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.barcodes import scanned
from tests.support.browser_wallet import Extension, signed_in, wider_than_the_screen
from tests.support.live import LiveHub
from tests.support.stage import CENT
from tests.support.wallet import Wallet

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000


def _holder(live_hub: LiveHub) -> Any:
    return next(p["wallet"] for p in live_hub.payers if live_hub.gift_tokens(p["wallet"].address) > 50 * CENT)


def _make(page: Page, amount: str, message: str) -> None:
    page.locator("#gift-amount").fill(amount)
    page.locator("#message").fill(message)
    page.locator("#make form button").click()


def test_a_link_is_made_shared_and_taken_back_and_tokens_are_sent(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    holder, friend = _holder(live_hub), Wallet()
    page = visit(
        f"{live_hub.url}/wallet/gifts",
        language="ko",
        width=360,
        scheme="dark",
        extension=Extension(account=holder.key),
        permissions=["clipboard-read", "clipboard-write"],
    )
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.url} {request.headers} {request.post_data}"))
    signed_in(page)
    assert not [line for line in sent if "/static/qr/" in line]
    _make(page, "0.07", "생일 축하해!")
    gift = page.locator(".gift").first
    expect(gift).to_have_attribute("data-state", "open", timeout=PATIENCE_MS)
    expect(gift.locator("blockquote")).to_have_text("생일 축하해!")
    gift.get_by_role("button", name="링크 복사").click()
    expect(page.locator("#told")).not_to_be_empty()
    link = page.evaluate("navigator.clipboard.readText()")
    secret = link.partition("#")[2]
    assert len(secret) == 43
    shown = gift.get_by_role("img")  # at once, of what was just made
    shown.evaluate("(picture) => picture.scrollIntoView({ block: 'center' })")
    assert scanned(shown.screenshot()) == link
    assert not [line for line in sent if secret in line]
    assert wider_than_the_screen(page) == []
    screenshot(page, "gifts-ko-360")

    opened = visit(link, language="ko", width=360)
    expect(opened.locator("#main")).to_have_attribute("data-state", "open")
    before = live_hub.gift_tokens(holder.address)
    gift.get_by_role("button", name="되찾기").click()
    page.locator("dialog button[value=yes]").click()
    expect(gift).to_have_attribute("data-state", "returned", timeout=PATIENCE_MS)
    assert live_hub.gift_tokens(holder.address) == before + 7 * CENT
    expect(gift.locator("button")).to_have_count(0)
    assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('taesan.gift.'))") == []

    page.locator("#to").fill(friend.address[:-1] + ("0" if friend.address[-1] != "0" else "1"))
    page.locator("#send-amount").fill("-1")
    page.locator("#send form button").click()
    expect(page.locator("#told [role=alert]")).to_contain_text(re.compile("주소.*금액"))  # both faults at once
    page.locator("#send-amount").fill("0.05")
    page.locator("#send form button").click()
    expect(page.locator("#told [role=alert]")).not_to_contain_text("금액")
    page.locator("#to").fill(friend.address)
    page.locator("#send form button").click()
    expect(page.locator("#send .pill").first).to_have_attribute("data-state", "settled", timeout=PATIENCE_MS)
    assert live_hub.gift_tokens(friend.address) == 5 * CENT


def test_a_gift_whose_answer_was_lost_is_made_once_and_its_link_is_there(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    holder = _holder(live_hub)
    page = visit(
        f"{live_hub.url}/wallet/gifts", extension=Extension(account=holder.key), forgive="Failed to load resource"
    )
    signed_in(page)
    expect(page.locator("#make form")).to_be_visible()
    expect(page.locator("#links .skeleton")).to_have_count(0)
    before = page.locator(".gift").count()

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/v1/gifts", lambda route: lose(route) if route.request.method == "POST" else route.continue_())
    with page.expect_event("requestfailed"):
        _make(page, "0.04", "lost and found")
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    expect(page.locator(".gift")).to_have_count(before + 1, timeout=PATIENCE_MS)
    gift = page.locator(".gift").filter(has_text="lost and found")
    expect(gift).to_have_attribute("data-state", "open", timeout=PATIENCE_MS)
    expect(gift.get_by_role("button", name="Copy the link")).to_be_visible()
    gift.locator("summary").click()
    expect(gift.get_by_role("img", name="QR code of the link")).to_be_visible()
    gift.locator("summary").click()
    expect(gift.locator(".qr")).to_have_count(0)
    screenshot(page, "gifts-en-1280")
