"""Proofs hold for OpenZeppelin's MerkleProof, here line by line in Python."""

import secrets

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from taesan.core.values import hex_of
from taesan.settlement.merkle import EMPTY_ROOT, MerkleTree, entitlement_leaf, payment_leaf, verify
from tests.support.merkle import process_multi_proof, process_proof
from tests.support.wallet import Wallet


def _leaves(count: int) -> list[bytes]:
    return [keccak(n.to_bytes(4, "big")) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 31, 100])
def test_each_leafs_proof_leads_to_the_root(count: int) -> None:
    tree = MerkleTree(_leaves(count))
    for leaf in _leaves(count):
        assert process_proof(tree.proof(leaf), leaf) == tree.root
        assert verify(tree.root, leaf, tree.proof(leaf))


def test_a_proof_is_good_for_its_leaf_alone() -> None:
    tree = MerkleTree(_leaves(9))
    first, second, *_ = _leaves(9)
    assert not verify(tree.root, second, tree.proof(first))
    assert not verify(tree.root, first, tree.proof(first)[:-1])
    assert not verify(tree.root, keccak(b"stranger"), tree.proof(first))
    with pytest.raises(KeyError):
        tree.proof(keccak(b"stranger"))


def test_the_order_of_leaves_does_not_matter() -> None:
    assert MerkleTree(_leaves(20)).root == MerkleTree(reversed(_leaves(20))).root


def test_the_root_is_the_one_of_openzeppelins_javascript() -> None:
    """`StandardMerkleTree.of([[address, "5000000000000000000"], [address, "2500000000000000000"]], ["address", "uint256"])`,
    the example of https://github.com/OpenZeppelin/merkle-tree."""
    values = [
        ("0x1111111111111111111111111111111111111111", 5_000_000_000_000_000_000),
        ("0x2222222222222222222222222222222222222222", 2_500_000_000_000_000_000),
    ]
    tree = MerkleTree(entitlement_leaf(account, amount) for account, amount in values)
    assert hex_of(tree.root) == "0xd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77"


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_every_choice_of_leaves_has_a_multiproof(count: int) -> None:
    leaves = _leaves(count)
    tree = MerkleTree(leaves)
    for choice in range(1, 2 ** min(count, 8)):
        chosen = [leaf for n, leaf in enumerate(leaves) if choice >> n & 1]
        proof = tree.multiproof(chosen)
        assert sorted(proof.leaves) == sorted(chosen)
        assert process_multi_proof(proof.proof, proof.flags, proof.leaves) == tree.root


def test_a_multiproof_for_all_needs_no_other_hash() -> None:
    proof = MerkleTree(_leaves(10)).multiproof(_leaves(10))
    assert proof.proof == []
    assert all(proof.flags)


def test_a_multiproof_for_none_is_the_root_itself() -> None:
    tree = MerkleTree(_leaves(10))
    proof = tree.multiproof([])
    assert (proof.leaves, proof.proof, proof.flags) == ([], [tree.root], [])
    assert process_multi_proof(proof.proof, proof.flags, proof.leaves) == tree.root


def test_a_multiproof_with_a_changed_leaf_leads_elsewhere() -> None:
    tree = MerkleTree(_leaves(10))
    proof = tree.multiproof(_leaves(10)[:4])
    forged = [keccak(b"forged"), *proof.leaves[1:]]
    assert process_multi_proof(proof.proof, proof.flags, forged) != tree.root


def test_an_empty_tree_has_the_zero_root() -> None:
    assert MerkleTree([]).root == EMPTY_ROOT != bytes(32)


def test_a_leaf_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        MerkleTree([*_leaves(3), _leaves(3)[1]])


def test_leaves_are_hashed_twice_as_the_contract_hashes_them() -> None:
    account = Wallet("payer").address
    assert entitlement_leaf(account, 7) == keccak(keccak(encode(["address", "uint256"], [account, 7])))


def test_every_field_of_a_payment_is_in_its_leaf() -> None:
    payee = Wallet("payer").address
    given: list[tuple[str, str, int, int, str]] = [
        ("pay_1", "0x" + "aa" * 32, 5, 10, payee),
        ("pay_2", "0x" + "aa" * 32, 5, 10, payee),
        ("pay_1", "0x" + "ab" * 32, 5, 10, payee),
        ("pay_1", "0x" + "aa" * 32, 6, 10, payee),
        ("pay_1", "0x" + "aa" * 32, 5, 11, payee),
        ("pay_1", "0x" + "aa" * 32, 5, 10, Wallet("other").address),
    ]
    assert len({payment_leaf(*fields) for fields in given}) == len(given)


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    """The second preimage attack: a leaf is 64 bytes hashed twice, a node 64 bytes hashed once."""
    tree = MerkleTree(entitlement_leaf(Wallet().address, secrets.randbelow(2**60)) for _ in range(4))
    left, right = tree._nodes[1], tree._nodes[2]
    forged_account, forged_amount = hex_of(left[12:]), int.from_bytes(right, "big")
    assert entitlement_leaf(forged_account, forged_amount) != tree.root
