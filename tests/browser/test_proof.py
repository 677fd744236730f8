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
    """A payment whose batch is on the chain; made, and waited for, if there is none yet."""
    deadline = time.monotonic() + PATIENCE_S
    paid = False
    while time.monotonic() < deadline:
        for payment in get(live_hub, "/v1/overview")["recent_payments"]:
            if payment["batch_id"] is not None and get(live_hub, f"/v1/batches/{payment['batch_id']}/root")["root"]:
                found: dict[str, Any] = payment
                return found
        if not paid:
            live_hub.pay_once()
            paid = True
        time.sleep(0.5)
    pytest.fail(f"no payment was settled within {PATIENCE_S} s")


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
    expect(page.locator("#checked .proved")).to_have_attribute("data-holds", "true")
    proof = get(live_hub, f"/v1/payments/{settled_payment['id']}/proof")
    rungs = page.locator("#checked .climb li")
    expect(rungs).to_have_count(len(proof["proof"]) + 3)
    assert proof["leaf_hash"] in rungs.first.inner_text()
    assert proof["root"] in rungs.last.inner_text()
    assert f"check={settled_payment['id']}" in page.url
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    screenshot(page, f"proof-{language}-{width}")


def _make_up(proof: dict[str, Any]) -> None:
    """Twice as much was paid, and there is a whole tree for it: everything fits but the payment and the chain."""
    leaf = proof["leaf"]
    leaf["amount"] = str(2 * int(leaf["amount"]))
    numbers = [int(leaf["channel_id"], 16), int(leaf["amount"]), int(leaf["cumulative"]), int(leaf["payee"], 16)]
    content = keccak(text=leaf["payment_id"]) + b"".join(number.to_bytes(32) for number in numbers)
    proof.update(proof=[], root="0x" + keccak(keccak(content)).hex())


@pytest.mark.parametrize(
    "forge",
    [
        lambda proof: proof["leaf"].update(amount=str(int(proof["leaf"]["amount"]) + 1)),
        lambda proof: proof["leaf"].update(payee="0x" + "11" * 20),
        lambda proof: proof.update(root="0x" + "ab" * 32),
        lambda proof: proof["proof"].append("0x" + "cd" * 32),
        lambda proof: proof.update(proof=[], root=proof["leaf_hash"]),
        _make_up,
    ],
    ids=["amount", "payee", "root", "path", "tree", "leaf and tree"],
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
    expect(page.locator("#checked .proved")).to_have_attribute("data-holds", "false")


def test_the_answer_to_what_was_asked_last_is_shown(
    live_hub: Any, settled_payment: dict[str, Any], visit: Visit
) -> None:
    page = visit(f"{live_hub.url}/", forgive="404")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(f"**/v1/payments/{settled_payment['id']}", hold)
    page.evaluate(
        """([first, second]) => {
            const form = document.querySelector("#check-form");
            for (const id of [first, second]) {
                form.querySelector("input[name=check]").value = id;
                form.dispatchEvent(new Event("submit", { cancelable: true }));
            }
        }""",
        [settled_payment["id"], f"pay_{'0' * 24}"],
    )
    expect(page.locator("#checked .failed")).to_be_visible()
    with page.expect_response("**/proof"):
        held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(page.locator("#checked .failed")).to_be_visible()


def test_another_payments_proof_does_not_hold(live_hub: Any, settled_payment: dict[str, Any], visit: Visit) -> None:
    page = visit(f"{live_hub.url}/")
    other = "pay_" + "0" * 24
    for what in ("", "/proof"):
        told = get(live_hub, f"/v1/payments/{settled_payment['id']}{what}")
        page.route(f"**/v1/payments/{other}{what}", lambda route, _, told=told: route.fulfill(json=told))
    page.locator("#payment-id").fill(other)
    page.keyboard.press("Enter")
    expect(page.locator("#checked .proved")).to_have_attribute("data-holds", "false")


def test_an_unknown_payment_is_said_to_be_unknown(live_hub: Any, visit: Visit) -> None:
    page = visit(f"{live_hub.url}/?check=pay_{'0' * 24}", forgive="404")
    expect(page.locator("#checked .failed")).to_be_visible()
    expect(page.locator("#checked .proved")).to_have_count(0)


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
    expect(page.locator("#checked .proved")).to_have_attribute("data-holds", "true")
