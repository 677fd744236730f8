"""The simulated node and anvil, told to do the same, say the same."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from eth_account import Account
from pydantic import SecretStr

from taesan.chain.errors import SendRefused
from taesan.chain.rpc import Node
from taesan.chain.signers import KeySigner
from tests.simulation.chain import BASE_FEE, Chain
from tests.simulation.evm import BIRTH, ground
from tests.simulation.moments import Moments
from tests.simulation.node import SimulatedNode
from tests.simulation.service import OPERATOR, PEOPLE, RICHES
from tests.support.chain import CHAIN_ID
from tests.support.chain import Chain as Anvil

GWEI = 10**9
SIGNER = KeySigner(SecretStr("0x" + "5a" * 32))
NOWHERE = Account.from_key("0x" + "6b" * 32).address


class Bench(Protocol):
    node: Any

    def mine(self) -> None: ...
    def reorganise(self, depth: int) -> None: ...
    def drop(self, hash_: str) -> None: ...


class OnAnvil:
    def __init__(self, anvil: Anvil) -> None:
        self.anvil, self.node = anvil, Node(anvil.url)
        anvil.ask("anvil_setBalance", SIGNER.address, hex(10**20))

    def mine(self) -> None:
        self.anvil.mine()

    def reorganise(self, depth: int) -> None:
        self.anvil.reorganise(depth)

    def drop(self, hash_: str) -> None:
        self.anvil.ask("anvil_dropTransaction", hash_)


class Simulated:
    def __init__(self, chain: Chain) -> None:
        self.chain, self.node = chain, SimulatedNode(chain, Moments())

    def mine(self) -> None:
        self.chain.mine()

    def reorganise(self, depth: int) -> None:
        self.chain.reorganise(depth, keep=0)

    def drop(self, hash_: str) -> None:
        self.chain.drop([t.hash for t in self.chain.pool].index(hash_))


@pytest.fixture
def simulated() -> Iterator[Simulated]:
    chain = Chain(ground(OPERATOR, PEOPLE, RICHES), lambda: BIRTH + 60)
    yield Simulated(chain)
    chain.end()


def signed(nonce: int, gwei: int = 20) -> tuple[bytes, str]:
    return SIGNER.sign(
        {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": NOWHERE,
            "value": 0,
            "data": b"",
            "gas": 50_000,
            "maxFeePerGas": gwei * GWEI,
            "maxPriorityFeePerGas": gwei * GWEI,
        }
    )


def what_happens(bench: Bench) -> list[tuple[str, object]]:
    """A fixed story: each thing that the service relies on, and what came of it."""
    told: list[tuple[str, object]] = []
    node = bench.node

    def send(what: str, raw: bytes) -> None:
        try:
            node.send_raw(raw)
            told.append((what, "taken"))
        except SendRefused as refused:
            words = [w for w in ("nonce too low", "underpriced", "base fee") if w in str(refused).lower()]
            told.append((what, words or str(refused)))

    def look(what: str, *hashes: str) -> None:
        receipts = [node.receipt(hash_) for hash_ in hashes]
        told.append((what, [receipt and (receipt["status"], receipt["blockNumber"] - first) for receipt in receipts]))
        told.append(("nonce", node.next_nonce(SIGNER.address)))

    first = node.head()["number"]
    (zero, zero_hash), (dearer, dearer_hash) = signed(0), signed(0, gwei=30)
    (one, one_hash), (two, two_hash) = signed(1), signed(2)
    send("a first", zero)
    send("the same again", zero)
    send("the same nonce, cheaper", signed(0, gwei=10)[0])
    send("the same nonce, dearer", dearer)
    send("less than the base fee", signed(1, gwei=0)[0])
    send("beyond a gap", two)
    bench.mine()
    look("one is mined", zero_hash, dearer_hash, two_hash)
    send("a nonce that is used up", zero)
    send("what is mined, again", dearer)
    send("into the gap", one)
    bench.mine()
    look("both are mined", one_hash, two_hash)
    told.append(("nonce before", node.next_nonce(SIGNER.address, node.head()["number"] - 1)))
    hash_before = node.head()["hash"]
    bench.reorganise(1)
    told.append(("the height is the same", node.head()["number"] - first))
    told.append(("the hash is another", node.head()["hash"] != hash_before))
    look("they fell out", dearer_hash, one_hash, two_hash)
    bench.mine()
    look("and do not come back", one_hash, two_hash)
    send("sent again", one)
    send("sent again, too", two)
    bench.drop(two_hash)
    bench.mine()
    look("one was dropped", one_hash, two_hash)
    return told


def test_it_behaves_as_anvil(chain: Anvil, simulated: Simulated) -> None:
    with chain.mining_paused():
        assert what_happens(simulated) == what_happens(OnAnvil(chain))


def test_the_past_is_read_as_it_was_and_the_present_stays(simulated: Simulated) -> None:
    chain, payer = simulated.chain, PEOPLE[0]

    def held(block: int | None) -> int:
        data = chain.ground.contracts.encode("asset", "balanceOf", payer)
        return int.from_bytes(simulated.node.call(chain.ground.deployment.asset, data, block=block), "big")

    for _ in range(3):
        chain.send(payer, "asset", "transfer", PEOPLE[1], 1)
        chain.mine()
    assert [held(block) for block in (1, 2, 3, 4, None)] == [RICHES - n for n in (0, 1, 2, 3, 3)]
    chain.reorganise(2, keep=0b10)
    assert [held(block) for block in (2, 3, 4, None)] == [RICHES - n for n in (1, 1, 2, 2)]
    assert chain.base_fee == BASE_FEE
