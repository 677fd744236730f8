"""The operator's key: it runs out of money, it is used elsewhere, a nonce has no transaction."""

import pytest

from taesan.settings import DEV_OPERATOR_KEY
from tests.support.stage import DOLLAR, Payer, Stage, StageFactory

pytestmark = pytest.mark.database("sqlite", "postgresql")
ETHER = 10**18


@pytest.fixture
def anna(stage: Stage) -> Payer:
    return stage.payer()


def set_balance(stage: Stage, wei: int) -> None:
    stage.chain.ask("anvil_setBalance", stage.hub.signer.address, hex(wei))


def assert_settled(stage: Stage) -> None:
    assert set(stage.batch_states()) == {"posted"}
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE state NOT IN ('confirmed', 'reverted')") == [(0,)]
    ((nonce,),) = stage.rows("SELECT next_nonce FROM signer_account")
    assert nonce == stage.hub.node.next_nonce(stage.hub.signer.address), "no gap"
    assert stage.audit().differences == []


# ------------------------------------------------------------------------- money


def test_with_too_little_for_gas_nothing_is_signed_until_there_is_more(stage: Stage, anna: Payer) -> None:
    anna.pay(DOLLAR)
    before = stage.rows("SELECT count(*) FROM chain_transaction")
    set_balance(stage, ETHER // 1_000)
    stage.later(61)
    stage.tick(3)
    assert str(ETHER // 1_000) in stage.alarms()["signer-balance-low"]
    assert stage.rows("SELECT count(*) FROM chain_transaction") == before
    anna.pay(DOLLAR)
    anna.deposit_directly(DOLLAR)
    stage.confirm()
    assert anna.channel()["available"] == str(9 * DOLLAR), "what others bring to the chain is read"
    set_balance(stage, ETHER)
    stage.later(11)
    stage.confirm()
    assert stage.alarms() == {}
    assert_settled(stage)


def test_an_alarm_is_told_once_and_when_it_is_over(
    stage: Stage, anna: Payer, capsys: pytest.CaptureFixture[str]
) -> None:
    set_balance(stage, 1)
    for _ in range(3):
        stage.later(11)
        stage.tick()
    set_balance(stage, ETHER)
    for _ in range(2):
        stage.later(11)
        stage.tick()
    told = capsys.readouterr().out
    assert told.count("alarm.raised") == told.count("alarm.cleared") == 1


def test_a_node_that_finds_too_little_money_pauses_too(open_stage: StageFactory) -> None:
    stage = open_stage(signer_balance_min_gwei=0)
    anna = stage.payer()
    anna.pay(DOLLAR)
    set_balance(stage, 10**9)
    stage.later(61)
    stage.tick()
    assert "nsufficient funds" in stage.alarms()["signer-balance-low"]
    assert stage.batch_states() == ["broadcast"]
    stage.later(11)
    stage.tick()
    assert "signer-balance-low" in stage.alarms(), "it has more than the least, and still not enough"
    set_balance(stage, ETHER)
    stage.later(16)
    stage.confirm()
    stage.later(11)
    stage.confirm()
    assert stage.alarms() == {}
    assert_settled(stage)
    assert stage.rows(
        "SELECT count(*) FROM chain_attempt a JOIN chain_transaction t ON t.id = a.transaction_id "
        "WHERE t.kind = 'batch'"
    ) == [(1,)]


# ------------------------------------------------------------------------ nonces


def test_who_has_used_a_nonce_is_told(stage: Stage, anna: Payer, monkeypatch: pytest.MonkeyPatch) -> None:
    anna.pay(DOLLAR)
    with monkeypatch.context() as patch:
        patch.setattr(stage.hub.node, "send_raw", lambda raw: None)
        stage.later(61)
        stage.tick(2)
    receipt = stage.chain.send(DEV_OPERATOR_KEY, "asset", "mint", anna.address, 1)
    stage.chain.mine(7)
    for _ in range(3):
        stage.later(20)
        stage.confirm()
    assert receipt["transactionHash"].hex() in stage.alarms()["nonce-used-elsewhere"]
    assert_settled(stage)
    stage.later(20)
    stage.confirm()
    assert "nonce-used-elsewhere" in stage.alarms(), "a person has to say that it is over"


def test_a_key_that_was_used_while_nothing_waited_is_noticed(stage: Stage, anna: Payer) -> None:
    for _ in range(3):
        stage.chain.send(DEV_OPERATOR_KEY, "asset", "mint", anna.address, 1)
    anna.pay(DOLLAR)
    stage.settle()
    assert "used elsewhere" in stage.alarms()["nonce-used-elsewhere"]
    assert_settled(stage)
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE state = 'reverted'") == [(0,)]


def test_a_nonce_that_waits_in_the_pool_is_not_used_again(stage: Stage, anna: Payer) -> None:
    anna.pay(DOLLAR)
    with stage.chain.mining_paused():
        stage.chain.send_later(DEV_OPERATOR_KEY, "asset", "mint", anna.address, 1)
        stage.later(61)
        stage.tick(2)
        ((nonce,),) = stage.rows("SELECT nonce FROM chain_transaction WHERE kind = 'batch'")
        assert nonce == stage.hub.node.next_nonce(stage.hub.signer.address) + 1
    stage.chain.mine()
    stage.confirm()
    assert_settled(stage)


def test_what_the_pool_has_dropped_is_sent_again_as_it_was(stage: Stage, anna: Payer) -> None:
    anna.pay(DOLLAR)
    stage.later(61)
    with stage.chain.mining_paused():
        stage.tick(2)
        (sent,) = stage.rows("SELECT hash FROM chain_transaction WHERE kind = 'batch'")
        stage.chain.ask("anvil_dropTransaction", sent[0])
    stage.chain.mine()
    stage.later(16)
    stage.confirm()
    assert stage.rows("SELECT hash FROM chain_transaction WHERE kind = 'batch'") == [sent]
    assert_settled(stage)


def test_a_nonce_without_a_transaction_is_filled_after_a_while(stage: Stage, anna: Payer) -> None:
    """It was given out, and what had it is lost."""
    stage.write("UPDATE signer_account SET next_nonce = next_nonce + 2")
    anna.pay(DOLLAR)
    stage.later(61)
    stage.tick(3)
    stage.confirm()
    assert stage.batch_states() == ["broadcast"], "it waits for two that nobody has"
    stage.later(61)
    stage.confirm()
    assert stage.rows("SELECT count(*), min(state) FROM chain_transaction WHERE kind = 'gap'") == [(2, "confirmed")]
    assert_settled(stage)
    assert stage.alarms() == {}


def test_a_nonce_whose_transaction_others_still_have_is_not_filled(stage: Stage, anna: Payer) -> None:
    """As after a restart on an older database: the pool knows what this database has forgotten."""
    anna.pay(DOLLAR)
    with stage.chain.mining_paused():
        stage.chain.send_later(DEV_OPERATOR_KEY, "asset", "mint", anna.address, 1)
        stage.write("UPDATE signer_account SET next_nonce = next_nonce + 1")
        for _ in range(4):
            stage.later(61)
            stage.tick()
        assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'gap'") == [(0,)]
    stage.chain.mine()
    stage.confirm()
    assert_settled(stage)
