"""Who may speak for a gateway, and who for its customers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from taesan.gateways.customers import CODE_MINUTES
from tests.support.gateway import Gateway, message, payment, signed, try_to_link
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, StageFactory
from tests.support.wallet import Json, Wallet

OTHER = "whsec_" + "QUJD" * 8


@pytest.fixture
def gateway(stage: Stage) -> Gateway:
    return Gateway(stage)


def _send(gateway: Gateway, text: str, headers: Json) -> httpx.Response:
    return gateway.stage.client.post(f"{gateway.path}/webhook", content=text, headers=headers)


def _refused(gateway: Gateway, text: str, headers: Json) -> None:
    assert_problem(_send(gateway, text, headers), "webhook-not-verified", 401)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_message_of_another_time_is_refused(gateway: Gateway, minutes: int) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    _refused(gateway, *signed(gateway.secret, message("payment.made", payment()), at=at))
    assert gateway.stage.row_counts()["gateway_payment"] == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v1,%%%"},
        {"webhook-signature": "v2,QUJD"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1," + "QUJD" * 11},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e400"},
        {"webhook-id": "msg_another"},
        {"webhook-id": ""},
    ],
)
def test_what_is_not_signed_just_so_is_refused(gateway: Gateway, changed: Json) -> None:
    text, headers = signed(gateway.secret, message("payment.made", payment()))
    _refused(gateway, text, headers | changed)
    for name in changed:
        _refused(gateway, text, {n: v for n, v in headers.items() if n != name})


def test_another_body_or_another_secret_is_refused(gateway: Gateway) -> None:
    text, headers = signed(gateway.secret, message("payment.made", payment()))
    _refused(gateway, text.replace("23000", "99000"), headers)
    _refused(gateway, text + " ", headers)
    _refused(gateway, *signed(OTHER, message("payment.made", payment())))
    other = Gateway(gateway.stage, "Other")
    _refused(other, text, headers)
    assert_problem(
        gateway.stage.client.post("/v1/gateways/gw_x/webhook", content=text, headers=headers), "not-found", 404
    )


def test_a_message_that_comes_again_changes_nothing(stage: Stage, gateway: Gateway) -> None:
    gateway.fund(DOLLAR)
    text, headers = signed(gateway.secret, message("payment.made", payment("anna", 30 * CENT)))
    first, *others = (_send(gateway, text, headers).json() for _ in range(4))
    assert first["results"][0]["payment"] == others[0]["results"][0]["payment"]
    assert all(other["results"][0]["replayed"] for other in others)
    assert gateway.public()["drawn"] == str(30 * CENT)
    assert stage.row_counts()["gateway_payment"] == 1


def test_a_single_payments_problem_is_the_answer(gateway: Gateway) -> None:
    one = payment()
    assert gateway.post(message("payment.made", one)).status_code == 200
    assert_problem(gateway.post(message("payment.made", one | {"convert": "1"})), "gateway-payment-differs", 409)
    assert_problem(gateway.post(message("payment.refunded", {"id": "tx-none"})), "not-found", 404)


@pytest.mark.parametrize(
    "body",
    [
        message("payment.made", []),
        message("payment.made", [payment()] * 1_001),
        message("payment.made", payment(round_up_step="100")),
        message("payment.made", payment(convert=None)),
        message("payment.made", payment(convert=None, round_up_step="0")),
        message("payment.made", payment(paid_at="2026-11-26T09:30:00")),
        message("payment.made", payment(customer="")),
        message("payment.made", payment(customer="c" * 129)),
        message("payment.made", payment(card="4111")),
        message("payment.lost", payment()),
        {"type": "payment.made", "data": payment()},
    ],
)
def test_what_is_no_message_is_refused_as_a_whole(shared_stage: Stage, body: Any) -> None:
    gateway = Gateway(shared_stage)
    before = shared_stage.row_counts()
    assert gateway.post(body).status_code == 422
    assert shared_stage.row_counts() == before


def test_a_thousand_payments_are_one_message(stage: Stage, gateway: Gateway) -> None:
    gateway.fund(10 * DOLLAR)
    results = gateway.report(*[payment(f"c-{n % 7}", CENT) for n in range(1_000)])
    assert {r["payment"]["state"] for r in results} == {"drawn"}
    assert gateway.public()["drawn"] == str(10 * DOLLAR)
    assert stage.audit().differences == []


def test_a_rate_bounds_what_a_gateway_reports(open_stage: StageFactory) -> None:
    gateway = Gateway(open_stage(key_rate="5/minute"))
    gateway.report(*[payment() for _ in range(5)])
    assert_problem(gateway.post(message("payment.made", payment())), "rate-limited", 429)


def test_a_secret_is_rotated_with_an_overlap(stage: Stage, gateway: Gateway) -> None:
    old = gateway.secret
    answer = stage.client.post(f"{gateway.path}/rotate", json={"overlap_s": 60}, headers=gateway.headers)
    gateway.secret = answer.json()["secret"]
    assert gateway.secret != old
    for secret in (old, gateway.secret):
        assert _send(gateway, *signed(secret, message("payment.made", payment()))).status_code == 200
    stage.later(61)
    _refused(gateway, *signed(old, message("payment.made", payment())))
    gateway.report(payment())
    assert stage.client.post(f"{gateway.path}/rotate", json={}, headers=gateway.headers).status_code == 200
    _refused(gateway, *signed(gateway.secret, message("payment.made", payment())))


# ------------------------------------------------------------------- customers


def test_customers_names_and_codes_are_not_in_the_database(stage: Stage, gateway: Gateway) -> None:
    gateway.report(payment("+82-10-1234-5678"))
    code = gateway.code_for("+82-10-1234-5678")
    kept = str(stage.rows("SELECT * FROM gateway_customer")) + str(stage.rows("SELECT * FROM idempotency_key"))
    assert "1234" not in kept
    assert code not in kept
    assert code.removeprefix("link_") not in kept


def test_a_code_is_good_once_and_for_one_wallet(stage: Stage, gateway: Gateway) -> None:
    gateway.fund(DOLLAR)
    gateway.report(payment("anna", 30 * CENT))
    anna, eve = Wallet(), Wallet()
    code = gateway.code_for("anna")
    assert_problem(try_to_link(stage, code + "x", anna), "unknown-link-code", 404)
    assert try_to_link(stage, code, anna).status_code == 201
    for wallet in (eve, anna):
        assert_problem(try_to_link(stage, code, wallet), "customer-linked", 409)
    asked = gateway.post(message("customer.link", {"customer": "anna"}), "link-codes")
    assert_problem(asked, "customer-linked", 409)
    assert stage.get("/v1/gateway-links", **stage.session_of(eve))["items"] == []
    assert stage.balance("converting", anna.address) == 30 * CENT


def test_a_code_ends_with_its_time_and_with_the_next_one(stage: Stage, gateway: Gateway) -> None:
    first = gateway.code_for("anna")
    second = gateway.code_for("anna")
    assert_problem(try_to_link(stage, first, Wallet()), "unknown-link-code", 404)
    stage.later(CODE_MINUTES * 60 + 1)
    assert_problem(try_to_link(stage, second, Wallet()), "link-code-expired", 410)
    assert try_to_link(stage, gateway.code_for("anna"), Wallet()).status_code == 201


def test_nobody_gets_a_code_by_sending_the_gateways_request_again(stage: Stage, gateway: Gateway) -> None:
    text, headers = signed(gateway.secret, message("customer.link", {"customer": "anna"}))
    path = f"{gateway.path}/link-codes"
    assert stage.client.post(path, content=text, headers=headers).status_code == 201
    assert_problem(stage.client.post(path, content=text, headers=headers), "webhook-replayed", 409)
    assert_problem(
        stage.client.post(path, content=text, headers=headers | {"webhook-id": "x"}), "webhook-not-verified", 401
    )
    # Nor by one that says something else.
    text, headers = signed(gateway.secret, message("payment.made", payment("anna")))
    assert stage.client.post(path, content=text, headers=headers).status_code == 422


def test_one_wallet_may_be_several_gateways_customer_and_names_are_each_gateways_own(stage: Stage) -> None:
    one, two, wallet = Gateway(stage, "One").fund(DOLLAR), Gateway(stage, "Two").fund(DOLLAR), Wallet()
    one.report(payment("anna", 10 * CENT))
    two.report(payment("anna", 20 * CENT))
    one.link("anna", wallet)
    two.link("anna", wallet)
    told = stage.get("/v1/gateway-links", **stage.session_of(wallet))["items"]
    assert [(link["gateway_name"], link["released"]) for link in told] == [
        ("Two", str(20 * CENT)),
        ("One", str(10 * CENT)),
    ]
    for _ in range(3):
        stage.settle()
    assert stage.gift_tokens(wallet.address) == 30 * CENT
    assert stage.audit().differences == []
