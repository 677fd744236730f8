"""What a wallet does on the chain itself: test dollars from the faucet, and plain transfers to compare with.

Everything is sent from the development chain's own unlocked accounts.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web3.types import TxReceipt

from taesan.chain.contracts import Contracts
from taesan.chain.rpc import Node
from taesan.demo.processes import DemoFailed
from taesan.demo.wallet import Key

MINTS_IN_ONE = 100
MINED_WITHIN_S = 60


@dataclass(frozen=True)
class TransferGas:
    """The mean gas of one ERC-20 transfer, measured: to somebody who has some of the token, and to somebody new to it."""

    returning: int
    fresh: int
    sample: int


class Faucet:
    def __init__(self, node: Node, contracts: Contracts) -> None:
        self._web3, self._contracts = node.web3, contracts
        # Not the first account: that is the hub's operator, who counts its own nonces.
        accounts = list(node.web3.eth.accounts)
        self._shop, self._bank = accounts[-2], accounts[-1]

    def give(self, amounts: Mapping[str, int]) -> None:
        """Mints test dollars: address → minor units."""
        mints = [self._contracts.encode("asset", "mint", address, amount) for address, amount in amounts.items()]
        self._mined(
            [
                self._send(
                    self._bank, self._contracts.encode("asset", "multicall", mints[start : start + MINTS_IN_ONE])
                )
                for start in range(0, len(mints), MINTS_IN_ONE)
            ]
        )

    def measure_transfers(self, amounts: Sequence[int]) -> TransferGas:
        """Sends these amounts, one ERC-20 transfer each, to fresh accounts, and then the same once more."""
        receivers = [Key(f"taesan demo receiver {i}").address for i in range(len(amounts))]
        self.give({self._shop: 2 * sum(amounts)})

        def transfer_all() -> int:
            sent = [
                self._send(self._shop, self._contracts.encode("asset", "transfer", receiver, amount))
                for receiver, amount in zip(receivers, amounts, strict=True)
            ]
            return sum(receipt["gasUsed"] for receipt in self._mined(sent)) // len(sent)

        fresh = transfer_all()
        return TransferGas(returning=transfer_all(), fresh=fresh, sample=2 * len(amounts))

    def _send(self, sender: str, data: str) -> Any:
        call: Any = {"from": sender, "to": self._contracts.deployment.asset, "data": data}
        gas = self._web3.eth.estimate_gas(call)
        return self._web3.eth.send_transaction(call | {"gas": gas + gas // 4})

    def _mined(self, hashes: Sequence[Any]) -> list[TxReceipt]:
        deadline = time.monotonic() + MINED_WITHIN_S
        receipts = [
            self._web3.eth.wait_for_transaction_receipt(
                hash_, timeout=max(deadline - time.monotonic(), 1), poll_latency=0.05
            )
            for hash_ in hashes
        ]
        if any(receipt["status"] != 1 for receipt in receipts):
            raise DemoFailed("a transfer of test dollars failed on the chain")
        return receipts
