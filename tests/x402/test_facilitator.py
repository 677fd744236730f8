"""The SDKs' facilitator clients and the SDK's own resource server, with the hub as their facilitator; retries with one name."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from x402 import x402ClientSync
from x402.http import FacilitatorConfig, HTTPFacilitatorClient, HTTPFacilitatorClientSync
from x402.http.utils import (
    decode_payment_required_header,
    decode_payment_response_header,
    encode_payment_signature_header,
)
from x402.mechanisms.evm.batch_settlement import errors
from x402.mechanisms.evm.batch_settlement.client import BatchSettlementEvmScheme, BatchSettlementEvmSchemeOptions
from x402.mechanisms.evm.batch_settlement.client.voucher import sign_voucher
from x402.mechanisms.evm.signers import EthAccountSigner
from x402.schemas import PaymentPayload, PaymentRequirements

from tests.support.commands import run_node
from tests.support.live import LiveHub
from tests.support.loops import run_async
from tests.support.problems import assert_problem
from tests.support.stage import CENT
from tests.x402.conftest import Customer, Shop

MakeCustomer = Callable[[], Customer]
NAME = "order-1177-of-anna"


class Purse:
    """PyPI's client in this process, to send what it signs in other ways than it would."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer
        self._hot = EthAccountSigner(customer.wallet.hot_key)
        options = BatchSettlementEvmSchemeOptions(voucher_signer=self._hot)
        scheme = BatchSettlementEvmScheme(EthAccountSigner(customer.wallet.key), options)
        network = customer.hub.facts["network"]
        self._client = x402ClientSync().register(network, scheme)

    def pay(self, url: str, name: str | None = None) -> PaymentPayload:
        """What the client answers to the URL's 402. :param name: what the payment is called"""
        required: Any = decode_payment_required_header(httpx.get(url).headers["payment-required"])
        if name is not None:
            required.extensions["payment-identifier"]["info"]["id"] = name
        payment = self._client.create_payment_payload(required)
        assert isinstance(payment, PaymentPayload)
        return payment

    def voucher(self, payment: PaymentPayload, cumulative: int) -> PaymentPayload:
        """The same with a voucher alone, over another amount."""
        inner = {name: payment.payload[name] for name in ("channelConfig", "voucher")} | {"type": "voucher"}
        signed = sign_voucher(self._hot, inner["voucher"]["channelId"], str(cumulative), payment.accepted.network)
        return payment.model_copy(update={"payload": inner | {"voucher": signed.to_dict()}})


def _headers(payment: PaymentPayload) -> dict[str, str]:
    return {"PAYMENT-SIGNATURE": encode_payment_signature_header(payment)}


def _offer(payment: PaymentPayload) -> PaymentRequirements:
    return payment.accepted


# ---------------------------------------------------------------- facilitator clients


def test_the_sdks_facilitator_clients_understand_all_answers(
    live_hub: LiveHub, shop: Shop, customer: MakeCustomer
) -> None:
    purse = Purse(customer())
    first = purse.pay(f"{shop.url}/weather")
    config = FacilitatorConfig(url=f"{live_hub.url}/x402")
    with HTTPFacilitatorClientSync(config) as facilitator:
        kind, _ = facilitator.get_supported().kinds
        assert kind.extra is not None
        assert kind.extra["receiverAuthorizer"] == live_hub.facts["receiver_authorizer"]
        assert facilitator.verify(first, _offer(first)).is_valid
        deposited = facilitator.settle(first, _offer(first))
        assert (deposited.success, deposited.amount) == (True, str(25 * CENT)), deposited
        assert deposited.transaction.startswith("0x")

    async def more() -> None:
        async with HTTPFacilitatorClient(config) as facilitator:
            second = purse.voucher(first, 2 * CENT)
            assert (await facilitator.verify(second, _offer(first))).is_valid
            settled = await facilitator.settle(second, _offer(first))
            assert (settled.success, settled.transaction, settled.payer) == (True, "", purse.customer.wallet.address)
            stale = purse.voucher(first, 7 * CENT)
            verified = await facilitator.verify(stale, _offer(first))
            assert (verified.is_valid, verified.invalid_reason) == (False, errors.ERR_CUMULATIVE_AMOUNT_MISMATCH)
            refused = await facilitator.settle(stale, _offer(first))
            assert (refused.success, refused.error_reason) == (False, errors.ERR_CUMULATIVE_AMOUNT_MISMATCH)

    run_async(more())
    assert purse.customer.charged() == 2 * CENT


def test_npms_facilitator_client_does_too(live_hub: LiveHub, shop: Shop, customer: MakeCustomer) -> None:
    purse = Purse(customer())
    first = purse.pay(f"{shop.url}/weather")
    payments = [first, purse.voucher(first, 2 * CENT), purse.voucher(first, 9 * CENT), purse.voucher(first, CENT)]
    asked = [
        {
            "payment": p.model_dump(by_alias=True, exclude_none=True),
            "requirements": p.accepted.model_dump(by_alias=True),
        }
        for p in payments
    ]
    told = run_node("x402_facilitator.mjs", {"url": f"{live_hub.url}/x402", "payments": asked})
    assert told["supported"]["kinds"][0]["scheme"] == "batch-settlement"
    deposit, voucher, stale, again = told["answers"]
    for verified, settled in (deposit, voucher):
        assert (verified["isValid"], settled["success"]) == (True, True), (verified, settled)
    assert (again[0]["isValid"], again[0]["invalidReason"]) == (False, errors.ERR_CUMULATIVE_AMOUNT_MISMATCH)
    assert again[1]["success"]
    assert (stale[0]["isValid"], stale[0]["invalidReason"]) == (False, errors.ERR_CUMULATIVE_AMOUNT_MISMATCH)
    assert stale[1]["errorReason"] == errors.ERR_CUMULATIVE_AMOUNT_MISMATCH
    assert again[1]["extra"]["payment"] == deposit[1]["extra"]["payment"]
    assert purse.customer.charged() == 2 * CENT


# ---------------------------------------------------------------- the SDK's own server


@pytest.mark.parametrize("way", ["PyPI", "npm"])
def test_the_sdks_own_server_is_paid_through_the_hub(sdk_shop: Shop, customer: MakeCustomer, way: str) -> None:
    anna = customer()
    pay = Customer.pay_by_python if way == "PyPI" else Customer.pay_by_npm
    told = pay(anna, [f"{sdk_shop.url}/weather"] * 30)
    assert [a["status"] for a in told] == [200] * 30
    assert anna.charged() == 30 * CENT
    anna.folder = anna.folder / "empty"  # it has to ask for its place, through a 402 of the SDK's server
    told = pay(anna, [f"{sdk_shop.url}/weather"] * 3)
    assert [a["status"] for a in told] == [200] * 3
    assert anna.charged() == 33 * CENT


def test_the_sdks_own_server_delivers_once_for_a_voucher(sdk_shop: Shop, customer: MakeCustomer) -> None:
    purse, url = Purse(customer()), f"{sdk_shop.url}/weather"
    headers = _headers(purse.pay(url))
    assert [httpx.get(url, headers=headers, timeout=60).status_code for _ in range(3)] == [200, 402, 402]
    assert purse.customer.charged() == CENT


# ---------------------------------------------------------------- one name


def test_fifty_retries_at_once_with_one_name_are_charged_once(shop: Shop, customer: MakeCustomer) -> None:
    purse = Purse(customer())
    url = f"{shop.url}/weather?order=1177"
    headers = _headers(purse.pay(url, NAME))

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(timeout=60) as client:
            return await asyncio.gather(*(client.get(url, headers=headers) for _ in range(50)))

    answers = run_async(all_at_once())
    assert {a.status_code for a in answers} == {200}
    assert len({a.content for a in answers}) == 1
    assert {decode_payment_response_header(a.headers["payment-response"]).success for a in answers} == {True}
    assert purse.customer.charged() == CENT
    assert httpx.get(url, headers=headers).content == answers[0].content

    dearer = purse.pay(f"{shop.url}/reports/1177", NAME)
    other = purse.voucher(dearer, 3 * CENT)
    answer = httpx.get(f"{shop.url}/reports/1177", headers=_headers(other))
    assert_problem_of_a_merchant(answer, "idempotency-key-reused", 422)
    assert purse.customer.charged() == CENT


def assert_problem_of_a_merchant(answer: httpx.Response, type_: str, status: int) -> None:
    answer.headers.setdefault("content-language", "en")
    assert_problem(answer, type_, status)
    assert "payment-required" not in answer.headers
