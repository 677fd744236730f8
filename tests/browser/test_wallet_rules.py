"""A payer puts a rule together, tries it on what she has bought, signs it, and sees it gather; faults stand beside their fields."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from taesan.jars import sources
from taesan.jars.grammar import parse_gather
from tests.support.browser_wallet import with_channel
from tests.support.live import LiveHub

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000
LANTERN, PEBBLE = "[data-good=item-lantern]", "[data-good=item-pebble]"

_OF_PURCHASES = """async ([gathers, prices, byTiers]) => {
  const { ofPurchase } = await import("/static/lib/change.js");
  const { readGather } = await import("/static/lib/rule.js");
  const all = (gather) => prices.flatMap((price) => byTiers.map((by) => String(ofPurchase(readGather(gather), BigInt(price), 6, BigInt(by)))));
  return gathers.map(all);
}"""


def _is_narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def _as_the_hub_computes(page: Page) -> None:
    gathers = [
        "round up to 1 USD",
        "round up to 0.50 USD x2, at most 5 USD a day",
        "round up to 0.10 USD x2 to x3 by tier, 3.33% of the price, fixed 0.07 USD",
        "0.25% of the price",
        "top-ups",
    ]
    prices, by_tiers = [0, 1, 1_000_000, 3_700_000, 9_999_999], [10_000, 12_345, 40_000]
    told: Any = page.evaluate(_OF_PURCHASES, [gathers, prices, by_tiers])
    assert told == [
        [str(sources.of_purchase(parse_gather(gather), price, 6, by)) for price in prices for by in by_tiers]
        for gather in gathers
    ]


def _fill_in(editor: Locator) -> None:
    """Twice the change of games to the next half dollar; forty cents at once, half of it into savings."""
    editor.locator("#step").select_option("1")
    editor.locator("#times").fill("2")
    editor.locator("#value").fill("0.40")
    editor.locator(".part").click()
    editor.locator("#movedPerDay").fill("5")
    editor.locator("summary").click()
    editor.locator("#categories").fill("games")


def _look_after(page: Page, rule: Locator, picture: Callable[[], None]) -> None:
    """Pauses it, reads its history, changes the jar's own setting, ends the rule."""
    rule.locator(".ways button").first.click()
    expect(rule).to_have_attribute("data-state", "paused")
    rule.locator("summary").first.click()
    expect(rule.locator(".history li")).to_have_count(1)
    page.locator("#own-step").fill("0")
    page.locator("#setting form button").click()
    expect(page.locator("#own-step-fault")).to_be_visible()
    page.locator("#own-step").fill("0.50")
    page.locator("#setting form button").click()
    expect(page.locator("#told")).to_contain_text("$0.50")
    assert _is_narrow_enough(page)
    picture()
    rule.locator(".danger").click()
    page.locator("dialog button[value=yes]").click()
    expect(page.locator(".rule[data-state=cancelled]")).to_have_count(1)


@pytest.mark.parametrize(("language", "width"), [("ko", 360), ("en", 1280)])
def test_from_the_first_choice_to_what_it_gathers(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot, language: str, width: int
) -> None:
    page, wallet = with_channel(live_hub, visit, "9.00", language=language, width=width, forgive="status of 4")
    page.goto(f"{live_hub.url}/wallet/shop?lang={language}")
    page.locator(f"{LANTERN} button").click()
    expect(page.locator(f"{LANTERN} .picture path")).to_be_attached()
    expect(page.locator("#change .big")).to_have_text("$0.30")
    _as_the_hub_computes(page)

    page.goto(f"{live_hub.url}/wallet/rules?lang={language}")
    editor = page.locator("#editor")
    editor.locator("#roundUp").uncheck()
    editor.locator(".try").click()
    expect(editor.locator("#gather-fault")).to_be_visible()
    expect(editor.locator("#gather-fault").locator("..")).to_be_focused()
    editor.locator("#roundUp").check()
    _fill_in(editor)
    expect(editor.locator(".exact code")).to_have_text(["round up to 0.50 USD x2", "every 0.40 USD", "category games"])
    editor.locator(".try").click()
    expect(editor.locator(".rehearsal b")).to_contain_text("$0.60")
    expect(editor.locator(".rehearsal .amount")).to_have_text(["$0.40"])
    assert _is_narrow_enough(page)
    screenshot(page, f"wallet-rules-editor-{language}-{width}")

    editor.locator("#merchants").fill("mer_0")
    editor.locator(".sign").click()
    expect(editor.locator("#merchants-fault")).to_contain_text("mer_0")  # the hub knows no such merchant
    editor.locator("#merchants").fill("")
    before = wallet.asked.count("eth_signTypedData_v4")
    editor.locator(".sign").click()
    rule = page.locator(".rule")
    expect(rule).to_have_count(1, timeout=PATIENCE_MS)
    assert wallet.asked.count("eth_signTypedData_v4") == before + 2  # the rule, and how much it may move

    page.goto(f"{live_hub.url}/wallet/shop?lang={language}")
    expect(page.locator(f"{PEBBLE} .dusty")).to_contain_text("$0.30")  # by the rule
    expect(page.locator("[data-good=article-dust] .dusty")).to_contain_text("$0.55")  # by the jar's own setting
    page.locator(f"{PEBBLE} button").click()
    expect(page.locator(f"{PEBBLE} .picture path")).to_be_attached()
    expect(page.locator("#told")).to_contain_text("$0.30")

    page.goto(f"{live_hub.url}/wallet/rules?lang={language}")
    expect(rule.locator(".big")).to_have_text("$0.30")
    _look_after(page, rule, lambda: screenshot(page, f"wallet-rules-{language}-{width}"))
