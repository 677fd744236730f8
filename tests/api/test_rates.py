"""Who calls too often waits; who sends too little pays the gas. Nothing is stored for either."""

import pytest

from tests.support import x402_exact
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory, key
from tests.support.wallet import Json, Wallet
from tests.support.x402_asked import asked, payload, requirements, verify


def test_strangers_are_limited_by_their_address(open_stage: StageFactory) -> None:
    stage = open_stage(address_rate="5/hour")
    anna, cafe = stage.payer(), stage.merchant()  # one channel, and a nonce, a session
    anna.pay(CENT, cafe)
    for _ in range(2):
        assert stage.client.post("/v1/auth/nonces").status_code == 201
    before = stage.row_counts()
    deposit = {"config": anna.config, "deposit": anna.wallet.deposit(stage.facts, anna.config, DOLLAR)}
    calls: dict[str, Json] = {
        "/v1/auth/nonces": {},
        "/v1/auth/sessions": {"message": "x", "signature": "0x" + "00" * 65},
        "/v1/channels": deposit,
        "/v1/merchants": {"name": "Café"},
        "/v1/merchants/me/keys": {},
        "/v1/redemptions": anna.wallet.redemption(stage.facts, cafe.address, CENT),
        "/v1/payouts": {},
    }
    for path, body in calls.items():
        for language in ("ko", "en"):
            headers = key() | {"Accept-Language": language, "Authorization": "Bearer tsk_of_my_own_making"}
            answer = stage.client.post(path, json=body, headers=headers)
            assert_problem(answer, "rate-limited", 429)
            assert 0 < int(answer.headers["retry-after"]) <= 3_600, path
    assert stage.row_counts() == before
    anna.pay(CENT, cafe)  # costs no gas: limited by payer
    stage.chain.give_dollars(anna.address, DOLLAR)
    assert stage.client.post("/v1/channels", json=deposit, headers=key() | cafe.headers).status_code == 202


def test_who_is_signed_in_is_limited_by_the_wallet_and_leaves_the_address_alone(open_stage: StageFactory) -> None:
    stage = open_stage(address_rate="4/hour", session_rate="2/hour")
    anna, eve = Wallet(), Wallet()
    desk, other = stage.session_of(anna), stage.session_of(eve)  # two calls each, which are all of the address's

    def held(headers: Json) -> int:
        return stage.client.get("/v1/holdings", headers=headers).status_code

    assert [held(desk) for _ in range(3)] == [200, 200, 429]
    assert held(other) == 200, "behind the same router, by another wallet"
    stage.client.delete("/v1/auth/sessions/current", headers=other).raise_for_status()
    for headers in (other, {"Authorization": "Bearer of-my-own-making"}):  # a session that has ended is a stranger's
        assert_problem(stage.client.post("/v1/auth/nonces", headers=headers), "rate-limited", 429)


def test_a_merchant_is_limited_whatever_number_of_keys_it_has(open_stage: StageFactory) -> None:
    stage = open_stage(key_call_rate="2/hour")
    cafe, bar = stage.merchant(), stage.merchant()
    session = stage.session_of(cafe.wallet)
    second = stage.client.post("/v1/merchants/me/keys", headers=session).json()["api_key"]
    for headers in (cafe.headers, {"Authorization": f"Bearer {second}"}):
        answer = stage.client.post("/v1/payouts", json={}, headers=headers | key())
        assert_problem(answer, "insufficient-credit", 422)
    assert_problem(cafe.order_payout(), "rate-limited", 429)
    assert_problem(bar.order_payout(), "insufficient-credit", 422)


def test_what_makes_the_facilitator_ask_the_node_is_a_call(open_stage: StageFactory) -> None:
    stage = open_stage(address_rate="3/hour", x402_wait_s=0)
    anna, cafe = stage.payer(), stage.merchant()  # one channel, and a nonce, a session
    voucher = payload(anna, CENT)
    free = asked(requirements(stage, cafe, CENT), voucher)
    of_payer = {"channelConfig": voucher["channelConfig"] | {"payerAuthorizer": "0x" + "0" * 40}}
    offer = x402_exact.requirements(stage, cafe, CENT)
    disguised = asked(offer, x402_exact.transfer(anna.wallet, offer) | voucher)
    for path in ("/x402/verify", "/x402/settle"):
        for body in (asked(requirements(stage, cafe, CENT), voucher | of_payer), disguised):
            assert_problem(stage.client.post(path, json=body), "rate-limited", 429)
    assert verify(stage, free)["isValid"]


@pytest.mark.parametrize("type_", ["application/json", "Application/JSON"])
def test_payments_are_limited_by_key(open_stage: StageFactory, type_: str) -> None:
    stage = open_stage(key_rate="5/hour")
    anna, cafe, bar = stage.payer(), stage.merchant(), stage.merchant()
    with_key = cafe.headers | {"Content-Type": type_}

    def bulk(count: int, headers: Json) -> int:
        items = []
        for _ in range(count):
            items.append(anna.payment(CENT, cafe) | {"idempotency_key": key()["Idempotency-Key"]})
            anna.charged += CENT
        answer = stage.client.post("/v1/payments/bulk", json={"payments": items}, headers=headers)
        if answer.status_code == 429:
            anna.charged -= count * CENT
            assert answer.headers["retry-after"]
            assert_problem(answer, "rate-limited", 429)
        return answer.status_code

    assert bulk(4, with_key) == 200
    before = stage.row_counts()
    assert bulk(2, with_key) == 429
    answer = stage.client.post("/v1/payments", json=anna.payment(CENT, cafe), headers=with_key | key())
    assert_problem(answer, "rate-limited", 429)
    assert stage.row_counts() == before
    assert bulk(5, bar.headers | {"Content-Type": type_}) == 200
    assert bulk(9, {"Content-Type": type_}) == 200, "without a key the payer's own limit is left"


def test_the_reference_tells_where_a_caller_may_have_to_wait(shared_stage: Stage) -> None:
    paths = shared_stage.get("/openapi.json")["paths"]
    silent = [path for path, calls in paths.items() if "post" in calls and "429" not in calls["post"]["responses"]]
    assert silent == []


# --------------------------------------------------------------- least amounts


@pytest.fixture
def dear(open_stage: StageFactory) -> Stage:
    """A hub that pays no gas for less than a dollar."""
    return open_stage(min_relayed=DOLLAR)


def test_a_small_deposit_is_the_payers_own_to_send(dear: Stage) -> None:
    anna = Payer(dear, Wallet())
    dear.chain.give_dollars(anna.address, DOLLAR)
    before = dear.row_counts()
    small = {"config": anna.config, "deposit": anna.wallet.deposit(dear.facts, anna.config, DOLLAR - 1)}
    body = assert_problem(dear.client.post("/v1/channels", json=small, headers=key()), "amount-too-small", 422)
    assert body["least"] == str(DOLLAR) == dear.facts["min_relayed"]
    assert dear.row_counts() == before
    anna.deposit_directly(DOLLAR - 1)
    dear.confirm()
    anna.pay(1)
    assert dear.audit().differences == []


def test_small_payouts_and_redemptions_are_the_merchants_own(dear: Stage) -> None:
    anna, cafe = dear.payer(), Merchant(dear, Wallet(), "Café")
    anna.pay(DOLLAR)
    anna.pay(DOLLAR, cafe)
    dear.settle()
    before = dear.row_counts()
    assert_problem(cafe.order_payout(DOLLAR - 1), "amount-too-small", 422)
    assert_problem(cafe.redeem(anna.wallet, DOLLAR - 1), "amount-too-small", 422)
    assert dear.row_counts() == before
    assert cafe.order_payout(DOLLAR).status_code == 202
    assert cafe.redeem(anna.wallet, DOLLAR).status_code == 202
