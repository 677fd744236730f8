"""Merchants: keys, redemptions, payouts."""

import pytest

from taesan.chain import alarms
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, key
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")


def test_a_wallet_becomes_a_merchant_once(shared_stage: Stage) -> None:
    stage, anna = shared_stage, Wallet()
    headers = stage.session_of(anna)
    made = stage.client.post("/v1/merchants", json={"name": "Café 먼지"}, headers=headers)
    assert made.status_code == 201
    assert made.json()["api_key"].startswith("tsk_")
    again = stage.client.post("/v1/merchants", json={"name": "Café"}, headers=headers | {"Accept-Language": "ko"})
    assert_problem(again, "merchant-exists", 409)
    public = stage.get(f"/v1/merchants/{made.json()['id']}")
    assert public == {"id": made.json()["id"], "name": "Café 먼지", "address": anna.address}
    own = stage.get("/v1/merchants/me", Authorization=f"Bearer {made.json()['api_key']}")
    assert own == public


def test_an_api_key_is_stored_as_a_hash(shared_stage: Stage) -> None:
    merchant = shared_stage.merchant()
    secret = merchant.headers["Authorization"].removeprefix("Bearer ")
    rows = shared_stage.rows("SELECT key_hash, hint FROM api_key WHERE merchant_id = :id", id=merchant.id)
    assert len(rows) == 1
    assert secret not in str(rows)
    assert secret.startswith(rows[0][1])


def test_an_unknown_merchant_is_not_found(shared_stage: Stage) -> None:
    answer = shared_stage.client.get("/v1/merchants/mer_none", headers={"Accept-Language": "ko"})
    assert_problem(answer, "unknown-merchant", 404)


@pytest.mark.parametrize("name", ["", "x" * 81, None, 5, "a\0b"])
def test_a_merchant_has_a_name(shared_stage: Stage, name: object) -> None:
    headers = shared_stage.session_of(Wallet())
    answer = shared_stage.client.post("/v1/merchants", json={"name": name}, headers=headers)
    assert_problem(answer, "invalid-request", 422)


# ------------------------------------------------------------------ redemptions


@pytest.fixture
def holder(stage: Stage) -> Payer:
    """Somebody with two dollars in gift tokens."""
    anna = stage.payer()
    anna.pay(2 * DOLLAR)
    stage.settle()
    assert stage.gift_tokens(anna.address) == 2 * DOLLAR
    return anna


def test_gift_tokens_are_redeemed_in_parts(stage: Stage, holder: Payer) -> None:
    cafe = stage.merchant()
    for amount in (50 * CENT, 150 * CENT):
        assert cafe.redeem(holder.wallet, amount).status_code == 202
        stage.confirm()
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.gift_tokens(holder.address) == 0
    assert stage.audit().differences == []


def test_a_bad_redemption_is_refused_at_once(stage: Stage, holder: Payer) -> None:
    cafe, kiosk = stage.merchant(), stage.merchant("Kiosk")
    now = int(stage.clock.now().timestamp())
    good = holder.wallet.redemption(stage.facts, cafe.address, DOLLAR)
    bad = {
        "for another merchant": holder.wallet.redemption(stage.facts, kiosk.address, DOLLAR),
        "for another amount": good | {"amount": str(2 * DOLLAR)},
        "by somebody else": Wallet().redemption(stage.facts, cafe.address, DOLLAR) | {"holder": holder.address},
        "more than there is": holder.wallet.redemption(stage.facts, cafe.address, 2 * DOLLAR + 1),
        "expired": holder.wallet.redemption(stage.facts, cafe.address, DOLLAR, valid_before=now),
        "too early": holder.wallet.redemption(stage.facts, cafe.address, DOLLAR, valid_after=now + 60),
        "nothing": holder.wallet.redemption(stage.facts, cafe.address, 0),
        "no signature": good | {"signature": "0x"},
        "another salt": good | {"salt": "0x" + "00" * 32},
    }
    before = stage.row_counts()
    for what, body in bad.items():
        for language in ("ko", "en"):
            headers = cafe.headers | key() | {"Accept-Language": language}
            answer = stage.client.post("/v1/redemptions", json=body, headers=headers)
            assert assert_problem(answer, "invalid-redemption", 422)["detail"], what
    assert stage.row_counts() == before
    assert stage.client.post("/v1/redemptions", json=good, headers=cafe.headers | key()).status_code == 202
    stage.confirm()
    assert cafe.account()["credit"] == str(DOLLAR)


def test_a_redemption_is_taken_once(stage: Stage, holder: Payer) -> None:
    cafe = stage.merchant()
    body = holder.wallet.redemption(stage.facts, cafe.address, CENT)
    first = stage.client.post("/v1/redemptions", json=body, headers=cafe.headers | key())
    again = stage.client.post("/v1/redemptions", json=body, headers=cafe.headers | key())
    assert first.json()["id"] in assert_problem(again, "invalid-redemption", 422)["detail"]
    stage.confirm()
    assert cafe.account()["credit"] == str(CENT)


def test_of_two_redemptions_of_the_same_tokens_one_succeeds(stage: Stage, holder: Payer) -> None:
    """Both are fine when they are ordered; only the chain can tell that there is not enough for both."""
    cafe, kiosk = stage.merchant(), stage.merchant("Kiosk")
    one = cafe.redeem(holder.wallet, 2 * DOLLAR).json()
    two = kiosk.redeem(holder.wallet, 2 * DOLLAR).json()
    stage.confirm()
    stage.confirm()
    assert stage.get(f"/v1/redemptions/{one['id']}", **cafe.headers)["state"] == "confirmed"
    failed = stage.get(f"/v1/redemptions/{two['id']}", **kiosk.headers)
    assert failed["state"] == "failed"
    assert failed["reason"].startswith("ERC20InsufficientBalance")
    assert (cafe.account()["credit"], kiosk.account()["credit"]) == (str(2 * DOLLAR), "0")
    assert stage.audit().differences == []


def test_a_redemption_that_somebody_else_relayed_first_is_confirmed_all_the_same(stage: Stage, holder: Payer) -> None:
    cafe = stage.merchant()
    body = holder.wallet.redemption(stage.facts, cafe.address, DOLLAR)
    ordered = stage.client.post("/v1/redemptions", json=body, headers=cafe.headers | key()).json()
    stage.chain.send(
        Wallet().key,
        "settlement",
        "redeemWithAuthorization",
        *(body["holder"], cafe.address, DOLLAR, 0, int(body["valid_before"]), body["salt"], body["signature"]),
    )
    stage.confirm()
    assert stage.get(f"/v1/redemptions/{ordered['id']}", **cafe.headers)["state"] == "confirmed"
    assert cafe.account()["credit"] == str(DOLLAR)
    assert stage.audit().differences == []


@pytest.mark.parametrize("pausing", [(), (alarms.NONCE_USED_ELSEWHERE,)])
@pytest.mark.parametrize("transaction_id", ["NULL", "(SELECT min(id) FROM chain_transaction)"])
def test_what_somebody_else_relayed_is_rather_the_one_that_waits(
    stage: Stage, holder: Payer, transaction_id: str, pausing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it has been refused to us by then, or waits as nothing is signed."""
    monkeypatch.setattr(alarms, "PAUSES_SIGNING", pausing)
    with stage.hub.db.write() as session:
        alarms.raise_(session, alarms.NONCE_USED_ELSEWHERE, "a test", stage.clock.now())
    cafe = stage.merchant()
    failed, waiting = (holder.wallet.redemption(stage.facts, cafe.address, DOLLAR) for _ in range(2))
    one = stage.client.post("/v1/redemptions", json=failed, headers=cafe.headers | key()).json()
    stage.write(f"UPDATE redemption SET state = 'failed', reason = 'a test', transaction_id = {transaction_id}")
    two = stage.client.post("/v1/redemptions", json=waiting, headers=cafe.headers | key()).json()
    signed = (waiting["salt"], waiting["signature"])
    stage.chain.send(
        Wallet().key,
        "settlement",
        "redeemWithAuthorization",
        *(waiting["holder"], cafe.address, DOLLAR, 0, int(waiting["valid_before"]), *signed),
    )
    stage.confirm()
    states = [stage.get(f"/v1/redemptions/{row['id']}", **cafe.headers)["state"] for row in (one, two)]
    assert states == ["failed", "confirmed"]


def test_a_holder_takes_the_money_straight_from_the_contract(stage: Stage, holder: Payer) -> None:
    stage.chain.send(holder.wallet.key, "settlement", "redeem", DOLLAR, holder.address)
    stage.confirm()
    assert stage.balance("gift_supply") == DOLLAR
    assert stage.chain.read("asset", "balanceOf", holder.address) == DOLLAR
    assert stage.audit().differences == []


def test_a_merchant_sees_its_own_orders_only(stage: Stage, holder: Payer) -> None:
    cafe, kiosk = stage.merchant(), stage.merchant("Kiosk")
    redemption = cafe.redeem(holder.wallet, DOLLAR).json()["id"]
    stage.confirm()
    payout = cafe.order_payout().json()["id"]
    for path in (f"/v1/redemptions/{redemption}", f"/v1/payouts/{payout}"):
        assert stage.client.get(path, headers=cafe.headers).status_code == 200
        assert_problem(stage.client.get(path, headers=kiosk.headers), "not-found", 404)


# --------------------------------------------------------------------- payouts


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    """A merchant with two dollars of credit."""
    cafe = stage.merchant()
    stage.payer().pay(2 * DOLLAR, cafe)
    stage.settle()
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    return cafe


@pytest.mark.parametrize("amount", [0, 2 * DOLLAR + 1, 2**63 - 1])
def test_no_more_than_the_credit_is_paid_out(stage: Stage, cafe: Merchant, amount: int) -> None:
    before = stage.row_counts()
    answer = cafe.order_payout(amount)
    assert assert_problem(answer, "insufficient-credit", 422)["credit"] == str(2 * DOLLAR)
    assert stage.row_counts() == before


def test_what_is_ordered_cannot_be_ordered_again(stage: Stage, cafe: Merchant) -> None:
    assert cafe.order_payout(DOLLAR + 1).status_code == 202
    assert_problem(cafe.order_payout(DOLLAR), "insufficient-credit", 422)
    assert cafe.order_payout().json()["amount"] == str(DOLLAR - 1)
    assert_problem(cafe.order_payout(), "insufficient-credit", 422)
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 2 * DOLLAR
    assert stage.rows("SELECT state FROM payout") == [("paid",), ("paid",)]
    assert stage.audit().differences == []


def test_two_payouts_of_one_amount_are_both_paid(stage: Stage, cafe: Merchant) -> None:
    for _ in range(2):
        cafe.order_payout(CENT)
    stage.confirm()
    assert stage.rows("SELECT state FROM payout") == [("paid",), ("paid",)]
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 2 * CENT


def test_a_merchant_may_take_its_credit_from_the_contract_itself(stage: Stage, cafe: Merchant) -> None:
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, DOLLAR)
    stage.confirm()
    assert cafe.account()["credit"] == str(DOLLAR)
    assert stage.audit().differences == []


@pytest.mark.parametrize("amount", [2 * DOLLAR, DOLLAR + 1])
def test_a_payout_that_the_merchant_took_itself_meanwhile_fails_and_the_books_go_on(
    stage: Stage, cafe: Merchant, amount: int
) -> None:
    ordered = cafe.order_payout(amount).json()
    stage.chain.send(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, 2 * DOLLAR)
    stage.confirm()
    stage.confirm()
    payout = stage.get(f"/v1/payouts/{ordered['id']}", **cafe.headers)
    assert payout["state"] == "failed"
    assert payout["reason"].startswith("GiftSettlement_ExceedsCredit")
    assert cafe.account() == {
        "merchant_id": cafe.id,
        "pending": "0",
        "credit": "0",
        "paying_out": "0",
        "refunding": "0",
        "budget": "0",
    }
    assert stage.rows("SELECT count(*) FROM outbox_event WHERE handled_at IS NULL") == [(0,)]
    assert stage.audit().differences == []


def test_a_payout_that_reverts_on_chain_is_given_back(stage: Stage, cafe: Merchant) -> None:
    """The merchant's own withdrawal gets into the block first, after our simulation."""
    with stage.chain.mining_paused():
        ordered = cafe.order_payout().json()
        stage.tick()  # simulated, signed, in the pool
        assert stage.rows("SELECT state FROM payout") == [("sent",)]
        stage.chain.jump_queue(cafe.wallet.key, "settlement", "withdrawCredit", cafe.address, DOLLAR)
        stage.chain.mine()
    stage.confirm()
    stage.confirm()
    payout = stage.get(f"/v1/payouts/{ordered['id']}", **cafe.headers)
    assert (payout["state"], cafe.account()["credit"]) == ("failed", str(DOLLAR))
    assert stage.audit().differences == []
    assert cafe.order_payout().status_code == 202
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 2 * DOLLAR
    assert stage.audit().differences == []
