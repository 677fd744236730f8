"""The node goes away: payments go on, settlement waits; and a node on another chain is not listened to."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from taesan.chain.deployment import WrongChain, deploy
from taesan.chain.rpc import Node, NodeUnavailable
from taesan.chain.signers import KeySigner
from taesan.hub import open_hub
from tests.support.chain import ARTIFACTS, Chain
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, key
from tests.support.wallet import Wallet


def test_payments_are_accepted_while_the_node_is_away_and_settled_when_it_is_back(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    with stage.node_away():
        anna.pay(DOLLAR)
        anna.pay(2 * DOLLAR, cafe)
        stage.later(120)
        stage.tick(5)
        overview = stage.get("/v1/overview")
        assert overview["chain"]["node"] == "down"
        assert (overview["counts"]["payments"], overview["counts"]["payments_settled"]) == (2, 0)
        assert stage.client.get("/").status_code == 200
        assert stage.client.get("/healthz").status_code == 200
        # Nothing is frozen that could not be sent: one larger batch is cheaper than two.
        assert stage.batch_states() == []
        anna.pay(CENT)
    assert stage.get("/v1/overview")["chain"]["node"] == "up"
    stage.settle()
    assert stage.batch_states() == ["posted"]
    assert stage.gift_tokens(anna.address) == DOLLAR
    assert stage.audit().differences == []


@pytest.mark.parametrize("language", ["ko", "en"])
def test_what_needs_the_node_says_so_and_stores_nothing(stage: Stage, language: str) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR)
    stage.settle()
    headers = cafe.headers | key() | {"Accept-Language": language}
    body = anna.wallet.redemption(stage.facts, cafe.address, DOLLAR)
    before = stage.row_counts()
    with stage.node_away():
        answer = stage.client.post("/v1/redemptions", json=body, headers=headers)
        assert_problem(answer, "node-unavailable", 503)
        assert int(answer.headers["retry-after"]) > 0
    assert stage.row_counts() == before
    assert stage.client.post("/v1/redemptions", json=body, headers=headers).status_code == 202


def test_a_deposit_is_taken_in_and_waits_for_the_node(stage: Stage) -> None:
    anna = stage.payer(DOLLAR)
    stage.chain.give_dollars(anna.address, DOLLAR)
    with stage.node_away():
        body = {"config": anna.config, "deposit": anna.wallet.deposit(stage.facts, anna.config, DOLLAR)}
        answer = stage.client.post("/v1/channels", json=body, headers=key())
        assert answer.status_code == 202
        stage.tick(3)
        deposit = f"/v1/deposits/{answer.json()['deposit']['id']}"
        assert stage.get(deposit)["state"] == "received"
    stage.confirm()
    assert stage.get(deposit)["state"] == "confirmed"
    assert anna.channel()["available"] == str(2 * DOLLAR)


def test_an_answer_that_was_lost_sends_nothing_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node takes the transaction and dies before it can say so."""
    anna = stage.payer()
    anna.pay(DOLLAR)
    send = stage.hub.node.send_raw
    sent: list[bytes] = []

    def send_and_be_lost(raw: bytes) -> None:
        sent.append(raw)
        send(raw)
        raise NodeUnavailable("lost")

    with monkeypatch.context() as patch:
        patch.setattr(stage.hub.node, "send_raw", send_and_be_lost)
        stage.later(61)
        stage.tick()
        assert stage.rows("SELECT state FROM chain_transaction WHERE kind = 'batch'") == [("signed",)]
        stage.tick()
    assert (len(sent), len(set(sent))) == (2, 1)
    stage.confirm()
    assert stage.batch_states() == ["posted"]
    assert stage.rows("SELECT count(*) FROM chain_transaction WHERE kind = 'batch'") == [(1,)]
    assert stage.audit().differences == []


def test_a_transaction_that_no_pool_kept_is_sent_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = stage.payer()
    anna.pay(DOLLAR)
    with monkeypatch.context() as patch:
        patch.setattr(stage.hub.node, "send_raw", lambda raw: None)  # swallowed
        stage.later(61)
        stage.tick(3)
    assert stage.batch_states() == ["broadcast"]
    stage.confirm()
    assert stage.batch_states() == ["broadcast"], "it may still come: no haste"
    stage.later(16)
    stage.confirm()
    assert stage.batch_states() == ["posted"]
    assert stage.audit().differences == []


# ------------------------------------------------------------- the wrong chain


@pytest.fixture(scope="module")
def other_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Same chain id, same addresses, another genesis: as after a local chain was wiped and the contracts deployed anew."""
    chain = Chain(tmp_path_factory.mktemp("other"), "--timestamp=1700000000")
    yield chain
    chain.stop()


def test_a_chain_that_was_wiped_and_deployed_anew_is_refused(stage: Stage, other_chain: Chain) -> None:
    assert other_chain.deployment == stage.chain.deployment
    with pytest.raises(WrongChain, match=r"belongs to another chain.*genesis_hash.*new TAESAN_DATABASE_URL"):
        open_hub(stage.settings, node=Node(other_chain.url))
    open_hub(stage.settings).db.close()


def test_a_chain_that_was_wiped_is_refused(stage: Stage, other_chain: Chain) -> None:
    with other_chain.undone():
        for role in ("asset", "channels", "settlement"):
            other_chain.ask("anvil_setCode", getattr(other_chain.deployment, role), "0x")
        with pytest.raises(WrongChain, match=r"no contract at .* was the chain wiped\? .*taesan deploy"):
            open_hub(stage.settings, node=Node(other_chain.url))


def test_a_wiped_chain_that_is_shorter_than_the_deployment_is_refused_as_well(
    stage: Stage, other_chain: Chain, tmp_path: Path
) -> None:
    later = dataclasses.replace(stage.chain.deployment, block_number=10_000)
    later.save(stage.settings.deployment_file)
    with pytest.raises(WrongChain):
        open_hub(stage.settings, node=Node(other_chain.url))


def test_a_deployment_file_of_another_chain_is_refused(stage: Stage) -> None:
    dataclasses.replace(stage.chain.deployment, chain_id=1).save(stage.settings.deployment_file)
    with pytest.raises(WrongChain, match="is on chain 31337, the deployment file names chain 1"):
        open_hub(stage.settings)


def test_other_contracts_on_the_same_chain_are_refused(stage: Stage) -> None:
    deploy(Node(stage.chain.url), KeySigner(stage.settings.operator_key), ARTIFACTS).save(
        stage.settings.deployment_file
    )
    with pytest.raises(WrongChain, match=r"other contracts.*settlement: 0x"):
        open_hub(stage.settings)


def test_an_operator_key_that_cannot_settle_is_refused(stage: Stage) -> None:
    settings = stage.settings.model_copy(update={"operator_key": SecretStr("0x" + "17" * 32)})
    with pytest.raises(WrongChain, match=r"the operator's key, is not a settler of 0x.*grantRole"):
        open_hub(settings)


@pytest.mark.parametrize(
    ("role", "other"), [("channels", "settlement"), ("asset", "gift_token"), ("gift_token", "asset")]
)
def test_a_deployment_file_that_does_not_fit_together_is_refused(stage: Stage, role: str, other: str) -> None:
    """Payments would be accepted that can never be settled."""
    deployment = stage.chain.deployment
    dataclasses.replace(deployment, **{role: getattr(deployment, other)}).save(stage.settings.deployment_file)
    fresh = stage.settings.model_copy(update={"database_url": f"sqlite:///{stage.folder / 'fresh.db'}"})
    with pytest.raises(WrongChain, match="does not fit together"):
        open_hub(fresh)


def test_a_token_whose_amounts_the_books_cannot_hold_is_refused(stage: Stage) -> None:
    token = stage.chain.deploy("GiftToken", "Wei Dollar", "WUSD", 18)
    node = Node(stage.chain.url)
    deploy(node, KeySigner(stage.settings.operator_key), ARTIFACTS, asset=token.address).save(
        stage.settings.deployment_file
    )
    fresh = stage.settings.model_copy(update={"database_url": f"sqlite:///{stage.folder / 'fresh.db'}"})
    with pytest.raises(WrongChain, match="WUSD has 18 decimals"):
        open_hub(fresh)


def test_a_node_that_is_down_makes_no_database(stage: Stage, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'taesan.db'}"
    settings = stage.settings.model_copy(update={"database_url": url})
    with pytest.raises(NodeUnavailable, match=r"no answer from the node at http://127.0.0.1:1"):
        open_hub(settings, node=Node("http://127.0.0.1:1"))
    assert not (tmp_path / "new").exists()


def test_events_of_strangers_are_nothing_to_us(stage: Stage) -> None:
    """Other contracts of the same kind on the same chain."""
    other = deploy(Node(stage.chain.url), KeySigner(stage.settings.operator_key), ARTIFACTS)
    stage.restart()
    eve = Wallet()
    stage.confirm()
    before = stage.row_counts()
    contract = stage.chain.web3.eth.contract(address=other.asset, abi=stage.chain.contracts.asset.abi)
    stage.chain.send_to(eve.key, contract, "mint", eve.address, DOLLAR)
    stage.confirm()
    assert stage.row_counts()["outbox_event"] == before["outbox_event"]
    assert stage.audit().differences == []
