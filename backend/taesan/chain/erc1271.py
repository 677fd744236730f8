"""Signatures of key pairs and of contract wallets (ERC-1271), as `SignatureCheck.sol` takes them."""

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from taesan.chain.rpc import CallReverted, Node
from taesan.core.crypto import recover

_MAGIC = keccak(text="isValidSignature(bytes32,bytes)")[:4]


def is_valid(node: Node, account: str, digest: bytes, signature: bytes) -> bool:
    """Whether the account signed: by its key, or, if it is a contract, by its own word. Asks the node only for the latter."""
    if recover(digest, signature) == account:
        return True
    if not node.code(account):
        return False
    try:
        answer = node.call(account, "0x" + (_MAGIC + encode(["bytes32", "bytes"], [digest, signature])).hex())
    except CallReverted:
        return False
    return len(answer) >= 32 and answer[:32] == _MAGIC.ljust(32, b"\0")
