"""OpenZeppelin Contracts 5.4 `MerkleProof`, in Python, line by line."""

from collections.abc import Sequence

from eth_utils.crypto import keccak


def commutative_keccak256(a: bytes, b: bytes) -> bytes:
    return keccak(a + b) if a < b else keccak(b + a)


def process_proof(proof: Sequence[bytes], leaf: bytes) -> bytes:
    computed = leaf
    for sibling in proof:
        computed = commutative_keccak256(computed, sibling)
    return computed


def process_multi_proof(proof: Sequence[bytes], flags: Sequence[bool], leaves: Sequence[bytes]) -> bytes:
    assert len(leaves) + len(proof) == len(flags) + 1, "MerkleProofInvalidMultiproof"
    hashes: list[bytes] = []
    leaf_pos = hash_pos = proof_pos = 0
    for flag in flags:
        if leaf_pos < len(leaves):
            a, leaf_pos = leaves[leaf_pos], leaf_pos + 1
        else:
            a, hash_pos = hashes[hash_pos], hash_pos + 1
        if not flag:
            b, proof_pos = proof[proof_pos], proof_pos + 1
        elif leaf_pos < len(leaves):
            b, leaf_pos = leaves[leaf_pos], leaf_pos + 1
        else:
            b, hash_pos = hashes[hash_pos], hash_pos + 1
        hashes.append(commutative_keccak256(a, b))
    if flags:
        assert proof_pos == len(proof), "MerkleProofInvalidMultiproof"
        return hashes[-1]
    return leaves[0] if leaves else proof[0]
