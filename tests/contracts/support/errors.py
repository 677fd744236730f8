"""Expecting a revert, in the same way on every node.

Nodes differ in what a failed transaction tells (Ganache withholds the revert data, anvil needs a trace). An `eth_call`
answers alike everywhere and its data is the error itself, so an expected revert is only called, never mined.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from brownie import project, web3
from brownie.network import gas_price
from brownie.network.account import _PrivateKeyAccount
from eth_abi import decode
from eth_utils import function_abi_to_4byte_selector, to_hex

from support import coverage
from support.events import plain

BUILT_IN = {
    bytes.fromhex("08c379a0"): ("Error", ["string"]),
    bytes.fromhex("4e487b71"): ("Panic", ["uint256"]),
}
OVERFLOW = 0x11
"""The code of the Panic that checked arithmetic raises."""

NO_DATA = "(no data)"
"""The name of a revert without data: no such function, no contract there, undecodable arguments."""


class _Reverted(Exception):
    def __init__(self, data: bytes) -> None:
        self.data = data


@contextmanager
def reverts_with(error: str, *args: Any) -> Iterator[None]:
    """Expect that the one transaction inside reverts with `error`, and with `args` if any are given.

    The transaction is simulated on the latest block, at that block's time.
    """
    with _simulated_transactions():
        try:
            yield
        except _Reverted as reverted:
            name, actual = _decode(reverted.data)
        else:
            raise AssertionError(f"nothing was sent that could revert with {error}")
    assert name == error, f"expected {error}, got {name}{actual}"
    if args:
        assert actual == tuple(map(plain, args)), f"{error}: expected {args}, got {actual}"


def mine_a_failure(sender: Any, to: Any, data: str) -> None:
    """Have a transaction that reverts mined, past Brownie, which would raise what it reverts with."""
    fees = {"gas": hex(1_000_000), "gasPrice": hex(gas_price())}
    before = web3.eth.block_number
    # Ganache answers with an error and mines it all the same.
    web3.provider.make_request("eth_sendTransaction", [{"from": sender.address, "to": to.address, "data": data, **fees}])
    deadline = time.monotonic() + 30
    while web3.eth.block_number == before and time.monotonic() < deadline:
        time.sleep(0.01)  # anvil answers before it has mined
    (mined,) = web3.eth.get_block(before + 1)["transactions"]
    assert web3.eth.get_transaction_receipt(mined)["status"] == 0, "expected a revert, but it went through"


@contextmanager
def _simulated_transactions() -> Iterator[None]:
    send = _PrivateKeyAccount._make_transaction
    _PrivateKeyAccount._make_transaction = _simulate
    try:
        yield
    finally:
        _PrivateKeyAccount._make_transaction = send


def _simulate(sender: Any, to: Any, amount: int, *options: Any) -> None:
    # Brownie passes everything by position: gas limit and buffer, three prices, then the data.
    data = to_hex(hexstr=str(options[5])) if options[5] else "0x"
    call = {"from": sender.address, "value": hex(amount), "data": data}
    if to is not None:
        call["to"] = str(to)
    if options[0] is not None:
        call["gas"] = hex(options[0])
    response = web3.provider.make_request("eth_call", [call, "latest"])
    if "error" not in response:
        raise AssertionError("expected a revert, but the call went through")
    if coverage.is_on():
        coverage.mine(call)
    data = response["error"].get("data", "")
    assert isinstance(data, str) and data.startswith("0x"), f"no revert data in {response['error']}"
    raise _Reverted(bytes.fromhex(data[2:]))


def _decode(data: bytes) -> tuple[str, tuple[Any, ...]]:
    if not data:
        return NO_DATA, ()
    selector = data[:4]
    assert selector in _selectors(), f"an error that no ABI knows: {data.hex()}"
    name, types = _selectors()[selector]
    return name, tuple(map(plain, decode(types, data[4:])))


@cache
def _selectors() -> dict[bytes, tuple[str, list[str]]]:
    table = dict(BUILT_IN)
    for container in project.get_loaded_projects()[0]:
        for item in container.abi:
            if item["type"] == "error":
                types = [field["type"] for field in item["inputs"]]
                selector = function_abi_to_4byte_selector({**item, "type": "function"})
                table[selector] = (item["name"], types)
    return table
