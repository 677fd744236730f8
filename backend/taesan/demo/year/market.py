"""What others do on the chain meanwhile: ether's price moves, a sponsor's gift tokens become savers' yield."""

from math import sqrt
from typing import Any

from taesan.chain import dex
from taesan.core.values import hex_of
from taesan.demo.faucet import Faucet
from taesan.demo.processes import DemoFailed
from taesan.demo.year.world import World

GAS_LIMIT = 6_000_000
NO_LIMIT = 2**160
KEEPS = 10**12
"""Dollars that the trader is given, minor units: more than its moves take."""


class Market:
    """A trader with the chain's own third account, which moves the price as anybody could: by Uniswap's router.

    :param ether: wrapped ether's address. :param pool: its pool with the dollar
    """

    def __init__(self, world: World, faucet: Faucet, ether: str, pool: str) -> None:
        self._world, self.ether, self._pool = world, ether, pool
        self.trader = list(world.node.web3.eth.accounts)[2]
        self._asset = world.contracts.deployment.asset
        self._fee = dex.pool_fee(world.node, pool)
        faucet.give({self.trader: KEEPS})
        self._send(ether, "deposit()", value=1_000 * dex.ETHER)
        self._router = world.contracts.deployment.router
        for token in (self._asset, ether):
            self._send(token, "approve(address,uint256)", self._router, NO_LIMIT)

    def price(self) -> int:
        """What an ether costs in the middle of the pool, dollars' minor units."""
        answer = self._world.node.call(self._pool, dex.call("slot0()"))
        root = int.from_bytes(answer[:32], "big")
        square = root * root
        if int(self._asset, 16) < int(self.ether, 16):  # then the pool tells ether in dollars
            return (dex.ETHER << 192) // square
        return (square * dex.ETHER) >> 192

    def worth(self, ether: int) -> int:
        """What so much wrapped ether (wei) would bring now, dollars' minor units."""
        if not ether:
            return 0
        quoter = self._world.contracts.deployment.quoter
        return dex.quote(self._world.node, quoter, self.ether, self._asset, ether, self._fee)

    def move_price(self, percent: float) -> None:
        """By a trade. In a pool with all its liquidity everywhere the price goes with the square of what it has of one side."""
        by = sqrt(1 + percent / 100)
        if percent > 0:
            self._swap(self._asset, self.ether, int(self._has(self._asset) * (by - 1)))
        else:
            self._swap(self.ether, self._asset, int(self._has(self.ether) * (1 / by - 1)))

    def sponsor_savers(self) -> None:
        """Gift tokens that the trader was given become the vault's savers', evenly over a month."""
        deployment = self._world.contracts.deployment
        given = dex.call("balanceOf(address)", self.trader)
        amount = int.from_bytes(self._world.node.call(deployment.gift_token, given), "big")
        if amount:
            self._send(deployment.gift_token, "approve(address,uint256)", deployment.vault, amount)
            self._send(deployment.vault, "sponsor(uint256)", amount)

    # -------------------------------------------------------------------------

    def _has(self, token: str) -> int:
        return int.from_bytes(self._world.node.call(token, dex.call("balanceOf(address)", self._pool)), "big")

    def _swap(self, sold: str, bought: str, amount: int) -> None:
        signature = "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
        self._send(self._router, signature, (sold, bought, self._fee, self.trader, dex.FOREVER, amount, 0, 0))

    def _send(self, to: str, signature: str, *values: Any, value: int = 0) -> None:
        self._transact({"to": to, "data": dex.call(signature, *values), "value": value})

    def _transact(self, call: dict[str, Any]) -> Any:
        """Mined at once. :raises DemoFailed: it fails"""
        web3: Any = self._world.node.web3
        hash_ = web3.eth.send_transaction({"from": self.trader, "gas": GAS_LIMIT} | call)
        receipt = web3.eth.wait_for_transaction_receipt(hash_, timeout=60, poll_latency=0.02)
        if receipt["status"] != 1:
            raise DemoFailed(f"the market's transaction {hex_of(hash_)} failed")
        return receipt
