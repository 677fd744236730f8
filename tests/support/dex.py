"""Trading on the local chain's Uniswap, as anybody does, by its own router."""

import json
from typing import Any

from taesan.chain import dex
from tests.support.chain import RICH_KEY, ROOT, Chain

FIRST = {"maxFeePerGas": 10**12, "maxPriorityFeePerGas": 10**12, "gas": 1_000_000}


class Trader:
    """Moves the price. :ivar ether: the address of wrapped ether"""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.ether = chain.deployment.weth
        abi = json.loads((ROOT / "node_modules" / dex.ARTIFACTS["SwapRouter"]).read_text())["abi"]
        self._router = chain.web3.eth.contract(address=chain.web3.to_checksum_address(chain.deployment.router), abi=abi)
        self.address = chain.web3.eth.account.from_key(RICH_KEY).address
        chain.give_dollars(self.address, 10**12)
        chain.send(RICH_KEY, "asset", "approve", self._router.address, 2**255)

    def buy_ether(self, dollars: int) -> None:
        """Makes it dearer. :param dollars: minor units"""
        self._wait(self.chain._send(RICH_KEY, self._buy(dollars), {}))

    def buy_ether_first(self, dollars: int) -> None:
        """Before all else that waits for the next block."""
        self.chain._send(RICH_KEY, self._buy(dollars), FIRST)

    def ether_of(self, address: str) -> int:
        token = self.chain.web3.eth.contract(address=self.ether, abi=self.chain.contracts.asset.abi)
        return int(token.functions.balanceOf(address).call())

    def _buy(self, dollars: int) -> Any:
        asset = self.chain.deployment.asset
        return self._router.functions.exactInputSingle((asset, self.ether, dex.FEE, self.address, 2**40, dollars, 0, 0))

    def _wait(self, hash_: Any) -> Any:
        receipt = self.chain.web3.eth.wait_for_transaction_receipt(hash_, timeout=20, poll_latency=0.02)
        assert receipt["status"] == 1
        return receipt
