"""A gift link as people see it: made by its sender's client, opened in a browser that has no wallet, by a second person, and
after its end by its sender. The link's key never reaches the hub."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from playwright.sync_api import Page, Route, expect

from taesan.client import Client, GiftLink
from taesan.client.card import card
from tests.support.barcodes import scanned
from tests.support.browser_wallet import Extension
from tests.support.live import LiveHub
from tests.support.stage import CENT
from tests.support.wallet import Wallet

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000
MESSAGE = "생일 축하해!\nHappy birthday, Minji."


@pytest.fixture
def anna(live_hub: LiveHub) -> Iterator[Client]:
    """With gift tokens in her wallet."""
    holder = next(p["wallet"] for p in live_hub.payers if live_hub.gift_tokens(p["wallet"].address) > 10 * CENT)
    with Client(live_hub.url, key="0x" + bytes(holder.key.key).hex()) as client:
        yield client


def _is_narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def _is(page: Page, state: str) -> None:
    expect(page.locator("#main")).to_have_attribute("data-state", state, timeout=PATIENCE_MS)


def _watched(page: Page, link: GiftLink) -> list[str]:
    """All that the page sends."""
    key = link.url.partition("#")[2]
    sent: list[str] = []

    def watch(request: Any) -> None:
        sent.append(f"{request.method} {request.url} {request.headers} {request.post_data}")
        assert key not in sent[-1].partition("#")[0] + (request.post_data or "")

    page.on("request", watch)
    return sent


@pytest.mark.parametrize(("language", "width"), [("ko", 360), ("en", 1280)])
def test_a_link_opened_without_a_wallet_pays_into_one_that_is_made_there_and_the_second_is_told(
    live_hub: LiveHub, anna: Client, visit: Visit, screenshot: Screenshot, tmp_path: Path, language: str, width: int
) -> None:
    link = anna.give(5 * CENT, message=MESSAGE, sender_name="안나")
    page = visit(link.url, language=language, width=width, forgive="409")
    sent = _watched(page, link)
    expect(page.locator("h1")).to_have_text("$0.05")
    expect(page.locator("blockquote")).to_have_text(MESSAGE)
    _is(page, "open")
    screenshot(page, f"gift-open-{language}-{width}")
    second = visit(link.url, language=language, width=width, forgive="409")

    page.locator("#make-wallet").click()
    expect(page.locator("#into-new")).to_be_disabled()  # not before the key is kept
    address, secret = page.locator("#new-address").inner_text(), page.locator("#new-key").inner_text()
    assert Account.from_key(secret).address == address
    with page.expect_download() as download:
        page.locator("#download").click()
    kept = Path(download.value.path()).read_text()
    assert (address in kept, secret in kept, address in download.value.suggested_filename) == (True, True, True)
    token = live_hub.facts["gift_domain"]["verifyingContract"]
    assert (token in kept, live_hub.url in kept, f"ID {live_hub.chain.chain_id}" in kept) == (True, True, True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    page.locator("#kept").check()
    screenshot(page, f"gift-new-wallet-{language}-{width}")
    assert _is_narrow_enough(page)
    page.locator("#into-new").click()
    _is(page, "claimed")
    expect(page.locator(".verdict .mine")).to_be_visible()
    expect(page.locator("#taken-to")).to_have_text(address)
    expect(page.locator("#next dl")).to_contain_text(token)  # which a wallet app wants to know
    assert _is_narrow_enough(page)
    screenshot(page, f"gift-claimed-{language}-{width}")
    assert live_hub.gift_tokens(address) == 5 * CENT
    assert secret[2:] not in " ".join(sent)

    _is(second, "claimed")
    expect(second.locator(".verdict .others")).to_be_visible()
    third = visit(link.url, language=language, width=width)
    expect(third.locator(".verdict .others")).to_be_visible()
    expect(third.locator("#make-wallet")).to_be_hidden()
    assert _is_narrow_enough(third)


def test_two_at_once_and_one_is_told(live_hub: LiveHub, anna: Client, visit: Visit) -> None:
    link = anna.give(2 * CENT)
    first, second = (visit(link.url, forgive="409") for _ in range(2))
    for page in (first, second):
        _is(page, "open")
        page.locator(".ways summary").click()
        page.locator("#address").fill(Wallet().address)
    for page in (first, second):
        page.evaluate("document.querySelector('#to-address').requestSubmit()")
    for page in (first, second):
        _is(page, "claimed")
    told = [page.locator(".verdict .others").is_visible() for page in (first, second)]
    assert sorted(told) == [False, True]
    expect((first, second)[told.index(True)].locator("#trouble")).to_contain_text("Somebody has taken this gift")


def _fill_in(page: Page, address: str) -> None:
    if not page.locator("#address").is_visible():
        page.locator(".ways summary").click()
    page.locator("#address").fill(address)
    page.locator("#to-address button").click()


def test_nothing_goes_to_a_new_wallet_before_its_key_is_kept_whatever_failed_meanwhile(
    anna: Client, visit: Visit
) -> None:
    page = visit(anna.give(2 * CENT).url, forgive="422")
    _is(page, "open")
    page.locator("#make-wallet").click()
    _fill_in(page, "0x" + "00" * 20)
    expect(page.locator("#trouble")).to_be_visible()
    expect(page.locator("#to-address button")).to_be_enabled()
    expect(page.locator("#into-new")).to_be_disabled()
    page.locator("#kept").check()
    expect(page.locator("#into-new")).to_be_enabled()


def test_a_mistyped_address_is_told_before_anything_is_sent(anna: Client, visit: Visit) -> None:
    page = visit(anna.give(2 * CENT).url, language="ko")
    _is(page, "open")
    typed = Wallet().address.swapcase().replace("0X", "0x")
    _fill_in(page, typed)
    expect(page.locator("#trouble")).to_contain_text("잘못 적은 글자")
    _is(page, "open")


def test_a_claim_that_the_chain_refuses_is_told_and_can_be_tried_again(anna: Client, visit: Visit) -> None:
    link = anna.give(2 * CENT)
    page = visit(link.url)
    told = anna.as_wallet("GET", f"/v1/gifts/{link.id}")
    states = iter(["claiming", "open"])
    page.route(
        f"**/v1/gifts/{link.id}/claim", lambda route: route.fulfill(status=202, json=told | {"state": "claiming"})
    )
    page.route(f"**/v1/gifts/{link.id}", lambda route: route.fulfill(json=told | {"state": next(states, "open")}))
    _is(page, "open")
    _fill_in(page, Wallet().address)
    expect(page.locator("#trouble")).to_contain_text("The chain did not take it")
    _is(page, "open")
    expect(page.locator("#taken-to")).to_be_hidden()
    page.unroute_all(behavior="wait")
    page.locator("#to-address button").click()
    _is(page, "claimed")


def test_a_claim_whose_answer_is_lost_is_still_told_to_be_ones_own(
    live_hub: LiveHub, anna: Client, visit: Visit
) -> None:
    link, friend = anna.give(2 * CENT), Wallet()
    page = visit(link.url, forgive="Failed to load resource")
    sent: list[str | None] = []

    def lost(route: Route) -> None:
        sent.append(route.request.post_data)
        if len(sent) > 2:
            return route.continue_()
        if len(sent) == 2:
            route.fetch()  # heard this time
        return route.abort()

    _is(page, "open")
    page.route("**/claim", lost)
    _fill_in(page, friend.address)
    expect(page.locator("#trouble")).to_contain_text("The hub does not answer")
    _fill_in(page, friend.address)
    _is(page, "claimed")
    expect(page.locator(".verdict .mine")).to_be_visible()
    expect(page.locator("#taken-to")).to_have_text(friend.address)
    assert len(set(sent)) == 1
    assert live_hub.gift_tokens(friend.address) == 2 * CENT


def test_a_long_name_stays_on_the_card(anna: Client, visit: Visit) -> None:
    assert _is_narrow_enough(visit(anna.give(2 * CENT, sender_name="나" * 60).url, width=360, language="ko"))


def test_without_javascript_the_page_says_so_and_has_no_dead_buttons(anna: Client, visit: Visit) -> None:
    page = visit(anna.give(2 * CENT).url, language="ko", java_script_enabled=False)
    expect(page.locator("noscript, .trouble").first).to_be_visible()
    expect(page.locator("#make-wallet")).to_be_hidden()
    text = page.locator("main").inner_text()
    assert ("PM" in text or "AM" in text) is False


def test_after_its_end_its_sender_takes_it_back(
    live_hub: LiveHub, anna: Client, visit: Visit, screenshot: Screenshot
) -> None:
    link = anna.give(5 * CENT, lives_for=timedelta(seconds=6))
    page = visit(link.url)
    _is(page, "expired")
    before = live_hub.gift_tokens(anna.address)
    expect(page.locator("#make-wallet")).to_be_hidden()
    screenshot(page, "gift-expired-en-1280")
    with page.expect_download() as download:
        page.locator("dl a[download]").click()
    assert json.loads(Path(download.value.path()).read_text())["taking_back"]["recipient"] == anna.address
    live_hub.chain.mine()  # the token asks the newest block for the time: one from before the link's end would have the hub wait a minute
    page.locator("#take-back").click()
    _is(page, "returned")
    assert live_hub.gift_tokens(anna.address) == before + 5 * CENT
    assert anna.take_back(link.id)["state"] == "returned"


def test_a_wallet_in_the_browser_takes_it_by_its_address(live_hub: LiveHub, anna: Client, visit: Visit) -> None:
    link, extension = anna.give(3 * CENT), Extension(declines=True)
    page = visit(link.url, extension=extension)
    _is(page, "open")
    into_wallet = page.locator("#into-wallet button")
    expect(into_wallet).to_contain_text("Anna's wallet")
    into_wallet.click()
    expect(page.locator("#trouble")).to_contain_text("You declined in your wallet")
    extension.declines = False
    into_wallet.click()
    _is(page, "claimed")
    assert live_hub.gift_tokens(extension.account.address) == 3 * CENT


def test_a_link_without_its_key_says_so_and_one_with_its_languages_key_goes_on(anna: Client, visit: Visit) -> None:
    link = anna.give(2 * CENT)
    page = visit(link.url.partition("#")[0])
    _is(page, "broken")
    expect(page.locator("#make-wallet")).to_be_hidden()
    page.goto(link.url)
    _is(page, "open")
    page.locator("nav a[hreflang]").click()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    _is(page, "open")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_card_holds_the_words_and_the_link(
    anna: Client, visit: Visit, screenshot: Screenshot, tmp_path: Path, language: str
) -> None:
    link = anna.give(2 * CENT, message=MESSAGE + " <3", sender_name="Anna & Ben")
    file = tmp_path / "card.html"
    file.write_text(card(link, language), encoding="utf-8")
    page = visit(file.as_uri(), width=360, language=language)
    expect(page.locator("blockquote")).to_have_text(MESSAGE + " <3")
    expect(page.locator("h1")).to_contain_text("Anna & Ben")
    assert scanned(page.screenshot(full_page=True)) == link.url
    assert _is_narrow_enough(page)
    assert bool(re.search("[가-힣]", page.locator("small").inner_text())) == (language == "ko")
    screenshot(page, f"gift-card-{language}-360")


def test_each_text_of_the_page_has_its_korean() -> None:
    from babel.messages.extract import extract_from_dir

    from taesan.core.i18n import translations
    from tests.support.source import PACKAGE

    templates = Path(PACKAGE) / "web" / "templates"
    found = {
        str(message)
        for name, _, message, *_ in extract_from_dir(templates, [("**.html", "jinja2")])
        if name in ("gift.html", "lost.html")
    }
    assert len(found) > 25
    korean = translations("ko")
    assert {text for text in found if korean.gettext(text) == text} == set()
