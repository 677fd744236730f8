"""Unmodified clients of PyPI and npm pay by `exact`, a signed transfer a payment, which the hub gathers."""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from x402 import x402ClientSync
from x402.http import FacilitatorConfig, HTTPFacilitatorClientSync
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
    encode_payment_signature_header,
)
from x402.mechanisms.evm import constants as errors
from x402.mechanisms.evm.exact import ExactEvmClientScheme
from x402.mechanisms.evm.signers import EthAccountSigner
from x402.schemas import PaymentPayload

from taesan.paywall.receipts import signer_of
from tests.support.commands import run_node
from tests.support.live import LiveHub
from tests.support.loops import run_async
from tests.support.stage import CENT, DOLLAR
from tests.support.wallet import Json
from tests.x402.conftest import Customer, Shop
from tests.x402.merchant import RECEIPT_SIGNER

MakeCustomer = Callable[[], Customer]
REQUESTS = 30
WAYS = {"PyPI": Customer.pay_by_python, "npm": Customer.pay_by_npm}
NAME = "order-2288-of-anna"


def _settled(payer: Customer, count: int) -> list[Json]:
    """The payer's payments, once all of them are on the chain."""
    deadline = time.monotonic() + 60
    while True:
        found = payer.transfers()
        if [p["state"] for p in found] == ["settled"] * count:
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def _pay(customer: Customer, url: str, name: str | None = None) -> PaymentPayload:
    """What PyPI's client answers to the URL's 402. :param name: what the payment is called"""
    required: Any = decode_payment_required_header(httpx.get(url).headers["payment-required"])
    if name is not None:
        required.extensions["payment-identifier"]["info"]["id"] = name
    scheme = ExactEvmClientScheme(EthAccountSigner(customer.wallet.key))
    payment = x402ClientSync().register(customer.hub.facts["network"], scheme).create_payment_payload(required)
    assert isinstance(payment, PaymentPayload)
    return payment


def _headers(payment: PaymentPayload) -> dict[str, str]:
    return {"PAYMENT-SIGNATURE": encode_payment_signature_header(payment)}


def test_both_pay_many_requests_at_the_same_time(live_hub: LiveHub, shop: Shop, customer: MakeCustomer) -> None:
    payers = {name: customer() for name in WAYS}
    before = live_hub.dollars(live_hub.merchant_wallet.address)
    with ThreadPoolExecutor() as threads:
        urls = [f"{shop.url}/weather"] * REQUESTS
        running = {n: threads.submit(WAYS[n], payers[n], urls, exact=True) for n in WAYS}
        told = {name: future.result() for name, future in running.items()}
    hashes = set()
    for name, answers in told.items():
        assert [a["status"] for a in answers] == [200] * REQUESTS, name
        assert [a["receipt"]["success"] for a in answers] == [True] * REQUESTS
        assert {a["receipt"]["transaction"] for a in answers} == {""}, "none is on the chain yet"
        assert {a["receipt"]["extra"]["payment"]["state"] for a in answers} == {"pending"}
        settled = _settled(payers[name], REQUESTS)
        assert {int(p["amount"]) for p in settled} == {CENT}
        hashes |= {p["transaction"] for p in settled}
        assert live_hub.dollars(payers[name].wallet.address) == 5 * DOLLAR - REQUESTS * CENT
    assert live_hub.dollars(live_hub.merchant_wallet.address) - before == 2 * REQUESTS * CENT
    assert len(hashes) < REQUESTS, "they share transactions"
    runs = [json.loads(a["body"])["run"] for answers in told.values() for a in answers]
    assert len(set(runs)) == 2 * REQUESTS, "each got an answer of its own"
    assert live_hub.audit().differences == []


@pytest.mark.parametrize("way", WAYS)
def test_a_merchant_that_waits_has_the_transaction_in_its_answer(
    patient_shop: Shop, customer: MakeCustomer, way: str
) -> None:
    payer = customer()
    (answer,) = WAYS[way](payer, [f"{patient_shop.url}/weather"], exact=True)
    assert answer["status"] == 200, answer
    (settled,) = payer.transfers()
    assert settled["state"] == "settled"
    assert answer["receipt"]["transaction"] == settled["transaction"]


def test_fifty_retries_at_once_with_one_name_are_charged_once(shop: Shop, customer: MakeCustomer) -> None:
    anna = customer()
    url = f"{shop.url}/weather?order=2288"
    headers = _headers(_pay(anna, url, NAME))

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(client.get(url, headers=headers) for _ in range(50)))

    answers = run_async(all_at_once())
    assert {a.status_code for a in answers} == {200}
    assert len({a.content for a in answers}) == 1
    assert httpx.get(url, headers=headers).content == answers[0].content
    assert len(_settled(anna, 1)) == 1

    dearer = f"{shop.url}/reports/2288"
    answer = httpx.get(dearer, headers=_headers(_pay(anna, dearer, NAME)))
    assert (answer.status_code, answer.json()["type"].rsplit(":", 1)[1]) == (422, "idempotency-key-reused")
    assert "payment-required" not in answer.headers
    assert len(anna.transfers()) == 1


def test_a_transfer_pays_for_one_request(shop: Shop, customer: MakeCustomer) -> None:
    anna = customer()
    headers = _headers(_pay(anna, f"{shop.url}/weather?day=1"))
    assert httpx.get(f"{shop.url}/weather?day=1", headers=headers).status_code == 200
    answer = httpx.get(f"{shop.url}/weather?day=2", headers=headers)
    assert answer.status_code == 402
    assert decode_payment_required_header(answer.headers["payment-required"]).error == errors.ERR_NONCE_ALREADY_USED
    assert len(anna.transfers()) == 1


def test_offers_and_receipts_are_signed(shop: Shop, customer: MakeCustomer) -> None:
    """The clients hand on what they were given: their payments bear the offers that they have taken."""
    url = f"{shop.url}/weather?signed"
    payment = _pay(customer(), url)
    assert payment.extensions is not None
    offers = payment.extensions["offer-receipt"]["info"]["offers"]
    assert {signer_of(offer) for offer in offers} == {RECEIPT_SIGNER}
    assert payment.accepted.pay_to in {offer["payload"]["payTo"] for offer in offers}
    told = decode_payment_response_header(httpx.get(url, headers=_headers(payment)).headers["payment-response"])
    assert told.extensions is not None
    receipt = told.extensions["offer-receipt"]["info"]["receipt"]
    assert signer_of(receipt) == RECEIPT_SIGNER
    assert (receipt["payload"]["payer"], receipt["payload"]["resourceUrl"]) == (told.payer, url)


@pytest.mark.parametrize("way", WAYS)
def test_the_sdks_own_server_and_scheme_are_paid_through_the_hub(
    sdk_shop: Shop, customer: MakeCustomer, way: str
) -> None:
    payer = customer()
    told = WAYS[way](payer, [f"{sdk_shop.url}/forecast"] * 10, exact=True)
    assert [a["status"] for a in told] == [200] * 10, told[0]
    assert len(_settled(payer, 10)) == 10


def test_the_sdks_own_server_delivers_once_for_a_transfer(sdk_shop: Shop, customer: MakeCustomer) -> None:
    anna, url = customer(), f"{sdk_shop.url}/forecast"
    headers = _headers(_pay(anna, url))
    assert [httpx.get(url, headers=headers).status_code for _ in range(3)] == [200, 402, 402]
    assert len(_settled(anna, 1)) == 1


def test_the_sdks_facilitator_clients_understand_all_answers(
    live_hub: LiveHub, shop: Shop, customer: MakeCustomer
) -> None:
    anna = customer()
    first, second, dear = (_pay(anna, f"{shop.url}/weather") for _ in range(3))
    dear.payload["authorization"]["value"] = "1"
    with HTTPFacilitatorClientSync(FacilitatorConfig(url=f"{live_hub.url}/x402")) as facilitator:
        assert facilitator.get_supported().kinds[1].scheme == "exact"
        assert facilitator.verify(first, first.accepted).is_valid
        settled = facilitator.settle(first, first.accepted)
        assert (settled.success, settled.transaction, settled.amount) == (True, "", str(CENT))
        refused = facilitator.settle(dear, dear.accepted)
        assert (refused.success, refused.error_reason) == (False, errors.ERR_AUTHORIZATION_VALUE_MISMATCH)
        verified = facilitator.verify(dear, dear.accepted)
        assert (verified.is_valid, verified.invalid_reason) == (False, errors.ERR_AUTHORIZATION_VALUE_MISMATCH)
    asked = [
        {
            "payment": p.model_dump(by_alias=True, exclude_none=True),
            "requirements": p.accepted.model_dump(by_alias=True),
        }
        for p in (first, second, dear)
    ]
    told = run_node("x402_facilitator.mjs", {"url": f"{live_hub.url}/x402", "payments": asked})
    again, new, bad = told["answers"]
    assert (new[0]["isValid"], new[1]["success"]) == (True, True), new
    assert (again[0]["isValid"], again[0]["invalidReason"]) == (False, errors.ERR_NONCE_ALREADY_USED)
    assert again[1]["success"]
    assert bad[1]["errorReason"] == errors.ERR_AUTHORIZATION_VALUE_MISMATCH
    assert len(_settled(anna, 2)) == 2
