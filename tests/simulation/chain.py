"""A chain that is mined, reorganised and starved on command. It behaves as anvil was measured to: after a reorg, what fell out
does not return to the pool; nonces without a gap are mined in order, others wait; what offers less than the base fee is
refused, and not mined while the fee stays above it. Only for a second transaction of one nonce it asks for fees a tenth
higher, as geth does; anvil takes any that are higher."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from eth_account import Account
from eth_account.typed_transactions import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import Web3

from tests.simulation.evm import BIRTH, Ground, Result

BASE_FEE = 10**9
BUMP_PERCENT = 10
NOBODY = "0x" + "0" * 40


@dataclass(frozen=True)
class Transaction:
    """:ivar nonce: None: a stranger's, whose nonces nobody looks at. :ivar is_kept: whoever sent it sends it again after
    a reorg"""

    hash: str
    sender: str
    to: str
    data: bytes
    nonce: int | None = None
    max_fee: int = 0
    tip: int = 0
    is_kept: bool = False


@dataclass(frozen=True)
class Mined:
    """A transaction with its place."""

    transaction: Transaction
    result: Result
    block_number: int
    index: int
    first_log: int


@dataclass
class Block:
    """:ivar before: the state that it was mined on. :ivar nonces: of all senders, after it"""

    number: int
    hash: bytes
    timestamp: int
    base_fee: int
    before: Any
    nonces: dict[str, int]
    mined: list[Mined] = field(default_factory=list)


class Refused(Exception):
    """What a node says that does not take a transaction."""


class AlreadyKnown(Refused):
    """It has it already, in its pool."""


class Chain:
    def __init__(self, ground: Ground, now: Callable[[], int]) -> None:
        """:param now: the time in seconds since 1970 that blocks are given"""
        self.ground, self._now = ground, now
        self._machine = ground.machine
        self.base_fee = BASE_FEE
        self.pool: list[Transaction] = []
        self._forks = 0
        self._mined: dict[str, Mined] = {}
        self._begin = self._machine.mark()
        genesis = Block(0, keccak(b"genesis"), BIRTH, BASE_FEE, None, {})
        # The block of the deployment: the contracts are there, whoever asks.
        first = Block(1, keccak(b"deployed"), BIRTH, BASE_FEE, None, dict(ground.nonces))
        self.blocks = [genesis, first]

    def end(self) -> None:
        """Leaves the ground as it was found."""
        self._machine.back_to(self._begin)

    # ------------------------------------------------------------------- reading

    @property
    def head(self) -> Block:
        return self.blocks[-1]

    def find(self, hash_: str) -> Mined | None:
        return self._mined.get(hash_)

    def nonce(self, sender: str, number: int | None = None) -> int:
        block = self.head if number is None else self.blocks[number]
        return block.nonces.get(sender, 0)

    def pending_nonce(self, sender: str) -> int:
        """With what waits in the pool without a gap."""
        nonce, waiting = self.nonce(sender), {t.nonce for t in self.pool if t.sender == sender}
        while nonce in waiting:
            nonce += 1
        return nonce

    def ask(self, to: str, data: bytes, sender: str, number: int | None = None, gas: int | None = None) -> Result:
        """A call on the state after a block (default: the newest)."""
        with self._state_after(self.head.number if number is None else number):
            return self._machine.ask(sender, to, data, *([] if gas is None else [gas]))

    def read(self, role: str, function: str, *arguments: Any) -> int:
        """A view call that answers with one number, at the newest block."""
        call, to = _call(self.ground.contracts, role, function, arguments), getattr(self.ground.deployment, role)
        result = self.ask(to, call, NOBODY)
        assert result.succeeded, f"{role}.{function} reverted"
        return int.from_bytes(result.output[:32], "big")

    def code(self, address: str) -> bytes:
        return self._machine.code(address)

    def logs(self, first: int, last: int) -> Iterator[tuple[Mined, int, Any]]:
        """Each with its number in its block."""
        for block in self.blocks[max(first, 0) : last + 1]:
            for mined in block.mined:
                for number, log in enumerate(mined.result.logs, start=mined.first_log):
                    yield mined, number, log

    @contextmanager
    def _state_after(self, number: int) -> Iterator[None]:
        """As it was then. What has been mined since is run again afterwards, to the same end."""
        later = self.blocks[number + 1 :]
        is_same = not any(block.mined for block in later)
        if not is_same:
            self._machine.back_to(later[0].before)
        block = self.blocks[number]
        self._machine.set_block(block.number, block.timestamp)
        try:
            yield
        finally:
            if not is_same:
                self._run_again(later)

    def _run_again(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            block.before = self._machine.mark()
            self._machine.set_block(block.number, block.timestamp)
            for mined in block.mined:
                again = self._machine.run(mined.transaction.sender, mined.transaction.to, mined.transaction.data)
                assert again.succeeded == mined.result.succeeded, "the same transaction went otherwise"

    # -------------------------------------------------------------------- sending

    def send_raw(self, raw: bytes) -> None:
        """:raises Refused: with what anvil says"""
        new = decode(raw)
        assert new.nonce is not None
        if any(t.hash == new.hash for t in self.pool):
            raise AlreadyKnown("transaction already imported")
        if new.nonce < self.nonce(new.sender):
            raise Refused("nonce too low")
        if new.max_fee < self.base_fee:
            raise Refused("max fee per gas less than block base fee")
        rival = next((t for t in self.pool if t.sender == new.sender and t.nonce == new.nonce), None)
        if rival is not None:
            if new.max_fee * 100 < rival.max_fee * (100 + BUMP_PERCENT) or new.tip * 100 < rival.tip * (
                100 + BUMP_PERCENT
            ):
                raise Refused("replacement transaction underpriced")
            self.pool.remove(rival)
        self.pool.append(new)

    def send(self, sender: str, role: str, function: str, *arguments: Any) -> None:
        """A stranger's transaction into the pool."""
        data = bytes.fromhex(self.ground.contracts.encode(role, function, *arguments)[2:])
        self.put(sender, getattr(self.ground.deployment, role), data)

    def put(self, sender: str, to: str, data: bytes, *, nonce: int | None = None) -> None:
        """Into the pool, before all others. :param nonce: if it is to count as the sender's"""
        count = len(self.pool) + sum(len(block.mined) for block in self.blocks)
        hash_ = "0x" + keccak(b"%d %d" % (self._forks, count) + sender.encode() + data).hex()
        new = Transaction(hash_, sender, to, data, nonce, 2**64, 2**64, is_kept=nonce is not None)
        self.pool.insert(0, new)

    def drop(self, number: int) -> bool:
        """Loses one of the pool's transactions; False if it is empty."""
        if not self.pool:
            return False
        del self.pool[number % len(self.pool)]
        return True

    # --------------------------------------------------------------------- mining

    def mine(self, count: int = 1) -> None:
        for _ in range(count):
            self._mine(self.pool)
            left = {t.hash for t in self.pool} - self._mined.keys()
            self.pool = [t for t in self.pool if t.hash in left and not self._is_stale(t)]

    def reorganise(self, depth: int, keep: int) -> int:
        """Replaces the last blocks by as many others; returns how many transactions fell out.

        :param keep: bit n: the n-th of their transactions is in the new blocks, too, if it still can be
        """
        depth = min(depth, len(self.blocks) - 2)
        if depth <= 0:
            return 0
        gone, self.blocks = self.blocks[-depth:], self.blocks[:-depth]
        self._machine.back_to(gone[0].before)
        self._forks += 1
        number = kept = 0
        for block in gone:
            again = []
            for mined in block.mined:
                del self._mined[mined.transaction.hash]
                if keep >> number & 1 or mined.transaction.is_kept:
                    again.append(mined.transaction)
                number += 1
            self._mine(again)
            kept += len(self.head.mined)
            self.pool[:0] = [t for t in again if t.is_kept and t.hash not in self._mined]
        self.pool = [t for t in self.pool if not self._is_stale(t)]
        return number - kept

    def _is_stale(self, transaction: Transaction) -> bool:
        return transaction.nonce is not None and transaction.nonce < self.nonce(transaction.sender)

    def _mine(self, candidates: Sequence[Transaction]) -> None:
        parent = self.head
        number, timestamp = parent.number + 1, max(parent.timestamp + 1, self._now())
        block = Block(number, b"", timestamp, self.base_fee, self._machine.mark(), dict(parent.nonces))
        self._machine.set_block(number, timestamp)
        logs = 0
        for transaction in _in_order(candidates):
            if transaction.nonce is not None:
                if transaction.max_fee < self.base_fee or transaction.nonce != block.nonces.get(transaction.sender, 0):
                    continue
                block.nonces[transaction.sender] = transaction.nonce + 1
            result = self._machine.run(transaction.sender, transaction.to, transaction.data)
            mined = Mined(transaction, result, number, len(block.mined), logs)
            logs += len(result.logs)
            block.mined.append(mined)
            self._mined[transaction.hash] = mined
        content = "".join(mined.transaction.hash for mined in block.mined)
        block.hash = keccak(parent.hash + f"{self._forks} {timestamp} {content}".encode())
        self.blocks.append(block)


def _in_order(candidates: Sequence[Transaction]) -> list[Transaction]:
    """Strangers as they came, then each sender's by nonce; somebody else's use of a nonce before ours."""
    return sorted(candidates, key=lambda t: (t.nonce is not None, t.nonce or 0, -t.max_fee))


@cache
def decode(raw: bytes) -> Transaction:
    """A signed EIP-1559 transaction."""
    fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    return Transaction(
        hash="0x" + keccak(raw).hex(),
        sender=Account.recover_transaction(raw),
        to=Web3.to_checksum_address(fields["to"]),
        data=bytes(fields["data"]),
        nonce=int(fields["nonce"]),
        max_fee=int(fields["maxFeePerGas"]),
        tip=int(fields["maxPriorityFeePerGas"]),
    )


@cache
def _call(contracts: Any, role: str, function: str, arguments: tuple[Any, ...]) -> bytes:
    return bytes.fromhex(contracts.encode(role, function, *arguments)[2:])
