"""A gateway's customer without a wallet, on a chain that runs: from the gateway's deposit to the gift token in the wallet that
the customer links later, and what waits for funding meanwhile."""

import time
from collections.abc import Callable
from typing import Any

from tests.support.gateway import message, payment, signed
from tests.support.live import LiveHub
from tests.support.stage import CENT, DOLLAR, key
from tests.support.wallet import Json, Wallet, channel_id

PATIENCE_S = 60


def test_a_customer_who_links_a_wallet_later_has_all_that_was_gathered(live_hub: LiveHub) -> None:
    hub, gateway = live_hub, Wallet("live gateway")
    body = {"name": "Narae Pay", "address": gateway.address}
    made = hub.client.post("/v1/operator/gateways", json=body, headers=hub.operator_headers()).json()
    path, headers = f"/v1/gateways/{made['id']}", hub.session_of(gateway)

    def send(where: str, body: Json) -> Any:
        text, signed_headers = signed(made["secret"], body)
        answer = hub.client.post(f"{path}/{where}", content=text, headers=signed_headers)
        assert answer.is_success, answer.text
        return answer.json()

    def told() -> Any:
        return hub.client.get(path, headers=headers).json()

    send("webhook", message("payment.made", [payment("anna", 70 * CENT) for _ in range(3)]))
    assert (told()["waiting_payments"], told()["waiting_amount"]) == (3, str(210 * CENT))

    config = gateway.channel_config(hub.facts)
    channel = channel_id(hub.facts, config)
    _deposit(hub, gateway, config, 150 * CENT)
    voucher = {
        "channel_id": channel,
        "max_claimable_amount": str(5 * DOLLAR),
        "signature": gateway.voucher(hub.facts, channel, 5 * DOLLAR),
    }
    funded = hub.client.put(f"{path}/funding", json={"voucher": voucher}, headers=headers)
    assert funded.status_code == 200, funded.text
    assert (told()["drawn"], told()["waiting_payments"]) == (str(140 * CENT), 1)

    anna = Wallet("live anna")
    code = send("link-codes", message("customer.link", {"customer": "anna"}))["code"]
    linked = hub.client.post("/v1/gateway-links", json={"code": code}, headers=hub.session_of(anna)).json()
    assert (linked["released"], linked["waiting"]) == (str(140 * CENT), str(70 * CENT))
    _wait(lambda: hub.gift_tokens(anna.address) == 140 * CENT)

    _deposit(hub, gateway, config, 2 * DOLLAR)
    _wait(lambda: told()["waiting_payments"] == 0)
    send("webhook", message("payment.made", payment("anna", 40 * CENT)))
    _wait(lambda: hub.gift_tokens(anna.address) == 240 * CENT)
    _wait(lambda: told()["claimed"] == told()["drawn"] == str(250 * CENT))
    _wait(lambda: hub.audit().differences == [])


def _deposit(hub: LiveHub, wallet: Wallet, config: Json, amount: int) -> None:
    hub.give_dollars(wallet.address, amount)
    body = {"config": config, "deposit": wallet.deposit(hub.facts, config, amount)}
    deposit = hub.client.post("/v1/channels", json=body, headers=key()).json()["deposit"]["id"]
    _wait(lambda: hub.client.get(f"/v1/deposits/{deposit}").json()["state"] == "confirmed")


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
