"""What a local chain is prepared with: contracts where x402 clients look for them, and a clock that can be moved."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3
from web3.providers import BaseProvider
from x402.mechanisms.evm import batch_settlement as sdk
from x402.mechanisms.evm.batch_settlement.types import ChannelConfig
from x402.mechanisms.evm.constants import MULTICALL3_ADDRESS
from x402.mechanisms.evm.default_assets import get_default_asset

from taesan.chain import local
from taesan.chain.contracts import Contracts, Deployment, artifact
from taesan.chain.deployment import CANONICAL, CEILING_WEI, deploy
from taesan.chain.rpc import Node
from taesan.chain.signers import KeySigner
from taesan.client import Terms
from taesan.core.clock import FixedClock
from taesan.demo import devnet
from taesan.demo.folder import ChainName
from taesan.settings import Settings
from tests.api.test_client import Patient
from tests.support.chain import ARTIFACTS, CHAIN_ID, Chain, free_port
from tests.support.commands import Running, run_here
from tests.support.gifts import gather
from tests.support.stage import DOLLAR, Stage
from tests.support.wallet import Wallet, config_tuple

SIGNER = KeySigner(Settings().operator_key)
SOMEWHERE = "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
HOUR = 3_600
DAY = 24 * HOUR


def _contract(node: Node, name: str, address: str) -> Any:
    return node.web3.eth.contract(address=Web3.to_checksum_address(address), abi=artifact(ARTIFACTS, name)["abi"])


def _creation_code(name: str) -> str:
    return "0x" + str(artifact(ARTIFACTS, name)["bytecode"]).removeprefix("0x")


@pytest.fixture(scope="module", params=["anvil", "ganache"])
def empty_chain(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Each of the local chains, as `devnet` starts it."""
    port = free_port()
    process = devnet.start(request.param, port, tmp_path_factory.mktemp(request.param))
    yield Node(f"http://127.0.0.1:{port}", timeout_s=30)
    process.stop()


# ---------------------------------------------------------------- the contracts


def test_the_addresses_are_those_that_the_sdk_has_built_in() -> None:
    assert CANONICAL == {
        "PaymentChannels": sdk.BATCH_SETTLEMENT_ADDRESS,
        "ERC3009DepositCollector": sdk.ERC3009_DEPOSIT_COLLECTOR_ADDRESS,
        "Multicall3": MULTICALL3_ADDRESS,
    }


def test_contracts_stand_where_clients_look_and_know_it(empty_chain: Node) -> None:
    node = empty_chain
    deployed = deploy(node, SIGNER, ARTIFACTS, canonical=True)
    assert deployed.channels == CANONICAL["PaymentChannels"]
    assert deployed.collector == CANONICAL["ERC3009DepositCollector"]

    channels = _contract(node, "PaymentChannels", deployed.channels)
    domain = channels.functions.eip712Domain().call()
    assert domain[1:5] == ["x402 Batch Settlement", "1", CHAIN_ID, deployed.channels]
    config = ChannelConfig(
        SIGNER.address, SOMEWHERE, deployed.settlement, SOMEWHERE, deployed.asset, 900, "0x" + 32 * "5a"
    )
    channel_id = channels.functions.getChannelId(tuple(config.to_dict().values())).call()
    assert "0x" + channel_id.hex() == sdk.compute_channel_id(config, CHAIN_ID)

    collector = _contract(node, "ERC3009DepositCollector", deployed.collector)
    assert collector.functions.channels().call() == deployed.channels
    settlement = _contract(node, "GiftSettlement", deployed.settlement)
    assert settlement.functions.channels().call() == deployed.channels


def test_a_chain_dressed_up_as_base_sepolia_has_the_clients_own_dollar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    process = devnet.start("anvil", port, tmp_path, local.CLIENTS_CHAIN_ID)
    try:
        node = Node(f"http://127.0.0.1:{port}", timeout_s=30)
        deployed = deploy(node, SIGNER, ARTIFACTS, canonical=True)
        network = f"eip155:{deployed.chain_id}"
        assert deployed.asset == get_default_asset(network)["asset"]
        dollar = _contract(node, "TestDollar", deployed.asset).functions
        assert (dollar.name().call(), dollar.decimals().call()) == (
            "Test Dollar",
            get_default_asset(network)["decimals"],
        )
        assert dollar.eip712Domain().call()[3:5] == [local.CLIENTS_CHAIN_ID, deployed.asset]
        monkeypatch.setattr(local, "_version", lambda _node: "Geth/v1.16.0")
        with pytest.raises(local.NotLocal, match=str(local.CLIENTS_CHAIN_ID)):
            local.require_local(node)
    finally:
        process.stop()


def test_multicall_answers_as_elsewhere(empty_chain: Node) -> None:
    deployed = deploy(empty_chain, SIGNER, ARTIFACTS, canonical=True)
    multicall = _contract(empty_chain, "Multicall3", CANONICAL["Multicall3"]).functions
    asset = _contract(empty_chain, "TestDollar", deployed.asset)
    good, bad = (deployed.asset, asset.encode_abi("decimals")), (deployed.asset, "0xdeadbeef")
    six = (6).to_bytes(32, "big")

    assert multicall.tryAggregate(False, [good, bad]).call() == [(True, six), (False, b"")]
    assert multicall.aggregate3([(good[0], False, good[1]), (bad[0], True, bad[1])]).call() == [
        (True, six),
        (False, b""),
    ]
    assert multicall.aggregate([good]).call()[1] == [six]
    for refused in (
        multicall.tryAggregate(True, [good, bad]),
        multicall.aggregate3([(bad[0], False, bad[1])]),
        multicall.aggregate([bad]),
    ):
        with pytest.raises(Exception, match="Multicall3: call failed"):
            refused.call()
    head = empty_chain.head()
    assert multicall.getBlockNumber().call(block_identifier=head["number"]) == head["number"]
    assert multicall.getCurrentBlockTimestamp().call(block_identifier=head["number"]) == head["timestamp"]
    assert multicall.getChainId().call() == CHAIN_ID
    assert multicall.getEthBalance(SIGNER.address).call() == empty_chain.web3.eth.get_balance(SIGNER.address)  # type: ignore[arg-type]


def test_what_a_constructor_stores_is_there_too(empty_chain: Node) -> None:
    local.place(empty_chain, SIGNER, SOMEWHERE, _creation_code("TestDollar"), CEILING_WEI)
    dollar = _contract(empty_chain, "TestDollar", SOMEWHERE).functions
    assert dollar.name().call() == "Test Dollar"  # a string in storage
    assert dollar.eip712Domain().call()[4] == SOMEWHERE  # an immutable


def test_who_stands_there_stays(empty_chain: Node) -> None:
    address = "0x" + "11" * 20
    local.place(empty_chain, SIGNER, address, _creation_code("Multicall3"), CEILING_WEI)
    before, sent = empty_chain.code(address), empty_chain.next_nonce(SIGNER.address)
    local.place(empty_chain, SIGNER, address, _creation_code("TestDollar"), CEILING_WEI)
    assert empty_chain.code(address) == before
    assert empty_chain.next_nonce(SIGNER.address) == sent


def test_a_normal_deployment_sets_no_code_anywhere(tmp_path: Path) -> None:
    port = free_port()
    process = devnet.start("anvil", port, tmp_path)
    try:
        node = Node(f"http://127.0.0.1:{port}")
        deployed = deploy(node, SIGNER, ARTIFACTS)
        assert not {deployed.channels, deployed.collector} & set(CANONICAL.values())
        assert [node.code(address) for address in CANONICAL.values()] == [b"", b"", b""]
    finally:
        process.stop()


@pytest.mark.parametrize("chain", ["anvil", "ganache"])
def test_devnet_is_ready_for_x402_clients_and_goes_on_from_where_it_was(tmp_path: Path, chain: ChainName) -> None:
    port, folder = free_port(), tmp_path / "devnet"
    command = ("devnet", "--chain", chain, "--port", str(port), "--folder", str(folder))
    node = Node(f"http://127.0.0.1:{port}")

    def found() -> tuple[Any, ...]:
        code = [node.code(address) for address in CANONICAL.values()]
        return Deployment.load(folder / "deployment.json"), code, node.next_nonce(SIGNER.address)

    with Running(*command, environment={}, log=tmp_path / "1.log") as first:
        first.wait_until(lambda: "Ctrl-C ends the chain" in first.output)
        assert "Unmodified x402 clients find their contracts here" in first.output
        assert "export TAESAN_WITHDRAW_DELAY_S=900" in first.output
        before = found()
        assert before[0].channels == CANONICAL["PaymentChannels"]
        assert all(before[1])
        contracts = Contracts(before[0], ARTIFACTS)
        offered = node.call(before[0].standing_orders, contracts.encode("standing_orders", "offers", 1_001))
        assert int.from_bytes(offered[32:], "big") == DOLLAR, "a collectible, for rules to be tried with"
        warped = _warp({"TAESAN_RPC_URL": node.url}, "2h")
        assert warped[0] == 0, warped
        first.interrupt()
    with Running(*command, environment={}, log=tmp_path / "2.log") as second:
        second.wait_until(lambda: "Ctrl-C ends the chain" in second.output)
        assert found() == before
        local.warp(node, 1)
        assert _ahead(node) == pytest.approx(2 * HOUR, abs=60), "time goes on from where it was, too"
        timestamps = [node.block(number)["timestamp"] for number in range(node.head()["number"] + 1)]
        # Ganache is put forward once it answers, and may have mined before.
        assert chain == "ganache" or timestamps == sorted(timestamps)
        second.interrupt()


# -------------------------------------------------------------------- the clock


def _ahead(node: Node) -> float:
    return float(node.head()["timestamp"] - time.time())


def _warp(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    return run_here("warp", *arguments, environment=environment)


@pytest.mark.parametrize(("duration", "seconds"), [("90s", 90), ("15m", 900), ("2h", 2 * HOUR), ("3d", 3 * DAY)])
def test_a_warp_moves_the_clock_and_says_where_to(empty_chain: Node, duration: str, seconds: int) -> None:
    before = _ahead(empty_chain)
    code, output = _warp({"TAESAN_RPC_URL": empty_chain.url}, duration)
    assert code == 0, output
    assert _ahead(empty_chain) - before == pytest.approx(seconds, abs=5)
    said = datetime.fromisoformat(output.split()[-1].rstrip("."))
    assert abs(said - datetime.fromtimestamp(empty_chain.head()["timestamp"], UTC)).total_seconds() < 5


@pytest.mark.parametrize("duration", ["", "15", "m", "-1m", "1.5h", "15 m", "1w", "0s", "367d", "9999999999s", "1h30m"])
def test_what_is_no_duration_is_refused(duration: str) -> None:
    code, output = _warp({"TAESAN_RPC_URL": "http://127.0.0.1:1"}, "--", duration)
    assert code == 2
    assert "is not a duration" in output or "is not between 1s and 366d" in output


def test_without_a_node_it_says_what_to_do() -> None:
    code, output = _warp({"TAESAN_RPC_URL": "http://127.0.0.1:1"}, "15m")
    assert code == 2
    assert "Start one with `taesan devnet`" in output


@pytest.fixture
def shared_chain(tmp_path: Path) -> Iterator[Node]:
    """A chain whose id is Base's: anvil could do all that is asked, but others may be on it."""
    port = free_port()
    process = devnet.start("anvil", port, tmp_path, chain_id=8453)
    yield Node(f"http://127.0.0.1:{port}")
    process.stop()


def test_a_chain_that_is_not_local_is_left_alone(shared_chain: Node) -> None:
    code, output = _warp({"TAESAN_RPC_URL": shared_chain.url}, "15m")
    assert code == 2
    assert "is on chain 8453; this is for local chains only" in output
    assert _ahead(shared_chain) < 60
    with pytest.raises(local.NotLocal, match="chain 8453"):
        deploy(shared_chain, SIGNER, ARTIFACTS, canonical=True)
    assert not any(shared_chain.code(address) for address in CANONICAL.values())


class _Geth(BaseProvider):
    """A node that has the local chains' id and none of their methods."""

    def make_request(self, method: Any, params: Any) -> Any:
        if method == "eth_chainId":
            return {"jsonrpc": "2.0", "id": 1, "result": hex(CHAIN_ID)}
        if method == "eth_getCode":
            return {"jsonrpc": "2.0", "id": 1, "result": "0x"}
        return {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": f"the method {method} does not exist"}}


def test_a_node_that_cannot_do_it_is_named() -> None:
    node = Node("http://127.0.0.1:8545")
    node.web3.provider = _Geth()
    with pytest.raises(local.NotLocal, match=r"127\.0\.0\.1:8545 cannot move its clock: .*evm_increaseTime"):
        local.warp(node, 60)
    with pytest.raises(local.NotLocal, match=r"cannot set code: .*anvil_setCode.*evm_setAccountCode"):
        local.place(node, SIGNER, SOMEWHERE, "0x00", CEILING_WEI)


# --------------------------------------------- a hub on a chain that runs ahead


def test_the_hub_goes_on_when_the_chain_runs_ahead(stage: Stage) -> None:
    anna, merchant = stage.payer(), stage.merchant()
    anna.pay(DOLLAR)
    stage.chain.wait(3 * DAY)

    anna.pay(2 * DOLLAR)
    anna.pay(DOLLAR, merchant)
    bert = stage.payer()  # a deposit and a channel made after the warp
    bert.pay(DOLLAR)
    stage.settle()
    assert set(stage.batch_states()) == {"posted"}
    assert stage.gift_tokens(anna.address) == 3 * DOLLAR
    assert stage.gift_tokens(bert.address) == DOLLAR
    assert merchant.redeem(anna.wallet, DOLLAR).status_code == 202
    stage.confirm()
    assert merchant.order_payout().status_code == 202
    stage.confirm()
    assert stage.chain.read("asset", "balanceOf", merchant.address) == 2 * DOLLAR
    assert not stage.audit().differences


def test_a_deposit_that_the_chain_finds_expired_fails_alone(stage: Stage) -> None:
    """By the wall clock it is good for an hour; the chain is a day ahead."""
    stage.chain.wait(DAY)
    anna, soon = stage.payer(), int(stage.clock.now().timestamp()) + HOUR
    stage.chain.give_dollars(anna.address, 2 * DOLLAR)
    late = {
        "config": anna.config,
        "deposit": anna.wallet.deposit(stage.facts, anna.config, DOLLAR, valid_before=soon),
    }
    answer = stage.client.post("/v1/channels", json=late, headers={"Idempotency-Key": "late"})
    assert answer.status_code == 202, answer.text
    good = anna.deposit(DOLLAR)["deposit"]["id"]
    stage.confirm()
    failed = stage.get(f"/v1/deposits/{answer.json()['deposit']['id']}")
    assert (failed["state"], failed["reason"].split("(")[0]) == ("failed", "ERC3009_Expired")
    assert stage.get(f"/v1/deposits/{good}")["state"] == "confirmed"
    anna.pay(DOLLAR)
    stage.settle()
    assert not stage.audit().differences


def test_gifts_and_dates_follow_a_chain_that_was_put_forward(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "ASK_EVERY_S", 0)
    object.__setattr__(stage.hub, "put_forward", local.ChainClock(stage.hub.node, stage.clock))
    stage.chain.wait(2 * HOUR)
    me = Patient(stage)
    stage.chain.give_dollars(me.address, 5 * DOLLAR)
    me.open_channel(5 * DOLLAR)  # signed for an hour from the chain's now
    me.pay(2 * DOLLAR)
    stage.settle()
    link = me.give(DOLLAR, lives_for=timedelta(hours=1))
    assert link.expires_at - stage.clock.now() > timedelta(hours=2)
    gather(stage)
    assert stage.get(f"/v1/gifts/{link.id}")["state"] == "open"
    rule = me.sign_rule(Terms("top-ups", "weekly on monday at UTC"))
    me.pay(DOLLAR, rule["id"])

    stage.chain.wait(8 * DAY)
    assert stage.get(f"/v1/gifts/{link.id}")["state"] == "expired"
    assert me.take_back(link.id)["state"] == "returning"
    stage.confirm()
    assert stage.get(f"/v1/gifts/{link.id}")["state"] == "returned"
    history = me.as_wallet("GET", f"/v1/channels/{rule['channel_id']}/rules/{rule['id']}/history")["items"]
    assert [note["kind"] for note in history] == ["fired"]
    assert me.send_tokens(DOLLAR, Wallet().address)["state"] == "pending"
    gather(stage)
    assert not stage.audit().differences


def test_a_chains_clock_goes_on_while_its_node_is_away() -> None:
    node, clock = Node("http://127.0.0.1:1"), FixedClock(datetime(2026, 11, 26, tzinfo=UTC))
    ahead = local.ChainClock(node, clock)
    assert ahead.now() == clock.at


def test_a_withdrawal_is_over_as_soon_as_the_clock_says(stage: Stage, chain: Chain) -> None:
    anna = stage.payer(10 * DOLLAR)
    anna.pay(DOLLAR)
    stage.settle()
    anna.announce_withdrawal(9 * DOLLAR)
    stage.confirm()
    assert anna.try_to_pay(DOLLAR).status_code == 409
    code, output = _warp({"TAESAN_RPC_URL": chain.url}, f"{anna.config['withdraw_delay']}s")
    assert code == 0, output
    chain.send(anna.wallet.key, "channels", "finalizeWithdraw", config_tuple(anna.config))
    stage.confirm()
    assert chain.read("asset", "balanceOf", anna.address) == 9 * DOLLAR
    assert not stage.audit().differences
