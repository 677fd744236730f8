"""Whatever the leaves, every proof and multiproof leads to the root, and no proof proves anything else."""

from hypothesis import given
from hypothesis import strategies as st

from taesan.settlement.merkle import MerkleTree, verify
from tests.support.merkle import process_multi_proof, process_proof

LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=60, unique=True)


@given(LEAVES, st.data())
def test_proofs_lead_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    tree = MerkleTree(leaves)
    leaf = data.draw(st.sampled_from(leaves))
    proof = tree.proof(leaf)
    assert process_proof(proof, leaf) == tree.root
    assert verify(tree.root, leaf, proof)
    assert len(proof) <= len(leaves).bit_length()


@given(LEAVES, st.data())
def test_multiproofs_lead_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    tree = MerkleTree(leaves)
    chosen = data.draw(st.lists(st.sampled_from(leaves), unique=True))
    proof = tree.multiproof(chosen)
    assert sorted(proof.leaves) == sorted(chosen)
    assert process_multi_proof(proof.proof, proof.flags, proof.leaves) == tree.root


@given(LEAVES, st.data())
def test_the_root_tells_of_every_leaf(leaves: list[bytes], data: st.DataObject) -> None:
    root = MerkleTree(leaves).root
    assert MerkleTree(data.draw(st.permutations(leaves))).root == root
    stranger = data.draw(st.binary(min_size=32, max_size=32).filter(lambda leaf: leaf not in leaves))
    assert MerkleTree([*leaves, stranger]).root != root
    assert MerkleTree([*leaves[1:], stranger]).root != root
    assert not verify(root, stranger, MerkleTree(leaves).proof(leaves[0]))
