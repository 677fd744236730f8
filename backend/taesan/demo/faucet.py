"""What a wallet does on the chain itself: test dollars from the faucet, and plain transfers to compare with.

Everything is sent from the development chain's own unlocked accounts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from requests.exceptions import RequestException
from web3.exceptions import Web3Exception
from web3.types import TxReceipt

from taesan.chain.contracts import Contracts
from taesan.chain.rpc import Node
from taesan.demo.processes import DemoFailed
from taesan.demo.wallet import key_of

MINTS_IN_ONE = 100
T = TypeVar("T")
GAS_LIMIT = 100_000
"""For a mint or a transfer: amply. An estimate would take seconds on Ganache."""
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
        sent = []
        for start in range(0, len(mints), MINTS_IN_ONE):
            part = mints[start : start + MINTS_IN_ONE]
            sent.append(self._send(self._bank, GAS_LIMIT * len(part), "multicall", part))
        self._mined(sent)

    def measure_transfers(self, amounts: Sequence[int]) -> TransferGas:
        """Sends these amounts, one ERC-20 transfer each, to fresh accounts, and then the same once more."""
        receivers = [key_of(f"taesan demo receiver {i}").address for i in range(len(amounts))]
        self.give({self._shop: 3 * sum(amounts)})  # more than it sends: an emptied account would get gas back

        def transfer_all() -> int:
            sent = [
                self._send(self._shop, GAS_LIMIT, "transfer", receiver, amount)
                for receiver, amount in zip(receivers, amounts, strict=True)
            ]
            return sum(receipt["gasUsed"] for receipt in self._mined(sent)) // max(len(sent), 1)

        fresh = transfer_all()
        return TransferGas(returning=transfer_all(), fresh=fresh, sample=2 * len(amounts))

    def _send(self, sender: str, gas: int, function: str, *arguments: Any) -> Any:
        data = self._contracts.encode("asset", function, *arguments)
        call: Any = {"from": sender, "to": self._contracts.deployment.asset, "data": data, "gas": gas}
        return self._ask(lambda: self._web3.eth.send_transaction(call))

    def _mined(self, hashes: Sequence[Any]) -> list[TxReceipt]:
        def wait(hash_: Any) -> TxReceipt:
            return self._web3.eth.wait_for_transaction_receipt(hash_, timeout=MINED_WITHIN_S, poll_latency=0.05)

        receipts = [self._ask(partial(wait, hash_)) for hash_ in hashes]
        if any(receipt["status"] != 1 for receipt in receipts):
            raise DemoFailed("a transfer of test dollars failed on the chain")
        return receipts

    @staticmethod
    def _ask(question: Callable[[], T]) -> T:
        try:
            return question()
        except (RequestException, Web3Exception) as error:
            raise DemoFailed(f"the chain does not do what the faucet wants: {error!r:.300}") from error
