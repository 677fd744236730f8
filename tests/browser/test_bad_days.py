"""What a payer sees on a bad day, and that nothing is lost by it: her sign-in has ended, the database is slow, the node hangs. And ten
people at once."""

import os
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eth_account import Account
from playwright.sync_api import Page, expect

from taesan.web.apps import APPS
from tests.support.browser_wallet import Extension, with_key
from tests.support.live import LiveHub
from tests.support.stage import CENT, DOLLAR, OPERATOR_KEY

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 60_000
PEOPLE = 10
SLOW_S = 3
_PAY = """async ([amount, destination]) => {
  const channel = await import("/static/lib/channel.js");
  return (await channel.pay(BigInt(amount), destination)).id;
}"""
_BEGIN = """([deposit, payments]) => {
  window.paid = (async () => {
    const channel = await import("/static/lib/channel.js");
    await channel.deposit(BigInt(deposit));
    return Promise.all(payments.map(([amount, destination]) => channel.pay(BigInt(amount), destination)));
  })().then((answers) => answers.length, String);
}"""


def _opened(live_hub: LiveHub, visit: Visit, extension: Extension, amount: int, forgive: str = "404") -> Page:
    """Her wallet's first page; she has signed in."""
    live_hub.give_dollars(extension.account.address, amount)
    page = visit(f"{live_hub.url}/wallet", extension=extension, forgive=forgive)
    page.get_by_role("button", name="Anna's wallet").click()
    expect(page.locator("#who code")).to_be_visible()
    return page


@contextmanager
def _hanging(live_hub: LiveHub) -> Iterator[None]:
    """The node takes requests, and answers none."""
    os.kill(live_hub.chain.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(live_hub.chain.pid, signal.SIGCONT)


@contextmanager
def _slow(live_hub: LiveHub) -> Iterator[None]:
    """Somebody else writes meanwhile, for a while."""
    held = threading.Event()

    def hold() -> None:
        with sqlite3.connect(live_hub.database, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            held.set()
            time.sleep(SLOW_S)
            other.execute("ROLLBACK")

    holding = threading.Thread(target=hold)
    holding.start()
    held.wait()
    yield
    holding.join()


def test_nothing_is_lost_and_what_to_do_is_told(live_hub: LiveHub, visit: Visit, screenshot: Screenshot) -> None:
    page = _opened(live_hub, visit, Extension(), 10 * DOLLAR, forgive="Failed to load resource")
    page.locator("#amount").fill("10")
    page.locator("#channel form button").click()
    expect(page.locator("#channel .big")).to_have_text("$10.00", timeout=PATIENCE_MS)
    jar = {"type": "jar"}

    token = page.evaluate("JSON.parse(localStorage.getItem('taesan.session')).token")
    live_hub.client.delete("/v1/auth/sessions", headers={"Authorization": f"Bearer {token}"}).raise_for_status()
    expect(page.locator("#told")).to_contain_text("Your sign-in has ended", timeout=PATIENCE_MS)
    screenshot(page, "wallet-session-ended-en-1280")
    page.get_by_role("button", name="Anna's wallet").click()
    expect(page.locator("#who code")).to_be_visible()
    expect(page.locator("#channel .big")).to_have_text("$10.00")

    with _slow(live_hub):
        began = time.monotonic()
        page.evaluate(_PAY, [str(25 * CENT), jar])
    assert time.monotonic() - began > SLOW_S / 2
    expect(page.locator("#channel .big")).to_have_text("$9.75", timeout=PATIENCE_MS)

    with _hanging(live_hub):
        page.evaluate(_PAY, [str(25 * CENT), jar])  # what the books know of is paid without the node
        page.reload()
        expect(page.locator("#channel .big")).to_have_text("$9.50", timeout=PATIENCE_MS)
        expect(page.locator("#holdings .failed")).to_contain_text("blockchain", timeout=PATIENCE_MS)
        screenshot(page, "wallet-node-away-en-1280")
    page.locator("#holdings button").click()
    expect(page.locator("#holdings dd").first).to_have_text("$0.00", timeout=PATIENCE_MS)


def _parts(page: Page) -> dict[str, str]:
    """What each part of the page has come to, when none waits any more."""
    expect(page.locator(".skeleton:visible")).to_have_count(0, timeout=PATIENCE_MS)
    return dict(
        page.evaluate(
            "[...document.querySelectorAll('[id] > .body')].map((e) => [e.parentElement.id, e.innerText.trim()])"
        )
    )


def test_each_page_comes_to_a_clear_state_while_the_node_hangs(live_hub: LiveHub, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/wallet", forgive="Failed to load resource")
    with_key(page, Account.from_key(OPERATOR_KEY))
    paths = [
        f"/{app.name}" + ("" if section == "home" else f"/{section}")
        for app in APPS.values()
        for section in app.sections
    ]
    with _hanging(live_hub):
        for path in paths:
            page.goto(live_hub.url + path)
            expect(page.locator("#sign-in:visible")).to_have_count(0)
            empty = [part for part, text in _parts(page).items() if not text and page.locator(f"#{part}").is_visible()]
            assert (path, empty) == (path, [])
        page.goto(f"{live_hub.url}/")
        expect(page.locator("[data-figure='counts.payments']").first).to_have_text(re.compile(r"^[\d,]+$"))
        expect(page.locator("#node-down")).to_be_visible(timeout=PATIENCE_MS)
        page.goto(f"{live_hub.url}/till")
        expect(page.locator("#key-form")).to_be_visible()
        page.locator("#api-key").fill(live_hub.merchant_headers["Authorization"].removeprefix("Bearer "))
        page.locator("#key-form button").click()
        expect(page.locator("#amount-form")).to_be_visible()
        page.goto(f"{live_hub.url}/wallet")
        page.evaluate(
            "localStorage.setItem('taesan.session', JSON.stringify({ ...JSON.parse(localStorage.getItem('taesan.session')), token: 'ended' }))"
        )
        for path in paths:
            page.goto(live_hub.url + path)
            expect(page.locator("#sign-in")).to_be_visible(timeout=PATIENCE_MS)


def test_ten_people_at_once_leave_the_books_right(live_hub: LiveHub, visit: Visit) -> None:
    people = [Extension(Account.create()) for _ in range(PEOPLE)]
    pages = [_opened(live_hub, visit, person, 3 * DOLLAR) for person in people]
    shop = {"type": "merchant", "merchant_id": live_hub.merchant_id}
    payments = [[str(DOLLAR), {"type": "jar"}], *[[str(25 * CENT), shop]] * 3]
    for page in pages:
        page.evaluate(_BEGIN, [str(3 * DOLLAR), payments])
    assert [page.evaluate("window.paid") for page in pages] == [len(payments)] * PEOPLE

    live_hub.wait_until(
        lambda told: told["counts"]["payments_waiting"] == 0 and told["batches"][0]["state"] == "posted"
    )
    assert [live_hub.gift_tokens(person.account.address) for person in people] == [DOLLAR] * PEOPLE
    for page in pages:
        expect(page.locator("#channel .big")).to_have_text("$1.25", timeout=PATIENCE_MS)
    assert live_hub.audit().differences == []
