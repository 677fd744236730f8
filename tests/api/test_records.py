"""What a payer can look up of one payment: the root that the chain has, and what the books have."""

from tests.support.problems import assert_problem
from tests.support.stage import CENT, Stage


def test_the_root_of_a_batch_is_the_one_that_the_chain_has(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(30 * CENT, cafe)
    stage.later(stage.settings.batch_interval_s + 1)
    with stage.chain.mining_paused():
        stage.tick()
        assert stage.get("/v1/batches/1/root")["root"] is None, "it is on its way"
        stage.chain.mine()
    on_chain = "0x" + stage.chain.read("settlement", "batches", 1).hex().removeprefix("0x")
    assert stage.get("/v1/batches/1/root") == {
        "batch_id": 1,
        "settlement": stage.facts["settlement"],
        "root": on_chain,
    }
    assert on_chain == stage.get("/v1/batches/1")["root"]
    assert_problem(stage.client.get("/v1/batches/2/root"), "not-found", 404)
    with stage.node_away():
        assert_problem(stage.client.get("/v1/batches/1/root"), "node-unavailable", 503)
