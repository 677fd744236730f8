"""No channel owes others much that is not claimed: it is claimed in time when its payer leaves, and before it owes too much."""

import pytest

from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, StageFactory

pytestmark = pytest.mark.database("sqlite", "postgresql")

LONG = 1_000_000  # seconds: no batch is due by its age


@pytest.fixture
def stage(open_stage: StageFactory) -> Stage:
    return open_stage(batch_interval_s=LONG, channel_exposure=3 * DOLLAR)


def test_a_channel_owes_no_more_than_the_limit_until_it_is_claimed(stage: Stage) -> None:
    anna, cafe = stage.payer(20 * DOLLAR), stage.merchant()
    anna.pay(3 * DOLLAR, cafe)
    before = stage.row_counts()
    answer = anna.try_to_pay(1, cafe)
    problem = assert_problem(answer, "exposure-limit", 409)
    assert (
        f"At most {3 * DOLLAR} minor units may be; with this payment it would be {3 * DOLLAR + 1}." in problem["detail"]
    )
    assert int(answer.headers["retry-after"]) > 0
    assert stage.row_counts() == before
    stage.confirm()  # no time passes
    assert stage.batch_states() == ["posted"]
    anna.pay(3 * DOLLAR, cafe)
    assert_problem(anna.try_to_pay(1, cafe), "exposure-limit", 409)
    assert stage.audit().differences == []


def test_at_half_the_limit_a_batch_is_due(stage: Stage) -> None:
    anna, bora, cafe = stage.payer(20 * DOLLAR), stage.payer(20 * DOLLAR), stage.merchant()
    bora.pay(DOLLAR, cafe)
    anna.pay(150 * CENT - 1, cafe)
    stage.tick(2)
    assert stage.batch_states() == []
    anna.pay(1, cafe)
    assert stage.rows("SELECT pressing FROM channel WHERE pressing IS NOT NULL") == [(150 * CENT,)]
    stage.tick()
    assert stage.batch_states() == ["broadcast"]
    assert stage.rows("SELECT pressing FROM channel WHERE pressing IS NOT NULL") == []
    anna.pay(DOLLAR, cafe)
    stage.confirm()
    assert stage.batch_states() == ["posted"], "what is on its way already presses for no other batch"


def test_what_is_in_the_jar_is_the_payers_own_until_it_fires(stage: Stage) -> None:
    anna = stage.payer(20 * DOLLAR)
    anna.set_rule(trigger_value=str(4 * DOLLAR))
    for _ in range(7):
        anna.pay(50 * CENT)
    assert stage.rows("SELECT pressing FROM channel WHERE pressing IS NOT NULL") == []
    assert_problem(anna.try_to_pay(50 * CENT), "exposure-limit", 409)  # it would fire with four dollars
    anna.pay(3 * DOLLAR, stage.merchant())
    anna.pay(CENT)
    anna.set_rule(trigger_value=str(3 * DOLLAR))
    assert_problem(anna.try_to_pay(CENT), "exposure-limit", 409)
    stage.confirm()
    anna.pay(CENT)
    stage.confirm()
    assert stage.gift_tokens(anna.address) == 3 * DOLLAR
    assert stage.audit().differences == []


def test_in_a_group_each_payment_counts(stage: Stage) -> None:
    anna, cafe = stage.payer(20 * DOLLAR), stage.merchant()
    payments = []
    for n in range(4):
        payments.append(anna.payment(DOLLAR, cafe) | {"idempotency_key": f"{n}"})
        anna.charged += DOLLAR
    results = stage.client.post("/v1/payments/bulk", json={"payments": payments}).json()["results"]
    assert [result["status"] for result in results] == [201, 201, 201, 409]
    assert results[-1]["problem"]["type"] == "urn:taesan:problem:exposure-limit"
    assert stage.rows("SELECT pressing FROM channel") == [(2 * DOLLAR,)]


# ------------------------------------------------------------------ who is leaving


def test_a_leaving_payer_is_claimed_in_time_while_another_batch_is_stuck(stage: Stage) -> None:
    anna, bora, cafe = stage.payer(20 * DOLLAR), stage.payer(20 * DOLLAR), stage.merchant()
    bora.pay(2 * DOLLAR, cafe)
    with stage.chain.mining_paused():
        stage.tick()
        stage.chain.ask("anvil_dropAllTransactions")
    assert stage.batch_states() == ["broadcast"]
    anna.pay(DOLLAR, cafe)
    anna.announce_withdrawal(20 * DOLLAR)
    announced_at = stage.chain.web3.eth.get_block("latest")["timestamp"]
    stage.chain.mine(3)
    stage.tick(2)
    assert (anna.state(), stage.batch_states()) == ("withdrawing", ["broadcast"])
    assert_problem(anna.try_to_pay(CENT, cafe), "channel-not-open", 409)
    stage.later(16)  # now it is sent again
    stage.confirm()
    assert stage.batch_states() == ["posted", "posted"]
    assert cafe.account()["credit"] == str(3 * DOLLAR)
    claimed_at = stage.chain.web3.eth.get_block("latest")["timestamp"]
    assert claimed_at - announced_at < stage.settings.withdraw_delay_s // 100
    anna.finish_withdrawal()
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", anna.address) == 19 * DOLLAR
    assert stage.balance("shortfall") == 0
    assert stage.audit().differences == []
