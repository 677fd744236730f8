"""A small part of `make chaos`, and that its oracle sees what is wrong."""

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console
from rich.progress import Progress

from taesan.chain.errors import SendRefused
from taesan.chain.rpc import Node, NodeUnavailable
from tests.chaos import proxy
from tests.chaos.oracle import Verdict, judge
from tests.chaos.proxy import Proxy
from tests.chaos.registry import FAULTS, Fault
from tests.chaos.run import Lanes, Outcome, document, suffer
from tests.chaos.world import World
from tests.support import databases
from tests.support.chain import Chain


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World(tick_s=0.2)  # recovery is not measured here, and other tests want the cores
    yield world
    world.close()


def _named(text: str) -> Fault:
    """Once."""
    (found,) = (fault for fault in FAULTS if str(fault) == text)
    return replace(found, times=1)


def test_the_oracle_sees_what_is_wrong(world: World) -> None:
    """While the world is young: it looks at all that ever happened there."""
    world.traffic.go()
    world.wait_until(lambda: world.number("SELECT count(*) FROM entitlement") > 0, "a jar that has fired")
    world.wait_for_settlement()
    world.come_to_rest()
    assert judge(world) == Verdict()
    accepted, refused = world.traffic.accepted, world.traffic.refused
    paid = accepted[-1]

    accepted.append(replace(paid, id="pay_never", key="never"))
    assert (judge(world).lost, judge(world).doubled) == (1, 0)
    accepted.pop()
    accepted[-1] = replace(paid, cumulative=paid.cumulative + 1)
    assert judge(world).lost == 1
    accepted[-1] = paid
    refused.append((paid.channel, paid.key))
    assert any("refused payments" in what for what in judge(world).wrong)
    refused.pop()
    world.traffic.wrong.append("a client was told nonsense")
    assert judge(world).wrong == ["a client was told nonsense"]

    url = world.stage.settings.database_url
    for statement, what in (
        ("UPDATE signer_account SET next_nonce = next_nonce + {}", "next nonce"),
        ("UPDATE entitlement SET claimed = claimed + {}", "gift tokens minted less burned"),
        ("UPDATE balance SET amount = amount + {} WHERE account_id = 1", "balance of"),
    ):
        databases.execute(url, statement.format(1))
        assert any(what in wrong for wrong in judge(world).wrong), what
        databases.execute(url, statement.format(-1))
    assert judge(world) == Verdict()
    batch = world.number("SELECT max(id) FROM batch")
    databases.execute(url, f"UPDATE batch SET state = 'confirmed' WHERE id = {batch}")
    verdict = judge(world)
    assert verdict.lost == world.number("SELECT payment_count FROM batch WHERE id = :id", id=batch)
    assert any("batches settled on chain" in what for what in verdict.wrong)
    databases.execute(url, f"UPDATE batch SET state = 'posted' WHERE id = {batch}")


@pytest.mark.parametrize(
    "name",
    [
        "kill -9 at a point of the broadcast (broadcast.after_send@batch)",
        "replies of the node are lost",
        "a reorganisation with a settlement in it",
    ],
)
def test_a_hub_outlives_it(world: World, name: str) -> None:
    outcome = suffer(world, _named(name))
    assert outcome.reasons == []
    assert outcome.is_green
    assert all(in_flight > 0 for in_flight in outcome.struck)
    assert len(outcome.recovery_s) == 1


def test_a_fault_that_fails_or_never_comes_true_is_red() -> None:
    def fail(_world: World) -> None:
        raise AssertionError("it lives on")

    progress = Progress(console=Console(quiet=True))
    lanes = Lanes([Fault("a fault", fail, database="none")], progress)
    lanes.run(1)
    row = lanes.rows["a fault"]
    assert not row.is_green
    assert "no world for it" in row.reasons[0]
    assert not Outcome().is_green
    assert Outcome([3], [1.0]).is_green
    assert not Outcome([3], [1.0], lost=1).is_green
    assert not Outcome([3], [1.0], doubled=1).is_green
    assert "**no**: a fault: no world" in document(lanes.rows, 1)


def test_quantiles_are_by_the_nearest_rank() -> None:
    outcome = Outcome(recovery_s=[float(n) for n in range(1, 11)])
    assert (outcome.recovery(0.5), outcome.recovery(0.99)) == (5, 10)
    assert math.isnan(Outcome().recovery(0.5))


# ----------------------------------------------------------------------- the proxy


def test_the_proxy_spoils_what_it_is_told_to(chain: Chain) -> None:
    between = Proxy(chain.port)
    node = Node(between.url, timeout_s=1)
    head = chain.head()
    assert node.head()["number"] == head
    with between.behaving(proxy.dropping_replies, ["evm_mine"]):
        with pytest.raises(NodeUnavailable):
            node.request("evm_mine")
        assert node.head()["number"] == head + 1, "it was forwarded, and the rest is honest"
    with between.behaving(proxy.swallowing, ["evm_mine"]), pytest.raises(NodeUnavailable):
        node.request("evm_mine")
    assert node.head()["number"] == head + 1
    with between.behaving(proxy.doubling, ["evm_mine"]):
        node.request("evm_mine")
    assert node.head()["number"] == head + 3
    with between.behaving(proxy.living_in_the_past(2)):
        assert node.head()["number"] == head + 1
        assert node.block(head + 3)["number"] == head + 3
    with between.behaving(proxy.late(1.5)), pytest.raises(NodeUnavailable):
        node.chain_id()
    with between.behaving(proxy.talking_nonsense()):
        for _ in range(9):
            with pytest.raises(NodeUnavailable):
                node.head()
    with between.refusing(), pytest.raises(NodeUnavailable):
        node.chain_id()
    with pytest.raises(SendRefused):
        node.send_raw(b"\x02nonsense")
    assert node.chain_id() == 31337
    assert between.spoilt["evm_mine"] == 3
    between.close()
