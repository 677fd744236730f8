"""A payment, step by step, for developers: what is private only to whose it is, and code that works as it is."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, expect

from tests.support.browser_wallet import Extension, signed_in, wider_than_the_screen
from tests.support.live import LiveHub
from tests.support.stage import CENT

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000
STEPS = ["voucher", "accepted", "booked", "batch", "proof"]


def _settled(live_hub: LiveHub) -> tuple[dict[str, Any], dict[str, Any]]:
    """A payer, and a payment of hers to the merchant that is on the chain."""
    payer = live_hub.payers[1]
    payment = live_hub.pay_once(31 * CENT, by=live_hub.payers[1], to_merchant=True)
    live_hub.wait_until(
        lambda told: told["counts"]["payments_waiting"] == 0 and told["batches"][0]["state"] == "posted"
    )
    return payer, payment


def _code(page: Page, tongue: str) -> list[str]:
    page.locator(f"[name=tongue][value={tongue}]").check()
    expect(page.locator("[data-step=proof]")).to_contain_text({"curl": "curl", "python": "keccak"}.get(tongue, "climb"))
    return [page.locator(f"[data-step={step}]").inner_text() for step in STEPS]


def _run(command: list[str], environment: dict[str, str]) -> str:
    told = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 0, told.stderr
    return told.stdout


def test_its_payer_sees_each_step_and_the_code_beside_it_works(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    payer, payment = _settled(live_hub)
    extension = Extension(account=payer["wallet"].key, chain=live_hub.chain)
    page = visit(f"{live_hub.url}/wallet/activity", extension=extension)
    signed_in(page)
    page.locator(f"a[href^='/payments/{payment['id']}']").click(timeout=PATIENCE_MS)
    expect(page.locator("#voucher .agrees")).to_be_visible()
    expect(page.locator("#voucher")).to_contain_text(payer["wallet"].hot_key.address)
    expect(page.locator("#booked .lines li")).to_have_count(2)
    expect(page.locator("#batch .pill")).to_have_text("posted")
    page.locator("#proof .body > button").click()
    expect(page.locator("#proof .proved")).to_have_attribute("data-holds", "true")
    screenshot(page, "payment-en-1280")

    token = live_hub.session_of(payer["wallet"])["Authorization"].removeprefix("Bearer ")
    environment = {"TOKEN": token, "NODE": live_hub.chain_url, "NO_PROXY": "127.0.0.1"}
    root = live_hub.client.get(f"/v1/payments/{payment['id']}/proof").json()["root"]
    told = _run(["bash", "-ec", "\n".join(_code(page, "curl"))], environment)
    assert payment["id"] in told
    assert root in told
    assert f'"result":"{root}"' in told
    told = _run([sys.executable, "-c", "\n".join(_code(page, "python"))], environment)
    assert "as the hub says: True" in told
    assert "balanced: True" in told
    assert "proved: True" in told
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    for snippet in _code(page, "javascript"):
        page.evaluate(f"async () => {{ {snippet} }}")
    assert "proved: true" in lines
    assert "balanced: true" in lines
    assert [line for line in lines if line.startswith("signed by") and line.endswith("as the hub says: true")]


def test_a_stranger_sees_what_is_public_and_a_merchant_not_the_voucher(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    payer, payment = _settled(live_hub)
    signature = payer["wallet"].voucher(live_hub.facts, payer["id"], payer["charged"])
    page = visit(f"{live_hub.url}/payments/{payment['id']}", language="ko", width=360)
    expect(page.locator("#accepted")).to_contain_text("$0.31")
    expect(page.locator("#voucher a")).to_be_visible()
    expect(page.locator("#booked a")).to_be_visible()
    page.locator("#proof .body > button").click()
    expect(page.locator("#proof .proved")).to_have_attribute("data-holds", "true")
    assert signature not in page.content()
    assert wider_than_the_screen(page) == []
    screenshot(page, "payment-ko-360")

    merchant = visit(f"{live_hub.url}/wallet/activity", extension=Extension(account=live_hub.merchant_wallet.key))
    signed_in(merchant)
    merchant.goto(f"{live_hub.url}/payments/{payment['id']}")
    expect(merchant.locator("#booked .lines li")).to_have_count(2)
    assert signature not in merchant.content()
