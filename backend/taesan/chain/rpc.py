"""The node, as few questions as we ask it. The only module that does network I/O with a chain."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from hexbytes import HexBytes
from urllib3.exceptions import HTTPError
from web3 import HTTPProvider, Web3
from web3.exceptions import BlockNotFound, Web3Exception, Web3RPCError
from web3.types import BlockData, LogReceipt, TxReceipt

from taesan.chain import errors
from taesan.chain.connections import Connections
from taesan.chain.errors import CallReverted, RequestRefused, SendRefused
from taesan.core.values import hex_of
from taesan.core.worker import TransientError

RPC_TIMEOUT_S = 8
GAS_MARGIN_PERCENT = 25
"""More than the estimate: entries that the estimate saw warm or full may be cold or empty when it is mined."""
MAX_TRANSACTION_GAS = 2**24
"""EIP-7825."""
GANACHE_GAS = MAX_TRANSACTION_GAS
T = TypeVar("T")


class NodeUnavailable(TransientError):
    """The node did not answer: whatever was asked of it may or may not have happened."""


class NodeFails(NodeUnavailable):
    """It answered, with an error."""


class NodesDisagree(TransientError):
    """Nodes of one chain know different blocks of one number: which of them is right is not ours to say."""


@dataclass(frozen=True)
class Fees:
    """EIP-1559 fees, in wei."""

    max_fee_per_gas: int
    max_priority_fee_per_gas: int


class Node:
    """:param url: an Ethereum JSON-RPC endpoint over HTTP"""

    def __init__(self, url: str, timeout_s: float = RPC_TIMEOUT_S) -> None:
        self.url = url
        self.web3 = Web3(
            HTTPProvider(
                url,
                request_kwargs={"timeout": timeout_s},
                session=Connections(),
                exception_retry_configuration=None,
            )
        )
        # It asks for the chain's id before each call, to compare it with one that our calls do not name; and it refuses the
        # blocks of proof-of-authority chains.
        self.web3.middleware_onion.remove("validation")
        self.web3.middleware_onion.remove("ens_name_to_address")  # our addresses are none

    @property
    def name(self) -> str:
        """The URL as it may be shown: paths and users of it are often keys."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")

    def endpoints(self) -> "Sequence[Node]":
        """The nodes behind this one that answer."""
        return [self]

    def require_agreement(self, block: int) -> None:
        """:raises NodesDisagree: there are several nodes, which know different blocks of this number"""

    def request(self, method: str, *parameters: object) -> object:
        """Any method, such as those that local chains alone have.

        :raises RequestRefused: the node does not know it, or not with these parameters
        """

        def ask() -> object:
            answer = self.web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
            if "error" in answer:
                error: Any = answer["error"]
                raise RequestRefused(str(error.get("message", error) if isinstance(error, dict) else error)[:200])
            return answer.get("result")

        return self._ask(ask)

    def chain_id(self) -> int:
        return self._ask(lambda: self.web3.eth.chain_id)

    def head(self) -> BlockData:
        """With these fields: number, hash, timestamp."""
        return self._ask(lambda: self._block("latest"))

    def block(self, number: int) -> BlockData:
        """As `head`."""
        return self._ask(lambda: self._block(hex(number)))

    def transaction_at(self, number: int, sender: str, nonce: int) -> str | None:
        """The hash of the sender's transaction with this nonce in a block, 0x-hex, if it is there."""

        def ask() -> str | None:
            for transaction in self.web3.eth.get_block(number, full_transactions=True)["transactions"]:
                found: Any = transaction
                if found["from"] == sender and found["nonce"] == nonce:
                    return hex_of(found["hash"])
            return None

        return self._ask(ask)

    def logs(
        self, addresses: Sequence[str], first_block: int, last_block: int, topics: Sequence[Any] = ()
    ) -> list[LogReceipt]:
        return self._ask(lambda: self._logs(addresses, first_block, last_block, topics))

    def call(
        self, to: str, data: str, sender: str | None = None, block: int | None = None, gas: int | None = None
    ) -> bytes:
        """`eth_call` at a block (default: the newest), with at most `gas` (default: what the node allows).

        :raises CallReverted: the contract refuses, or needs more
        """
        tx = {"to": to, "data": data} | ({"from": sender} if sender else {}) | ({"gas": hex(gas)} if gas else {})
        at = "latest" if block is None else hex(block)
        return self._ask(lambda: bytes.fromhex(self._result("eth_call", tx, at).removeprefix("0x")))

    def call_many(self, calls: Sequence[tuple[str, str]], block: int) -> list[bytes]:
        """Many `eth_call`s as (to, data) in JSON-RPC batches of 200."""
        results: list[bytes] = []
        for start in range(0, len(calls), 200):
            part = calls[start : start + 200]

            def ask(part: Sequence[tuple[str, str]] = part) -> list[bytes]:
                with self.web3.batch_requests() as batch:
                    for to, data in part:
                        request: Any = {"to": to, "data": data}
                        batch.add(self.web3.eth.call(request, block))
                    return [bytes(answer) for answer in batch.execute()]  # type: ignore[arg-type]

            results.extend(self._ask(ask))
        return results

    def estimate_gas(self, sender: str, to: str | None, data: str, value: int = 0) -> int:
        """:raises CallReverted: the transaction would fail"""
        tx: Any = {"from": sender, "data": data, "value": value} | ({"to": to} if to else {})
        return self._ask(lambda: self.web3.eth.estimate_gas(tx))

    def gas_limit(self, sender: str, to: str | None, data: str, value: int = 0) -> int:
        """Simulates a transaction; returns what gas to send it with. What it does not use is not paid.

        Ganache's `eth_estimateGas` runs it some fifteen times, and never answers if a block is mined meanwhile.

        :raises CallReverted: the transaction would fail
        """
        if not self._is_ganache:
            estimate = self.estimate_gas(sender, to, data, value)
            # The margin ends where chains refuse a transaction's limit, whatever it uses.
            return max(estimate, min(estimate * (100 + GAS_MARGIN_PERCENT) // 100, MAX_TRANSACTION_GAS))
        tx: Any = {"from": sender, "data": data, "value": value, "gas": GANACHE_GAS} | ({"to": to} if to else {})
        self._ask(lambda: self.web3.eth.call(tx))
        return GANACHE_GAS

    @cached_property
    def _is_ganache(self) -> bool:
        return "ganache" in self._ask(lambda: self.web3.client_version).lower()

    def fees(self, ceiling_wei: int) -> Fees:
        """Twice the base fee and a small tip, under a ceiling."""

        def ask() -> Fees:
            base = self.web3.eth.get_block("latest").get("baseFeePerGas", 0)
            tip = min(self.web3.eth.max_priority_fee, ceiling_wei)
            return Fees(min(2 * base + tip, ceiling_wei), tip)

        return self._ask(ask)

    def code(self, address: str) -> bytes:
        return self._ask(lambda: bytes(self.web3.eth.get_code(Web3.to_checksum_address(address))))

    def balance(self, address: str) -> int:
        """In wei, at the newest block."""
        return self._ask(lambda: int(self._result("eth_getBalance", address, "latest"), 16))

    def pending_nonce(self, address: str) -> int:
        """As `next_nonce`, with what waits in the node's pool without a gap."""
        return self._ask(lambda: int(self._result("eth_getTransactionCount", address, "pending"), 16))

    def next_nonce(self, address: str, block: int | None = None) -> int:
        """How many transactions of `address` are mined up to a block (default: the newest)."""
        at = "latest" if block is None else hex(block)
        return self._ask(lambda: int(self._result("eth_getTransactionCount", address, at), 16))

    def send_raw(self, raw: bytes) -> None:
        """Hands signed bytes to the node. That it knows them already is success.

        :raises SendRefused: it does not take them; of the type that it says (`chain.errors`)
        """

        def ask() -> None:
            try:
                self.web3.eth.send_raw_transaction(raw)
            except (Web3RPCError, ValueError) as error:
                refused = errors.refusal(_message(error))
                if not isinstance(refused, errors.AlreadyKnown):
                    raise refused from error

        self._ask(ask)

    def receipt(self, transaction_hash: str) -> TxReceipt | None:
        """With these fields: transactionHash, blockNumber, blockHash, status, gasUsed. None: it is not mined."""

        def ask() -> TxReceipt | None:
            found = self._result("eth_getTransactionReceipt", transaction_hash)
            return None if found is None else cast(TxReceipt, _plain(found, _OF_RECEIPT))

        return self._ask(ask)

    def logs_of(self, transaction_hash: str) -> list[LogReceipt] | None:
        """A transaction's. None: it is not mined."""

        def ask() -> list[LogReceipt] | None:
            found = self._result("eth_getTransactionReceipt", transaction_hash)
            return None if found is None else [cast(LogReceipt, _plain(log, _OF_LOG)) for log in found["logs"]]

        return self._ask(ask)

    def _block(self, at: str) -> BlockData:
        found = self._result("eth_getBlockByNumber", at, False)
        if found is None:
            raise BlockNotFound(f"block {at} is not there")
        return cast(BlockData, _plain(found, _OF_BLOCK))

    def _logs(self, addresses: Sequence[str], first: int, last: int, topics: Sequence[Any]) -> list[LogReceipt]:
        query = {"address": list(addresses), "fromBlock": hex(first), "toBlock": hex(last)}
        query |= {"topics": list(topics)} if topics else {}
        return [cast(LogReceipt, _plain(log, _OF_LOG)) for log in self._result("eth_getLogs", query)]

    def _result(self, method: str, *parameters: object) -> Any:
        """What is asked most, without web3's look at each value of question and answer: it takes longer than the question."""
        answer: Any = self.web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
        error = answer.get("error")
        if error is not None:
            said: Any = {"error": error if isinstance(error, dict) else {"message": str(error)}}
            raise Web3RPCError(str(said["error"].get("message")), rpc_response=said)
        return answer["result"]

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except (CallReverted, SendRefused, RequestRefused):
            raise
        except (HTTPError, TimeoutError, ConnectionError) as error:
            raise NodeUnavailable(f"no answer from the node at {self.name}: {type(error).__name__}") from error
        except (Web3Exception, ValueError) as error:
            reverted = _as_revert(error)
            if reverted is not None:
                raise reverted from error
            # Rate limits, blocks that it has not got yet, a proxy's HTML: not the caller's fault, and worth another try.
            raise NodeFails(f"the node at {self.name} answers with an error: {str(error)[:200]}") from error
        except (AttributeError, KeyError, TypeError) as error:
            raise NodeFails(f"the node at {self.name} answers with nonsense: {str(error)[:200]}") from error


def _number(text: str) -> int:
    return int(text, 16)


_Fields = Mapping[str, Callable[[Any], Any]]
_OF_BLOCK: _Fields = {"number": _number, "hash": HexBytes, "timestamp": _number}
_OF_RECEIPT: _Fields = {
    "transactionHash": HexBytes,
    "blockNumber": _number,
    "blockHash": HexBytes,
    "status": _number,
    "gasUsed": _number,
}
_OF_LOG: _Fields = {
    "address": Web3.to_checksum_address,
    "topics": lambda topics: [HexBytes(topic) for topic in topics],
    "data": HexBytes,
    "blockNumber": _number,
    "blockHash": HexBytes,
    "transactionHash": HexBytes,
    "transactionIndex": _number,
    "logIndex": _number,
}


def _plain(answer: dict[str, Any], wanted: _Fields) -> dict[str, Any]:
    """The fields that we look at, of JSON-RPC's many, as web3 would give them."""
    return {name: read(answer[name]) for name, read in wanted.items()}


def _message(error: Exception) -> str:
    """What the node said, without the wrapping of web3."""
    response = getattr(error, "rpc_response", None)
    failure = response.get("error") if isinstance(response, dict) else None
    return str(failure.get("message", failure) if isinstance(failure, dict) else error)


def _as_revert(error: Exception) -> CallReverted | None:
    data = getattr(error, "data", None)
    message = str(getattr(error, "message", None) or error)
    response = getattr(error, "rpc_response", None)
    if response:
        failure = response.get("error", {})
        message = str(failure.get("message", message))
        data = failure.get("data", data)
    return errors.revert(message, data)
