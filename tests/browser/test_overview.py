"""The overview as people see it: in two languages, on a telephone and a desktop, live, by day and by night."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from taesan.web.router import money_text

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
KILOBYTE = 1_000

EMPTY = {
    "money": dict.fromkeys(
        [
            "deposited",
            "accepted",
            "to_merchants",
            "to_jars",
            "in_jars",
            "converted",
            "settled",
            "minted",
            "redeemed",
            "paid_out",
            "gift_supply",
        ],
        "0",
    ),
    "counts": dict.fromkeys(
        [
            "payments",
            "payers",
            "merchants",
            "batches",
            "firings",
            "transactions",
            "payments_settled",
            "payments_waiting",
        ],
        0,
    ),
    "gas": {"settlement_total": 0, "per_payment": None, "erc20_transfer": None},
    "trust": {
        "books_balance": True,
        "books_equal_chain": None,
        "checked_block": None,
        "reserve": "0",
        "liabilities": "0",
    },
    "batches": [],
    "recent_payments": [],
}


# ------------------------------------------------------------------ helpers


def overview_of(hub: Any) -> dict[str, Any]:
    with urllib.request.urlopen(f"{hub.url}/v1/overview", timeout=10) as answer:
        overview: dict[str, Any] = json.load(answer)
    counts = overview["counts"]
    counts["payments_moving"] = counts["payments"] - counts["payments_settled"] - counts["payments_waiting"]
    return overview


def expected(overview: dict[str, Any], path: str, kind: str) -> str:
    """What a reader should see for a figure: dollars as the template writes them, counts with separators."""
    value: Any = overview
    for key in path.split("."):
        value = value[key]
    if value is None:
        return "–"
    if kind == "count":
        return f"{value:,}"
    return money_text(int(value), overview["asset"]["exponent"], "en")


def differences(page: Page, hub: Any) -> list[str]:
    shown = page.eval_on_selector_all(
        "[data-figure]", "all => all.map(e => [e.dataset.figure, e.dataset.kind, e.textContent.trim()])"
    )
    assert len(shown) > 20
    overview = overview_of(hub)
    return [
        f"{path}: {text}, should be {expected(overview, path, kind)}"
        for path, kind, text in shown
        if text != expected(overview, path, kind)
    ]


def expect_true_figures(page: Page, hub: Any, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while wrong := differences(page, hub):
        assert time.monotonic() < deadline, wrong
        page.wait_for_timeout(200)


def overflow(page: Page) -> int:
    wide: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wide


def number(page: Page, path: str) -> int:
    return int(page.locator(f'[data-figure="{path}"]').first.get_attribute("data-value") or 0)


def answer_with(page: Page, change: Callable[[dict[str, Any]], None]) -> None:
    """Lets the page see another hub than there is: a state that a real one is rarely in."""

    def handle(route: Route) -> None:
        overview = route.fetch().json()
        change(overview)
        route.fulfill(json=overview)

    page.route("**/v1/overview", handle)


# -------------------------------------------------------------------- tests


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("width", [360, 1280])
def test_fits_the_screen_and_tells_the_hubs_figures(
    live_hub: Any, visit: Visit, screenshot: Screenshot, width: int, language: str
) -> None:
    live_hub.pay_once()
    page = visit(f"{live_hub.url}/", width=width, language=language)
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect_true_figures(page, live_hub)
    assert overflow(page) <= 0
    screenshot(page, f"overview-{language}-{width}-light")


def test_the_narrowest_telephone_still_fits(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/", width=320, language="en")
    assert overflow(page) <= 0


def test_the_first_figures_are_there_without_javascript(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/", java_script_enabled=False)
    shown = page.locator("[data-figure]")
    overview = overview_of(live_hub)
    for figure in shown.all():
        path, kind = figure.get_attribute("data-figure") or "", figure.get_attribute("data-kind") or ""
        if not path.startswith("trust."):  # the hub may have compared again in between
            assert figure.inner_text().strip() in {expected(overview, path, kind), ""}, path


def test_a_payment_appears_without_reload(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/")
    page.evaluate("window.sameDocument = true")
    before = number(page, "counts.payments")
    live_hub.pay_once()
    page.wait_for_function(
        """before => Number(document.querySelector('[data-figure="counts.payments"]').dataset.value) > before""",
        arg=before,
    )
    expect_true_figures(page, live_hub)
    assert page.evaluate("window.sameDocument") is True
    newest = overview_of(live_hub)["recent_payments"][0]["id"]
    expect(page.locator("#payment-rows li").first).to_have_attribute("data-id", newest)


def test_each_payment_is_a_speck(live_hub: Any, visit: Visit) -> None:
    live_hub.pay_once()
    page = visit(f"{live_hub.url}/", reduced_motion="reduce")
    expect_true_figures(page, live_hub)
    specks = page.evaluate(
        "[...document.querySelectorAll('[data-specks] path')].reduce((n, p) => n + p.getAttribute('d').split('M').length - 1, 0)"
    )
    payments = number(page, "counts.payments")
    assert 0 < specks <= 1_500
    if payments <= 1_500:
        assert specks == payments


def test_the_night_is_dark(live_hub: Any, visit: Visit, screenshot: Screenshot) -> None:
    brightness = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number).reduce((a, b) => a + b) / 3"
    assert visit(f"{live_hub.url}/").evaluate(brightness) > 200
    for width in (360, 1280):
        page = visit(f"{live_hub.url}/", width=width, language="ko", scheme="dark")
        assert page.evaluate(brightness) < 60
        assert overflow(page) <= 0
        screenshot(page, f"overview-ko-{width}-dark")


def test_a_hub_that_is_away_is_said_calmly_and_the_figures_stay(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/", forgive="Failed to load resource")
    expect_true_figures(page, live_hub)
    payments = number(page, "counts.payments")
    page.route("**/v1/overview", lambda route: route.abort())
    expect(page.locator("#unreachable")).to_be_visible()
    expect(page.locator("#status")).to_have_attribute("data-state", "retrying")
    assert number(page, "counts.payments") == payments
    page.unroute("**/v1/overview")
    expect(page.locator("#unreachable")).to_be_hidden()
    expect(page.locator("#status")).to_have_attribute("data-state", "live")


def test_a_hidden_page_asks_nothing(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/v1/overview") else None)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    page.wait_for_timeout(500)  # an answer on its way may still arrive
    asked.clear()
    page.wait_for_timeout(3_000)
    assert asked == []
    page.evaluate(hide, False)
    page.wait_for_timeout(1_000)
    assert asked


@pytest.mark.parametrize("width", [360, 1280])
def test_a_fresh_hub_says_how_to_begin(live_hub: Any, visit: Visit, screenshot: Screenshot, width: int) -> None:
    page = visit(f"{live_hub.url}/", width=width)
    answer_with(page, lambda overview: overview.update(EMPTY))
    expect(page.locator(".first")).to_be_visible()
    expect(page.get_by_text("make run")).to_be_visible()
    expect(page.locator(".total")).to_be_hidden()
    expect(page.locator("#no-batches")).to_be_visible()
    for seal in ("books_equal_chain", "covered", "gas"):
        expect(page.locator(f'[data-seal="{seal}"]')).to_have_attribute("data-state", "unknown")
    assert overflow(page) <= 0
    screenshot(page, f"overview-en-{width}-empty")


def test_bad_news_is_told(live_hub: Any, visit: Visit) -> None:
    def bad(overview: dict[str, Any]) -> None:
        overview["chain"]["node"] = "down"
        overview["trust"] |= {
            "books_balance": False,
            "books_equal_chain": False,
            "checked_block": 7,
            "reserve": "1",
            "liabilities": "2",
        }

    page = visit(f"{live_hub.url}/")
    answer_with(page, bad)
    for seal in ("books_equal_chain", "covered", "books_balance"):
        expect(page.locator(f'[data-seal="{seal}"]')).to_have_attribute("data-state", "no")
    expect(page.locator("#node-down")).to_be_visible()


def test_sums_of_millions_fit(live_hub: Any, visit: Visit) -> None:
    def rich(overview: dict[str, Any]) -> None:
        overview["money"] = dict.fromkeys(overview["money"], "12345678901234")
        overview["counts"] = dict.fromkeys(overview["counts"], 48_231_907)

    for width in (360, 900, 1280):
        page = visit(f"{live_hub.url}/", width=width)
        answer_with(page, rich)
        expect(page.locator(".huge .figure")).to_have_text("$12,345,678.9012")
        assert overflow(page) <= 0
        clipped = page.eval_on_selector_all(
            ".step .big", "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.trim())"
        )
        assert clipped == []


def test_the_first_load_is_light(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/v1/not-there", forgive="404")
    sizes: dict[str, int] = {}
    page.on("response", lambda response: sizes.update({response.url: len(response.body())}) if response.ok else None)
    page.goto(f"{live_hub.url}/")
    page.wait_for_timeout(1_000)
    assert len(sizes) > 3
    assert sum(sizes.values()) < 150 * KILOBYTE, sizes


def test_the_keyboard_reaches_the_figures_first(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_the_language_can_be_changed(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/", language="en")
    page.get_by_role("link", name="한국어").click()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    expect(page.get_by_role("heading", level=1)).to_have_text("티끌 모아 태산")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
