"""Expecting events, decoded by the project's ABIs.

Brownie's own `tx.events` loses track of a contract that a reset chain has deployed again at the same address.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from brownie import project, web3
from eth_utils import event_abi_to_log_topic, to_hex


def plain(value: Any) -> Any:
    """One form for what tests pass and what decoding yields: accounts, contracts, bytes, hex strings, structs."""
    value = getattr(value, "address", value)
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return tuple(map(plain, value))
    return value.lower() if isinstance(value, str) and value.startswith("0x") else value


def emitted(tx: Any, name: str) -> list[dict[str, Any]]:
    """The fields of all events of this name, in order."""
    topic, decoder = _decoder(name)
    return [_decode(decoder, log) for log in tx.logs if log["topics"][0] == topic]


def emitted_ever(contract: Any, name: str) -> list[dict[str, Any]]:
    """As `emitted`, of one contract in the whole chain."""
    topic, decoder = _decoder(name)
    logs = web3.eth.get_logs({"address": contract.address, "topics": [topic], "fromBlock": 0})
    return [_decode(decoder, log) for log in logs]


def assert_emitted(tx: Any, name: str, **fields: Any) -> None:
    """Exactly one event of this name, with exactly these fields."""
    expected = [{field: plain(value) for field, value in fields.items()}]
    actual = emitted(tx, name)
    assert actual == expected, f"{name}: expected {expected}, got {actual}"


def _decode(decoder: Any, log: Any) -> dict[str, Any]:
    return {field: plain(value) for field, value in decoder.process_log(log)["args"].items()}


@cache
def _decoder(name: str) -> tuple[bytes, Any]:
    abis = (item for container in project.get_loaded_projects()[0] for item in container.abi)
    abi = next(item for item in abis if item["type"] == "event" and item["name"] == name)
    return event_abi_to_log_topic(abi), getattr(web3.eth.contract(abi=[abi]).events, name)()
