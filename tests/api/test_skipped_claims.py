"""A channel that is emptied before its batch reaches the chain."""

import pytest

from taesan.channels.models import Channel
from tests.api.test_withdrawals import OPERATOR_KEY
from tests.support.chain import RICH_KEY
from tests.support.problems import assert_problem
from tests.support.stage import DOLLAR, Stage
from tests.support.wallet import config_tuple

pytestmark = pytest.mark.database("sqlite", "postgresql")


def test_a_claim_that_would_bring_nothing_is_not_sent(stage: Stage) -> None:
    anna, bora, cafe = stage.payer(10 * DOLLAR), stage.payer(10 * DOLLAR, "Bora"), stage.merchant()
    anna.pay(2 * DOLLAR, cafe)
    bora.pay(DOLLAR, cafe)
    anna.announce_withdrawal(10 * DOLLAR)
    anna.finish_withdrawal()  # by a hub that slept through the whole delay
    # Enough for the batch to settle all the same: what must stop it is not the reserve.
    stage.chain.send(RICH_KEY, "asset", "mint", stage.chain.deployment.settlement, 5 * DOLLAR)
    stage.later(61)
    stage.confirm()
    ((channel, reason),) = stage.rows("SELECT channel_id, reason FROM quarantine")
    assert channel == anna.id
    assert reason == f"channel {anna.id} holds 0, of which 0 are claimed, not {2 * DOLLAR}"
    assert stage.rows("SELECT channel_id FROM batch_claim") == [(bora.id,)]
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(DOLLAR)


def test_a_claim_skipped_on_chain_is_told_and_all_else_is_booked(stage: Stage) -> None:
    """The withdrawal overtakes the batch in the very block."""
    anna, bora, cafe = stage.payer(10 * DOLLAR), stage.payer(10 * DOLLAR, "Bora"), stage.merchant()
    anna.pay(2 * DOLLAR, cafe)
    bora.pay(DOLLAR, cafe)
    anna.announce_withdrawal(10 * DOLLAR)
    stage.chain.wait(anna.config["withdraw_delay"])
    stage.chain.send(RICH_KEY, "asset", "mint", stage.chain.deployment.settlement, 5 * DOLLAR)
    stage.later(61)
    with stage.chain.mining_paused():
        stage.tick()
        assert stage.batch_states() == ["broadcast"]
        stage.chain.jump_queue(anna.wallet.key, "channels", "finalizeWithdraw", config_tuple(anna.config))
        stage.chain.mine()
    stage.confirm()
    assert stage.batch_states() == ["posted"]
    skipped = dict(map(tuple, stage.rows("SELECT channel_id, skipped FROM batch_claim")))
    assert skipped == {anna.id: 1, bora.id: 0}
    claimed = dict(map(tuple, stage.rows("SELECT id, claimed FROM channel")))
    assert claimed == {anna.id: 0, bora.id: DOLLAR}
    assert cafe.account()["credit"] == str(3 * DOLLAR), "the surplus paid"
    assert stage.chain.read("channels", "channels", bytes.fromhex(bora.id[2:])) == [10 * DOLLAR, DOLLAR]
    assert stage.balance("shortfall") == 2 * DOLLAR
    assert any("shortfall" in difference for difference in stage.audit().differences)


def test_a_batch_of_which_nothing_came_in_stops_no_books(stage: Stage) -> None:
    anna, cafe = stage.payer(10 * DOLLAR), stage.merchant()
    anna.pay(2 * DOLLAR, cafe)
    anna.announce_withdrawal(10 * DOLLAR)
    stage.chain.wait(anna.config["withdraw_delay"])
    stage.chain.send(RICH_KEY, "asset", "mint", stage.chain.deployment.settlement, 5 * DOLLAR)
    stage.later(61)
    with stage.chain.mining_paused():
        stage.tick()
        stage.chain.jump_queue(anna.wallet.key, "channels", "finalizeWithdraw", config_tuple(anna.config))
        stage.chain.mine()
    stage.confirm()
    assert stage.batch_states() == ["posted"]
    assert cafe.account()["credit"] == str(2 * DOLLAR)


def test_a_batch_owes_no_more_than_the_chain_allows(stage: Stage) -> None:
    anna, cafe = stage.payer(10 * DOLLAR), stage.merchant()
    for _ in range(3):
        anna.pay(2 * DOLLAR, cafe)
    stage.chain.send(OPERATOR_KEY, "settlement", "setLimits", 5 * DOLLAR, 100 * DOLLAR)
    stage.later(61)
    stage.settle()
    stage.later(61)
    stage.settle()
    assert stage.batch_states() == ["posted", "posted"]
    assert [stage.get(f"/v1/batches/{n}")["credited"] for n in (1, 2)] == [str(4 * DOLLAR), str(2 * DOLLAR)]


def test_a_channel_whose_receiver_authorizer_is_no_longer_ours_takes_no_payments(stage: Stage) -> None:
    anna, cafe = stage.payer(10 * DOLLAR), stage.merchant()
    with stage.hub.db.write() as session:
        session.get_one(Channel, anna.id).receiver_authorizer = "0x" + "ab" * 20
    assert_problem(anna.try_to_pay(DOLLAR, cafe), "channel-not-open", 409)
