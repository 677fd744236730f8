"""The paywall alone, with a hub that answers as a test wants: what leaves when, and what is never said."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from fastapi.testclient import TestClient
from x402.http.utils import decode_payment_required_header, decode_payment_response_header

from taesan.paywall import Paywall, Price, facilitator
from taesan.paywall.receipts import ReceiptSigner, signer_of
from taesan.paywall.terms import minor_units

Json = dict[str, Any]
NETWORK, MERCHANT = "eip155:31337", "mer_1"
KIND: Json = {
    "x402Version": 2,
    "scheme": "batch-settlement",
    "network": NETWORK,
    "extra": {
        "receiverAuthorizer": "0x" + "1" * 40,
        "withdrawDelay": 86_400,
        "name": "Test Dollar",
        "version": "1",
        "assetTransferMethod": "eip3009",
        "payTo": "0x" + "2" * 40,
        "asset": "0x" + "3" * 40,
        "decimals": 6,
        "minDeposit": "1",
        "maxAmount": "5000000",
    },
}
VALID: Json = {"isValid": True, "payer": "0x" + "4" * 40, "extra": {}}
SETTLED: Json = {
    "success": True,
    "transaction": "",
    "network": NETWORK,
    "amount": "",
    "extra": {"channelState": {"channelId": "0x5a", "balance": "100000"}},
}
MISMATCH = "invalid_batch_settlement_evm_cumulative_amount_mismatch"


class FakeHub:
    """:ivar answers: path → (status, body), or an exception. :ivar asked: paths, in order"""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {"supported": {"kinds": [KIND]}, "verify": VALID, "settle": SETTLED}
        self.asked: list[str] = []
        self.bodies: list[Json] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.rsplit("/", 1)[1]
        assert request.url.path in (f"/x402/{path}", f"/v1/merchants/{path}")
        self.asked.append(path)
        if request.content:
            self.bodies.append(json.loads(request.content))
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = answer if isinstance(answer, tuple) else (200, answer, {})
        return httpx.Response(status, json=body, headers=headers)


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def runs() -> list[str]:
    return []


@pytest.fixture
def client(hub: FakeHub, runs: list[str]) -> TestClient:
    return _shop(hub, runs)


def _shop(hub: FakeHub, runs: list[str], **options: Any) -> TestClient:
    app = FastAPI()

    @app.get("/weather")
    async def weather() -> Json:
        runs.append("weather")
        return {"weather": "sunny", "run": len(runs)}

    @app.get("/broken")
    async def broken() -> None:
        raise HTTPException(404)

    @app.get("/free")
    async def free() -> Json:
        return {}

    @app.post("/orders/{number}")
    async def order(number: int, order: Json) -> Json:
        runs.append(f"order {number}")
        return order

    asking = httpx.AsyncClient(transport=httpx.MockTransport(hub))
    prices = {"GET /weather": Price("0.01", "Today's weather"), "GET /broken": "0.01", "POST /orders/{number}": "$1"}
    app.add_middleware(Paywall, hub="http://hub.test/", merchant=MERCHANT, prices=prices, client=asking, **options)
    return TestClient(app, raise_server_exceptions=False)


def _required(answer: httpx.Response) -> Any:
    """What a client reads of a 402."""
    assert answer.status_code == 402
    assert answer.headers["cache-control"] == "no-store"
    assert "PAYMENT-REQUIRED" in answer.headers["access-control-expose-headers"]
    required = decode_payment_required_header(answer.headers["payment-required"])
    assert required.accepts
    assert required.error
    return required


def _payment(client: TestClient, path: str = "/weather", cumulative: str = "10000", **changes: Any) -> Json:
    """Headers with a payment as a client would make it."""
    method = "POST" if path.startswith("/orders") else "GET"
    required = _required(client.request(method, path))
    voucher = {"channelId": "0x5a", "maxClaimableAmount": cumulative, "signature": "0x1b"}
    payment = {
        "x402Version": 2,
        "accepted": required.accepts[0].model_dump(by_alias=True),
        "payload": {"type": "voucher", "voucher": voucher},
    } | changes
    return {"PAYMENT-SIGNATURE": base64.b64encode(json.dumps(payment).encode()).decode()}


def test_who_has_not_paid_is_told_what_to_pay(client: TestClient, hub: FakeHub, runs: list[str]) -> None:
    required = _required(client.get("/weather?day=2"))
    (offer,) = required.accepts
    assert (offer.scheme, offer.amount, offer.pay_to) == ("batch-settlement", "10000", KIND["extra"]["payTo"])
    assert (offer.extra["merchantId"], offer.extra["minDeposit"]) == (MERCHANT, "100000")
    assert (required.resource.url, required.resource.description) == (
        "http://testserver/weather?day=2",
        "Today's weather",
    )
    assert runs == []
    assert hub.asked == ["supported"]


def test_what_has_no_price_is_free(client: TestClient, hub: FakeHub) -> None:
    assert client.get("/free").status_code == 200
    assert client.get("/nowhere").status_code == 404
    assert hub.asked == []


def test_an_answer_leaves_after_its_payment_with_a_receipt(client: TestClient, hub: FakeHub) -> None:
    answer = client.get("/weather", headers=_payment(client))
    assert (answer.status_code, answer.json()["weather"]) == (200, "sunny")
    assert hub.asked == ["supported", "verify", "settle"]
    receipt = decode_payment_response_header(answer.headers["payment-response"])
    assert receipt.success
    assert receipt.extra is not None
    assert receipt.extra["chargedAmount"] == "10000"
    assert receipt.extra["channelState"]["chargedCumulativeAmount"] == "10000"
    assert answer.headers["cache-control"] == "no-store"
    assert "PAYMENT-RESPONSE" in answer.headers["access-control-expose-headers"]


def test_the_handler_gets_the_body_and_what_is_paid_for_is_named_by_it(client: TestClient, hub: FakeHub) -> None:
    headers = _payment(client, "/orders/7", "1000000")
    for order in ({"tea": 1}, {"tea": 2}):
        answer = client.post("/orders/7", json=order, headers=headers)
        assert answer.json() == order
    references = [body["paymentRequirements"]["extra"]["reference"] for body in hub.bodies if "paymentPayload" in body]
    assert len(set(references)) == 2


def test_a_failed_answer_costs_nothing(client: TestClient, hub: FakeHub) -> None:
    answer = client.get("/broken", headers=_payment(client, "/broken"))
    assert answer.status_code == 404
    assert "payment-response" not in answer.headers
    assert "settle" not in hub.asked


def test_the_same_payment_gets_the_same_answer_once_made(client: TestClient, hub: FakeHub, runs: list[str]) -> None:
    headers = _payment(client)
    first, second = (client.get("/weather", headers=headers) for _ in range(2))
    assert first.content == second.content
    assert first.headers["payment-response"] == second.headers["payment-response"]
    assert runs == ["weather"]
    assert hub.asked.count("settle") == 1


@pytest.mark.parametrize("path", ["verify", "settle"])
def test_a_refusal_is_a_402_that_tells_how_to_go_on(client: TestClient, hub: FakeHub, path: str) -> None:
    state = {"channelState": {"chargedCumulativeAmount": "7"}, "voucherState": {"signature": "0x"}}
    refusal = {"invalidReason": MISMATCH, "isValid": False} if path == "verify" else {"errorReason": MISMATCH}
    hub.answers[path] = {**SETTLED, "success": False, **refusal, "extra": state | {"more": 1}}
    required = _required(client.get("/weather", headers=_payment(client)))
    assert required.error == MISMATCH
    extra = required.accepts[0].extra
    assert (extra["channelState"], extra["voucherState"]) == (state["channelState"], state["voucherState"])
    assert "more" not in extra


UNKNOWN: list[Any] = [
    httpx.ConnectError("no route"),
    httpx.ReadTimeout("slow"),
    (500, {"title": "oh"}, {}),
    (502, [], {}),
    (200, [], {}),
]


@pytest.mark.parametrize("path", ["verify", "settle"])
@pytest.mark.parametrize("answer", UNKNOWN, ids=str)
def test_what_nobody_knows_is_a_503_and_is_asked_again(
    client: TestClient, hub: FakeHub, path: str, answer: Any
) -> None:
    headers = _payment(client)
    hub.answers[path] = answer
    told = client.get("/weather", headers=headers)
    assert told.status_code == 503
    assert told.headers["retry-after"]
    assert told.headers["content-type"] == "application/problem+json"
    assert "payment-required" not in told.headers
    hub.answers |= {"verify": VALID, "settle": SETTLED}
    assert client.get("/weather", headers=headers).status_code == 200


def test_a_deposit_on_its_way_is_told_to_wait_as_long_as_the_hub_says(client: TestClient, hub: FakeHub) -> None:
    hub.answers["settle"] = (503, {"errorReason": "settlement_pending"}, {"retry-after": "7"})
    told = client.get("/weather", headers=_payment(client))
    assert (told.status_code, told.headers["retry-after"]) == (503, "7")


@pytest.mark.parametrize("status", [409, 422, 429])
def test_a_name_used_twice_is_the_hubs_problem_as_it_is(client: TestClient, hub: FakeHub, status: int) -> None:
    hub.answers["settle"] = (status, {"type": "urn:taesan:problem:idempotency-key-reused", "status": status}, {})
    told = client.get("/weather", headers=_payment(client))
    assert (told.status_code, told.json()["status"]) == (status, status)
    assert "payment-required" not in told.headers


def test_a_hub_that_was_never_heard_is_no_empty_402(client: TestClient, hub: FakeHub) -> None:
    hub.answers["supported"] = httpx.ConnectError("no route")
    told = client.get("/weather")
    assert told.status_code == 503
    assert told.headers["retry-after"]


def test_who_has_not_paid_is_not_told_to_pay_again(client: TestClient, hub: FakeHub) -> None:
    hub.answers["supported"] = httpx.ConnectError("no route")
    told = client.get("/weather")
    assert (told.status_code, told.json()["type"]) == (503, "urn:taesan:problem:no-offer")
    assert "not charged" in told.json()["title"]
    assert told.headers["retry-after"]
    told = client.get("/weather", headers={"payment-signature": "e30="})
    assert (told.status_code, told.json()["type"]) == (503, "urn:taesan:problem:unknown-outcome")


def test_a_hub_that_is_away_for_a_while_does_not_change_the_offer(
    client: TestClient, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = _required(client.get("/weather")).accepts
    hub.answers["supported"] = httpx.ConnectError("no route")
    monkeypatch.setattr(facilitator, "FACTS_FOR_S", 0)
    assert _required(client.get("/weather")).accepts == offered
    assert hub.asked == ["supported"] * 2
    assert _required(client.get("/weather")).accepts == offered
    assert hub.asked == ["supported"] * 2, "it is left alone for a while"


def test_a_refund_runs_no_handler_and_is_kept_for_nobody(client: TestClient, hub: FakeHub, runs: list[str]) -> None:
    paid = client.get("/weather", headers=_payment(client))
    voucher = {"channelId": "0x5a", "maxClaimableAmount": "10000", "signature": "0x1b"}
    headers = _payment(client, payload={"type": "refund", "voucher": voucher})
    for _ in range(2):
        answer = client.get("/weather", headers=headers)
        assert (answer.status_code, answer.content == paid.content) == (200, False)
        receipt = decode_payment_response_header(answer.headers["payment-response"])
        assert receipt.success
        assert receipt.extra == SETTLED["extra"]
    assert runs == ["weather"]
    assert hub.asked.count("settle") == 3


def test_an_old_payment_does_not_buy_a_second_answer(client: TestClient, hub: FakeHub, runs: list[str]) -> None:
    hub.answers["verify"] = VALID | {"extra": {"payment": {"id": "pay_1", "acceptedAt": "2020-01-01T00:00:00Z"}}}
    assert _required(client.get("/weather", headers=_payment(client))).error == MISMATCH
    assert runs == []


def _with(value: Any) -> Callable[[Json], str]:
    return lambda _: value


NONSENSE: list[Callable[[Json], str]] = [
    _with(""),
    _with("%%%"),
    _with(base64.b64encode(b"[]").decode()),
    _with(base64.b64encode(b"{}").decode()),
    _with(base64.b64encode(b"[" * 10_000).decode()),
    _with(
        base64.b64encode(b'{"x402Version":2,"accepted":{"extra":{}},"payload":{"voucher":{"channelId":1}}}').decode()
    ),
]


@pytest.mark.parametrize("make", NONSENSE)
def test_nonsense_is_asked_to_pay(client: TestClient, hub: FakeHub, make: Callable[[Json], str]) -> None:
    assert _required(client.get("/weather", headers={"PAYMENT-SIGNATURE": make({})})).error == "invalid_payload"
    assert hub.asked == ["supported"]


def test_a_payment_for_other_terms_is_asked_to_pay(client: TestClient, hub: FakeHub) -> None:
    required = _required(client.get("/weather"))
    cheap = required.accepts[0].model_dump(by_alias=True) | {"amount": "1"}
    assert _required(client.get("/weather", headers=_payment(client, accepted=cheap))).error
    assert "verify" not in hub.asked


@pytest.mark.parametrize(
    ("amount", "decimals", "units"), [("0.01", 6, 10_000), ("$1", 6, 1_000_000), ("1e-6", 6, 1), ("500", 0, 500)]
)
def test_prices_are_exact(amount: str, decimals: int, units: int) -> None:
    assert minor_units(amount, decimals) == units


@pytest.mark.parametrize("amount", ["", "0", "-1", "0.0000001", "NaN", "Infinity", "a", "1e99999999"])
def test_what_is_no_price_is_told_at_once(amount: str) -> None:
    with pytest.raises(ValueError, match="price"):
        minor_units(amount, 6)


# ------------------------------------------------------------------- by `exact`

EXACT: Json = {
    "x402Version": 2,
    "scheme": "exact",
    "network": NETWORK,
    "extra": {
        "minAmount": "10",
        "minFinalAmount": "10",
        "maxAmount": "5000000",
        "assets": [
            {"asset": KIND["extra"]["asset"], "name": "Test Dollar", "version": "1", "decimals": 6, "symbol": "TUSD"},
            {"asset": "0x" + "7" * 40, "name": "Taesan Gift", "version": "1", "decimals": 6, "symbol": "GIFT"},
        ],
    },
}
PENDING: Json = {
    "success": True,
    "transaction": "",
    "network": NETWORK,
    "payer": "0x" + "4" * 40,
    "amount": "10000",
    "extra": {"payment": {"id": "dir_1", "acceptedAt": "2026-11-26T12:00:00.000Z", "state": "pending"}},
}
PAYEE = "0x" + "5" * 40
RECEIPT_KEY = "0x" + "11" * 32


@pytest.fixture
def exact_hub() -> FakeHub:
    hub = FakeHub()
    hub.answers |= {"supported": {"kinds": [KIND, EXACT]}, MERCHANT: {"address": PAYEE}, "settle": PENDING}
    return hub


def _transfer(required: Any, nonce: str = "0x01") -> Json:
    """Headers with a signed transfer for the last offer."""
    offer = required.accepts[-1].model_dump(by_alias=True)
    authorization = {"from": "0x" + "4" * 40, "to": offer["payTo"], "value": offer["amount"], "nonce": nonce}
    payment = {
        "x402Version": 2,
        "accepted": offer,
        "payload": {"signature": "0x1b", "authorization": authorization},
    }
    return {"PAYMENT-SIGNATURE": base64.b64encode(json.dumps(payment).encode()).decode()}


@pytest.mark.parametrize(
    ("options", "offered"),
    [
        ({}, ["batch-settlement", "Test Dollar"]),
        ({"exact": False}, ["batch-settlement"]),
        ({"gift": True}, ["batch-settlement", "Test Dollar", "Taesan Gift"]),
        ({"gift": True, "exact": False}, ["batch-settlement", "Taesan Gift"]),
    ],
)
def test_a_merchant_says_what_is_taken(exact_hub: FakeHub, runs: list[str], options: Json, offered: list[str]) -> None:
    accepts = _required(_shop(exact_hub, runs, **options).get("/weather")).accepts
    assert [a.scheme if a.scheme != "exact" else a.extra["name"] for a in accepts] == offered
    assert all(a.pay_to == PAYEE for a in accepts[1:])
    assert all(a.max_timeout_seconds == 600 for a in accepts[1:])


def test_a_price_that_the_hub_would_not_pay_gas_for_is_left_to_channels(exact_hub: FakeHub, runs: list[str]) -> None:
    dear = EXACT | {"extra": EXACT["extra"] | {"minAmount": "10001"}}
    exact_hub.answers["supported"] = {"kinds": [KIND, dear]}
    shop = _shop(exact_hub, runs)
    assert [a.scheme for a in _required(shop.get("/weather")).accepts] == ["batch-settlement"]
    assert len(_required(shop.post("/orders/1")).accepts) == 2


def test_a_transfer_buys_one_answer_and_what_is_pending_is_told_as_that(exact_hub: FakeHub, runs: list[str]) -> None:
    shop = _shop(exact_hub, runs, key="tsk_test_1")
    headers = _transfer(_required(shop.get("/weather")))
    first, again = (shop.get("/weather", headers=headers) for _ in range(2))
    assert first.status_code == 200
    assert first.content == again.content
    assert runs == ["weather"]
    receipt = decode_payment_response_header(first.headers["payment-response"])
    assert receipt.extra == PENDING["extra"]
    assert receipt.extensions is None
    exact_hub.answers["verify"] = {"isValid": False, "invalidReason": "invalid_exact_evm_nonce_already_used"}
    other = _required(shop.get("/weather?day=2", headers=headers))
    assert other.error == "invalid_exact_evm_nonce_already_used"
    assert runs == ["weather"]


def test_a_merchant_that_waits_asks_the_hub_to(exact_hub: FakeHub, runs: list[str]) -> None:
    shop = _shop(exact_hub, runs, wait=True)
    headers = _transfer(_required(shop.get("/weather")))
    exact_hub.answers["settle"] = (503, {"errorReason": "settlement_pending"}, {"retry-after": "3"})
    told = shop.get("/weather", headers=headers)
    assert (told.status_code, told.headers["retry-after"]) == (503, "3")
    assert exact_hub.bodies[-1]["paymentRequirements"]["extra"]["settlement"] == "final"


def test_an_old_transfer_does_not_buy_a_second_answer(exact_hub: FakeHub, runs: list[str]) -> None:
    shop = _shop(exact_hub, runs)
    old = {"payment": {"id": "dir_1", "acceptedAt": "2020-01-01T00:00:00Z", "state": "settled"}}
    exact_hub.answers["verify"] = VALID | {"extra": old}
    required = _required(shop.get("/weather", headers=_transfer(_required(shop.get("/weather")))))
    assert required.error == "invalid_exact_evm_nonce_already_used"
    assert runs == []


# --------------------------------------------------------- signed offers, receipts


def test_offers_and_receipts_are_signed_by_the_merchant(exact_hub: FakeHub, runs: list[str]) -> None:
    merchant = ReceiptSigner(RECEIPT_KEY).address
    shop = _shop(exact_hub, runs, receipt_key=RECEIPT_KEY)
    required = _required(shop.get("/weather?day=2"))
    offers = required.extensions["offer-receipt"]["info"]["offers"]
    assert [o["payload"]["payTo"] for o in offers] == [a.pay_to for a in required.accepts]
    assert {o["payload"]["resourceUrl"] for o in offers} == {"http://testserver/weather?day=2"}
    assert {signer_of(o) for o in offers} == {merchant}

    answer = shop.get("/weather?day=2", headers=_transfer(required))
    told = decode_payment_response_header(answer.headers["payment-response"])
    assert told.extensions is not None
    receipt = told.extensions["offer-receipt"]["info"]["receipt"]
    assert receipt["payload"]["payer"] == PENDING["payer"]
    assert receipt["payload"]["resourceUrl"] == "http://testserver/weather?day=2"
    assert signer_of(receipt) == merchant


def test_what_was_changed_is_not_signed_by_the_merchant() -> None:
    signer = ReceiptSigner(RECEIPT_KEY)
    info = signer.receipt(PENDING, "https://shop.example/weather")["offer-receipt"]["info"]
    receipt = info["receipt"]
    assert signer_of(receipt) == signer.address
    for name, value in (("payer", "0x" + "9" * 40), ("resourceUrl", "https://other.example"), ("issuedAt", 1)):
        assert signer_of(receipt | {"payload": receipt["payload"] | {name: value}}) != signer.address
    without = {name: value for name, value in receipt["payload"].items() if name != "transaction"}
    assert signer_of(receipt | {"payload": without}) == signer.address, "an empty field may be left out"


@pytest.mark.parametrize(
    "nonsense",
    [
        {},
        {"format": "jws", "payload": {}, "signature": "a.b.c"},
        {"format": "eip712", "payload": {"network": "eip155:1"}, "signature": "0x"},
        {"format": "eip712", "payload": {"payer": 1}, "signature": "0x"},
        {"format": "eip712", "payload": [], "signature": "0x"},
    ],
)
def test_nonsense_is_signed_by_nobody(nonsense: Json) -> None:
    assert signer_of(nonsense) is None


def test_a_receipt_with_more_in_it_than_is_signed_counts_for_nothing() -> None:
    receipt = ReceiptSigner(RECEIPT_KEY).receipt(PENDING, "https://shop.example/")["offer-receipt"]["info"]["receipt"]
    assert signer_of(receipt | {"payload": receipt["payload"] | {"amount": "1000000"}}) is None


@pytest.mark.parametrize("route", ["GET weather", "GET  /weather", "FETCH /weather", "/weather", "weather", "GET"])
def test_what_is_no_route_is_not_given_away_for_nothing(route: str) -> None:
    with pytest.raises(ValueError, match="is no route"):
        Paywall(FastAPI(), hub="http://hub", merchant="mer_1", prices={route: "0.01"})
