"""A batch's Merkle tree: one branch is OpenZeppelin's StandardMerkleTree over (account, cumulative entitlement), with
proofs and multiproofs; the other stands for the payments.

Source: https://github.com/OpenZeppelin/merkle-tree (src/core.ts). Leaves are hashed twice and sorted, pairs are sorted.
"""

from collections.abc import Iterable
from typing import Any

from eth_abi import encode
from eth_utils import keccak

from support.packing import word

Entry = tuple[Any, int]
PAYMENTS = keccak(text="the batch's payments")
"""Stands for the other branch: the contracts never look into it."""


def leaf(account: Any, cumulative: int) -> bytes:
    return keccak(keccak(encode(["address", "uint256"], [str(account), cumulative])))


class BatchTree:
    """The entitlements are a complete binary tree in an array: node i has the children 2i+1 and 2i+2, the leaves stand at
    the end.

    :param payments: the payments' root; without it the entitlements' branch is all of the tree
    """

    def __init__(self, entries: Iterable[Entry], payments: bytes | None = PAYMENTS) -> None:
        self._trunk = [] if payments is None else [payments]
        self._entries = sorted(entries, key=lambda entry: leaf(*entry))
        leaves = [leaf(*entry) for entry in self._entries]
        self._nodes = [b""] * (len(leaves) - 1) + leaves[::-1]
        for i in range(len(leaves) - 2, -1, -1):
            self._nodes[i] = _hash_pair(self._nodes[2 * i + 1], self._nodes[2 * i + 2])

    @property
    def root(self) -> bytes:
        return _hash_pair(self._nodes[0], *self._trunk) if self._trunk else self._nodes[0]

    def proof(self, account: Any) -> list[bytes]:
        i = self._index(account)
        proof = []
        while i > 0:
            proof.append(self._nodes[_sibling(i)])
            i = (i - 1) // 2
        return proof + self._trunk

    def multiproof(self, accounts: Iterable[Any]) -> tuple[list[int], list[bytes], list[bool]]:
        """(entitlements' words, proof, flags), in the order in which the contract has to see them."""
        indices = sorted(map(self._index, accounts), reverse=True)
        ordered = [self._entries[len(self._nodes) - 1 - i] for i in indices]
        stack, proof, flags = list(indices), [], []
        while stack and stack[0] > 0:
            i = stack.pop(0)
            if stack and stack[0] == _sibling(i):
                stack.pop(0)
                flags.append(True)
            else:
                proof.append(self._nodes[_sibling(i)])
                flags.append(False)
            stack.append((i - 1) // 2)
        if not indices:
            return [], [self.root], []
        return [word(*entry) for entry in ordered], proof + self._trunk, flags + [False] * len(self._trunk)

    def _index(self, account: Any) -> int:
        position = next(i for i, (entry, _) in enumerate(self._entries) if str(entry) == str(account))
        return len(self._nodes) - 1 - position


def _hash_pair(a: bytes, b: bytes) -> bytes:
    return keccak(min(a, b) + max(a, b))


def _sibling(i: int) -> int:
    return i + 1 if i % 2 else i - 1
