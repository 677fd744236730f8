"""What the service takes for its node: `Node`'s questions, answered by the simulated chain, or not at all."""

from collections.abc import Sequence
from typing import Any, NoReturn

from hexbytes import HexBytes
from web3 import Web3
from web3.datastructures import AttributeDict

from taesan.chain.errors import CallReverted, refusal
from taesan.chain.rpc import MAX_TRANSACTION_GAS, Fees, NodeUnavailable
from tests.simulation.chain import AlreadyKnown, Block, Chain, Mined, Refused
from tests.simulation.evm import GAS, Result
from tests.simulation.moments import ANSWERED, ASK, Moments, Violation
from tests.support.chain import CHAIN_ID

TIP = 10**9
MARGIN_PERCENT = 25
ETHER = 10**18


class NotSimulated(BaseException):
    """The service asks its node something that this one has no answer to. Not an `Exception`: the worker must not go on."""


class SimulatedNode:
    """:ivar is_away: nobody answers. :ivar lost_answers: so many transactions are taken, and nobody hears of it
    :ivar lost_requests: so many are not even taken"""

    url = name = "simulation"

    def __init__(self, chain: Chain, moments: Moments) -> None:
        self.chain, self._moments = chain, moments
        self.is_away = False
        self.lost_answers = self.lost_requests = 0

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotSimulated(f"the simulated node has no `{name}`: teach it in tests/simulation/node.py")

    def calm(self) -> None:
        self.is_away, self.lost_answers, self.lost_requests = False, 0, 0

    # ------------------------------------------------------------ as `taesan.chain.rpc.Node`

    def chain_id(self) -> int:
        self._ask()
        return self._answer(CHAIN_ID)

    def head(self) -> Any:
        self._ask()
        return self._answer(_block(self.chain.head))

    def block(self, number: int) -> Any:
        self._ask()
        if number > self.chain.head.number:
            raise NodeUnavailable(f"the node at {self.name} answers with an error: block {number} not found")
        return self._answer(_block(self.chain.blocks[number]))

    def logs(self, addresses: Sequence[str], first_block: int, last_block: int) -> list[Any]:
        self._ask()
        found = [
            AttributeDict(
                {
                    "address": log.address,
                    "topics": [HexBytes(topic) for topic in log.topics],
                    "data": HexBytes(log.data),
                    "blockNumber": mined.block_number,
                    "blockHash": HexBytes(self.chain.blocks[mined.block_number].hash),
                    "transactionHash": HexBytes(mined.transaction.hash),
                    "transactionIndex": mined.index,
                    "logIndex": number,
                }
            )
            for mined, number, log in self.chain.logs(first_block, last_block)
            if log.address in addresses
        ]
        return self._answer(found)

    def call(
        self, to: str, data: str, sender: str | None = None, block: int | None = None, gas: int | None = None
    ) -> bytes:
        self._ask()
        return self._answer(_output(self._run(to, data, sender, block, gas)))

    def call_many(self, calls: Sequence[tuple[str, str]], block: int) -> list[bytes]:
        self._ask()
        return self._answer([_output(self._run(to, data, None, block, None)) for to, data in calls])

    def estimate_gas(self, sender: str, to: str, data: str) -> int:
        self._ask()
        result = self._run(to, data, sender, None, GAS)
        _output(result)
        return self._answer(result.gas_used)

    def gas_limit(self, sender: str, to: str, data: str) -> int:
        return min(self.estimate_gas(sender, to, data) * (100 + MARGIN_PERCENT) // 100, MAX_TRANSACTION_GAS)

    def fees(self, ceiling_wei: int) -> Fees:
        self._ask()
        tip = min(TIP, ceiling_wei)
        return self._answer(Fees(min(2 * self.chain.base_fee + tip, ceiling_wei), tip))

    def code(self, address: str) -> bytes:
        self._ask()
        return self._answer(self.chain.code(address))

    def next_nonce(self, address: str, block: int | None = None) -> int:
        self._ask()
        return self._answer(self.chain.nonce(Web3.to_checksum_address(address), block))

    def pending_nonce(self, address: str) -> int:
        self._ask()
        return self._answer(self.chain.pending_nonce(Web3.to_checksum_address(address)))

    def transaction_at(self, number: int, sender: str, nonce: int) -> str | None:
        self._ask()
        found = (m.transaction for m in self.chain.blocks[number].mined)
        return self._answer(next((t.hash for t in found if (t.sender, t.nonce) == (sender, nonce)), None))

    def balance(self, address: str) -> int:
        self._ask()
        return self._answer(ETHER)

    def endpoints(self) -> "Sequence[SimulatedNode]":
        return [self]

    def require_agreement(self, block: int) -> None:
        """There is one node, which agrees with itself."""

    def send_raw(self, raw: bytes) -> None:
        self._ask()
        if self.lost_requests:
            self.lost_requests -= 1
            raise NodeUnavailable("no answer from the node: a request was lost")
        try:
            self.chain.send_raw(raw)
        except AlreadyKnown:
            pass
        except Refused as refused:
            raise refusal(str(refused)) from refused
        if self.lost_answers:
            self.lost_answers -= 1
            raise NodeUnavailable("no answer from the node: an answer was lost")
        self._answer(None)

    def receipt(self, transaction_hash: str) -> Any:
        self._ask()
        mined = self.chain.find(transaction_hash)
        return self._answer(None if mined is None else self._receipt(mined))

    # --------------------------------------------------------------------------

    def _ask(self) -> None:
        if self._moments.is_writing:
            raise Violation("the node is asked inside a transaction: all writers wait for it")
        self._moments.come(ASK)
        if self.is_away:
            raise NodeUnavailable("no answer from the node: it is away")

    def _answer(self, value: Any) -> Any:
        self._moments.come(ANSWERED)
        return value

    def _run(self, to: str, data: str, sender: str | None, block: int | None, gas: int | None) -> Result:
        return self.chain.ask(to, bytes.fromhex(data[2:]), sender or "0x" + "0" * 40, block, gas)

    def _receipt(self, mined: Mined) -> Any:
        return AttributeDict(
            {
                "transactionHash": HexBytes(mined.transaction.hash),
                "blockNumber": mined.block_number,
                "blockHash": HexBytes(self.chain.blocks[mined.block_number].hash),
                "status": int(mined.result.succeeded),
                "gasUsed": mined.result.gas_used,
            }
        )


def _block(block: Block) -> Any:
    return AttributeDict(
        {
            "number": block.number,
            "hash": HexBytes(block.hash),
            "timestamp": block.timestamp,
            "baseFeePerGas": block.base_fee,
        }
    )


def _output(result: Result) -> bytes:
    if not result.succeeded:
        raise CallReverted(result.halted or "execution reverted", result.output)
    return result.output
