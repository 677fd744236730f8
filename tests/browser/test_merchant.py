"""A merchant's way through the console: an account, a till that opens by itself, a customer who pays, and what then is seen."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.live import LiveHub
from tests.support.stage import key

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000


def _is_narrow_enough(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def _open_account(page: Page, name: str) -> str:
    """Signs in with the test wallet and opens an account; returns its first API key."""
    page.locator(".wallets button").click()
    page.locator("#shop").fill(name)
    page.locator("#opening form button").click()
    shown = page.locator(".secret code").inner_text()
    page.locator("#opening > button").click()
    expect(page.locator("#console h1")).to_have_text(name)
    return shown


def _pay(hub: LiveHub, invoice_id: str) -> dict[str, Any]:
    """One of the hub's payers pays an invoice out of her channel."""
    quote = hub.client.get(f"/v1/invoices/{invoice_id}").json()["quote"]
    payer = hub.payers[1]
    cumulative = payer["charged"] + int(quote["value"])
    signature = payer["wallet"].voucher(hub.facts, payer["id"], cumulative)
    body = {
        "voucher": {"channel_id": payer["id"], "max_claimable_amount": str(cumulative), "signature": signature},
        "amount": quote,
        "destination": {"type": "invoice", "invoice_id": invoice_id},
    }
    answer = hub.client.post("/v1/payments", json=body, headers=key())
    assert answer.status_code == 201, answer.text
    payer["charged"] = cumulative
    return dict(answer.json())


@pytest.mark.parametrize(("language", "width"), [("ko", 360), ("en", 1280)])
def test_from_an_account_to_money(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot, language: str, width: int
) -> None:
    name = f"Tea {language}"
    page = visit(f"{live_hub.url}/merchant?lang={language}", language=language, width=width, forgive="403")
    api_key = _open_account(page, name)
    assert live_hub.client.get("/v1/account", headers={"Authorization": f"Bearer {api_key}"}).status_code == 200
    assert api_key not in page.content()

    page.locator("a.button").click()
    expect(page.locator("#whose")).to_have_text(name)  # no key was asked for
    for digit in ("4", "5", "0"):
        page.locator(f"[data-digit='{digit}']").click()
    page.locator("#charge").click()
    expect(page.locator("#code")).to_have_attribute("src", re.compile("inv_"))
    _pay(live_hub, str(page.locator("#code").get_attribute("src")).split("/")[2])
    expect(page.locator("#main")).to_have_attribute("data-state", "paid", timeout=PATIENCE_MS)

    page.goto(f"{live_hub.url}/merchant?lang={language}")
    expect(page.locator("#day .big")).to_have_text("$4.50", timeout=PATIENCE_MS)
    expect(page.locator("#balance .big")).to_have_text("$4.50", timeout=PATIENCE_MS)
    page.locator("#invoice-amount").fill("1.25")
    page.locator("#invoice-what").fill("Cake")
    page.locator("#ask form button").click()
    link = page.locator("#invoices details[open] a")
    expect(page.locator("#invoices img.code")).to_be_visible()
    assert _is_narrow_enough(page)
    screenshot(page, f"merchant-home-{language}-{width}")
    paid = _pay(live_hub, str(link.inner_text()).rpartition("/")[2])
    expect(page.locator("#day .big")).to_have_text("$5.75", timeout=PATIENCE_MS)  # by itself
    newest = page.locator("#payments li").first
    expect(newest.locator(".amount")).to_have_text("$1.25")

    expect(page.locator("#balance .big")).to_have_text("$5.75", timeout=PATIENCE_MS)
    newest.get_by_role("button").click()
    page.locator("#refund-amount").fill("0.25")
    page.locator("#refund-note").fill("dry")
    screenshot(page, f"merchant-refund-{language}-{width}")
    page.locator("dialog button.danger").click()
    expect(newest.locator("[data-tone='refunded']")).to_contain_text("$0.25", timeout=PATIENCE_MS)
    (refund,) = live_hub.client.get("/v1/refunds", headers={"Authorization": f"Bearer {api_key}"}).json()["items"]
    assert (refund["of"], refund["amount"], refund["note"]) == (paid["id"], "250000", "dry")
    expect(page.locator("#day .big")).to_have_text("$5.50", timeout=PATIENCE_MS)
    with page.expect_download() as file:
        page.locator("#day .ways button").last.click()
    assert "payments,2,5750000" in file.value.path().read_text()
