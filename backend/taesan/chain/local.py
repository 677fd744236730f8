"""What only a local chain lets one do: put code at an address of one's choice, move the clock, and have test dollars for the asking."""

import threading
import time
from datetime import UTC, datetime, timedelta

from taesan.chain import sender
from taesan.chain.contracts import Contracts
from taesan.chain.errors import RequestRefused
from taesan.chain.rpc import Node, NodeUnavailable
from taesan.chain.signers import Signer
from taesan.core.clock import Clock
from taesan.core.values import hex_of

CHAIN_IDS = (31337, 1337)
"""Anvil's and Hardhat's; Ganache's."""
CLIENTS_CHAIN_ID, CLIENTS_DOLLAR = 84532, "0x036CbD53842c5426634e7929541eC2318f3dCF7e"
"""Base Sepolia's, and its dollar there: x402 clients pay with that, and with no dollar of ours, unless they are told to."""
DEVELOPMENT = ("anvil/", "ganache/")
"""How programs call themselves that are no public chain's."""
SET_CODE = ("anvil_setCode", "evm_setAccountCode")
"""Anvil's and Ganache's name for it."""
MINT_GAS = 100_000
"""Amply; an estimate would take seconds on Ganache."""
ASK_EVERY_S, ASK_AGAIN_S = 1.0, 30.0


class NotLocal(Exception):
    """The node's chain is shared with others, or its program cannot do this."""


def require_local(node: Node) -> None:
    """:raises NotLocal: by its chain id, others may be on it"""
    if not is_local(node):
        known = " or ".join(map(str, CHAIN_IDS))
        raise NotLocal(
            f"the node at {node.name} is on chain {node.chain_id()}; this is for local chains only ({known})"
        )


def is_local(node: Node) -> bool:
    chain_id = node.chain_id()
    is_dressed_up = chain_id == CLIENTS_CHAIN_ID and _version(node).lower().startswith(DEVELOPMENT)
    return chain_id in CHAIN_IDS or is_dressed_up


def _version(node: Node) -> str:
    try:
        return str(node.request("web3_clientVersion"))
    except RequestRefused:
        return ""


def place(node: Node, signer: Signer, address: str, creation_code: str, ceiling_wei: int) -> str:
    """Puts a contract at `address`, as if it had been created there; one that stands there already stays as it is.

    The creation code, set as the address's code, is called: so the constructor sees that address as its own, and returns
    the code with the immutables that belong there. Called once more, in a transaction, it writes what it stores.

    :param creation_code: 0x-hex, constructor arguments included
    :raises NotLocal: not on this chain
    """
    require_local(node)
    if not node.code(address):
        _set_code(node, address, creation_code)
        code = node.call(address, "0x")
        sender.send_and_wait(node, signer, address, "0x", ceiling_wei)
        _set_code(node, address, hex_of(code))
    return address


class ChainClock:
    """A local chain's, which may have been put forward (`warp`): a clock, and what the newest block is ahead of it.

    The node is asked once a second at most, by one thread; one that does not answer is left alone for a while.
    """

    def __init__(self, node: Node, clock: Clock) -> None:
        self._node, self._clock = node, clock
        self._asking = threading.Lock()
        self._ahead, self._ask_at = timedelta(), 0.0

    def now(self) -> datetime:
        if time.monotonic() >= self._ask_at and self._asking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._asking.release()
        return self._clock.now() + self._ahead

    def _look(self) -> None:
        """A chain that makes no blocks goes on all the same: what it was ahead once, it is still."""
        try:
            newest = datetime.fromtimestamp(self._node.head()["timestamp"], UTC)
        except NodeUnavailable:
            self._ask_at = time.monotonic() + ASK_AGAIN_S
            return
        self._ahead = max(self._ahead, newest - self._clock.now())
        self._ask_at = time.monotonic() + ASK_EVERY_S


def warp(node: Node, seconds: int) -> datetime:
    """Moves the chain's clock forward and mines a block; returns the chain's new time.

    :raises NotLocal: not on this chain
    """
    require_local(node)
    try:
        node.request("evm_increaseTime", seconds)
        node.request("evm_mine")
    except RequestRefused as error:
        raise NotLocal(f"the node at {node.name} cannot move its clock: {error}") from error
    return datetime.fromtimestamp(node.head()["timestamp"], UTC)


def give_test_dollars(node: Node, contracts: Contracts, to: str, amount: int) -> str:
    """Mints minor units of the test dollar, sent by the last of the accounts that the node itself signs for; returns the hash.

    :raises NotLocal: not on this chain, or its asset has no faucet
    """
    require_local(node)
    try:
        accounts = node.request("eth_accounts")
        if not isinstance(accounts, list) or not accounts:
            raise NotLocal(f"the node at {node.name} signs for nobody")
        data = contracts.encode("asset", "mint", to, amount)
        mint = {"from": accounts[-1], "to": contracts.deployment.asset, "data": data, "gas": hex(MINT_GAS)}
        return str(node.request("eth_sendTransaction", mint))
    except RequestRefused as error:
        raise NotLocal(f"the node at {node.name} mints no test dollars: {error}") from error


def _set_code(node: Node, address: str, code: str) -> None:
    refusals = []
    for method in SET_CODE:
        try:
            node.request(method, address, code)
            return
        except RequestRefused as error:
            refusals.append(f"{method}: {error}")
    raise NotLocal(f"the node at {node.name} cannot set code: {'; '.join(refusals)}")
