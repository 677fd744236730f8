"""The payer's way out: announced, waited for, finished; and never at a merchant's cost."""

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage
from tests.support.wallet import config_tuple, raw

pytestmark = pytest.mark.database("sqlite", "postgresql")

OPERATOR_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


def test_an_announced_withdrawal_ends_payments_and_hurries_their_batch(stage: Stage) -> None:
    anna, cafe = stage.payer(10 * DOLLAR), stage.merchant()
    anna.pay(2 * DOLLAR, cafe)
    anna.announce_withdrawal(DOLLAR)
    anna.pay(DOLLAR, cafe)  # the hub cannot know yet; the delay covers it
    stage.tick()
    assert stage.batch_states() == []
    stage.confirm()  # no time passes: the batch does not wait for its interval
    assert anna.state() == "withdrawing"
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    for language in ("ko", "en"):
        answer = stage.client.post(
            "/v1/payments",
            json=anna.payment(CENT),
            headers={"Idempotency-Key": language, "Accept-Language": language},
        )
        assert "withdrawal" in assert_problem(answer, "channel-not-open", 409)["detail"]
    assert stage.audit().differences == []


def test_a_finished_withdrawal_of_free_money_leads_back_to_payments(stage: Stage) -> None:
    anna = stage.payer(10 * DOLLAR)
    anna.pay(40 * CENT)
    anna.announce_withdrawal(5 * DOLLAR)
    stage.confirm()
    anna.finish_withdrawal()
    assert anna.state() == "withdrawing"
    stage.confirm()
    assert anna.state() == "open"
    assert stage.chain.read("asset", "balanceOf", anna.address) == 5 * DOLLAR
    assert anna.channel()["available"] == str(10 * DOLLAR - 40 * CENT - 5 * DOLLAR)
    assert anna.jar()["gathered"] == str(40 * CENT)
    anna.pay(60 * CENT)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


def test_a_withdrawal_of_everything_takes_what_is_free_and_then_the_jar(stage: Stage) -> None:
    anna, cafe = stage.payer(10 * DOLLAR), stage.merchant()
    anna.pay(2 * DOLLAR, cafe)
    anna.pay(40 * CENT)
    anna.announce_withdrawal(10 * DOLLAR)
    stage.confirm()
    anna.finish_withdrawal()
    stage.confirm()
    # Two dollars were the café's by then; what was gathered was still Anna's.
    assert stage.chain.read("asset", "balanceOf", anna.address) == 8 * DOLLAR
    assert (stage.balance("channel", anna.id), stage.balance("jar", anna.id)) == (0, 0)
    assert anna.jar()["payments"] == 0
    assert anna.state() == "closed"
    assert stage.balance("shortfall") == 0
    assert stage.audit().differences == []
    # Its vouchers promise what is gone: no more payments, and no more money into it.
    assert_problem(anna.try_to_pay(CENT), "channel-not-open", 409)
    stage.chain.give_dollars(anna.address, DOLLAR)
    body = {"config": anna.config, "deposit": anna.wallet.deposit(stage.facts, anna.config, DOLLAR)}
    answer = stage.client.post("/v1/channels", json=body, headers={"Idempotency-Key": "x", "Accept-Language": "ko"})
    assert_problem(answer, "channel-not-open", 409)
    # Another channel of hers works.
    again = stage.payer(DOLLAR)
    again.pay(DOLLAR)
    stage.settle()
    assert stage.audit().differences == []


def test_a_withdrawal_that_reaches_a_part_of_the_jar_leaves_the_rest_in_the_books(stage: Stage) -> None:
    anna = stage.payer(DOLLAR)
    anna.set_rule(trigger_count=100)
    anna.pay(70 * CENT)
    anna.announce_withdrawal(50 * CENT)
    stage.confirm()
    anna.finish_withdrawal()
    stage.confirm()
    assert (stage.balance("channel", anna.id), stage.balance("jar", anna.id)) == (0, 50 * CENT)
    assert stage.chain.read("channels", "channels", raw(anna.id))[0] == 50 * CENT
    assert stage.audit().differences == []


def test_what_was_fired_is_out_of_a_withdrawals_reach(stage: Stage) -> None:
    anna = stage.payer(DOLLAR)
    anna.pay(DOLLAR)
    anna.announce_withdrawal(DOLLAR)
    stage.confirm()
    assert stage.gift_tokens(anna.address) == DOLLAR
    anna.finish_withdrawal()
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", anna.address) == 0
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert anna.state() == "open"
    assert stage.audit().differences == []


def test_the_payer_gets_the_money_with_the_operator_gone(stage: Stage) -> None:
    """No tick of the worker anywhere between; the books follow when the hub is back."""
    anna = stage.payer(10 * DOLLAR)
    anna.pay(40 * CENT)
    anna.announce_withdrawal(10 * DOLLAR)
    anna.finish_withdrawal()
    assert stage.chain.read("asset", "balanceOf", anna.address) == 10 * DOLLAR
    stage.restart()
    stage.confirm()
    assert anna.state() == "closed"
    assert stage.balance("escrow") == 0
    assert stage.audit().differences == []


def test_a_merchants_loss_by_a_hub_that_slept_too_long_is_told(stage: Stage) -> None:
    anna, cafe = stage.payer(10 * DOLLAR), stage.merchant()
    anna.pay(2 * DOLLAR, cafe)
    anna.announce_withdrawal(10 * DOLLAR)
    anna.finish_withdrawal()
    stage.restart()
    stage.confirm()
    assert stage.balance("shortfall") == 2 * DOLLAR
    report = stage.audit()
    assert report.differences == [], "the channel is in quarantine: what is missing of it is known"
    assert report.counted["missing of channels in quarantine"] == 2 * DOLLAR


# -------------------------------------------------------------------- refunds


def _refund(stage: Stage, config: object, amount: int) -> None:
    """By the operator, as the channel's receiver authoriser; its nonce is the hub's."""
    stage.chain.send(OPERATOR_KEY, "channels", "refund", config, amount)
    stage.restart()


def test_a_refund_lowers_what_can_be_spent(stage: Stage) -> None:
    anna = stage.payer(10 * DOLLAR)
    anna.pay(40 * CENT)
    _refund(stage, config_tuple(anna.config), 3 * DOLLAR)
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", anna.address) == 3 * DOLLAR
    assert (anna.state(), anna.channel()["available"]) == ("open", str(10 * DOLLAR - 40 * CENT - 3 * DOLLAR))
    anna.pay(60 * CENT)
    stage.settle()
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


@pytest.mark.parametrize("refunded", [DOLLAR, 5 * DOLLAR])
def test_a_refund_during_a_withdrawal_does_not_open_the_channel(stage: Stage, refunded: int) -> None:
    """The rest of what was announced can be withdrawn at any moment: payments would have nothing behind them."""
    anna = stage.payer(10 * DOLLAR)
    anna.announce_withdrawal(5 * DOLLAR)
    stage.confirm()
    _refund(stage, config_tuple(anna.config), refunded)
    stage.confirm()
    assert anna.state() == "withdrawing"
    assert_problem(anna.try_to_pay(CENT), "channel-not-open", 409)
    assert anna.channel()["available"] == str(10 * DOLLAR - refunded)
    assert stage.audit().differences == []
