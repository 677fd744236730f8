"""A wallet extension, as a page sees it (EIP-6963, EIP-1193): announced in the page, signing in Python with a library of its own."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from playwright.sync_api import BrowserContext, Page, expect

from tests.support.chain import FEES, BareChain
from tests.support.live import LiveHub
from tests.support.stage import DOLLAR

_ANNOUNCES = """(() => {
  const request = async ({ method, params = [] }) => {
    const { result, error } = JSON.parse(await window.askWallet(JSON.stringify({ method, params })));
    if (error) throw Object.assign(new Error(error.message), { code: error.code });
    return result;
  };
  const icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";
  const info = { uuid: crypto.randomUUID(), name: "Anna's wallet", icon, rdns: "example.wallet" };
  const detail = Object.freeze({ info, provider: { request } });
  const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail }));
  addEventListener("eip6963:requestProvider", announce);
  announce();
})()"""


@dataclass
class Extension:
    """:ivar declines: whether its person says no to everything. :ivar chain: its own node; None: it has none. :ivar asked: the
    methods, in order. :ivar trouble: what it could not do, which a page may well have caught; `visit` fails its test by it"""

    account: Any = field(default_factory=Account.create)
    declines: bool = False
    chain: BareChain | None = None
    asked: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    def install(self, context: BrowserContext) -> None:
        context.expose_function("askWallet", self._answer)
        context.add_init_script(_ANNOUNCES)

    def _answer(self, request: str) -> str:
        asked = json.loads(request)
        self.asked.append(asked["method"])
        if self.declines and asked["method"] != "eth_accounts":
            return json.dumps({"error": {"code": 4001, "message": "User rejected the request."}})
        try:
            return json.dumps({"result": self._do(asked["method"], asked["params"])})
        except Exception as error:
            self.trouble.append(f"{asked['method']}: {error!r}")
            raise

    def _do(self, method: str, params: list[Any]) -> Any:
        if method in ("eth_requestAccounts", "eth_accounts"):
            return [self.account.address.lower()]
        if method == "personal_sign":
            return "0x" + self.account.sign_message(encode_defunct(hexstr=params[0])).signature.hex()
        if method == "eth_signTypedData_v4":
            signed = self.account.sign_message(encode_typed_data(full_message=json.loads(params[1])))
            return "0x" + signed.signature.hex()
        if self.chain and method == "eth_sendTransaction":
            return self._send(self.chain, params[0])
        if self.chain and method in (
            "eth_chainId",
            "eth_call",
            "eth_getBlockByNumber",
            "eth_getTransactionReceipt",
            "eth_getTransactionByHash",
        ):
            return self.chain.ask(method, *params)
        raise NotImplementedError(method)  # no extension does it for a page: `visit` fails the test that asks

    def _send(self, chain: BareChain, asked: dict[str, Any]) -> Any:
        """With gas money from nowhere, and signed here."""
        assert asked["from"] == self.account.address
        chain.ask("anvil_setBalance", self.account.address, hex(10**20))
        known = {"to": asked["to"], "data": asked["data"], "chainId": chain.chain_id, "value": 0} | FEES
        known["nonce"] = int(chain.ask("eth_getTransactionCount", self.account.address, "pending"), 16)
        known["gas"] = 2 * int(chain.ask("eth_estimateGas", asked), 16)
        return chain.ask("eth_sendRawTransaction", "0x" + self.account.sign_transaction(known).raw_transaction.hex())


def with_channel(
    live_hub: LiveHub, visit: Callable[..., Page], dollars: str, forgive: str = "404", **options: object
) -> tuple[Page, Extension]:
    """A page of whoever has just opened a channel. :param dollars: its deposit, such as `9.00`, out of 20 in the wallet"""
    extension = Extension()
    live_hub.give_dollars(extension.account.address, 20 * DOLLAR)
    page = visit(f"{live_hub.url}/wallet", forgive=forgive, extension=extension, **options)
    page.locator(".wallets button").first.click()
    page.locator("#amount").fill(dollars)
    page.locator("#channel form button").click()
    expect(page.locator("#channel .big")).to_have_text(f"${dollars}", timeout=30_000)
    return page, extension


def signed_in(page: Page) -> None:
    """By the first wallet that the page offers."""
    page.locator(".wallets button").first.click()
    expect(page.locator("#who code")).to_be_visible()


def with_key(page: Page, account: Any) -> None:
    """Signed in by the local chain's test wallet, which has somebody's key."""
    page.locator(".wallets summary").click()
    page.locator("#test-key").fill("0x" + bytes(account.key).hex())
    page.locator(".wallets details button").click()
    expect(page.locator("#who code")).to_have_attribute("title", account.address)


def wider_than_the_screen(page: Page) -> list[str]:
    """What would have the reader scroll sideways."""
    found: list[str] = page.evaluate(
        """() => document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] :
          [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth)
            .map((e) => `${e.tagName}.${e.className} ${e.textContent.slice(0, 40)}`)"""
    )
    return found
