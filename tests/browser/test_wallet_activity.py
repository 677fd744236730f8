"""What a payer sees of her payments, and that their proofs are checked by what she has: here, and by her own node."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.browser_wallet import Extension, signed_in, wider_than_the_screen, with_key
from tests.support.live import LiveHub
from tests.support.stage import DOLLAR, key

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000

MERGES = """async () => {
  const { merged } = await import("/static/lib/merged.js");
  const asked = [];
  const list = (name, pages) => ({
    name,
    at: (item) => item,
    page: async (cursor) => {
      asked.push(`${name}${cursor ?? 0}`);
      const n = Number(cursor ?? 0);
      return { items: pages[n], next_cursor: n + 1 < pages.length ? String(n + 1) : null };
    },
  });
  const next = merged([
    list("a", [["2026-01-09T00:00:00.5Z", "2026-01-05T00:00:00Z"], ["2026-01-04T00:00:00Z"]]),
    list("b", [["2026-01-09T00:00:00Z"], [], ["2026-01-01T00:00:00Z"]]),
    list("c", [[]]),
  ]);
  const told = [];
  for (const most of [2, 1, 9]) {
    const { entries, isMore } = await next(most);
    told.push([entries.map(({ source, at }) => source.name + at.slice(8, 10)).join(" "), isMore]);
  }
  return [told, asked];
}"""


AT_A_VALUE = {
    "code": "value",
    "title": "It has reached a value of 12500000 minor units.",
    "values": {"value": "12500000"},
}


def _payer(live_hub: LiveHub) -> dict[str, Any]:
    """Who has a payment to the merchant and one to her jar in a batch."""
    payer = live_hub.payers[0]
    live_hub.pay_once(DOLLAR // 4, by=live_hub.payers[0])
    live_hub.pay_once(DOLLAR // 5, by=live_hub.payers[0], to_merchant=True)
    live_hub.wait_until(
        lambda told: told["counts"]["payments_waiting"] == 0 and told["batches"][0]["state"] == "posted"
    )
    return payer


def test_lists_are_one_by_their_moments(live_hub: LiveHub, visit: Visit) -> None:
    told, asked = visit(f"{live_hub.url}/wallet").evaluate(MERGES)
    assert told == [["a09 b09", True], ["a05", True], ["a04 b01", False]]
    assert sorted(asked) == ["a0", "a1", "b0", "b1", "b2", "c0"], "each page once"


def test_a_payment_is_proved_by_the_wallets_own_node_and_a_forged_one_is_not(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    payer = _payer(live_hub)
    extension = Extension(account=payer["wallet"].key, chain=live_hub.chain)
    page = visit(f"{live_hub.url}/wallet/activity", language="ko", width=360, extension=extension)
    signed_in(page)
    rows = page.locator(".events > li")
    expect(rows.filter(has_text="Café Dust").first).to_contain_text("−$0.20", timeout=PATIENCE_MS)
    newest = rows.filter(has=page.locator(".trace button")).first
    newest.locator(".trace button").click()
    proved = newest.locator(".proved")
    expect(proved).to_have_attribute("data-holds", "true")
    expect(proved.locator(".climb li").last).to_contain_text("Anna's wallet")
    assert extension.asked.count("eth_call") == 1
    assert wider_than_the_screen(page) == []
    screenshot(page, "activity-proof-ko-360")

    def forged(route: Route) -> None:
        """A payment that the hub has made up a whole tree for: everything fits but what the chain has."""
        answer = route.fetch()
        told = answer.json()
        leaf = page.evaluate(
            """async ([id, leaf]) => (await import("/static/proof.js")).paymentLeaf(id, leaf)""",
            [told["leaf"]["payment_id"], told["leaf"]],
        )
        route.fulfill(response=answer, body=json.dumps(told | {"proof": [], "root": leaf}))

    page.unroute_all()
    newest.locator(".trace button").click()
    expect(proved).to_have_count(0)
    page.route("**/v1/payments/*/proof", forged)
    newest.locator(".trace button").click()
    expect(proved).to_have_attribute("data-holds", "false")
    expect(proved.locator(".climb li").last.locator(".differs")).to_be_visible()


@pytest.mark.parametrize(
    "forge",
    [
        lambda told: told["leaf"].update(amount=str(int(told["leaf"]["amount"]) + 1)),
        lambda told: told["proof"].append("0x" + "ab" * 32),
        lambda told: told["leaf"].update(channel_id="0x" + "ab" * 32),
    ],
)
def test_whatever_is_forged_is_seen(live_hub: LiveHub, visit: Visit, forge: Callable[[Any], None]) -> None:
    page = visit(f"{live_hub.url}/wallet")
    (payment, *_) = [p for p in live_hub.overview()["recent_payments"] if p["batch_id"] is not None]
    page.route("**/proof", lambda route: _changed(route, forge))
    asked = """async (id) => {
      const { verify } = await import("/static/lib/verify.js");
      return (await verify(await (await fetch(`/v1/payments/${id}`)).json())).holds;
    }"""
    assert page.evaluate(asked, payment["id"]) is False
    page.unroute_all()
    assert page.evaluate(asked, payment["id"]) is True


def _changed(route: Route, change: Callable[[Any], None]) -> None:
    answer = route.fetch()
    told = answer.json()
    change(told)
    route.fulfill(response=answer, body=json.dumps(told))


def test_a_wallet_without_a_node_is_told_whose_word_it_is(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    payer = _payer(live_hub)
    paid = live_hub.pay_once(DOLLAR // 4, by=payer, to_merchant=True)["id"]
    refund = {"of": paid, "amount": str(DOLLAR // 5)}
    answer = live_hub.client.post("/v1/refunds", json=refund, headers=live_hub.merchant_headers | key())
    assert answer.status_code == 202, answer.text
    page = visit(f"{live_hub.url}/wallet/activity")
    page.route(
        "**/jar/firings*", lambda route: _changed(route, lambda told: told["items"][0].update(reason=AT_A_VALUE))
    )
    with_key(page, payer["wallet"].key)
    page.locator(".trace button").first.click(timeout=PATIENCE_MS)
    proved = page.locator(".proved")
    expect(proved).to_have_attribute("data-holds", "true")
    expect(proved).to_contain_text("the hub's word")
    expect(proved.locator("pre").first).to_contain_text(f'cast call {live_hub.facts["settlement"]} "batches(uint64)')
    expect(page.locator(".events > li").filter(has_text="$12.50 have come together.")).to_have_count(1)
    given_back = page.locator(".events > li").filter(has_text="Given back by Café Dust")
    expect(given_back.locator(".amount")).to_have_text("+$0.20")
    expect(given_back.get_by_role("link")).to_have_attribute("href", f"/payments/{paid}?lang=en")
    screenshot(page, "activity-en-1280")
