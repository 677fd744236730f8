"""A payer asks for its free money back, over x402: what is promised stays, and nothing is given back twice."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from x402.mechanisms.evm.batch_settlement import errors

from taesan.chain import alarms
from taesan.channels import service
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory
from tests.support.wallet import Json
from tests.support.x402_asked import asked, payload, requirements, settle, verify

PRICE = 10 * CENT


@pytest.fixture
def stage(open_stage: StageFactory) -> Stage:
    return open_stage(x402_wait_s=0)


@pytest.fixture
def cafe(stage: Stage) -> Merchant:
    return stage.merchant()


@pytest.fixture
def anna(stage: Stage, cafe: Merchant) -> Payer:
    """Of a dollar she has paid thirty cents to the café, and twenty into her jar."""
    anna = stage.payer(DOLLAR)
    anna.pay(30 * CENT, cafe)
    anna.pay(20 * CENT)
    return anna


def _back(stage: Stage, cafe: Merchant, payer: Payer, charged: int, **changes: Any) -> Json:
    """The body that asks for a refund."""
    return asked(requirements(stage, cafe, PRICE), payload(payer, charged) | {"type": "refund"} | changes)


def _dollars(payer: Payer) -> int:
    return int(payer.stage.chain.read("asset", "balanceOf", payer.address))


@pytest.mark.database("sqlite", "postgresql")
def test_all_that_is_free_comes_back_and_what_was_promised_stays(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    body = _back(stage, cafe, anna, 50 * CENT)
    assert verify(stage, body)["isValid"]
    for moved in (lambda: None, stage.tick):
        moved()
        answer = stage.client.post("/x402/settle", json=body)
        told = assert_problem(answer, "settlement-pending", 503)
    assert told["transaction"].startswith("0x")
    assert anna.state() == "refunding"

    stage.confirm()
    done = settle(stage, body)
    assert (done["success"], done["amount"], done["transaction"]) == (True, str(50 * CENT), told["transaction"])
    assert done["extra"]["channelState"]["balance"] == str(50 * CENT)
    assert settle(stage, body) == done
    assert stage.rows("SELECT count(*) FROM refund_relay") == [(1,)]
    assert (_dollars(anna), anna.state()) == (50 * CENT, "open")
    stage.settle()
    assert stage.audit().differences == []
    assert cafe.account()["credit"] == str(30 * CENT)
    assert stage.balance("jar", anna.id) == 20 * CENT


def test_nothing_is_spent_meanwhile_and_afterwards_the_channel_goes_on(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    body = _back(stage, cafe, anna, 50 * CENT, amount=str(10 * CENT))
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    assert_problem(anna.try_to_pay(CENT, cafe), "channel-not-open", 409)
    stage.confirm()
    assert settle(stage, body)["amount"] == str(10 * CENT)
    assert settle(stage, body)["amount"] == str(10 * CENT), "of the same one"
    assert stage.rows("SELECT count(*) FROM refund_relay") == [(1,)]
    anna.pay(40 * CENT, cafe)
    assert_problem(anna.try_to_pay(CENT, cafe), "insufficient-deposit", 402)
    stage.settle()
    assert stage.audit().differences == []


def test_a_refund_that_is_on_its_way_is_the_one_that_is_asked_for(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    for amount in ({}, {"amount": str(CENT)}, {}):
        answer = stage.client.post("/x402/settle", json=_back(stage, cafe, anna, 50 * CENT, **amount))
        assert_problem(answer, "settlement-pending", 503)
    stage.confirm()
    assert _dollars(anna) == 50 * CENT


def test_what_is_not_free_is_refused(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    forged = payload(stage.stranger(), 50 * CENT)["voucher"]["signature"]
    voucher = payload(anna, 50 * CENT)["voucher"]
    for changes, reason in (
        ({"amount": str(50 * CENT + 1)}, errors.ERR_REFUND_NO_BALANCE),
        ({"amount": "0"}, errors.ERR_REFUND_NO_BALANCE),
        ({"amount": "-1"}, errors.ERR_REFUND_PAYLOAD),
        ({"voucher": voucher | {"signature": forged}}, errors.ERR_INVALID_VOUCHER_SIGNATURE),
        ({"voucher": voucher | {"maxClaimableAmount": "7"}}, errors.ERR_INVALID_VOUCHER_SIGNATURE),
        ({"voucher": payload(anna, 7)["voucher"]}, errors.ERR_CUMULATIVE_AMOUNT_MISMATCH),
    ):
        body = _back(stage, cafe, anna, 50 * CENT, **changes)
        assert verify(stage, body)["invalidReason"] == reason
        assert settle(stage, body)["errorReason"] == reason
    unknown = _back(stage, cafe, stage.stranger(), 0)
    assert settle(stage, unknown)["errorReason"] == errors.ERR_CHANNEL_NOT_FOUND
    assert stage.rows("SELECT count(*) FROM refund_relay") == [(0,)]
    assert anna.state() == "open"


def test_a_client_that_lost_its_place_is_told_it(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    told = settle(stage, _back(stage, cafe, anna, 0))
    assert told["errorReason"] == errors.ERR_CUMULATIVE_AMOUNT_MISMATCH
    assert told["extra"]["channelState"]["chargedCumulativeAmount"] == str(50 * CENT)
    assert told["extra"]["voucherState"]["signature"] == anna.wallet.voucher(stage.facts, anna.id, 50 * CENT)


def test_too_small_for_the_hubs_gas(open_stage: StageFactory) -> None:
    stage = open_stage(x402_wait_s=0, min_relayed=DOLLAR)
    cafe, anna = stage.merchant(), stage.payer(DOLLAR)
    anna.pay(CENT, cafe)
    assert settle(stage, _back(stage, cafe, anna, CENT))["errorReason"] == errors.ERR_REFUND_AMOUNT_INVALID


def test_the_hub_pays_for_one_refund_of_a_channel_in_some_hours(open_stage: StageFactory) -> None:
    stage = open_stage(x402_wait_s=0, refund_every_s=3_600)
    cafe, anna = stage.merchant(), stage.payer(DOLLAR)
    anna.pay(CENT, cafe)
    body = _back(stage, cafe, anna, CENT, amount=str(10 * CENT))
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    stage.confirm()
    assert settle(stage, body)["success"], "the same is told again"
    more = _back(stage, cafe, anna, CENT, amount=str(20 * CENT))
    assert verify(stage, more)["invalidReason"].endswith("refund_too_soon")
    assert settle(stage, more)["errorReason"].endswith("refund_too_soon")
    assert anna.state() == "open"
    stage.later(3_601)
    assert_problem(stage.client.post("/x402/settle", json=more), "settlement-pending", 503)
    stage.confirm()
    assert settle(stage, more)["amount"] == str(20 * CENT)


def test_new_money_after_a_refund_can_be_asked_back_too(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    body = _back(stage, cafe, anna, 50 * CENT)
    for _ in range(2):
        assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
        stage.confirm()
        assert settle(stage, body)["amount"] == str(50 * CENT)
        anna.open_channel(50 * CENT)
        stage.confirm()
    assert stage.rows("SELECT count(*) FROM refund_relay") == [(2,)]
    assert stage.audit().differences == []


def test_a_withdrawal_announced_meanwhile_is_not_forgotten(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    anna.announce_withdrawal(60 * CENT)
    body = _back(stage, cafe, anna, 50 * CENT)
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    stage.confirm()
    assert anna.state() == "withdrawing"
    assert settle(stage, body)["amount"] == str(50 * CENT)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_refund_that_a_withdrawal_has_overtaken_takes_nothing_promised(
    stage: Stage, cafe: Merchant, anna: Payer, at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is signed; meanwhile its payer withdraws, and would spend what the refund is to take."""
    monkeypatch.setattr(alarms, "PAUSES_SIGNING", (alarms.NONCE_USED_ELSEWHERE,))
    with stage.hub.db.write() as session:
        alarms.raise_(session, alarms.NONCE_USED_ELSEWHERE, "a test", stage.clock.now())
    body = _back(stage, cafe, anna, 50 * CENT)
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    anna.announce_withdrawal(1)
    if not at_once:
        stage.confirm()
        assert anna.state() == "withdrawing"
    anna.finish_withdrawal()
    stage.confirm()
    ((state, reason),) = stage.rows("SELECT state, reason FROM refund_relay")
    assert (anna.state(), state, reason and "withdrawn" in reason) == ("open", "failed", True)
    anna.pay(50 * CENT - 1, cafe)
    with stage.hub.db.write() as session:
        alarms.clear(session, alarms.NONCE_USED_ELSEWHERE)
    stage.settle()
    assert (_dollars(anna), cafe.account()["credit"]) == (1, str(80 * CENT - 1))
    assert stage.balance("shortfall") == 0
    assert stage.audit().differences == []


def test_a_refund_on_its_way_keeps_the_channel_closed_after_a_withdrawal(
    stage: Stage, cafe: Merchant, anna: Payer
) -> None:
    body = _back(stage, cafe, anna, 50 * CENT, amount=str(10 * CENT))
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    with stage.hub.db.write() as session:
        told = {"channelId": anna.id, "receiver": anna.config["receiver"], "amount": CENT}
        channels = service.handlers(stage.hub)
        for name in ("WithdrawInitiated", "WithdrawFinalized"):
            channels[f"channels.{name}"](session, {"key": name, "args": told}, stage.clock.now())
    assert anna.state() == "refunding"
    assert_problem(anna.try_to_pay(CENT, cafe), "channel-not-open", 409)


def test_a_refund_that_fails_on_the_chain_leaves_the_money_free(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    body = _back(stage, cafe, anna, 50 * CENT)
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    # The channels contract has lost its money: the token refuses.
    stage.chain.take_dollars(stage.chain.deployment.channels, DOLLAR)
    stage.confirm()
    ((state, reason),) = stage.rows("SELECT state, reason FROM refund_relay")
    assert (state, "ERC20InsufficientBalance" in reason) == ("failed", True)
    assert (anna.state(), stage.balance("channel", anna.id)) == ("open", 50 * CENT)


def test_who_waits_hears_of_a_failure(open_stage: StageFactory) -> None:
    stage = open_stage(x402_wait_s=20)
    cafe, anna = stage.merchant(), stage.payer(DOLLAR)
    anna.pay(CENT, cafe)
    stage.chain.take_dollars(stage.chain.deployment.channels, DOLLAR)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(settle, stage, _back(stage, cafe, anna, CENT))
        while not waiting.done():
            stage.tick()
            time.sleep(0.05)
    told = waiting.result()
    assert (told["success"], told["errorReason"]) == (False, errors.ERR_REFUND_TRANSACTION_FAILED)


@pytest.mark.database("sqlite", "postgresql")
def test_a_restored_hub_does_not_refund_twice(stage: Stage, cafe: Merchant, anna: Payer) -> None:
    body = _back(stage, cafe, anna, 50 * CENT)
    assert_problem(stage.client.post("/x402/settle", json=body), "settlement-pending", 503)
    kept = stage.kept()
    stage.restart()
    stage.confirm()
    assert _dollars(anna) == 50 * CENT
    stage.restore(kept)
    stage.confirm()
    assert settle(stage, body)["amount"] == str(50 * CENT)
    assert _dollars(anna) == 50 * CENT
    assert (anna.state(), stage.balance("channel", anna.id)) == ("open", 0)
    assert stage.audit().differences == []
