"""Fees rise while a transaction waits: the same call is offered at more, and is mined once, whichever attempt it is."""

from typing import Any

import pytest
from eth_account.typed_transactions import TypedTransaction
from hexbytes import HexBytes
from pydantic import SecretStr

from taesan.chain.rpc import NodeUnavailable
from taesan.chain.sender import Following
from taesan.chain.signers import KeySigner
from tests.support.stage import DEPTH, DOLLAR, Payer, Stage, StageFactory

pytestmark = pytest.mark.database("sqlite", "postgresql")

GWEI = 10**9


@pytest.fixture
def anna(stage: Stage) -> Payer:
    """With a payment that is due to be settled."""
    anna = stage.payer()
    anna.pay(DOLLAR)
    stage.later(61)
    return anna


def attempts(stage: Stage) -> list[Any]:
    """(hash, raw) of the batch's transactions, oldest first."""
    return stage.rows(
        "SELECT a.hash, a.raw FROM chain_attempt a JOIN chain_transaction t ON t.id = a.transaction_id "
        "WHERE t.kind = 'batch' ORDER BY a.made_at"
    )


def fees(found: list[Any]) -> list[int]:
    """What the attempts offer, wei a gas."""
    return [TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["maxFeePerGas"] for _, raw in found]


def outbid(stage: Stage, factor: int = 20) -> None:
    """Blocks go by that take in nobody who offers as little as we did."""
    stage.chain.set_base_fee(stage.chain.base_fee() * factor)


def assert_settled_once(stage: Stage, anna: Payer) -> None:
    stage.confirm()
    assert stage.batch_states() == ["posted"]
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'batch'") == [(1,)]
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


def test_a_transaction_that_was_outbid_is_offered_at_more(stage: Stage, anna: Payer) -> None:
    with stage.chain.mining_paused():
        stage.tick(2)
        outbid(stage)
        stage.tick()
        assert len(attempts(stage)) == 1, "it may still be taken: no haste"
        stage.later(61)
        stage.tick()
    (before, _), (now, _) = attempts(stage)
    assert_settled_once(stage, anna)
    assert stage.rows("SELECT hash FROM chain_transaction WHERE kind = 'batch'") == [(now,)]
    assert stage.get("/v1/batches/1")["transaction"] == now
    assert stage.chain.web3.eth.get_transaction_receipt(now)["status"] == 1
    assert stage.chain.ask("eth_getTransactionReceipt", before) is None


def test_both_fees_rise_by_what_pools_ask(stage: Stage, anna: Payer) -> None:
    with stage.chain.mining_paused():
        stage.tick(2)
        stage.later(61 * 5)
        stage.tick()
        (before, _), (now, _) = attempts(stage)
        replaced = stage.chain.ask("eth_getTransactionByHash", before)
        replacing = stage.chain.ask("eth_getTransactionByHash", now)
    assert replaced is None, "the pool has taken the other for it"
    assert replacing is not None
    assert_settled_once(stage, anna)


def test_the_older_attempt_may_be_the_one_that_is_mined(stage: Stage, anna: Payer) -> None:
    with stage.chain.mining_paused():
        stage.tick(2)
        stage.later(61 * 5)
        stage.tick()
        (before, raw), (now, _) = attempts(stage)
        stage.chain.ask("anvil_dropTransaction", now)
        stage.chain.web3.eth.send_raw_transaction(bytes(raw))
        stage.chain.mine()
    assert_settled_once(stage, anna)
    assert stage.rows("SELECT hash FROM chain_transaction WHERE kind = 'batch'") == [(before,)]
    assert stage.get("/v1/batches/1")["transaction"] == before


def test_more_is_offered_than_by_the_newest_attempt_whichever_was_mined_before(stage: Stage, anna: Payer) -> None:
    """An older attempt was mined and fell out again: at more than it offered there is one already."""
    with stage.chain.mining_paused():
        stage.tick(2)
        stage.later(61 * 5)
        stage.tick()
        (before, _), (now, _) = attempts(stage)
        for hash_ in (before, now):
            stage.chain.ask("anvil_dropTransaction", hash_)
        stage.write(f"UPDATE chain_transaction SET hash = '{before}' WHERE hash = '{now}'")
        stage.later(61 * 5)
        stage.tick()
        first, second, third = fees(attempts(stage))
        assert first < second < third
    assert_settled_once(stage, anna)


def test_what_was_relayed_is_found_by_whichever_attempt_was_mined(stage: Stage, anna: Payer) -> None:
    stage.confirm()
    stage.chain.give_dollars(anna.address, DOLLAR)
    with stage.chain.mining_paused():
        anna.deposit(DOLLAR)
        stage.tick(2)
        stage.later(61 * 5)
        stage.tick()
    stage.confirm()
    deposits = stage.rows(
        "SELECT d.state, count(*) FROM deposit_relay d JOIN chain_attempt a ON a.transaction_id = d.transaction_id "
        "GROUP BY d.id ORDER BY d.id"
    )
    assert deposits == [("confirmed", 1), ("confirmed", 2)]
    assert stage.audit().differences == []


def test_a_hub_that_dies_before_it_could_send_the_next_offer_sends_it_later(
    stage: Stage, anna: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(raw: bytes) -> None:
        raise NodeUnavailable("gone")

    with stage.chain.mining_paused():
        stage.tick(2)
        outbid(stage)
        stage.later(61)
        with monkeypatch.context() as patch:
            patch.setattr(stage.hub.node, "send_raw", cut_off)
            stage.tick()
        stored = attempts(stage)
        assert len(stored) == 2
        stage.restart()
        stage.tick()
        assert attempts(stage) == stored
    assert_settled_once(stage, anna)
    assert stage.rows("SELECT hash FROM chain_transaction WHERE kind = 'batch'") == [(stored[1][0],)]


def test_at_the_ceiling_the_same_bytes_go_on_and_somebody_is_told(open_stage: StageFactory) -> None:
    stage = open_stage(max_fee_per_gas_gwei=3)
    anna = stage.payer()
    anna.pay(DOLLAR)
    stage.later(61)
    with stage.chain.mining_paused():
        stage.tick(2)
        stage.chain.set_base_fee(100 * GWEI)
        for _ in range(20):
            stage.later(61)
            stage.tick()
        offered = attempts(stage)
        assert "ceiling" in stage.alarms()["fee-ceiling-reached"]
        assert all(fee <= 3 * GWEI for fee in fees(offered))
        stage.later(61)
        stage.tick()
        assert attempts(stage) == offered
        stage.chain.set_base_fee(GWEI)
    stage.later(16)
    assert_settled_once(stage, anna)
    assert stage.alarms() == {}


def test_what_another_key_has_signed_is_sent_and_not_raised(stage: Stage, anna: Payer) -> None:
    """The operator has a new key, and the old one's last transaction waits."""
    hub, other = stage.hub, KeySigner(SecretStr("0x" + "17" * 32))
    with stage.chain.mining_paused():
        stage.tick(2)
        outbid(stage)
        stage.later(61)
        assert Following(hub.db, hub.node, other, hub.clock, DEPTH, hub.bidding).step()
        assert len(attempts(stage)) == 1


def test_fees_that_rise_twice_are_followed_twice(stage: Stage, anna: Payer) -> None:
    with stage.chain.mining_paused():
        stage.tick(2)
        for _ in range(2):
            outbid(stage)
            stage.later(61)
            stage.tick()
    assert len(attempts(stage)) == 3
    offered = fees(attempts(stage))
    assert offered == sorted(set(offered))
    assert_settled_once(stage, anna)
