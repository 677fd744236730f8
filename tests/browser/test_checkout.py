"""Paying at the counter, as people see it: keypad → QR code, read back from the screen → paid by another wallet → the page turns
by itself → refund."""

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.barcodes import scanned
from tests.support.browser_wallet import Extension
from tests.support.live import LiveHub
from tests.support.stage import CENT, DOLLAR, key
from tests.support.wallet import Wallet

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """One that knows a rate."""
    hub = LiveHub(tmp_path_factory.mktemp("checkout"), rate_krw="1385.2")
    with hub.at_work():
        yield hub
    hub.stop()


def _invoice(hub: LiveHub, value: int, asset: str = "KRW", **more: Any) -> dict[str, Any]:
    body = {"amount": {"value": str(value), "asset": asset}, "description": "아메리카노 한 잔"} | more
    answer = hub.client.post("/v1/invoices", json=body, headers=hub.merchant_headers | key())
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _scanned(page: Page) -> str:
    """What a telephone's camera reads off the screen."""
    expect(page.locator(".codes figure:visible")).to_have_count(1)
    page.evaluate("Promise.all([...document.images].filter(image => image.offsetParent).map(image => image.decode()))")
    return scanned(page.screenshot(full_page=True))


def _pay_as_scanned(hub: LiveHub, url: str) -> dict[str, Any]:
    """What a wallet does with a pay page's address."""
    assert url.startswith(f"{hub.url}/pay/inv_")
    invoice = hub.client.get(f"/v1/invoices/{url.rpartition('/')[2]}").json()
    payer = hub.payers[0]
    cumulative = payer["charged"] + int(invoice["quote"]["value"])
    body = {
        "voucher": {
            "channel_id": payer["id"],
            "max_claimable_amount": str(cumulative),
            "signature": payer["wallet"].voucher(hub.facts, payer["id"], cumulative),
        },
        "amount": invoice["quote"],
        "destination": {"type": "invoice", "invoice_id": invoice["id"]},
    }
    answer = hub.client.post("/v1/payments", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    payer["charged"] = cumulative
    return dict(answer.json())


def _transfer_as_scanned(hub: LiveHub, uri: str) -> Wallet:
    """What any wallet does with an ERC-681 code; returns that wallet, of which the hub has never heard."""
    read = re.fullmatch(r"ethereum:(0x\w{40})@(\d+)/transfer\?address=(0x\w{40})&uint256=(\d+)", uri)
    assert read, uri
    asset, chain_id, to, amount = read.groups()
    wallet, chain = Wallet(), hub.chain
    assert (asset, int(chain_id)) == (chain.deployment.asset, chain.chain_id)
    chain.give_dollars(wallet.address, int(amount))
    chain.ask("evm_setIntervalMining", 0)  # blocks come when the test wants them
    chain.send_later(wallet.key, "asset", "transfer", to, int(amount))
    chain.mine()
    return wallet


def _is_narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def _open_till(hub: LiveHub, page: Page) -> None:
    page.locator("#api-key").fill(hub.merchant_headers["Authorization"].removeprefix("Bearer "))
    page.locator("#key-form button").click()
    expect(page.locator("#amount-form")).to_be_visible()


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ko", 360)])
def test_till_code_paid_refund(hub: LiveHub, visit: Visit, screenshot: Screenshot, language: str, width: int) -> None:
    till = visit(f"{hub.url}/till", language=language, width=width)
    screenshot(till, f"till-key-{language}-{width}")
    _open_till(hub, till)
    expect(till.locator("#display")).to_have_text("$0.00")  # as everywhere, in Korean too
    till.get_by_text("KRW").click()
    for digit in ("4", "5", "00"):
        till.locator(f"[data-digit='{digit}']").click()
    expect(till.locator("#display")).to_have_text("₩4,500")
    screenshot(till, f"till-amount-{language}-{width}")
    till.locator("#charge").click()
    expect(till.locator("#asked")).to_have_text("₩4,500")
    scanned = _scanned(till)
    screenshot(till, f"till-code-{language}-{width}")
    assert _is_narrow_enough(till)

    payers = visit(scanned, language=language, width=width)
    expect(payers.locator("h1")).to_have_text("₩4,500")
    expect(payers.get_by_text("3.248629")).to_be_visible()
    assert _scanned(payers) == scanned
    assert _is_narrow_enough(payers)
    screenshot(payers, f"pay-open-{language}-{width}")
    for page in (till, payers):
        page.evaluate("window.neverReloaded = true")

    paid = _pay_as_scanned(hub, scanned)
    for page in (till, payers):
        expect(page.locator("#main")).to_have_attribute("data-state", "paid", timeout=PATIENCE_MS)
        expect(page.locator(".verdict [data-for='paid']")).to_be_visible()
        expect(page.locator(".codes figure:visible")).to_have_count(0)
        assert page.evaluate("window.neverReloaded")
    screenshot(payers, f"pay-paid-{language}-{width}")

    # Of what is on its way to the chain nothing could be given back.
    hub.wait_until(lambda told: told["counts"]["payments_waiting"] == 0 and told["batches"][0]["state"] == "posted")
    till.once("dialog", lambda question: question.accept())
    till.locator("#refund").click()
    expect(till.locator("#main")).to_have_attribute("data-state", "refunded", timeout=PATIENCE_MS)
    screenshot(till, f"till-refunded-{language}-{width}")
    (refund,) = [
        r for r in hub.client.get("/v1/refunds", headers=hub.merchant_headers).json()["items"] if r["of"] == paid["id"]
    ]
    assert refund["amount"] == "3248629"
    hub.pay_once(4 * DOLLAR, to_merchant=True)  # if the payment was settled by then, the next one pays for it
    deadline = time.monotonic() + PATIENCE_MS / 1_000
    while hub.client.get(f"/v1/refunds/{refund['id']}", headers=hub.merchant_headers).json()["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    till.locator("#next").click()
    expect(till.locator("#display")).to_have_text("₩0")


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ko", 360)])
def test_any_wallet_pays_by_a_plain_transfer(
    hub: LiveHub, visit: Visit, screenshot: Screenshot, language: str, width: int
) -> None:
    till = visit(f"{hub.url}/till", language=language, width=width, forgive="409")
    _open_till(hub, till)
    till.get_by_text("KRW").click()
    for digit in ("4", "5", "00"):
        till.locator(f"[data-digit='{digit}']").click()
    till.locator("#charge").click()
    payers = visit(_scanned(till), language=language, width=width)
    codes = []
    for page, name in ((till, "till"), (payers, "pay")):
        page.locator("#code-transfer").check()
        codes.append(_scanned(page))
        screenshot(page, f"{name}-transfer-{language}-{width}")
        assert _is_narrow_enough(page)
        page.evaluate("window.neverReloaded = true")
    assert codes[0] == codes[1] == payers.locator(".of-transfer a").get_attribute("href")

    before = hub.chain.read("asset", "balanceOf", hub.merchant_wallet.address)
    wallet = _transfer_as_scanned(hub, codes[0])
    for page in (till, payers):
        expect(page.locator(".verdict .depth")).to_have_text("0 / 1", timeout=PATIENCE_MS)
        expect(page.locator(".verdict [data-for='confirming']")).to_be_visible()
        expect(page.locator(".codes figure:visible")).to_have_count(0)
    screenshot(payers, f"pay-confirming-{language}-{width}")
    hub.chain.ask("evm_setIntervalMining", 1)
    for page in (till, payers):
        expect(page.locator("#main")).to_have_attribute("data-state", "paid", timeout=PATIENCE_MS)
        assert page.evaluate("window.neverReloaded")
    screenshot(payers, f"pay-transferred-{language}-{width}")
    (transfer, *_) = hub.client.get("/v1/transfers", headers=hub.merchant_headers).json()["items"]
    assert (transfer["state"], transfer["sender"]) == ("paid", wallet.address)
    received = hub.chain.read("asset", "balanceOf", hub.merchant_wallet.address) - before
    assert received == int(transfer["amount"]) > 3_248_629

    till.once("dialog", lambda question: question.accept())
    till.locator("#refund").click()
    expect(till.locator("#trouble")).to_contain_text("지갑" if language == "ko" else "payout wallet")
    expect(till.locator("#main")).to_have_attribute("data-state", "paid")


def test_a_wallet_in_the_browser_pays_with_gift_tokens_and_needs_no_gas(
    hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    holder: Wallet = next(p["wallet"] for p in hub.payers if hub.gift_tokens(p["wallet"].address))
    invoice = _invoice(hub, 5, "USD")
    extension = Extension(account=holder.key, chain=hub.chain)
    page = visit(f"{hub.url}/pay/{invoice['id']}", extension=extension, forgive="Failed to load resource")
    pays, trouble = page.locator("#pay-in-tokens button"), page.locator("#trouble")
    sent: list[str | None] = []

    def lost(route: Route) -> None:
        sent.append(route.request.post_data)
        route.abort()

    page.route("**/redemptions", lost)
    expect(pays).to_contain_text("Anna's wallet")
    screenshot(page, "pay-in-tokens-en-1280")
    pays.click()
    expect(trouble).to_contain_text("The hub does not answer")  # nobody knows whether it was heard
    page.unroute("**/redemptions")
    before = hub.gift_tokens(holder.address)
    with page.expect_request("**/redemptions") as again:
        pays.click()
    assert sent == [again.value.post_data]
    assert extension.asked.count("eth_signTypedData_v4") == 1
    expect(page.locator("#main")).to_have_attribute("data-state", "paid", timeout=PATIENCE_MS)
    assert hub.gift_tokens(holder.address) == before - 5 * CENT


def test_tokens_that_do_not_arrive_are_told_and_can_be_sent_again(hub: LiveHub, visit: Visit) -> None:
    holder: Wallet = next(p["wallet"] for p in hub.payers if hub.gift_tokens(p["wallet"].address))
    invoice = _invoice(hub, 5, "USD")
    extension = Extension(account=holder.key, chain=hub.chain)
    page = visit(f"{hub.url}/pay/{invoice['id']}", extension=extension)
    pays, trouble, main = page.locator("#pay-in-tokens button"), page.locator("#trouble"), page.locator("#main")
    extension.declines = True
    pays.click()
    expect(trouble).to_contain_text("You declined in your wallet")
    extension.declines = False
    states = iter(["open", "paying", "open"])  # the first is read to be signed for
    page.route("**/redemptions", lambda route: route.fulfill(status=202, json={}))
    expect(pays).to_be_enabled()
    page.route(
        f"**/v1/invoices/{invoice['id']}",
        lambda route: route.fulfill(json=invoice | {"state": next(states, "open")}),
    )
    pays.click()
    expect(trouble).to_contain_text("did not arrive", timeout=PATIENCE_MS)
    page.unroute_all(behavior="wait")
    pays.click()
    expect(main).to_have_attribute("data-state", "paid", timeout=PATIENCE_MS)


def test_a_page_without_javascript_tells_all_the_same(hub: LiveHub, visit: Visit) -> None:
    invoice = _invoice(hub, 4_500)
    page = visit(f"{hub.url}/pay/{invoice['id']}", language="ko", java_script_enabled=False)
    expect(page.locator("h1")).to_have_text("₩4,500")
    expect(page.get_by_text("결제 대기 중")).to_be_visible()
    _pay_as_scanned(hub, invoice["pay_url"])
    expect(page.get_by_text("결제 완료").first).to_be_visible(timeout=PATIENCE_MS)  # it looks again by itself


def test_a_cancelled_invoice_says_so(hub: LiveHub, visit: Visit, screenshot: Screenshot) -> None:
    till = visit(f"{hub.url}/till")
    _open_till(hub, till)
    till.locator("[data-digit='7']").click()
    till.locator("#charge").click()
    payers = visit(_scanned(till))
    till.locator("#cancel").click()
    for page in (till, payers):
        expect(page.locator("#main")).to_have_attribute("data-state", "cancelled")
    expect(payers.get_by_text("The merchant has cancelled this invoice")).to_be_visible()
    screenshot(payers, "pay-cancelled-en-1280")


def test_a_wrong_key_opens_no_till(hub: LiveHub, visit: Visit) -> None:
    till = visit(f"{hub.url}/till", forgive="401")
    till.locator("#api-key").fill("tsk_wrong")
    till.locator("#key-form button").click()
    expect(till.locator("#trouble")).to_be_visible()
    expect(till.locator("#amount-form")).to_be_hidden()


def test_each_text_of_the_pages_has_its_korean() -> None:
    """Read off the templates, as nobody sees all states of a page."""
    from babel.messages.extract import extract_from_dir

    from taesan.core.i18n import translations
    from tests.support.source import PACKAGE

    templates = Path(PACKAGE) / "web" / "templates"
    found = {
        str(message)
        for name, _, message, *_ in extract_from_dir(templates, [("**.html", "jinja2")])
        if name in ("pay.html", "till.html", "_checkout.html")
    }
    assert len(found) > 25
    korean = translations("ko")
    assert {text for text in found if korean.gettext(text) == text} == set()
