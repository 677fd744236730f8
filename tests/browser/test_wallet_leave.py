"""A payer leaves with everything: the jar, what is free, her tokens as dollars at the reserve itself; and without the hub."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.support.browser_wallet import Extension, signed_in, wider_than_the_screen, with_key
from tests.support.live import LiveHub
from tests.support.stage import CENT, DOLLAR

Visit = Callable[..., Page]
Screenshot = Callable[[Page, str], None]
PATIENCE_MS = 30_000


def test_everything_comes_back_through_the_hub_and_the_tokens_through_the_reserve(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    """With a channel of the browser's own: a deposit, a payment into the jar, and out again, with a reload between."""
    extension = Extension(chain=live_hub.chain)
    live_hub.give_dollars(extension.account.address, 5 * DOLLAR)
    page = visit(f"{live_hub.url}/wallet", language="ko", width=360, extension=extension, forgive="404")
    signed_in(page)
    page.locator("#amount").fill("5")
    page.locator("#channel form button").click()
    expect(page.locator("#channel .big")).to_have_text("$5.00", timeout=PATIENCE_MS)
    page.evaluate("""async () => (await import("/static/lib/channel.js")).pay(300000n, { type: "jar" })""")

    page.goto(f"{live_hub.url}/wallet/leave")
    expect(page.locator("#jar")).to_contain_text("$0.30")
    page.locator("#jar button").click()
    expect(page.locator("dialog")).to_contain_text("저금통에 든 금액이 전부 선물 토큰으로 바뀌어요")
    page.locator("dialog button[value=yes]").click()
    expect(page.locator("#jar .finished")).to_be_visible(timeout=PATIENCE_MS)
    rule = page.evaluate(
        """async () => {
          const { askSigned } = await import("/static/lib/session.js");
          const { id } = await (await import("/static/lib/channel.js")).state();
          return (await askSigned("GET", `/v1/channels/${id}/jar`)).trigger_count;
        }"""
    )
    assert rule == 100, "as it was before"
    page.reload()
    page.locator("#free button").click(timeout=PATIENCE_MS)
    expect(page.locator("#free .finished")).to_be_visible(timeout=PATIENCE_MS)
    assert live_hub.dollars(extension.account.address) == 5 * DOLLAR - 30 * CENT - 1
    expect(page.locator("#tokens .big")).to_have_text("$0.30", timeout=PATIENCE_MS)
    assert wider_than_the_screen(page) == []
    screenshot(page, "leave-ko-360")
    page.locator("#tokens .choices button").click()
    expect(page.locator("#tokens .finished")).to_be_visible(timeout=PATIENCE_MS)
    assert live_hub.dollars(extension.account.address) == 5 * DOLLAR
    assert live_hub.gift_tokens(extension.account.address) == 0


def test_without_the_hub_a_withdrawal_is_announced_by_the_wallet(
    live_hub: LiveHub, visit: Visit, screenshot: Screenshot
) -> None:
    """Of a channel whose hot key is elsewhere, by what the browser remembers, with no sign-in; and the call that fetches it is the contract's own."""
    payer = live_hub.newcomer()
    extension = Extension(account=payer["wallet"].key, chain=live_hub.chain)
    page = visit(f"{live_hub.url}/wallet/leave", extension=extension, forgive="Failed to load resource")
    signed_in(page)
    channel = page.locator(f"[data-channel='{payer['id']}']")
    expect(channel).to_be_visible(timeout=PATIENCE_MS)
    page.route("**/v1/**", lambda route: route.abort())
    signed = page.evaluate("localStorage.getItem('taesan.session')")
    page.evaluate("localStorage.removeItem('taesan.session')")
    page.reload()
    before = live_hub.chain.read("channels", "channels", bytes.fromhex(payer["id"][2:]))
    channel.get_by_role("button", name="Announce").click(timeout=PATIENCE_MS)
    page.locator("dialog button[value=yes]").click()
    expect(channel.locator("[role=status]").first).to_contain_text("can be fetched from", timeout=PATIENCE_MS)
    announced, _ = live_hub.chain.read("channels", "pendingWithdrawals", bytes.fromhex(payer["id"][2:]))
    assert announced == before[0] - before[1]
    expect(channel.get_by_role("button", name="Fetch it")).to_be_disabled()
    page.unroute_all(behavior="ignoreErrors")
    page.evaluate("signed => localStorage.setItem('taesan.session', signed)", signed)
    page.reload()
    expect(page.locator("#free")).to_contain_text("A withdrawal was announced", timeout=PATIENCE_MS)
    expect(channel).to_contain_text("can be fetched from", timeout=PATIENCE_MS)
    screenshot(page, "leave-en-1280")

    token = live_hub.session_of(payer["wallet"])
    (told,) = live_hub.client.get("/v1/channels", headers=token).json()["items"]
    calls = page.evaluate(
        """async (told) => {
          const { announce, claim, finish } = await import("/static/lib/leaving.js");
          const proof = ["0x" + "11".repeat(32), "0x" + "22".repeat(32)];
          const entitled = { settlement: told.receiver, batch_id: 3, account: told.payer, cumulative: "12", proof };
          return [(await announce(told, 7n)).data, (await finish(told)).data, claim(entitled).data];
        }""",
        told,
    )
    names = ("payer", "payer_authorizer", "receiver", "receiver_authorizer", "token", "withdraw_delay", "salt")
    config = tuple(told[name] for name in names)
    encode = live_hub.chain.contracts.encode
    assert calls == [
        encode("channels", "initiateWithdraw", config, 7),
        encode("channels", "finalizeWithdraw", config),
        encode("settlement", "claim", 3, told["payer"], 12, [b"\x11" * 32, b"\x22" * 32]),
    ]


def test_a_wallet_without_a_node_is_given_the_commands(live_hub: LiveHub, visit: Visit) -> None:
    payer = live_hub.payers[0]
    page = visit(f"{live_hub.url}/wallet/leave", forgive="404")
    with_key(page, payer["wallet"].key)
    expect(page.locator("#tokens pre")).to_contain_text('"redeem(uint256,address)"', timeout=PATIENCE_MS)
    expect(page.locator("#alone pre").first).to_contain_text("initiateWithdraw(", timeout=PATIENCE_MS)
    with page.expect_download() as download:
        page.locator("#alone .ways button").click()
    assert "finalizeWithdraw" in download.value.path().read_text()
