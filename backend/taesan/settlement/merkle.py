"""Merkle trees as OpenZeppelin's `MerkleProof` and `StandardMerkleTree` have them: double-hashed leaves, sorted pairs. Pure.

Source: https://github.com/OpenZeppelin/merkle-tree (format "standard-v1").
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taesan.core.crypto import keccak
from taesan.core.values import bytes_of

EMPTY_ROOT = keccak(b"")
"""Not zero: verifiers of multiproofs have been fooled with a node of zero (GHSA-wprv-93r4-jj2p)."""


def payment_leaf(payment_id: str, channel_id: str, amount: int, cumulative: int, payee: str) -> bytes:
    """A payment's leaf. Only who knows the payment's id can tell which leaf it is.

    :param payment_id: `pay_…`; :param channel_id: bytes32 as 0x-hex; amounts in minor units; :param payee: EIP-55
    """
    return keccak(
        keccak(
            keccak(payment_id.encode())
            + bytes_of(channel_id)
            + _word(amount)
            + _word(cumulative)
            + _address_word(payee)
        )
    )


def entitlement_leaf(account: str, cumulative: int) -> bytes:
    """As `GiftSettlement` hashes it."""
    return keccak(keccak(_address_word(account) + _word(cumulative)))


@dataclass(frozen=True)
class MultiProof:
    """What `claimMany` needs; `leaves` in the order in which they have to be given."""

    leaves: list[bytes]
    proof: list[bytes]
    flags: list[bool]


class MerkleTree:
    """:param leaves: leaf hashes in any order, each once; may be empty (root zero)"""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        ordered = sorted(leaves)
        self._nodes: list[bytes] = [b""] * max(2 * len(ordered) - 1, 0)
        for i, leaf in enumerate(ordered):
            self._nodes[-1 - i] = leaf
        for i in range(len(ordered) - 2, -1, -1):
            self._nodes[i] = _hash_pair(self._nodes[2 * i + 1], self._nodes[2 * i + 2])
        self._index = {leaf: len(self._nodes) - 1 - i for i, leaf in enumerate(ordered)}
        if len(self._index) != len(ordered):
            raise ValueError("a leaf stands twice in the tree")

    @property
    def root(self) -> bytes:
        return self._nodes[0] if self._nodes else EMPTY_ROOT

    def proof(self, leaf: bytes) -> list[bytes]:
        """The siblings from the leaf up. :raises KeyError: no such leaf"""
        index, siblings = self._index[leaf], []
        while index > 0:
            siblings.append(self._nodes[_sibling(index)])
            index = (index - 1) // 2
        return siblings

    def multiproof(self, leaves: Iterable[bytes]) -> MultiProof:
        """One proof for several leaves. :raises KeyError: no such leaf"""
        indices = sorted((self._index[leaf] for leaf in leaves), reverse=True)
        queue, proof, flags, first = list(indices), [], [], 0
        while first < len(queue) and queue[first] > 0:
            index = queue[first]
            first += 1
            if first < len(queue) and queue[first] == _sibling(index):
                flags.append(True)
                first += 1
            else:
                flags.append(False)
                proof.append(self._nodes[_sibling(index)])
            queue.append((index - 1) // 2)
        if not indices and self._nodes:
            proof.append(self.root)
        return MultiProof([self._nodes[i] for i in indices], proof, flags)


def join(left: bytes, right: bytes) -> bytes:
    """The root of a tree whose two branches have these roots. A leaf's proof goes on with the other branch's root."""
    return _hash_pair(left, right)


def verify(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the leaf is under the root."""
    node = leaf
    for sibling in proof:
        node = _hash_pair(node, sibling)
    return node == root


def _word(number: int) -> bytes:
    """As `abi.encode` lays out a uint256; a general encoder takes ten times as long."""
    return number.to_bytes(32, "big")


def _address_word(address: str) -> bytes:
    return bytes(12) + bytes_of(address)


def _hash_pair(a: bytes, b: bytes) -> bytes:
    return keccak(a + b if a < b else b + a)


def _sibling(index: int) -> int:
    return index + 1 if index % 2 else index - 1
