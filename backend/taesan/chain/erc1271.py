"""Signatures of key pairs and of contract wallets (ERC-1271), as `SignatureCheck.sol` takes them."""

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from taesan.chain.errors import CallReverted
from taesan.chain.rpc import Node
from taesan.core.crypto import recover
from taesan.core.problems import Problem

MOST_GAS = 1_000_000
"""For one answer; wallets with passkeys checked in Solidity need some 400,000."""
_MAGIC = keccak(text="isValidSignature(bytes32,bytes)")[:4]
_COUNTERFACTUAL = bytes.fromhex("6492" * 16)  # ERC-6492: how a signature for a wallet that is still to be deployed ends


def is_valid(node: Node, account: str, digest: bytes, signature: bytes, asker: str) -> bool:
    """Whether the account signed: by its key, or, if it is a contract, by its own word. Asks the node only for the latter.

    :param asker: the contract that will ask on chain; a wallet may look at who asks
    :raises Problem: `wallet-not-deployed`
    """
    return recover(digest, signature) == account or is_valid_contract_signature(node, account, digest, signature, asker)


def is_valid_contract_signature(node: Node, account: str, digest: bytes, signature: bytes, asker: str) -> bool:
    """Whether the account is a contract that says so now. It can say otherwise at any later time.

    :raises Problem: `wallet-not-deployed`
    """
    if signature.endswith(_COUNTERFACTUAL):
        raise Problem(
            "wallet-not-deployed",
            422,
            "This wallet is not on the chain yet.",
            "Signatures by ERC-6492 cannot be claimed: deploy the wallet, then sign without the wrapper.",
        )
    data = "0x" + (_MAGIC + encode(["bytes32", "bytes"], [digest, signature])).hex()
    try:
        answer = node.call(account, data, asker, gas=MOST_GAS)
    except CallReverted:
        return False
    # Precompiled contracts answer too, though they have no code.
    return len(answer) >= 32 and answer[:32] == _MAGIC.ljust(32, b"\0") and len(node.code(account)) > 0
