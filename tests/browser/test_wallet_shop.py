"""A payer in a shop: what goes into the jar is told before, falls into it after, and becomes a token in front of her."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.browser_wallet import with_channel
from tests.support.live import LiveHub
from tests.support.stage import key

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000


def _is_narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def _renews_while_open(page: Page) -> None:
    """As if the minute were over; the page pays for another, by itself, and says so."""

    paid_until: list[str] = []

    def over(route: Route) -> None:
        answer = route.fetch()
        shop = answer.json()
        letters = next(good for good in shop["goods"] if good["kind"] == "subscription")
        paid_until.append(letters["paid_until"])
        if letters["paid_until"] == paid_until[0]:
            letters["content"] = None
        route.fulfill(response=answer, json=shop)

    club = page.locator("[data-good=club-letters]")
    page.route("**/v1/sample-shop", over)
    club.locator("input").check()
    expect(page.locator("#change .big")).to_have_text("$0.06", timeout=PATIENCE_MS)  # 0.18 and 0.88: another dollar
    club.locator("input").uncheck()
    page.unroute_all(behavior="ignoreErrors")  # one may be on its way


@pytest.mark.parametrize(("language", "width"), [("ko", 360), ("en", 1280)])
def test_a_purchase_its_change_and_the_token(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot, language: str, width: int
) -> None:
    is_still = width == 360
    motion = {"reduced_motion": "reduce"} if is_still else {}
    page, _ = with_channel(live_hub, visit, "9.00", language=language, width=width, **motion)
    page.goto(f"{live_hub.url}/wallet/shop?lang={language}")
    lantern, pebble, club = (
        page.locator(f"[data-good={name}]") for name in ("item-lantern", "item-pebble", "club-letters")
    )
    expect(lantern.locator(".cost")).to_contain_text("$3.70")
    expect(lantern.locator(".dusty")).to_contain_text("$0.30")
    assert "M18 8h12" not in page.content()

    title = lantern.locator("h3").inner_text()
    lantern.locator("button").click()
    expect(page.locator("#told")).to_contain_text("$0.30")
    expect(lantern.locator(".picture path")).to_have_attribute(
        "d", "M18 8h12M24 8V4M16 14h16l3 24H13zM13 38h22v5H13zM24 20c4 4 4 8 0 12c-4-4-4-8 0-12z"
    )
    expect(lantern.locator("button")).to_have_count(0)
    expect(page.locator("#change .big")).to_have_text("$0.30")
    fall = page.locator("#change .coin").evaluate("coin => getComputedStyle(coin).animationName")
    assert (fall == "none") == is_still
    assert _is_narrow_enough(page)
    screenshot(page, f"wallet-shop-{language}-{width}")

    expect(pebble.locator(".dusty")).to_contain_text("$0.15")
    page.locator("#change input").uncheck()
    expect(pebble.locator(".dusty")).to_have_count(0)
    page.locator("#change input").check()
    expect(club.locator(".dusty")).to_be_visible()
    club.get_by_role("button").click()
    expect(club.locator(".reading")).to_be_visible()
    expect(page.locator("#change .big")).to_have_text("$0.18", timeout=PATIENCE_MS)  # 0.30 and 0.88: a dollar has fired
    joy = page.locator(".joy")
    expect(joy.locator(".big")).to_have_text("$1.00")
    expect(joy.locator("path[data-kind=rock]").first).to_be_attached()
    screenshot(page, f"wallet-joy-{language}-{width}")

    _renews_while_open(page)
    expect(joy.locator(".big")).to_have_text("$2.00")  # what is not closed yet tells of both
    page.reload()
    expect(lantern.locator(".reading")).to_be_visible()
    expect(page.locator("#change .hint").nth(1)).to_contain_text("$3.00")
    expect(joy).to_have_count(0)  # told once

    page.evaluate(
        "Object.keys(localStorage).filter(k => k.startsWith('taesan.joy')).forEach(k => localStorage.removeItem(k))"
    )
    page.goto(f"{live_hub.url}/wallet?lang={language}")  # where she has not been since
    expect(joy.locator(".big")).to_have_text("$2.00")
    expect(page.locator("#jar .big")).to_have_text("$0.06")
    expect(page.locator("#jar .jar-picture")).to_have_attribute("aria-label", re.compile(r"\$0\.06.*\$0\.94"))
    expect(page.locator("#treasures b").first).to_have_text("Walker", timeout=PATIENCE_MS)
    expect(page.locator("#holdings dd").nth(1)).to_have_text("$2.00", timeout=PATIENCE_MS)
    assert _is_narrow_enough(page)
    screenshot(page, f"wallet-home-with-jar-{language}-{width}")
    page.goto(f"{live_hub.url}/wallet/activity?lang={language}")
    expect(page.locator(".events > li").filter(has_text=title)).to_have_count(1, timeout=PATIENCE_MS)


def _bill(live_hub: LiveHub, cents: str) -> dict[str, str]:
    body = {"amount": {"value": cents, "asset": "USD"}, "description": "라테"}
    made: dict[str, str] = live_hub.client.post(
        "/v1/invoices", json=body, headers=key() | live_hub.merchant_headers
    ).json()
    return made


def _never_answered(_route: Route) -> None:
    """It stays open."""


def _signs_no_more_change_than_the_bill_has_shown(live_hub: LiveHub, page: Page) -> None:
    """The jar is set to more in another place, and this page has heard of it, but the bill was not drawn again yet."""
    invoice = _bill(live_hub, "185")["id"]
    page.goto(f"{live_hub.url}/wallet/shop?invoice={invoice}&lang=ko")
    expect(page.locator("#bill .cost")).to_contain_text("$0.15")
    page.route("**/v1/invoices/*", _never_answered)
    page.evaluate(_ROUNDS_UP_TO_FIVE_DOLLARS)
    expect(page.locator("#change")).to_contain_text("$5.00", timeout=PATIENCE_MS)
    expect(page.locator("#bill .cost")).to_contain_text("$0.15")
    page.locator("#bill button").click()
    expect(page.locator("#told")).to_contain_text("보여 드린 금액보다 많아져서", timeout=PATIENCE_MS)
    page.unroute_all(behavior="ignoreErrors")
    page.reload()
    expect(page.locator("#bill [role=status]")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#change .big")).to_have_text("$0.15")


_ROUNDS_UP_TO_FIVE_DOLLARS = """async () => {
  const { askSigned } = await import("/static/lib/session.js");
  const { id } = await (await import("/static/lib/channel.js")).mine();
  const { trigger_count, trigger_value } = await askSigned("GET", `/v1/channels/${id}/jar`);
  await askSigned("PUT", `/v1/channels/${id}/jar`, { body: { round_up_step: "5000000", trigger_count, trigger_value } });
}"""


def test_a_bill_is_paid_from_its_own_page(live_hub: LiveHub, visit: Visit, screenshot: Screenshot) -> None:
    page, _ = with_channel(live_hub, visit, "9.00", language="ko", width=360)
    made = _bill(live_hub, "285")
    page.goto(made["pay_url"] + "?lang=ko")
    page.locator("a.way").click()
    expect(page.locator("#bill .cost")).to_contain_text("$0.15")
    page.locator("#bill button").click()
    expect(page.locator("#bill [role=status]")).to_have_text("결제가 끝난 청구서예요.", timeout=PATIENCE_MS)
    expect(page.locator("#change .big")).to_have_text("$0.15")
    screenshot(page, "wallet-bill-ko-360")
    assert live_hub.client.get(f"/v1/invoices/{made['id']}").json()["state"] == "paid"
    _signs_no_more_change_than_the_bill_has_shown(live_hub, page)
