"""What a transaction on the chain has called: for what its events leave out."""

from typing import Any

from web3 import Web3

from taesan.chain.contracts import Contracts
from taesan.chain.rpc import Node


def arguments_of(node: Node, contracts: Contracts, role: str, function: str, transaction: str) -> dict[str, Any] | None:
    """The named arguments of the call that a transaction is; None if it is not this call of this contract.

    :param transaction: its hash, 0x-hex; any full node keeps it, however old
    """
    sent: Any = node.request("eth_getTransactionByHash", transaction)
    if not sent or not sent.get("to") or Web3.to_checksum_address(sent["to"]) != getattr(contracts.deployment, role):
        return None
    try:
        called, arguments = getattr(contracts, role).decode_function_input(sent["input"])
    except ValueError:
        return None
    return dict(arguments) if called.fn_name == function else None
