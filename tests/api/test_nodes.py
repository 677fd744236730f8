"""Several nodes behind the hub: one fails, another is asked; they disagree, nothing is booked; a stranger is refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from taesan.chain.deployment import WrongChain
from taesan.chain.nodes import LAG_BLOCKS, Nodes, connect
from taesan.chain.rpc import Node, NodeUnavailable
from taesan.hub import open_hub
from tests.support.chain import BareChain, Chain
from tests.support.stage import DEPTH, DOLLAR, Stage, StageFactory

DEAD = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareChain]:
    """A node with the same chain id and another genesis."""
    chain = BareChain(tmp_path_factory.mktemp("stranger"), "--timestamp=1700000000")
    yield chain
    chain.stop()


@pytest.fixture
def twice(open_stage: StageFactory, chain: Chain) -> Stage:
    """A hub with two names for its node, as if there were two."""
    return open_stage(rpc_url=f"{chain.url}, {chain.url.replace('127.0.0.1', 'localhost')}")


def nodes_of(stage: Stage) -> Any:
    assert isinstance(stage.hub.node, Nodes)
    return stage.hub.node._nodes


def kill(node: Node) -> None:
    node.web3.provider.endpoint_uri = DEAD  # type: ignore[attr-defined]


def test_one_endpoint_is_a_node_and_several_are_nodes() -> None:
    assert type(connect(DEAD)) is Node
    assert connect(f"{DEAD}, http://user:secret@127.0.0.1:2/key").name == "http://127.0.0.1:1, http://127.0.0.1:2"


def test_a_hub_whose_first_node_is_dead_works_on_the_second(open_stage: StageFactory, chain: Chain) -> None:
    stage = open_stage(rpc_url=f"{DEAD},{chain.url}")
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR)
    anna.pay(2 * DOLLAR, cafe)
    stage.settle()
    assert stage.batch_states() == ["posted"]
    assert stage.audit().differences == []


def test_a_node_that_dies_on_the_way_is_replaced_by_the_other(twice: Stage) -> None:
    anna = twice.payer()
    anna.pay(DOLLAR)
    twice.later(61)
    kill(nodes_of(twice)[0])
    twice.confirm()
    assert twice.batch_states() == ["posted"]
    assert twice.get("/v1/overview")["chain"]["node"] == "up"


def test_one_that_failed_is_asked_last_for_a_while(twice: Stage) -> None:
    first, second = nodes_of(twice)
    kill(first)
    twice.hub.node.head()
    asked: list[Node] = []
    for node in (first, second):
        node._ask = lambda question, node=node, ask=node._ask: (asked.append(node), ask(question))[1]
    twice.hub.node.head()
    assert asked == [second]


def test_one_that_answers_and_stands_still_is_not_believed(
    twice: Stage, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes_of(twice)
    still = first.head()
    monkeypatch.setattr(first, "head", lambda: still)
    chain.mine(LAG_BLOCKS)
    assert twice.hub.node.head()["number"] == second.head()["number"]
    assert twice.hub.node._in_order()[0] is first, "it is a little late, no more"  # type: ignore[attr-defined]
    chain.mine(1)
    assert twice.hub.node.head()["number"] == second.head()["number"]
    assert twice.hub.node._in_order()[0] is second  # type: ignore[attr-defined]


def test_when_none_answers_that_is_said(twice: Stage) -> None:
    for node in nodes_of(twice):
        kill(node)
    with pytest.raises(NodeUnavailable, match=r"no answer from the node at http://127\.0\.0\.1"):
        twice.hub.node.head()
    with pytest.raises(NodeUnavailable):
        twice.hub.node.send_raw(b"\x02")


def test_a_transaction_goes_to_all_of_them(twice: Stage) -> None:
    told: list[Node] = []
    for node in nodes_of(twice):
        node.send_raw = lambda raw, node=node, send=node.send_raw: (told.append(node), send(raw))[1]
    anna = twice.payer()
    assert told == nodes_of(twice)
    assert anna.channel()["available"] == str(10 * DOLLAR)


def test_one_that_lags_behind_is_not_believed_that_nothing_has_happened(
    twice: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the newest block, but one of the machines behind it has not got it yet."""
    anna, known = twice.payer(), twice.chain.head()
    anna.deposit_directly(DOLLAR)
    eth = nodes_of(twice)[0].web3.eth
    get_block = eth.get_block

    def lagging(which: Any) -> Any:
        if which != "latest" and which > known:
            raise ValueError("header not found")
        return get_block(which)

    monkeypatch.setattr(eth, "get_block", lagging)
    monkeypatch.setattr(eth, "get_logs", lambda query: [])
    twice.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)


def test_while_they_disagree_nothing_is_booked(twice: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = twice.payer()
    anna.deposit_directly(DOLLAR)
    second = nodes_of(twice)[1]
    true_block = second.block
    with monkeypatch.context() as patch:
        patch.setattr(second, "block", lambda number: {**true_block(number), "hash": bytes(32)})
        twice.chain.mine(DEPTH)
        twice.tick(3)
        assert anna.channel()["available"] == str(10 * DOLLAR)
        assert "disagree on block" in twice.alarms()["nodes-disagree"]
    twice.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)
    assert twice.alarms() == {}


def test_one_that_is_down_has_no_say_in_it(twice: Stage) -> None:
    anna = twice.payer()
    anna.deposit_directly(DOLLAR)
    kill(nodes_of(twice)[1])
    twice.confirm()
    assert anna.channel()["available"] == str(11 * DOLLAR)
    assert twice.alarms() == {}


# --------------------------------------------------------------------- strangers


@pytest.mark.parametrize("at_first", [False, True])
def test_a_node_on_another_chain_is_refused_at_the_start(stage: Stage, stranger: BareChain, at_first: bool) -> None:
    urls = [stranger.url, stage.chain.url] if at_first else [stage.chain.url, stranger.url]
    settings = stage.settings.model_copy(update={"rpc_url": ",".join(urls)})
    with pytest.raises(WrongChain, match=r"different chains: at http://127.0.0.1:\d+ block 0 is 0x"):
        open_hub(settings)


def test_a_node_on_another_chain_that_comes_up_later_is_not_listened_to(stage: Stage, stranger: BareChain) -> None:
    nodes = Nodes([DEAD, stage.chain.url])
    head = nodes.head()
    nodes._nodes[0].web3.provider.endpoint_uri = stranger.url  # type: ignore[attr-defined]
    nodes._resting.clear()
    assert nodes.head() == head
    assert nodes.endpoints() == nodes._nodes
    nodes.require_agreement(0)
