"""Writing a contract's storage from outside, for states that no chain would live to see."""

from typing import Any

from brownie import web3

SLOTS = 32
"""More than any of our contracts declares."""


def slot_holding(contract: Any, value: int) -> int:
    """The one declared slot that holds this value."""
    slots = [slot for slot in range(SLOTS) if int.from_bytes(web3.eth.get_storage_at(contract.address, slot)) == value]
    assert len(slots) == 1, f"{value} stands in slots {slots}"
    return slots[0]


def write(contract: Any, slot: int, value: int) -> None:
    node = web3.provider.make_request("web3_clientVersion", [])["result"]
    method = "anvil_setStorageAt" if node.startswith("anvil") else "evm_setAccountStorageAt"
    response = web3.provider.make_request(method, [contract.address, f"0x{slot:064x}", f"0x{value:064x}"])
    assert "error" not in response, response
