"""Uniswap v3: on a local chain as it was published on npm, elsewhere where it stands."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isqrt
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from web3 import Web3

from taesan.chain import sender
from taesan.chain.rpc import Node
from taesan.chain.signers import Signer
from taesan.core.crypto import keccak
from taesan.core.values import hex_of

ARTIFACTS = {
    "UniswapV3Factory": "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
    "QuoterV2": "@uniswap/v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json",
    "SwapRouter": "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json",
    "NonfungiblePositionManager": (
        "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
    ),
    "WETH9": "canonical-weth/build/contracts/WETH9.json",
}
FEE = 3_000
"""0.3 %, in hundredths of a basis point."""
WINDOW_S, LOCAL_WINDOW_S = 1_800, 10
"""Over how long a pool's mean price is taken; on a local chain nobody wants to wait for one."""
OBSERVATIONS = 200  # that the pool remembers; a window's worth of blocks with trades in them
ALL_TICKS = 887_220
NOBODY = "0x" + "00" * 20
FOREVER = 2**255
ETHER = 10**18
POOL_ETHER, ETHERS_PRICE = 100, 3_000
"""The local pool's: with dollars of 6 decimals for as much."""


@dataclass(frozen=True)
class Dex:
    """Addresses. :ivar router: for whoever wants to trade by hand; the hub does not need it"""

    factory: str
    quoter: str
    weth: str = ""
    router: str = ""
    positions: str = ""


def deploy(node: Node, signer: Signer, packages: Path, asset: str, ceiling_wei: int) -> Dex:
    """Puts Uniswap on a chain, with a pool of ether and a test dollar that anybody can mint.

    :param packages: npm's folder
    """

    def create(name: str, *places: str) -> str:
        compiled = json.loads((packages / ARTIFACTS[name]).read_text())["bytecode"]
        data = compiled + encode(["address"] * len(places), places).hex()
        receipt = sender.send_and_wait(node, signer, None, data, ceiling_wei)
        return Web3.to_checksum_address(receipt["contractAddress"])  # type: ignore[arg-type]

    factory, weth = create("UniswapV3Factory"), create("WETH9")
    exchange = Dex(
        factory,
        create("QuoterV2", factory, weth),
        weth,
        create("SwapRouter", factory, weth),
        create("NonfungiblePositionManager", factory, weth, NOBODY),
    )
    _fill_pool(node, signer, exchange, asset, ceiling_wei)
    return exchange


def _fill_pool(node: Node, signer: Signer, exchange: Dex, asset: str, ceiling_wei: int) -> None:
    def send(to: str, signature: str, *values: Any, value: int = 0) -> None:
        sender.send_and_wait(node, signer, to, call(signature, *values), ceiling_wei, value)

    amounts = {asset: POOL_ETHER * ETHERS_PRICE * 10**6, exchange.weth: POOL_ETHER * ETHER}
    first, second = sorted(amounts, key=lambda address: int(address, 16))
    root = isqrt((amounts[second] << 192) // amounts[first])
    send(
        exchange.positions,
        "createAndInitializePoolIfNecessary(address,address,uint24,uint160)",
        *(first, second, FEE, root),
    )
    found = node.call(exchange.factory, call("getPool(address,address,uint24)", first, second, FEE))
    pool = Web3.to_checksum_address(found[12:])
    send(pool, "increaseObservationCardinalityNext(uint16)", OBSERVATIONS)
    send(asset, "mint(address,uint256)", signer.address, amounts[asset])
    send(exchange.weth, "deposit()", value=amounts[exchange.weth])
    for token, amount in amounts.items():
        send(token, "approve(address,uint256)", exchange.positions, amount)
    terms = (first, second, FEE, -ALL_TICKS, ALL_TICKS, amounts[first], amounts[second], 0, 0, signer.address, FOREVER)
    send(
        exchange.positions,
        "mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))",
        terms,
    )


# -------------------------------------------------------------------- prices


@lru_cache(1_000)
def pool_fee(node: Node, pool: str) -> int:
    """Hundredths of a basis point. A pool's never changes."""
    return int.from_bytes(node.call(pool, call("fee()")), "big")


def quote(node: Node, quoter: str, sold: str, bought: str, amount: int, fee: int) -> int:
    """What a swap would bring now, fee and the price that it moves included; of `bought`, minor units.

    :raises CallReverted: nothing, such as where all liquidity ends
    """
    terms = (sold, bought, amount, fee, 0)
    data = call("quoteExactInputSingle((address,address,uint256,uint24,uint160))", terms)
    (received, *_) = decode(["uint256", "uint160", "uint32", "uint256"], node.call(quoter, data))
    return int(received)


def call(signature: str, *values: Any) -> str:
    """Call data, 0x-hex. :param signature: such as `transfer(address,uint256)`"""
    return hex_of(keccak(signature.encode())[:4] + encode(_types(signature), values))


def _types(signature: str) -> Sequence[str]:
    """Of a function's parameters; tuples stay whole."""
    inner = signature[signature.index("(") + 1 : -1]
    types, depth = [""], 0
    for letter in inner:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            types.append("")
        else:
            types[-1] += letter
    return [one for one in types if one]
