"""Sign-in with Ethereum, and who may see what."""

import time
from datetime import timedelta

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage
from tests.support.wallet import Json, Wallet, siwe_message


def _nonce(stage: Stage) -> str:
    answer = stage.client.post("/v1/auth/nonces")
    assert answer.status_code == 201
    return str(answer.json()["nonce"])


def test_a_wallet_signs_in_by_a_message_for_this_site_and_chain(shared_stage: Stage) -> None:
    stage, anna = shared_stage, Wallet()
    answer = stage.client.post("/v1/auth/sessions", json=anna.sign_in(_nonce(stage), stage.clock.now()))
    assert answer.status_code == 201
    assert answer.json()["address"] == anna.address
    token = answer.json()["token"]
    assert stage.rows("SELECT count(*) FROM login_session WHERE token_hash = :t", t=token) == [(0,)], "only its hash"
    made = stage.client.post("/v1/merchants", json={"name": "Anna's"}, headers={"Authorization": f"Bearer {token}"})
    assert made.json()["address"] == anna.address


def test_a_nonce_is_good_for_one_sign_in(shared_stage: Stage) -> None:
    stage, anna = shared_stage, Wallet()
    body = anna.sign_in(_nonce(stage), stage.clock.now())
    assert stage.client.post("/v1/auth/sessions", json=body).status_code == 201
    for language in ("ko", "en"):
        again = stage.client.post("/v1/auth/sessions", json=body, headers={"Accept-Language": language})
        assert "nonce" in assert_problem(again, "invalid-sign-in", 401)["detail"]


def test_a_nonce_that_the_hub_did_not_give_is_refused(shared_stage: Stage) -> None:
    stage = shared_stage
    body = Wallet().sign_in("a1b2c3d4e5f6g7h8", stage.clock.now())
    assert_problem(stage.client.post("/v1/auth/sessions", json=body), "invalid-sign-in", 401)


def test_a_nonce_grows_old(stage: Stage) -> None:
    nonce = _nonce(stage)
    stage.later(10 * 60 + 1)
    body = Wallet().sign_in(nonce, stage.clock.now())
    assert_problem(stage.client.post("/v1/auth/sessions", json=body), "invalid-sign-in", 401)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("domain", "is for another site than"),
        ("chain", "is for chain 1"),
        ("expired", "has expired"),
        ("another key", "the signature is not the message's"),
        ("another text", "the signature is not the message's"),
        ("lower-case address", "not well-formed (EIP-4361)"),
    ],
)
def test_a_message_that_is_not_for_here_and_now_is_refused(shared_stage: Stage, fault: str, told: str) -> None:
    stage, anna = shared_stage, Wallet()
    now, nonce = stage.clock.now(), _nonce(stage)
    bodies = {
        "domain": lambda: anna.sign_in(nonce, now, domain="evil.example"),
        "chain": lambda: anna.sign_in(nonce, now, chain_id=1),
        "expired": lambda: anna.sign_in(nonce, now, expires=now - timedelta(seconds=1)),
        "another key": lambda: {
            "message": siwe_message(Wallet("boss").address, nonce, now),
            "signature": anna.sign_text(siwe_message(Wallet("boss").address, nonce, now)),
        },
        "another text": lambda: anna.sign_in(nonce, now) | {"signature": anna.sign_text("hello")},
        "lower-case address": lambda: {
            "message": siwe_message(anna.address.lower(), nonce, now),
            "signature": anna.sign_text(siwe_message(anna.address.lower(), nonce, now)),
        },
    }
    before = stage.row_counts()
    for language in ("ko", "en"):
        answer = stage.client.post("/v1/auth/sessions", json=bodies[fault](), headers={"Accept-Language": language})
        assert told in assert_problem(answer, "invalid-sign-in", 401)["detail"]
    assert stage.row_counts() == before
    # The refusals did not use up the nonce.
    assert stage.client.post("/v1/auth/sessions", json=anna.sign_in(nonce, now)).status_code == 201


def test_a_message_that_is_hard_to_read_costs_no_more_than_others(shared_stage: Stage) -> None:
    message = siwe_message(Wallet().address, "a1b2c3d4e5f6g7h8", shared_stage.clock.now())
    bodies = [
        {"message": message.replace("Nonce: ", "Nonce: " + "1" * 3_500), "signature": "0x" + "1" * 130},
        {"message": "1" * 4_000, "signature": "0x" + "1" * 130},
        {"message": message[:60] + "a1:" * 1_300, "signature": "0x" + "1" * 130},
        *[{"message": message.replace("URI: http://", "URI: http://" + "a." * 1_700), "signature": "0x" + "1" * 130}]
        * 5,
    ]
    started = time.process_time()
    for body in bodies:
        assert_problem(shared_stage.client.post("/v1/auth/sessions", json=body), "invalid-sign-in", 401)
    assert time.process_time() - started < 1, "by siwe's ABNF each took seconds"


@pytest.mark.parametrize("message", ["", "hello", "\x00", "é" * 1_000, "a\nb\n\nc", "🏔" * 500])
def test_garbage_for_a_message_is_refused(shared_stage: Stage, message: str) -> None:
    body = {"message": message, "signature": Wallet().sign_text(message)}
    assert_problem(shared_stage.client.post("/v1/auth/sessions", json=body), "invalid-sign-in", 401)


@pytest.mark.parametrize("signature", ["00" * 65, "ff" * 65, "00" * 64 + "1b", "11" * 64 + "05"])
def test_garbage_for_a_signature_is_refused(shared_stage: Stage, signature: str) -> None:
    stage = shared_stage
    body = Wallet().sign_in(_nonce(stage), stage.clock.now()) | {"signature": "0x" + signature}
    assert_problem(stage.client.post("/v1/auth/sessions", json=body), "invalid-sign-in", 401)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": "x"},
        {"message": "x", "signature": "0x12"},
        {"message": "x" * 4_001, "signature": "0x" + "1" * 130},
    ],
)
def test_a_sign_in_without_its_parts_is_refused(shared_stage: Stage, body: Json) -> None:
    assert_problem(shared_stage.client.post("/v1/auth/sessions", json=body), "invalid-request", 422)


def test_a_session_ends(stage: Stage) -> None:
    headers = stage.session_of(Wallet())
    stage.later(12 * 3_600 + 1)
    answer = stage.client.post("/v1/merchants", json={"name": "Late"}, headers=headers)
    assert_problem(answer, "unauthorized", 401)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer guess"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer tsk_guess"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/merchants"),
        ("GET", "/v1/merchants/me"),
        ("GET", "/v1/account"),
        ("POST", "/v1/redemptions"),
        ("GET", "/v1/redemptions/red_1"),
        ("POST", "/v1/payouts"),
        ("GET", "/v1/payouts/out_1"),
        ("GET", "/v1/channels/0x" + "ab" * 32),
        ("GET", "/v1/channels/0x" + "ab" * 32 + "/jar"),
        ("PUT", "/v1/channels/0x" + "ab" * 32 + "/jar"),
    ],
)
def test_what_is_somebodys_needs_a_sign_in(shared_stage: Stage, method: str, path: str, headers: Json) -> None:
    answer = shared_stage.client.request(method, path, headers=headers | {"Accept-Language": "ko"}, json={"name": "x"})
    assert_problem(answer, "unauthorized", 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_channel_and_its_jar_are_their_payers_alone(stage: Stage) -> None:
    anna, eve = stage.payer(), Wallet()
    headers = stage.session_of(eve)
    rule = {"round_up_step": str(DOLLAR), "trigger_count": 1}
    for method, path in [("GET", ""), ("GET", "/jar"), ("PUT", "/jar")]:
        answer = stage.client.request(method, f"/v1/channels/{anna.id}{path}", headers=headers, json=rule)
        assert_problem(answer, "forbidden", 403)
    assert anna.jar()["trigger_count"] == 100
    anna.pay(CENT)
    assert anna.jar()["payments"] == 1


def test_what_has_expired_is_not_kept(stage: Stage) -> None:
    stage.session_of(Wallet())
    stage.client.post("/v1/auth/nonces")
    stage.later(stage.settings.session_hours * 3_600 + 1)
    stage.session_of(Wallet())
    kept = stage.row_counts()
    assert (kept["login_session"], kept["siwe_nonce"]) == (1, 0)
