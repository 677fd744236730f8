"""Schemathesis against a running hub: what is documented is what is answered, to whoever calls with whatever.

`make fuzz` does the same for longer, from a new seed.
"""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.bank_files import import_two
from tests.support.gifts import Link, nonce, signed_transfer
from tests.support.live import LiveHub
from tests.support.stage import DOLLAR, key
from tests.support.wallet import Json, Wallet
from tests.support.x402_asked import asked as asked_of_x402
from tests.support.x402_exact import offer_of, transfer

SIGNING_OUT = ("signOut", "signOutEverywhere")
SEED = 7
# All but one: a payment that fits its description is not signed by anybody, and so is refused.
LEFT_OUT = "positive_data_acceptance"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """One of its own: what is made up here fills it with odd merchants and nonces."""
    hub = LiveHub(tmp_path_factory.mktemp("fuzzed"))
    with hub.at_work():
        yield hub
    hub.stop()


@pytest.fixture(scope="module")
def ids(hub: LiveHub) -> Json:
    """Of things that are there, by the names of the paths' parameters: half of the calls ask for one of them."""
    payer, paid = hub.payers[0], hub.pay_once(DOLLAR, to_merchant=True)
    hub.wait_until(lambda o: o["counts"]["payments_waiting"] == 0 and o["batches"][0]["state"] == "posted")
    asked = {"amount": {"value": "1", "asset": "USD"}, "description": "Coffee"}
    invoice = hub.client.post("/v1/invoices", json=asked, headers=hub.merchant_headers | key())
    refund = hub.client.post(
        "/v1/refunds", json={"of": paid["id"], "amount": "10000"}, headers=hub.merchant_headers | key()
    )
    campaign = {"name": "x", "rate": 1, "budget": "1", "ends_at": "2999-01-01T00:00:00Z"}
    started = hub.client.post("/v1/campaigns", json=campaign, headers=hub.merchant_headers | key())
    payout = hub.client.post("/v1/payouts", json={}, headers=hub.merchant_headers | key())
    holder = next(p for p in hub.payers if hub.gift_tokens(p["wallet"].address))
    redeemed = holder["wallet"].redemption(hub.facts, hub.merchant_wallet.address, 1)
    redemption = hub.client.post("/v1/redemptions", json=redeemed, headers=hub.merchant_headers | key())
    offer = offer_of(hub.client.get("/x402/supported").json(), hub.merchant_wallet.address, 1)
    giver = Wallet()
    hub.give_dollars(giver.address, 1)
    directly = hub.client.post("/x402/settle", json=asked_of_x402(offer, transfer(giver, offer)))
    return {
        "direct_payment_id": directly.json()["extra"]["payment"]["id"],
        "channel_id": payer["id"],
        "deposit_id": payer["deposit"],
        "payment_id": paid["id"],
        "batch_id": hub.batch_id,
        "merchant_id": hub.merchant_id,
        "account": holder["wallet"].address,
        "campaign_id": started.json()["id"],
        "payout_id": payout.json()["id"],
        "redemption_id": redemption.json()["id"],
        **_webhook(hub),
        "invoice_id": invoice.json()["id"],
        "refund_id": refund.json()["id"],
        "day": "2026-11-26",
        "month": "2026-11",
        "budget_id": _budget(hub),
        "gateway_id": _gateway(hub),
        "transfer_id": _transfer(hub),
        "rule_id": _rule(hub),
        **_gift(hub, holder["wallet"]),
        "conversion_id": _conversion(hub),
    }


def _gift(hub: LiveHub, holder: Wallet) -> Json:
    """A link, and tokens on their way to somebody."""
    now = int(time.time())
    link = Link(hub.facts, holder, 1, now + 3_600, message="For you")
    made = hub.client.post("/v1/gifts", json=link.body, headers=key()).json()
    used, to, ends = nonce(), Wallet().address, now + 3_600
    body = {"sender": holder.address, "recipient": to, "amount": "1", "valid_after": "0", "valid_before": str(ends)}
    body |= {"nonce": used, "signature": signed_transfer(hub.facts, holder.key, to, 1, 0, ends, used)}
    sent = hub.client.post("/v1/token-transfers", json=body, headers=key()).json()
    return {"gift_id": made["id"], "token_transfer_id": sent["id"]}


def _budget(hub: LiveHub) -> str:
    """Of the first payer, who has asked for insights, and for a report each month."""
    headers = hub.session_of(hub.payers[0]["wallet"])
    budget = {"scope": "all", "asset": "USD", "amount": "1"}
    sent_to = {"url": "https://shop.example/reports"}
    for path, body in (("me", {"zone": "Asia/Seoul"}), ("me/schedule", sent_to), ("budgets", budget)):
        answer = hub.client.put(f"/v1/insights/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def _rule(hub: LiveHub) -> str:
    payer = hub.payers[0]
    rule = payer["wallet"].rule(hub.facts, 1, "top-ups", "when I say so")
    headers = hub.session_of(payer["wallet"])
    return str(hub.client.post(f"/v1/channels/{payer['id']}/rules", json=rule, headers=headers).json()["id"])


def _conversion(hub: LiveHub) -> str:
    """One that is held, as its payer has allowed nothing."""
    payer = hub.payers[0]
    headers, account = hub.session_of(payer["wallet"]), payer["wallet"].address
    saves = [{"kind": "savings", "share": 10_000, "recipient": account}]
    rule = payer["wallet"].rule(hub.facts, 2, "top-ups", "every 1 payments", destinations=saves, per_day=str(DOLLAR))
    signed = hub.client.post(f"/v1/channels/{payer['id']}/rules", json=rule, headers=headers).json()
    hub.pay_once(rule_id=signed["id"])
    path, deadline = f"/v1/channels/{payer['id']}/jar/conversions", time.monotonic() + 60
    while not (found := hub.client.get(path, headers=headers).json()["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return str(found[0]["id"])


def _transfer(hub: LiveHub) -> str:
    """To the merchant's wallet, while an invoice is open; of an amount that nobody waits for."""
    hub.give_dollars(hub.merchant_wallet.address, 7 * DOLLAR)
    deadline = time.monotonic() + 60
    while not (found := hub.client.get("/v1/transfers", headers=hub.merchant_headers).json()["items"]):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return str(found[0]["id"])


def _gateway(hub: LiveHub) -> str:
    """Of the first payer's wallet, as far as it has none."""
    body = {"name": "Narae Pay", "address": hub.payers[0]["wallet"].address}
    hub.client.post("/v1/operator/gateways", json=body, headers=hub.operator_headers())
    gateways = hub.client.get("/v1/operator/gateways", headers=hub.operator_headers()).json()
    return str(next(g["id"] for g in gateways if g["address"] == body["address"]))


def _webhook(hub: LiveHub) -> Json:
    """The merchant's only one, with a delivery: whoever calls with everything deletes it and makes others."""
    for webhook in hub.client.get("/v1/webhooks", headers=hub.merchant_headers).json():
        hub.client.delete(f"/v1/webhooks/{webhook['id']}", headers=hub.merchant_headers)
    wanted = {"url": "https://shop.example/hooks", "event_types": ["payout.paid", "payment.received"]}
    webhook = hub.client.post("/v1/webhooks", json=wanted, headers=hub.merchant_headers).json()
    delivery = hub.client.post(f"/v1/webhooks/{webhook['id']}/test", headers=hub.merchant_headers).json()
    return {"webhook_id": webhook["id"], "delivery_id": delivery["id"]}


class Calls(NamedTuple):
    """How far somebody's go in `make test`; `make fuzz` goes all the way, with everybody.

    :ivar where: its operations, by their security scheme or their tag; all, if it says nothing. Nobody's token opens what another's
        does, and what all are answered there anybody is answered too (`tests/api/test_access.py`)
    """

    phases: str
    where: str = ""


CALLS = {
    "anybody": Calls("fuzzing"),
    "wallet": Calls("fuzzing", "wallet session"),
    "wallet that signs out": Calls("coverage"),
    "merchant": Calls("fuzzing", "merchant API key"),
    "operator": Calls("fuzzing", "operator"),
}


@pytest.mark.parametrize("who", CALLS)
def test_every_answer_is_one_that_the_reference_tells(
    who: str, hub: LiveHub, ids: Json, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    examples = pytestconfig.getoption("--fuzz-examples")
    seed = SEED if examples is None else random.randrange(2**32)
    tokens: dict[str, Json] = {
        "anybody": {},
        "wallet": hub.session_of(hub.payers[0]["wallet"]),
        "wallet that signs out": hub.session_of(Wallet("leaving")),
        "merchant": hub.merchant_headers,
        "operator": hub.operator_headers(),
    }
    (tmp_path / "schemathesis.toml").write_text(_config(ids))
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"]
    command += [f"{hub.url}/openapi.json", "--seed", str(seed), "--max-examples", str(examples or 3)]
    command += ["--phases", "examples,coverage,fuzzing,stateful" if examples else CALLS[who].phases]
    for name, value in tokens[who].items():
        command += ["--header", f"{name}: {value}"]
    if who == "wallet that signs out":
        chosen = list(SIGNING_OUT)
    else:
        chosen = _operations(hub, "" if examples else CALLS[who].where)
    if who == "wallet":  # it would end its own session
        chosen = [operation for operation in chosen if operation not in SIGNING_OUT]
    for operation in chosen:
        command += ["--include-operation-id", operation]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"seed {seed}\n{done.stdout[-12_000:]}\n{done.stderr[-2_000:]}"
    print(done.stdout[-1_500:])  # noqa: T201  # for `make fuzz ARGS=-s`


def _operations(hub: LiveHub, where: str) -> list[str]:
    """Their ids. :param where: as in `Calls`"""
    paths = hub.client.get("/openapi.json").json()["paths"]
    found = [
        operation["operationId"]
        for operations in paths.values()
        for operation in operations.values()
        if not where or where in operation["tags"] or any(where in scheme for scheme in operation.get("security", ()))
    ]
    assert found, where
    return found


def _config(ids: Json) -> str:
    lines = ["[generation]", 'database = "none"', f"[checks.{LEFT_OUT}]", "enabled = false"]
    for name, value in ids.items():
        lines += [f"[dictionaries.{name}]", f"values = [{json.dumps(value)}]"]
    lines += ["[parameters]"]
    lines += [f'"path.{name}" = {{ dictionary = "{name}", probability = 0.5 }}' for name in ids]
    return "\n".join(lines) + "\n"


def test_each_operation_that_reads_answers_somebody_in_the_documented_form(hub: LiveHub, ids: Json) -> None:
    """Schemathesis checks forms of whatever it gets: here each read gives something to check."""
    import schemathesis

    ids = ids | _webhook(hub) | {"budget_id": _budget(hub)}
    schema: Any = schemathesis.openapi.from_url(f"{hub.url}/openapi.json")
    tokens = [{}, hub.session_of(hub.payers[0]["wallet"]), hub.merchant_headers, hub.session_of(hub.merchant_wallet)]
    tokens.append(hub.operator_headers())
    ids |= import_two(hub.client, tokens[1])
    silent = []
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.method.upper() != "GET":
            continue
        path = operation.path.format(**ids)
        answers = [hub.client.get(path, headers=token) for token in tokens]
        found = [answer for answer in answers if answer.status_code == 200]
        for answer in found:
            operation.validate_response(answer)
        if not found:
            silent.append(path)
    assert silent == []
