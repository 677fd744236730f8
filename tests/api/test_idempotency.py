"""A request that is repeated is done once, and answered as the first time."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, key

pytestmark = pytest.mark.database("sqlite", "postgresql")

REPLAYED = "Idempotent-Replayed"


def _post(payer: Payer, body: Any, headers: Any) -> httpx.Response:
    return payer.stage.client.post("/v1/payments", json=body, headers=headers)


def test_a_repeated_payment_is_accepted_once_and_answered_alike(stage: Stage) -> None:
    anna = stage.payer()
    body, headers = anna.payment(30 * CENT), key()
    first = _post(anna, body, headers)
    assert first.status_code == 201
    assert REPLAYED not in first.headers
    stage.later(3_600)
    before = stage.row_counts()
    for _ in range(3):
        again = _post(anna, body, headers)
        assert (again.status_code, again.json(), again.headers[REPLAYED]) == (201, first.json(), "true")
    assert stage.row_counts() == before
    assert anna.channel()["charged_cumulative"] == str(30 * CENT)


def test_the_answer_is_the_first_one_also_when_the_world_has_moved_on(stage: Stage) -> None:
    anna = stage.payer(DOLLAR)
    body, headers = anna.payment(DOLLAR), key()
    first = _post(anna, body, headers)
    stage.settle()
    assert stage.batch_states() == ["posted"]
    assert anna.channel()["available"] == "0"
    again = _post(anna, body, headers)
    assert again.json() == first.json()
    assert again.json()["batch_id"] is None, "as it was when it was accepted"


def test_the_same_body_written_differently_is_the_same_request(stage: Stage) -> None:
    anna, headers = stage.payer(), key()
    body = anna.payment(30 * CENT)
    first = _post(anna, body, headers)
    voucher = body["voucher"]
    rewritten = {
        "destination": body["destination"],
        "voucher": voucher | {"signature": "0x" + voucher["signature"][2:].upper(), "network": None},
        "amount": dict(reversed(body["amount"].items())),
        "reference": None,
    }
    again = _post(anna, rewritten, headers)
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers[REPLAYED] == "true"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_key_with_another_body_is_refused(stage: Stage, language: str) -> None:
    anna, cafe, headers = stage.payer(), stage.merchant(), key()
    body = anna.payment(30 * CENT)
    _post(anna, body, headers)
    anna.charged += 30 * CENT
    before = stage.row_counts()
    for other in (anna.payment(30 * CENT), anna.payment(CENT), body | {"reference": "x"}, anna.payment(CENT, cafe)):
        answer = _post(anna, other, headers | {"Accept-Language": language})
        assert_problem(answer, "idempotency-key-reused", 422)
    assert stage.row_counts() == before
    anna.pay(CENT)


def test_two_payers_may_choose_the_same_key(stage: Stage) -> None:
    anna, berta, headers = stage.payer(), stage.payer(), key()
    one, two = _post(anna, anna.payment(CENT), headers), _post(berta, berta.payment(CENT), headers)
    assert (one.status_code, two.status_code) == (201, 201)
    assert one.json()["id"] != two.json()["id"]


def test_a_refused_payment_leaves_its_key_free(stage: Stage) -> None:
    anna, headers = stage.payer(DOLLAR), key()
    assert_problem(_post(anna, anna.payment(2 * DOLLAR), headers), "insufficient-deposit", 402)
    assert _post(anna, anna.payment(DOLLAR), headers).status_code == 201


def test_twenty_posts_of_one_key_at_once_make_one_payment(stage: Stage) -> None:
    anna = stage.payer()
    body, headers = anna.payment(30 * CENT), key()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: _post(anna, body, headers), range(20)))
    assert [a.status_code for a in answers] == [201] * 20
    assert len({a.text for a in answers}) == 1
    assert sum(REPLAYED not in a.headers for a in answers) == 1
    assert stage.rows("SELECT count(*) FROM payment") == [(1,)]
    assert stage.balance("jar", anna.id) == 30 * CENT


def test_of_twenty_different_payments_with_one_voucher_one_is_accepted(stage: Stage) -> None:
    anna = stage.payer()
    bodies = [anna.payment(30 * CENT, reference=f"{n}") for n in range(20)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda body: _post(anna, body, key()), bodies))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 19
    assert stage.balance("channel", anna.id) == 10 * DOLLAR - 30 * CENT


def test_many_payers_at_once_are_all_served(stage: Stage) -> None:
    payers = [stage.payer() for _ in range(3)]

    def pay_ten_times(payer: Payer) -> list[int]:
        return [payer.try_to_pay(CENT).status_code for _ in range(10)]

    with ThreadPoolExecutor(3) as pool:
        assert [*pool.map(pay_ten_times, payers)] == [[201] * 10] * 3
    stage.settle()
    assert stage.audit().differences == []
    assert stage.get("/v1/batches/1")["payments"] == 30


# ---------------------------------------------------------- other money requests


def test_a_repeated_deposit_is_relayed_once(stage: Stage) -> None:
    anna = stage.payer(DOLLAR)
    stage.chain.give_dollars(anna.address, 2 * DOLLAR)
    body = {"config": anna.config, "deposit": anna.wallet.deposit(stage.facts, anna.config, DOLLAR)}
    headers = key()
    answers = [stage.client.post("/v1/channels", json=body, headers=headers) for _ in range(2)]
    assert [a.status_code for a in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    stage.confirm()
    assert anna.channel()["available"] == str(2 * DOLLAR)
    other = body | {"deposit": anna.wallet.deposit(stage.facts, anna.config, DOLLAR)}
    assert_problem(stage.client.post("/v1/channels", json=other, headers=headers), "idempotency-key-reused", 422)


def test_a_repeated_payout_is_paid_once(stage: Stage) -> None:
    cafe = _with_credit(stage)
    headers = cafe.headers | key()
    answers = [stage.client.post("/v1/payouts", json={"amount": str(CENT)}, headers=headers) for _ in range(3)]
    assert len({a.text for a in answers}) == 1
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == CENT
    other = stage.client.post("/v1/payouts", json={"amount": str(2 * CENT)}, headers=headers)
    assert_problem(other, "idempotency-key-reused", 422)


@pytest.mark.parametrize("path", ["/v1/channels", "/v1/redemptions", "/v1/payouts"])
def test_every_money_request_needs_a_key(stage: Stage, path: str) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    bodies = {
        "/v1/channels": {"config": anna.config, "deposit": anna.wallet.deposit(stage.facts, anna.config, DOLLAR)},
        "/v1/redemptions": anna.wallet.redemption(stage.facts, cafe.address, DOLLAR),
        "/v1/payouts": {},
    }
    headers = cafe.headers | {"Accept-Language": "ko"}
    answer = stage.client.post(path, json=bodies[path], headers=headers)
    assert_problem(answer, "idempotency-key-missing", 400)


def _with_credit(stage: Stage) -> Merchant:
    cafe = stage.merchant()
    stage.payer().pay(DOLLAR, cafe)
    stage.settle()
    return cafe
