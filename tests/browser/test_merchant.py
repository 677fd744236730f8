"""A merchant's way through the console: an account, a till that opens by itself, a customer who pays, and what then is seen."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from taesan.identity.scopes import SCOPES
from taesan.insights.custom_models import (
    CohortMonth,
    CohortPublic,
    CustomForecast,
    CustomSums,
    MerchantInsights,
    RepeatPublic,
)
from taesan.webhooks.schedule import EVENT_TYPES
from tests.support.live import LiveHub
from tests.support.receiver import Answer, Receiver
from tests.support.stage import key

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000

TILLS = (("GET", "/v1/account"), ("POST", "/v1/payouts"))
"""What a till's key may do, and what it may not."""
_END_SESSION = "localStorage['taesan.session'] = JSON.stringify({ ...JSON.parse(localStorage['taesan.session']), expires_at: '2020-01-01T00:00:00Z' })"
MUCH_CUSTOM = MerchantInsights(
    month="2026-11",
    time_zone="Asia/Seoul",
    since="2026-09",
    complete=True,
    asset="USD",
    exponent=6,
    paid=CustomSums(payers=48, payments=190, amount=412_500_000),
    repeat=RepeatPublic(returning=6_250, again=None),
    cohorts=[
        CohortPublic(
            first="2026-09",
            last="2026-09",
            or_before=True,
            payers=40,
            active=[
                CohortMonth(month="2026-09", payers=40),
                CohortMonth(month="2026-10", payers=31),
                CohortMonth(month="2026-11", payers=None),
            ],
        ),
        CohortPublic(
            first="2026-10",
            last="2026-11",
            or_before=False,
            payers=25,
            active=[CohortMonth(month="2026-10", payers=25), CohortMonth(month="2026-11", payers=22)],
        ),
    ],
    campaigns=[],
    tiers=[],
    forecast=CustomForecast(
        so_far=412_500_000, expected=407_500_000, total=820_000_000, low=760_000_000, high=900_000_000
    ),
)
"""As the hub tells it of more payers than a test has."""


def _is_narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def _open_account(page: Page, name: str, shot: Callable[[str], None]) -> str:
    """Signs in with the test wallet and opens an account; returns its first API key."""
    page.locator(".wallets li > button").click()
    page.locator("#shop").fill(name)
    shot("opening")
    page.locator("#opening form button").click()
    shown = page.locator(".secret code").inner_text()
    shot("first-key")
    page.locator("#opening > button").click()
    expect(page.locator("#console h1")).to_have_text(name)
    return shown


def _pay(hub: LiveHub, invoice_id: str) -> dict[str, Any]:
    """One of the hub's payers pays an invoice out of her channel."""
    quote = hub.client.get(f"/v1/invoices/{invoice_id}").json()["quote"]
    return _pay_to(hub, quote, {"type": "invoice", "invoice_id": invoice_id})


def _pay_to(hub: LiveHub, quote: dict[str, Any], destination: dict[str, Any]) -> dict[str, Any]:
    payer = hub.payers[1]
    cumulative = payer["charged"] + int(quote["value"])
    signature = payer["wallet"].voucher(hub.facts, payer["id"], cumulative)
    body = {
        "voucher": {"channel_id": payer["id"], "max_claimable_amount": str(cumulative), "signature": signature},
        "amount": {"asset": hub.facts["asset"], "exponent": 6} | quote,
        "destination": destination,
    }
    answer = hub.client.post("/v1/payments", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    payer["charged"] = cumulative
    return dict(answer.json())


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    opened = Receiver()
    yield opened
    opened.close()


@dataclass
class Shop:
    """A merchant at work in the console. :ivar shot: leaves a picture of the page under a name"""

    hub: LiveHub
    page: Page
    name: str
    api_key: str
    shot: Callable[[str], None]

    def get(self, path: str) -> Any:
        """As its API tells it."""
        answer = self.hub.client.get(path, headers={"Authorization": f"Bearer {self.api_key}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_MS / 1_000
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def go(self, tab: int) -> None:
        self.page.locator(f".tabs a:nth-child({tab})").click()
        expect(self.page.locator(f".tabs a:nth-child({tab})")).to_have_attribute("aria-current", "page")


@pytest.mark.parametrize(("language", "width"), [("ko", 360), ("en", 1280)])
def test_from_an_account_to_money(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot, receiver: Receiver, language: str, width: int
) -> None:
    page = visit(
        f"{live_hub.url}/merchant?lang={language}",
        language=language,
        width=width,
        scheme="dark" if language == "en" else "light",
        forgive="Failed to load resource",
        timezone_id="Asia/Seoul",
    )

    def shot(name: str) -> None:
        assert _is_narrow_enough(page), name
        screenshot(page, f"merchant-{name}-{language}-{width}")

    name = f"Tea {language}"
    shop = Shop(live_hub, page, name, _open_account(page, name, shot), shot)
    assert shop.get("/v1/merchants/me")["name"] == name
    assert shop.get("/v1/account/settings")["time_zone"] == "Asia/Seoul"  # the browser's
    assert shop.api_key not in page.content()
    _sells_at_the_till(shop)
    page.goto(f"{live_hub.url}/merchant?lang={language}")
    _sees_the_day(shop)
    _refunds(shop, _asks_for_an_amount(shop))
    shop.go(2)
    _is_paid_out(shop)
    shop.go(3)
    _promises_cashback(shop)
    _has_tiers(shop)
    shop.go(4)
    _makes_keys(shop)
    _follows_deliveries(shop, receiver)
    shop.go(5)
    _reads_insights(shop)
    shop.go(3)
    _signs_in_again(shop, {"#campaign-name": "Winter", "#tier-1-name": "Summit", "#per": "0.20"})
    shop.go(1)
    _signs_in_again(shop, {"#invoice-what": "Tea for two"})


def _sells_at_the_till(shop: Shop) -> None:
    page = shop.page
    page.locator(".heading a.button").click()
    expect(page.locator("#whose")).to_have_text(shop.name)  # no key was asked for
    expect(page.locator("#as")).to_contain_text("0x")
    expect(page.locator(".whose a")).to_have_attribute("href", re.compile("^/merchant"))
    for digit in ("4", "5", "0"):
        page.locator(f"[data-digit='{digit}']").click()
    page.locator("#charge").click()
    expect(page.locator("#code")).to_have_attribute("src", re.compile("inv_"))
    _goes_on_by_its_key(shop)
    _pay(shop.hub, str(page.locator("#code").get_attribute("src")).split("/")[2])
    expect(page.locator("#main")).to_have_attribute("data-state", "paid", timeout=PATIENCE_MS)


def _goes_on_by_its_key(shop: Shop) -> None:
    """The sign-in ends while a customer is being served."""
    page = shop.page
    code = str(page.locator("#code").get_attribute("src"))
    session = page.evaluate("localStorage['taesan.session']")
    page.evaluate(_END_SESSION)
    page.locator("#cancel").click()
    expect(page.locator("#trouble")).to_be_visible()
    page.locator("#api-key").fill(shop.api_key)
    page.locator("#key-form button").click()
    expect(page.locator("#code")).to_be_visible()
    expect(page.locator("#code")).to_have_attribute("src", code)
    page.evaluate("session => { localStorage['taesan.session'] = session }", session)


def _sees_the_day(shop: Shop) -> None:
    expect(shop.page.locator("#day .big")).to_have_text("$4.50", timeout=PATIENCE_MS)
    expect(shop.page.locator("#balance .big")).to_have_text("$4.50", timeout=PATIENCE_MS)
    shop.page.emulate_media(media="print")
    expect(shop.page.locator("#day .printed")).to_contain_text(shop.name)
    expect(shop.page.locator("#balance")).to_be_hidden()
    shop.page.emulate_media(media="screen")


def _asks_for_an_amount(shop: Shop) -> dict[str, Any]:
    """Returns the payment."""
    page = shop.page
    page.locator("#invoice-amount").fill("1.25")
    page.locator("#invoice-what").fill("Cake")
    page.locator("#ask form button").click()
    link = page.locator("#invoices details[open] a")
    expect(page.locator("#invoices img.code")).to_be_visible()
    shop.shot("home")
    paid = _pay(shop.hub, str(link.inner_text()).rpartition("/")[2])
    expect(page.locator("#day .big")).to_have_text("$5.75", timeout=PATIENCE_MS)  # by itself
    return paid


def _refunds(shop: Shop, payment: dict[str, Any]) -> None:
    page = shop.page
    newest = page.locator("#payments li").first
    expect(newest.locator(".amount")).to_have_text("$1.25")
    expect(page.locator("#balance .big")).to_have_text("$5.75", timeout=PATIENCE_MS)
    newest.get_by_role("button").click()
    page.locator("#refund-amount").fill("a quarter")
    page.locator("dialog button.danger").click()
    said = page.locator("#told [role=alert]")
    said.get_by_role("button").click()  # over the dialog, which has all else wait
    expect(said).to_have_count(0)
    page.locator("#refund-amount").fill("0.25")
    page.locator("#refund-note").fill("dry")
    shop.shot("refund")
    page.locator("dialog button.danger").click()
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator("#told .told")).to_contain_text("$0.25")
    expect(newest.locator("[data-tone='refunded']")).to_contain_text("$0.25", timeout=PATIENCE_MS)
    (refund,) = shop.get("/v1/refunds")["items"]
    assert (refund["of"], refund["amount"], refund["note"]) == (payment["id"], "250000", "dry")
    expect(page.locator("#day .big")).to_have_text("$5.50", timeout=PATIENCE_MS)
    with page.expect_download() as file:
        page.locator("#day .ways button").last.click()
    assert "payments,2,5750000" in file.value.path().read_text()


def _orders_payout(page: Page) -> None:
    page.locator("#owed .body > button").click()
    page.locator("dialog button[value=yes]").click()


def _asks_again_with_the_same_key_for_the_same_alone(shop: Shop) -> None:
    page = shop.page
    asked: list[tuple[str, str]] = []
    account = shop.get("/v1/account")

    def lost(route: Route) -> None:
        if route.request.method != "POST":
            return route.fallback()
        asked.append((route.request.headers["idempotency-key"], str(route.request.post_data)))
        return route.abort()

    page.route("**/v1/payouts*", lost)
    page.route("**/v1/account", lambda route: route.fulfill(json=account))
    for count, credit in enumerate(("5000000", "5000000", "6000000"), 1):
        account["credit"] = credit
        expect(page.locator("#owed .big")).to_have_text(f"${credit[0]}.00", timeout=PATIENCE_MS)
        _orders_payout(page)
        expect(page.locator("#told [role=alert]")).to_be_visible()
        assert len(asked) == count
    page.unroute_all(behavior="wait")
    assert asked[0] == asked[1]
    assert asked[1][0] != asked[2][0]


def _is_paid_out(shop: Shop) -> None:
    page = shop.page
    _asks_again_with_the_same_key_for_the_same_alone(shop)
    owed = int(shop.get("/v1/account")["credit"])
    expect(page.locator("#owed .big")).to_have_text(f"${owed / 1_000_000:.2f}", timeout=PATIENCE_MS)
    _orders_payout(page)
    payout = page.locator("#payouts li").first
    expect(payout.locator("[data-tone='paid']")).to_be_visible(timeout=PATIENCE_MS)
    expect(payout.locator("code")).to_be_visible()
    assert shop.hub.dollars(shop.get("/v1/merchants/me")["address"]) == owed
    page.locator("#when").select_option("week 4")
    page.locator("#at-least").fill("2.50")
    page.locator("#zone").fill("Europe/Berlin")
    page.locator("#schedule form button").click()
    expect(page.locator("#schedule .body > .hint")).to_be_visible()
    kept = shop.get("/v1/account/settings")
    assert (kept["time_zone"], kept["payouts"]["weekday"], kept["payouts"]["at_least"]) == (
        "Europe/Berlin",
        4,
        "2500000",
    )
    with page.expect_download() as file:
        page.locator("#statements form button").click()
    assert file.value.path().read_text().count("day,time_zone") == 1
    shop.shot("payouts")


def _promises_cashback(shop: Shop) -> None:
    page = shop.page
    _pay_to(shop.hub, {"value": "3000000"}, {"type": "merchant", "merchant_id": shop.get("/v1/merchants/me")["id"]})
    page.locator("#category").fill("cake")
    page.locator("#cap").fill("1")
    page.locator("#budget").fill("2")
    page.locator("#campaign-name").fill("Autumn")
    expect(page.locator(".preview")).to_contain_text("$40.00")  # two dollars are 5 % of these
    shop.shot("campaign")
    shop.wait_until(lambda: int(shop.get("/v1/account")["credit"]) >= 2_000_000)
    page.locator("#new-campaign form button").click()
    running = page.locator("#campaigns li").first
    expect(running.locator("[data-tone='paid']")).to_be_visible()
    expect(running).to_contain_text("cake")
    (campaign,) = shop.get("/v1/campaigns")["items"]
    terms = ("rate", "budget", "cap_payment", "cap_payer", "category")
    assert [campaign[name] for name in terms] == [500, "2000000", "1000000", None, "cake"]
    for tone in ("open", "paid"):  # paused, resumed
        running.get_by_role("button").first.click()
        expect(running.locator(f"[data-tone='{tone}']")).to_be_visible()
        if tone == "open":
            shop.shot("campaign-paused")
    running.get_by_role("button").last.click()
    page.locator("dialog button[value=yes]").click()
    expect(running.get_by_role("button")).to_have_count(0)


def _has_tiers(shop: Shop) -> None:
    page = shop.page
    for at, (name, count) in enumerate((("Gold", "1"), ("Rock", "9"))):
        page.locator("#tiers form button[type=button].quiet").click()
        page.locator(f"#tier-{at}-name").fill(name)
        page.locator(f"#tier-{at}-count").fill(count)
    page.locator("#tier-1-cashback").fill("1.5")
    page.locator("#per").fill("0.10")
    page.locator("#tiers form button:not([type])").click()
    expect(page.locator("#tiers select")).to_be_disabled()
    programme = shop.get("/v1/programme")
    assert [(t["name"], t["count"], t["cashback_multiplier"]) for t in programme["tiers"]] == [
        ("Gold", 1, 10_000),
        ("Rock", 9, 15_000),
    ]
    assert programme["points"]["per"] == "100000"
    _pay_to(shop.hub, {"value": "500000"}, {"type": "merchant", "merchant_id": shop.get("/v1/merchants/me")["id"]})
    shop.wait_until(lambda: shop.get("/v1/members")["items"])
    page.reload()
    expect(page.locator("#members details").nth(1).locator("li")).to_contain_text("Rock")
    shop.shot("customers")


def _makes_keys(shop: Shop) -> None:
    page = shop.page
    expect(page.locator("#keys .list > li")).to_have_count(1)
    offered = page.locator("#keys input[name=scope]").evaluate_all("boxes => boxes.map(box => box.value)")
    assert sorted(offered) == sorted(SCOPES)
    page.locator("#keys .more summary").click()
    page.locator("#key-name").fill("Till 2")
    page.locator("#keys form button").click()
    shown = page.locator("#keys .secret code")
    first = {"Authorization": f"Bearer {shown.inner_text()}"}
    shop.shot("key")
    asked = [shop.hub.client.request(*route, headers=first | key(), json={}) for route in TILLS]
    assert [answer.status_code for answer in asked] == [200, 403]
    page.locator("#keys .list > li").nth(1).locator("button").first.click()
    page.locator("dialog select").select_option("0")
    page.route("**/me/keys", lambda route: route.abort())  # the new key is told once, whether or not the list comes
    page.locator("dialog button[value=yes]").click()
    expect(shown).not_to_have_text(first["Authorization"].removeprefix("Bearer "))
    expect(page.locator("#told [role=alert]")).to_be_visible()
    page.unroute("**/me/keys")
    second = {"Authorization": f"Bearer {shown.inner_text()}"}
    assert [shop.hub.client.get("/v1/account", headers=h).status_code for h in (first, second)] == [401, 200]
    page.reload()
    expect(shown).to_have_count(0)
    page.locator("#keys .list > li").nth(1).locator("button").last.click()
    page.locator("dialog button[value=yes]").click()
    expect(page.locator("#keys .list > li")).to_have_count(1)
    assert shop.hub.client.get("/v1/account", headers=second).status_code == 401


def _follows_deliveries(shop: Shop, receiver: Receiver) -> None:
    page = shop.page
    expect(page.locator("#webhooks .empty")).to_be_visible()
    told_of = page.locator("#webhooks input[name=type]").evaluate_all("boxes => boxes.map(box => box.value)")
    assert set(told_of) == set(EVENT_TYPES) - {"webhook.test"}
    page.locator("#webhooks .more summary").click()
    page.locator("#hook-url").fill(receiver.url)
    page.locator("#webhooks form button").click()
    receiver.secret = page.locator("#webhooks .secret code").inner_text()
    page.locator("#webhooks .list > li button").nth(1).click()
    sent = page.locator("#log .list > li").first
    sent.locator("summary").click()
    expect(sent.locator("[data-tone='paid']")).to_be_visible(timeout=PATIENCE_MS)
    expect(sent.locator(".tries strong").first).to_have_text("204", timeout=PATIENCE_MS)
    receiver.answer = lambda _: Answer(500, body=b"out of order")
    sent.locator("button.quiet").click()
    expect(sent.locator(".tries")).to_contain_text("out of order", timeout=PATIENCE_MS)
    expect(sent.locator(".tries strong").first).to_have_text("500")
    expect(sent.locator("[data-tone='open']")).to_be_visible(timeout=PATIENCE_MS)
    shop.shot("deliveries")
    assert set(receiver.types()) == {"webhook.test"}
    page.locator("#webhooks .list > li button").nth(2).click()
    expect(page.locator("#webhooks [data-tone='expired']")).to_be_visible()
    page.locator("#webhooks .list > li button").last.click()
    page.locator("dialog button[value=yes]").click()
    expect(page.locator("#webhooks .empty")).to_be_visible()
    expect(page.locator("#log")).to_be_hidden()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/deliveries" in request.url else None)
    page.wait_for_timeout(3_000)
    assert asked == []  # nobody follows what is gone


def _reads_insights(shop: Shop) -> None:
    page = shop.page
    expect(page.locator("#sold .big")).to_have_text("$9.25")
    expect(page.locator("#comeback .empty")).to_be_visible()  # of one payer nothing is told
    expect(page.locator("#chart")).to_have_count(0)
    page.route("**/v1/merchant-insights*", lambda route: route.fulfill(json=MUCH_CUSTOM.model_dump(mode="json")))
    page.reload()
    expect(page.locator("#chart canvas")).to_be_visible()
    page.locator("#cohorts summary").click()
    cells = page.locator("#cohorts tbody td").all_inner_texts()
    assert cells == ["40", "", "31", "25", "<5", "22"]
    expect(page.locator("#comeback .big")).to_have_text("62.5%")
    expect(page.locator("#forecast")).to_contain_text("$820.00")
    shop.shot("insights")


def _signs_in_again(shop: Shop, typed: dict[str, str]) -> None:
    """When the session's time is over: its sign-in is asked for, and all is there again, what was typed too.

    :param typed: field → what stands in it meanwhile
    """
    page = shop.page
    for field, text in typed.items():
        page.locator(field).fill(text)
    page.evaluate(_END_SESSION)
    expect(page.locator("#sign-in")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#signed")).to_be_hidden()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.partition("/v1/")[2]))
    page.locator(".wallets li > button").click()
    expect(page.locator("#console")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#console .failed")).to_have_count(0, timeout=PATIENCE_MS)
    for field, text in typed.items():
        expect(page.locator(field)).to_have_value(text)
    assert "account" in asked
    assert "account/settings" not in asked  # with which a page begins: it has begun
