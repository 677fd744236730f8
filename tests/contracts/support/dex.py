"""Uniswap v3 as it was published (npm's artifacts), with a pool of the reserve asset and wrapped ether."""

import json
from math import isqrt
from pathlib import Path
from typing import Any, NamedTuple

from brownie import Contract, web3

from support import DOLLAR, FOREVER

PACKAGES = Path(__file__).parents[3] / "node_modules"
ARTIFACTS = {
    "UniswapV3Factory": "@uniswap/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
    "UniswapV3Pool": "@uniswap/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json",
    "SwapRouter": "@uniswap/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json",
    "NonfungiblePositionManager": (
        "@uniswap/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
    ),
    "WETH9": "canonical-weth/build/contracts/WETH9.json",
}
FEE = 3_000
ALL_TICKS = 887_220
ETHER = 10**18
PRICE = 3_000 * DOLLAR
"""Of an ether."""


class Dex(NamedTuple):
    factory: Any
    weth: Any
    router: Any
    positions: Any
    pool: Any
    asset: Any

    def push(self, amount: int, trader: Any, *, buys_weth: bool = True) -> None:
        """Somebody trades: buys ether for so many dollars, or sells so much."""
        sold, bought = (self.asset, self.weth) if buys_weth else (self.weth, self.asset)
        _fund(self, trader, sold, amount)
        sold.approve(self.router, amount, {"from": trader})
        terms = (sold, bought, FEE, trader, FOREVER, amount, 0, 0)
        self.router.exactInputSingle(terms, {"from": trader})


def deploy(asset: Any, owner: Any, dollars: int = 60_000 * DOLLAR) -> Dex:
    """The pool has so many dollars, and ether for as much, at every price."""
    factory = _create("UniswapV3Factory", owner)
    weth = _create("WETH9", owner)
    router = _create("SwapRouter", owner, factory.address, weth.address)
    positions = _create("NonfungiblePositionManager", owner, factory.address, weth.address, "0x" + "0" * 40)
    ether = dollars * ETHER // PRICE
    amounts = {asset.address: dollars, weth.address: ether}
    first, second = sorted(amounts, key=lambda address: int(address, 16))
    root = isqrt((amounts[second] << 192) // amounts[first])
    positions.createAndInitializePoolIfNecessary(first, second, FEE, root, {"from": owner})
    pool = _at("UniswapV3Pool", factory.getPool(first, second, FEE))
    pool.increaseObservationCardinalityNext(20, {"from": owner})
    dex = Dex(factory, weth, router, positions, pool, asset)
    for token, amount in ((asset, dollars), (weth, ether)):
        _fund(dex, owner, token, amount)
        token.approve(positions, amount, {"from": owner})
    wanted = (amounts[first], amounts[second], 0, 0)
    positions.mint((first, second, FEE, -ALL_TICKS, ALL_TICKS, *wanted, owner, FOREVER), {"from": owner})
    return dex


def _fund(dex: Dex, who: Any, token: Any, amount: int) -> None:
    if token == dex.weth:
        token.deposit({"from": who, "value": amount})
    else:
        token.mint(who, amount, {"from": who})


def _create(name: str, owner: Any, *arguments: Any) -> Any:
    artifact = json.loads((PACKAGES / ARTIFACTS[name]).read_text())
    deployed = web3.eth.contract(abi=artifact["abi"], bytecode=artifact["bytecode"]).constructor(*arguments)
    return _at(name, owner.transfer(data=deployed.data_in_transaction).contract_address)


def _at(name: str, address: str) -> Any:
    artifact = json.loads((PACKAGES / ARTIFACTS[name]).read_text())
    return Contract.from_abi(name, address, artifact["abi"])
