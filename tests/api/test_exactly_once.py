"""Each accepted payment is settled once: over crashes at any step, two workers, lost leases and reorganisations."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from web3.logs import DISCARD

from taesan.chain.rpc import NodeUnavailable
from taesan.core.worker import LEASE_S, Worker
from taesan.hub import Hub, open_hub
from taesan.work import build_worker
from tests.support.stage import CENT, DEPTH, DOLLAR, Merchant, Payer, Stage

pytestmark = pytest.mark.database("sqlite", "postgresql")


def settled_on_chain(stage: Stage) -> list[int]:
    """The ids of all batches that the contract has settled, in order."""
    contract = stage.chain.contracts.settlement
    events = stage.chain.web3.eth.contract(address=contract.address, abi=contract.abi).events.BatchSettled()
    logs = stage.chain.web3.eth.get_logs({"address": contract.address, "fromBlock": 0})
    return [e["args"]["batchId"] for log in logs for e in events.process_receipt({"logs": [log]}, errors=DISCARD)]


def assert_settled_once(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    batches = stage.batch_states()
    assert batches
    assert set(batches) == {"posted"}
    assert settled_on_chain(stage) == list(range(1, len(batches) + 1))
    booked = stage.rows("SELECT count(*) FROM journal_entry WHERE ref LIKE 'batch:%'")
    assert booked == [(len(batches),)]
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert cafe.account()["credit"] == str(2 * DOLLAR)
    assert stage.audit().differences == []


@pytest.fixture
def anna(stage: Stage) -> Payer:
    return stage.payer()


@pytest.fixture
def cafe(stage: Stage, anna: Payer) -> Merchant:
    """With payments of Anna's that wait to be settled."""
    cafe = stage.merchant()
    anna.pay(DOLLAR)
    anna.pay(2 * DOLLAR, cafe)
    stage.later(61)
    return cafe


# ------------------------------------------------------------------ one process dies


def test_a_service_that_dies_after_every_single_step_settles_once(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    names = list(stage.worker.steps)
    for _ in range(2):
        for name in names:
            stage.worker.steps[name]()
            stage.restart()
        stage.chain.mine(DEPTH)
    assert_settled_once(stage, anna, cafe)


def test_a_service_that_dies_at_every_commit_settles_once(
    stage: Stage, anna: Payer, cafe: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a transaction of a step is committed, each time another one."""
    cuts = 0
    for round_ in range(90):
        write, countdown = type(stage.hub.db).write, [round_ % 3]

        def dying(db: Any, write: Callable[..., Any] = write, countdown: list[int] = countdown) -> Any:
            countdown[0] -= 1
            return _Rollback(write(db)) if countdown[0] < 0 else write(db)

        with monkeypatch.context() as patch:
            patch.setattr(type(stage.hub.db), "write", dying)
            for step in stage.worker.steps.values():
                try:
                    step()
                except _PowerCut:
                    cuts += 1
                    break
        if round_ % 4 == 3:
            stage.chain.mine(DEPTH)
    assert cuts > 15
    stage.confirm()
    assert_settled_once(stage, anna, cafe)


class _PowerCut(Exception):
    pass


class _Rollback:
    """A transaction that does everything and is not committed."""

    def __init__(self, transaction: Any) -> None:
        self.transaction = transaction

    def __enter__(self) -> Any:
        return self.transaction.__enter__()

    def __exit__(self, *error: object) -> bool:
        cut = error[1] or _PowerCut()
        with contextlib.suppress(_PowerCut):
            self.transaction.__exit__(type(cut), cut, None)
        raise cut  # type: ignore[misc]


def test_a_transaction_that_was_stored_and_not_sent_is_sent_after_the_restart(
    stage: Stage, anna: Payer, cafe: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(raw: bytes) -> None:
        raise NodeUnavailable("gone")

    monkeypatch.setattr(stage.hub.node, "send_raw", cut_off)
    stage.tick()
    ((hash_, state, nonce),) = stage.rows("SELECT hash, state, nonce FROM chain_transaction WHERE kind = 'batch'")
    assert state == "signed"
    stage.restart()
    stage.confirm()
    assert_settled_once(stage, anna, cafe)
    assert stage.rows("SELECT hash, nonce FROM chain_transaction WHERE kind = 'batch'") == [(hash_, nonce)]


# -------------------------------------------------------------------- two processes


def _second_hub(stage: Stage) -> Hub:
    return open_hub(stage.settings, stage.clock)


def test_two_workers_take_turns_by_lease(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    other = _second_hub(stage)
    second = build_worker(other)
    stage.tick()
    assert not second.tick(), "the lease is the first one's"
    states = stage.batch_states()
    for _ in range(3):
        second.tick()
    assert stage.batch_states() == states
    stage.later(LEASE_S + 1)
    for _ in range(4):
        second.tick()
        assert not stage.worker.tick(), "now it is the other way round"
        stage.chain.mine(DEPTH)
    other.db.close()
    assert_settled_once(stage, anna, cafe)


def test_two_workers_side_by_side_settle_once(stage: Stage, anna: Payer, cafe: Merchant) -> None:
    other = _second_hub(stage)
    workers = [stage.worker, build_worker(other)]
    errors: list[BaseException] = []

    def work(worker: Worker) -> None:
        try:
            for _ in range(15):
                worker.tick()
        except BaseException as error:
            errors.append(error)

    for _ in range(3):
        threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stage.chain.mine(DEPTH)
    assert not errors
    stage.later(LEASE_S + 1)
    stage.confirm()
    other.db.close()
    assert_settled_once(stage, anna, cafe)


@pytest.fixture
def overtaken(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Arms it: while the node thinks about our next question of gas the lease runs out, and another worker does all the
    work."""
    other = _second_hub(stage)
    second, ask = build_worker(other), stage.hub.node.gas_limit
    overtakings = []

    def slow(*arguments: Any) -> int:
        gas = ask(*arguments)
        if not overtakings:
            stage.later(LEASE_S + 1)
            overtakings.append(second.tick())
        return gas

    yield lambda: monkeypatch.setattr(stage.hub.node, "gas_limit", slow)
    assert overtakings == [True]
    other.db.close()


def test_a_worker_that_is_overtaken_while_it_signs_a_batch_does_not_sign_a_second(
    stage: Stage, anna: Payer, cafe: Merchant, overtaken: Callable[[], None]
) -> None:
    overtaken()
    stage.tick()
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'batch'") == [(1,)]
    stage.later(LEASE_S + 1)
    stage.confirm()
    assert_settled_once(stage, anna, cafe)


def test_a_worker_that_is_overtaken_while_it_relays_a_payout_does_not_pay_twice(
    stage: Stage, anna: Payer, cafe: Merchant, overtaken: Callable[[], None]
) -> None:
    stage.confirm()
    cafe.order_payout(50 * CENT)
    overtaken()
    stage.tick()
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'payouts'") == [(1,)]
    stage.later(LEASE_S + 1)
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", cafe.address) == 50 * CENT
    assert cafe.account()["credit"] == str(150 * CENT)
    assert stage.audit().differences == []


def test_a_worker_that_is_overtaken_while_it_relays_a_deposit_does_not_relay_it_twice(
    stage: Stage, anna: Payer, overtaken: Callable[[], None]
) -> None:
    anna.open_channel(DOLLAR)
    overtaken()
    stage.tick()
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE state != 'confirmed'") == [(1,)]
    stage.later(LEASE_S + 1)
    stage.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)
    assert stage.rows("SELECT DISTINCT state FROM deposit_relay") == [("confirmed",)]


# ---------------------------------------------------------------------- a clock that was wrong


def test_payments_by_a_clock_that_was_a_day_ahead_are_settled_when_it_is_right_again(stage: Stage, anna: Payer) -> None:
    cafe = stage.merchant()
    stage.later(86_400)
    stage.confirm()  # or its view of the chain would be a day old
    anna.pay(DOLLAR)
    anna.pay(2 * DOLLAR, cafe)
    stage.later(-86_400)
    stage.confirm()
    assert_settled_once(stage, anna, cafe)


# ------------------------------------------------------------------ the chain changes its mind


@pytest.mark.parametrize("depth", [1, 2])
def test_a_batch_that_falls_out_in_a_reorganisation_is_sent_again_and_booked_once(
    stage: Stage, anna: Payer, cafe: Merchant, depth: int
) -> None:
    stage.tick(2)
    stage.chain.mine(depth - 1)
    stage.tick()
    assert stage.batch_states() == ["mined"]
    stage.chain.reorganise(depth)
    assert settled_on_chain(stage) == []
    stage.tick()
    assert stage.batch_states() == ["broadcast"]
    assert settled_on_chain(stage) == [1], "and is in a block again at once"
    stage.confirm()
    assert_settled_once(stage, anna, cafe)
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'batch'") == [(1,)]


def test_a_deposit_that_falls_out_in_a_reorganisation_counts_once(stage: Stage, anna: Payer) -> None:
    anna.open_channel(DOLLAR)
    stage.tick(2)
    stage.chain.reorganise(1)
    stage.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)
    assert stage.audit().differences == []


def test_a_batch_that_waited_in_the_pool_over_a_reorganisation_is_booked_once(
    stage: Stage, anna: Payer, cafe: Merchant
) -> None:
    with stage.chain.mining_paused():
        stage.tick(2)
        assert stage.batch_states() == ["broadcast"]
        stage.chain.mine(1)
    stage.tick()
    for _ in range(3):
        stage.chain.reorganise(1)
        stage.tick(2)
    stage.confirm()
    assert_settled_once(stage, anna, cafe)


# ------------------------------------------------------------- somebody else uses the key


def test_an_operator_who_pauses_the_contract_by_hand_does_not_strand_the_hub(
    stage: Stage, anna: Payer, cafe: Merchant
) -> None:
    """The same key, outside the hub: the nonces that the hub had in mind are used up by others."""
    key = stage.settings.operator_key.get_secret_value()
    stage.chain.send(key, "settlement", "pause")
    stage.confirm()
    assert stage.batch_states() == ["frozen"]
    assert stage.get("/v1/batches/1")["last_error"] == "EnforcedPause()"
    stage.chain.send(key, "settlement", "unpause")
    for _ in range(3):
        stage.later(20)
        stage.confirm()
    assert_settled_once(stage, anna, cafe)
    assert stage.get("/v1/batches/1")["last_error"] is None


def test_a_nonce_that_somebody_used_first_is_noticed_and_the_batch_signed_anew(
    stage: Stage, anna: Payer, cafe: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stage.hub.node, "send_raw", lambda raw: None)
        stage.tick(2)
    assert stage.batch_states() == ["broadcast"]
    stage.chain.send(stage.settings.operator_key.get_secret_value(), "asset", "mint", anna.address, 1)
    for _ in range(3):
        stage.later(20)
        stage.confirm()
    assert_settled_once(stage, anna, cafe)


def test_a_payout_whose_nonce_somebody_used_is_paid_all_the_same(
    stage: Stage, anna: Payer, cafe: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is at fault: it has not failed, it is sent anew."""
    stage.confirm()
    ordered = cafe.order_payout(DOLLAR).json()
    with monkeypatch.context() as patch:
        patch.setattr(stage.hub.node, "send_raw", lambda raw: None)
        stage.tick(2)
    stage.chain.send(stage.settings.operator_key.get_secret_value(), "asset", "mint", anna.address, 1)
    for _ in range(3):
        stage.later(20)
        stage.confirm()
    assert stage.get(f"/v1/payouts/{ordered['id']}", **cafe.headers)["state"] == "paid"
    assert stage.chain.read("asset", "balanceOf", cafe.address) == DOLLAR
    assert stage.audit().differences == []
