"""Checking a payment in the reader's own browser, and the page of a batch."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.crypto import keccak
from playwright.sync_api import Page, Route, expect

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_S = 90


def get(hub: Any, path: str) -> Any:
    with urllib.request.urlopen(f"{hub.url}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def settled_payment(live_hub: Any) -> dict[str, Any]:
    """A payment that is in a batch; made, and waited for, if there is none yet."""
    deadline = time.monotonic() + PATIENCE_S
    paid = False
    while time.monotonic() < deadline:
        for payment in get(live_hub, "/v1/overview")["recent_payments"]:
            if payment["batch_id"] is not None:
                found: dict[str, Any] = payment
                return found
        if not paid:
            live_hub.pay_once()
            paid = True
        time.sleep(0.5)
    pytest.fail(f"no payment was put in a batch within {PATIENCE_S} s")


def test_keccak_in_the_browser_is_keccak(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/")
    texts = ["", "abc", *("x" * length for length in (32, 64, 135, 136, 137, 271, 272, 1_000)), "티끌 모아 태산"]
    hashes = page.evaluate(
        """async texts => {
            const { keccak256, hexOf } = await import("/static/proof.js");
            return texts.map(text => hexOf(keccak256(new TextEncoder().encode(text))));
        }""",
        texts,
    )
    assert hashes == ["0x" + keccak(text=text).hex() for text in texts]


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ko", 360)])
def test_a_payment_climbs_to_its_batchs_root(
    live_hub: Any,
    settled_payment: dict[str, Any],
    visit: Visit,
    screenshot: Screenshot,
    language: str,
    width: int,
) -> None:
    page = visit(f"{live_hub.url}/", language=language, width=width)
    page.locator("#payment-id").fill(settled_payment["id"])
    page.locator("#check-form button").click()
    expect(page.locator("#check-verdict")).to_have_attribute("data-state", "yes")
    proof = get(live_hub, f"/v1/payments/{settled_payment['id']}/proof")
    rungs = page.locator("#climb li")
    expect(rungs).to_have_count(len(proof["proof"]) + 2)
    assert proof["leaf_hash"] in rungs.first.inner_text()
    assert proof["root"] in rungs.last.inner_text()
    assert f"check={settled_payment['id']}" in page.url
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    screenshot(page, f"proof-{language}-{width}")


@pytest.mark.parametrize(
    "forge",
    [
        lambda proof: proof["leaf"].update(amount=str(int(proof["leaf"]["amount"]) + 1)),
        lambda proof: proof["leaf"].update(payee="0x" + "11" * 20),
        lambda proof: proof.update(root="0x" + "ab" * 32),
        lambda proof: proof["proof"].append("0x" + "cd" * 32),
    ],
    ids=["amount", "payee", "root", "path"],
)
def test_a_forged_proof_does_not_hold(
    live_hub: Any, settled_payment: dict[str, Any], visit: Visit, forge: Callable[[dict[str, Any]], None]
) -> None:
    page = visit(f"{live_hub.url}/")

    def handle(route: Route) -> None:
        proof = route.fetch().json()
        forge(proof)
        route.fulfill(json=proof)

    page.route("**/proof", handle)
    page.locator("#payment-id").fill(settled_payment["id"])
    page.keyboard.press("Enter")
    expect(page.locator("#check-verdict")).to_have_attribute("data-state", "no")


def test_another_payments_proof_does_not_hold(live_hub: Any, settled_payment: dict[str, Any], visit: Visit) -> None:
    page = visit(f"{live_hub.url}/")
    other = "pay_" + "0" * 24
    proof = get(live_hub, f"/v1/payments/{settled_payment['id']}/proof")
    page.route("**/proof", lambda route: route.fulfill(json=proof))
    page.locator("#payment-id").fill(other)
    page.keyboard.press("Enter")
    expect(page.locator("#check-verdict")).to_have_attribute("data-state", "no")


def test_an_unknown_payment_is_said_to_be_unknown(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/?check=pay_{'0' * 24}", forgive="404")
    expect(page.locator("#check-verdict")).to_have_attribute("data-state", "unknown")
    expect(page.locator("#climb")).to_be_hidden()


@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ko", 360)])
def test_a_batchs_page_leads_to_its_proofs(
    live_hub: Any,
    settled_payment: dict[str, Any],
    visit: Visit,
    screenshot: Screenshot,
    language: str,
    width: int,
) -> None:
    batch = get(live_hub, f"/v1/batches/{settled_payment['batch_id']}")
    page = visit(f"{live_hub.url}/batches/{batch['id']}", language=language, width=width)
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(batch["id"]))
    expect(page.get_by_text(batch["payments_root"])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    screenshot(page, f"batch-{language}-{width}")
    page.locator(".payments .links a").first.click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    expect(page.locator("#check-verdict")).to_have_attribute("data-state", "yes")
