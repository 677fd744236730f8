"""When no money may be taken in or moved, as the books may lack what the chain knows: who marks a hub, what is shut, what opens it."""

import pytest
from pydantic import SecretStr

from taesan.chain import alarms, watcher
from taesan.chain.deployment import WrongChain
from taesan.core import restoration
from taesan.hub import open_hub
from tests.support.chain import RICH_KEY
from tests.support.commands import run_here
from tests.support.problems import assert_problem
from tests.support.stage import DOLLAR, Stage

pytestmark = pytest.mark.database("sqlite", "postgresql")


def _is_marked(stage: Stage) -> bool:
    with stage.hub.db.read() as session:
        return restoration.is_reconciling(session)


def test_a_command_with_a_key_that_is_not_the_hubs_shuts_nothing(stage: Stage) -> None:
    anna = stage.payer()
    anna.pay(DOLLAR)
    stage.settle()
    with pytest.raises(WrongChain):
        open_hub(stage.settings.model_copy(update={"operator_key": SecretStr(RICH_KEY)}), stage.clock)
    assert not _is_marked(stage)
    anna.pay(DOLLAR)


def test_a_worker_that_runs_opens_a_hub_that_was_marked_beside_it(stage: Stage) -> None:
    anna = stage.payer()
    with stage.hub.db.write() as session:
        restoration.mark(session, "another process has found it out", stage.clock.now())
    stage.later(2)
    assert_problem(anna.try_to_pay(DOLLAR), "reconciling", 503)
    stage.confirm()
    assert not _is_marked(stage)
    anna.pay(DOLLAR)


def test_what_was_missed_is_read_to_its_end_before_a_payment_counts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payer's withdrawal may stand in the last block of an outage."""
    monkeypatch.setattr(watcher, "MAX_BLOCKS", 5)
    anna = stage.payer()
    stage.later(stage.hub.settings.withdraw_delay_s)
    stage.chain.mine(20)
    for _ in range(3):
        stage.tick()
        assert_problem(anna.try_to_pay(DOLLAR), "chain-view-too-old", 503)
    stage.confirm()
    stage.later(2)
    anna.pay(DOLLAR)


def test_where_blocks_come_by_themselves_a_node_without_new_ones_is_not_heard_from(stage: Stage) -> None:
    stage.payer()
    hub = stage.hub

    def heard_after(*, may_stand_still: bool) -> bool:
        before = stage.rows("SELECT read_at FROM chain_cursor")
        stage.later(60)
        watcher.index(hub.db, hub.node, hub.contracts, hub.clock, hub.settings.depth, may_stand_still=may_stand_still)
        return stage.rows("SELECT read_at FROM chain_cursor") != before

    assert heard_after(may_stand_still=True)
    assert not heard_after(may_stand_still=False)
    stage.chain.mine(1)
    assert heard_after(may_stand_still=False)


def test_in_doubt_no_payout_is_ordered(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    stage.settle()
    stage.write("UPDATE chain_cursor SET doubtful_until = block_number + 100")
    before = stage.row_counts()
    assert_problem(cafe.order_payout(DOLLAR), "chain-view-too-old", 503)
    assert stage.row_counts() == before
    stage.write("UPDATE chain_cursor SET doubtful_until = NULL")
    assert cafe.order_payout(DOLLAR).status_code == 202


def test_by_hand_only_what_does_not_end_by_itself_is_cleared_and_that_is_kept(stage: Stage) -> None:
    with stage.hub.db.write() as session:
        for name in (alarms.DEEP_REORG, alarms.NONCE_USED_ELSEWHERE):
            alarms.raise_(session, name, "a test", stage.clock.now())

    def clear(name: str) -> tuple[int, str]:
        return run_here("alarms", "--clear", name, environment=stage.environment)

    code, output = clear(alarms.DEEP_REORG)
    assert (code, "ends by itself" in output) == (2, True), output
    code, output = clear("nonsense")
    assert (code, "there is no alarm nonsense" in output) == (2, True), output
    assert clear(alarms.NONCE_USED_ELSEWHERE)[0] == 1, "the other one is still on"
    assert stage.alarms().keys() == {alarms.DEEP_REORG}
    assert stage.rows("SELECT operator, action, ref FROM operator_action") == [
        ("cli", "alarm.cleared", alarms.NONCE_USED_ELSEWHERE)
    ]
