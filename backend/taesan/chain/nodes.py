"""Several nodes of one chain behind the interface of one: whoever answers is asked, all are told, and before something counts
as final they have to agree on it."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog
from web3 import Web3
from web3.types import BlockData, LogReceipt

from taesan.chain.errors import SendRefused
from taesan.chain.rpc import RPC_TIMEOUT_S, Node, NodesDisagree, NodeUnavailable
from taesan.core.values import hex_of

log = structlog.get_logger()
T = TypeVar("T")

BACK_OFF_S = 5.0
MAX_BACK_OFF_S = 300.0
LAG_BLOCKS = 12  # behind the others, and a node has lost the chain


def connect(rpc_url: str, timeout_s: float = RPC_TIMEOUT_S) -> Node:
    """:param rpc_url: an endpoint, or several with commas between them, the preferred one first"""
    urls = [url.strip() for url in rpc_url.split(",") if url.strip()]
    return Node(urls[0], timeout_s) if len(urls) == 1 else Nodes(urls, timeout_s)


class Nodes(Node):
    """:param urls: in the order in which they are asked. One that fails is asked last for a while, each time for longer."""

    def __init__(self, urls: Sequence[str], timeout_s: float = RPC_TIMEOUT_S) -> None:
        self._nodes = [Node(url, timeout_s) for url in urls]
        self.url = urls[0]
        self._asked = threading.local()
        self._lock = threading.Lock()
        self._resting: dict[Node, tuple[float, float]] = {}  # until when, and how long it was
        self._chain: tuple[int, str] | None = None
        self._admitted: set[Node] = set()

    @property
    def name(self) -> str:
        return ", ".join(node.name for node in self._nodes)

    @property
    def web3(self) -> Web3:  # type: ignore[override]
        """Of the node that is being asked; outside of a question, of the one that would be."""
        node: Node = getattr(self._asked, "node", None) or self._in_order()[0]
        return node.web3

    def endpoints(self) -> list[Node]:
        return [node for node in self._nodes if _answers(node)]

    def head(self) -> BlockData:
        """The newest that any of them knows. One that answers and stands still would never be failed over from."""
        heads: dict[Node, BlockData] = {}
        away: NodeUnavailable | None = None
        for node in self._in_order():
            if heads and self._is_resting(node):
                continue
            try:
                self._admit(node)
                heads[node] = node.head()
            except NodeUnavailable as error:
                self._rest(node)
                away = away or error
        if not heads:
            assert away is not None
            raise away
        newest = max(heads.values(), key=lambda block: int(block["number"]))
        for node, block in heads.items():
            if int(newest["number"]) - int(block["number"]) > LAG_BLOCKS:
                self._rest(node)
        return newest

    def require_agreement(self, block: int) -> None:
        """:raises NodesDisagree: two of the nodes that answer know different blocks of this number"""
        found: dict[str, str] = {}
        for node in self._in_order():
            try:
                self._admit(node)
                found[node.name] = hex_of(node.block(block)["hash"])
            except NodeUnavailable:
                continue  # it lags, or is down: no opinion
        if len(set(found.values())) > 1:
            told = ", ".join(f"{hash_} at {name}" for name, hash_ in found.items())
            raise NodesDisagree(f"the nodes disagree on block {block}: {told}")

    def logs(
        self, addresses: Sequence[str], first_block: int, last_block: int, topics: Sequence[Any] = ()
    ) -> list[LogReceipt]:
        def ask() -> list[LogReceipt]:
            # The same node: one that lags behind would tell of no events there, instead of that it does not know.
            self._block(hex(last_block))
            return self._logs(addresses, first_block, last_block, topics)

        return self._ask(ask)

    def send_raw(self, raw: bytes) -> None:
        """To all of them. One that takes it is enough."""
        refused: SendRefused | None = None
        away: NodeUnavailable | None = None
        taken = False
        for node in self._in_order():
            try:
                self._admit(node)
                node.send_raw(raw)
                taken = True
            except SendRefused as error:
                refused = refused or error
            except NodeUnavailable as error:
                self._rest(node)
                away = away or error
        if not taken and (refused or away):
            raise refused or away  # type: ignore[misc]

    # ------------------------------------------------------------------ failing over

    def _ask(self, question: Callable[[], T]) -> T:
        away: NodeUnavailable | None = None
        for node in self._in_order():
            self._asked.node = node
            try:
                self._admit(node)
                answer = node._ask(question)
            except NodeUnavailable as error:
                self._rest(node)
                away = away or error
            else:
                with self._lock:
                    self._resting.pop(node, None)
                return answer
            finally:
                self._asked.node = None
        assert away is not None
        raise away

    def _in_order(self) -> list[Node]:
        return sorted(self._nodes, key=self._is_resting)

    def _is_resting(self, node: Node) -> bool:
        with self._lock:
            until, _ = self._resting.get(node, (0.0, 0.0))
        return until > time.monotonic()

    def _rest(self, node: Node) -> None:
        with self._lock:
            until, last = self._resting.get(node, (0.0, 0.0))
            if until > time.monotonic():
                return
            pause = min(last * 2, MAX_BACK_OFF_S) or BACK_OFF_S
            self._resting[node] = (time.monotonic() + pause, pause)
        log.warning("node.resting", node=node.name, seconds=pause)

    def _admit(self, node: Node) -> None:
        """A node that was down at the start may turn out to be on another chain when it is up: it is not listened to.

        :raises NodeUnavailable: it is, or it does not answer
        """
        if node in self._admitted:
            return
        chain = (node.chain_id(), hex_of(node.block(0)["hash"]))
        with self._lock:
            self._chain = self._chain or chain
            if chain == self._chain:
                self._admitted.add(node)
                return
        log.error("node.other_chain", node=node.name, chain_id=chain[0], genesis=chain[1])
        raise NodeUnavailable(f"the node at {node.name} is on another chain")


def _answers(node: Node) -> bool:
    try:
        node.chain_id()
    except NodeUnavailable:
        return False
    return True
