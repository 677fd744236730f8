"""A payer puts a rule together, tries it on what she has bought, signs it, and sees it gather; faults stand beside their fields."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from taesan.jars import sources
from taesan.jars.grammar import parse, parse_gather
from taesan.jars.rule_models import DestinationIn
from taesan.jars.splits import WHOLE
from tests.support.browser_wallet import Extension, with_channel
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


_DRAFTS = """async (changes) => {
  const { fresh, split, termsOf } = await import("/static/wallet/rules/draft.js");
  const here = { currency: "USD", exponent: 6, payer: "0x" + "11".repeat(20), offered: [{ token: "0x" + "22".repeat(20), recipient: "0x" + "33".repeat(20) }] };
  const one = (kind, share, more = {}) => ({ kind, share, recipient: "", token: "", slippage: "1", ...more });
  return changes.map(({ destinations, ...change }) => {
    const to = destinations?.map(([kind, share, more]) => one(kind, share, more)) ?? fresh("UTC").destinations;
    const { terms, faults } = termsOf({ ...fresh("Asia/Seoul"), ...change, destinations: to }, here);
    return [terms, Object.keys(faults).sort()];
  });
}"""


def _only_what_the_grammar_reads_is_signed(page: Page) -> None:
    """What has no fault is a rule to the hub; what is none has its fault, at the field."""
    moved = {"movedPerDay": "2.5"}
    good = [
        {},
        {"times": "2", "byTier": True, "mostTimes": "10", "perDay": "5", "perMonth": "50.50"},
        {"roundUp": False, "hasShare": True, "share": "3.25", "hasFixed": True, "topUps": True, "cashback": True},
        {"roundUp": False, "gateway": True, "hasValue": False, "hasCount": True, "count": "3"},
        {"hasValue": False, "date": "weekly", "weekday": "6", "onRequest": True},
        {
            "hasCount": True,
            "date": "monthly",
            "day": "31",
            "categories": "커피, tea & cake",
            "merchants": "mer_0a, mer_1b",
        },
        {"destinations": [["wallet", "33.4"], ["savings", "33.3"], ["cash", "33.3"]], **moved},
        {
            "destinations": [
                ["swap", "50", {"token": "0x" + "44" * 20}],
                ["collectible", "50", {"token": "0x" + "22" * 20}],
            ],
            **moved,
        },
        {"destinations": [["person", "100", {"recipient": "0x" + "55" * 20}]], **moved},
    ]
    bad: list[tuple[dict[str, Any], list[str]]] = [
        ({"roundUp": False}, ["gather"]),
        ({"gateway": True}, ["gather"]),
        ({"times": "11"}, ["times"]),
        ({"times": "3", "byTier": True, "mostTimes": "3"}, ["mostTimes"]),
        ({"hasShare": True, "share": "100.01"}, ["share"]),
        ({"hasFixed": True, "fixed": "0.001", "perDay": "much"}, ["fixed", "perDay"]),
        ({"hasValue": False}, ["fires"]),
        ({"date": "monthly", "day": "32"}, ["day"]),
        ({"categories": "coffee; tea"}, ["categories"]),
        ({"merchants": "Café Dust"}, ["merchants"]),
        ({"destinations": [["wallet", "50"], ["savings", "40"]], **moved}, ["destinations"]),
        ({"destinations": [["cash", "100"]]}, ["movedPerDay"]),
        ({"destinations": [["person", "100", {"recipient": "0x12"}]], **moved}, ["recipient-0"]),
    ]
    told: Any = page.evaluate(_DRAFTS, [*good, *(draft for draft, _ in bad)])
    for terms, faults in told[: len(good)]:
        assert faults == []
        parse(terms["gather"], terms["fires"], terms["only"])
        assert sum(DestinationIn.model_validate(to).share for to in terms["destinations"]) == WHOLE
    assert [faults for _, faults in told[len(good) :]] == [faults for _, faults in bad]


def _fill_in(editor: Locator) -> None:
    """Twice the change of games to the next half dollar; forty cents at once, half of it into savings."""
    editor.locator("#step").select_option("1")
    editor.locator("#times").fill("2")
    editor.locator("#value").fill("0.40")
    editor.locator(".part").click()
    editor.locator("#movedPerDay").fill("5")
    editor.locator("summary").click()
    editor.locator("#categories").fill("games")


def _begins_with_what_was_advised(live_hub: LiveHub, page: Page, language: str) -> None:
    words = {"gather": "round up to 0.50 USD x2", "fires": "every 5 USD", "only": "category coffee"}
    page.goto(f"{live_hub.url}/wallet/rules?{urlencode({'lang': language, **words})}")
    expect(page.locator("#editor .exact code")).to_have_text(list(words.values()))


def _signs_the_rule_and_thinks_better_of_the_allowance(page: Page, wallet: Extension, language: str) -> None:
    """The rule is there, and the form is a fresh one; the allowance is signed later, from the list."""

    def declined(route: Route) -> None:
        wallet.declines = True
        route.continue_()

    page.route("**/v1/allowance", declined)  # it is asked for before each signature of one
    page.locator("#editor .sign").click()
    expect(page.locator("#told")).to_contain_text(_STAYS[language], timeout=PATIENCE_MS)
    expect(page.locator("#editor .exact code").first).to_have_text("round up to 1 USD")
    page.unroute_all(behavior="wait")
    wallet.declines = False
    page.locator("#rules .body > button").click()
    expect(page.locator("#rules .body > button")).to_have_count(0, timeout=PATIENCE_MS)


_STAYS = {"en": "It may not move tokens", "ko": "토큰을 옮길 수 없어요"}


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
    _only_what_the_grammar_reads_is_signed(page)

    _begins_with_what_was_advised(live_hub, page, language)
    page.goto(f"{live_hub.url}/wallet/rules?lang={language}")
    editor = page.locator("#editor")
    for wrong in ("-1", ""):
        editor.locator("#value").fill(wrong)
        editor.locator("#value").blur()
        expect(editor.locator("#value")).to_have_attribute("aria-invalid", "true")  # before anything is tried
        expect(editor.locator("#value-fault")).to_be_visible()
    editor.locator("#value").fill("5")
    expect(editor.locator("#value")).to_have_attribute("aria-invalid", "false")
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
    rule = page.locator(".rule")
    _signs_the_rule_and_thinks_better_of_the_allowance(page, wallet, language)
    expect(rule).to_have_count(1)
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
