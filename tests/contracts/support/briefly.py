"""For a second node, when a first has had every test: `--note FILE` on anvil, then `--briefly FILE` on Ganache.

The first run notes what each test asks of the node and what comes of it: which function of which contract, with
success or which error; which events; what was mined and failed. The second has the fewest tests that between them ask for all of that, and a quarter of
the random examples. A node differs in what it makes of a call, not in the cases that the contracts tell apart.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from brownie.network.state import _contract_map
from eth_utils import to_checksum_address
from web3 import HTTPProvider

from tests.support.fewest import Note, fewest, read, write

_OF_CALLS = ("eth_call", "eth_sendTransaction", "eth_estimateGas")
_asked: Counter[str] = Counter()
_notes: dict[str, Note] = {}
_briefly = False


def prepare(config: Any) -> None:
    """Before the tests are collected, and Brownie has connected to the node."""
    global _briefly
    _briefly = config.getoption("--briefly") is not None
    if config.getoption("--note"):
        HTTPProvider.make_request = _noting(HTTPProvider.make_request)


def choose(items: list, file: Path | None) -> None:
    if file is not None:
        notes = read(file)
        new = {item.nodeid for item in items if item.nodeid not in notes}
        chosen = new | fewest(notes, without=new)
        items[:] = [item for item in items if item.nodeid in chosen]


def examples(count: int) -> int:
    """How many of them."""
    return -(-count // 4) if _briefly else count


def test_has_ended(test: str) -> None:
    """What was asked since the last one's end was its: the set-up of a module is its first test's."""
    _notes[test] = (_asked.total(), sorted(_asked))
    _asked.clear()


def save(file: Path | None) -> None:
    if file is not None:
        write(file, _notes)


def _noting(ask: Any) -> Any:
    def make_request(provider: HTTPProvider, method: str, params: Any) -> Any:
        answer = ask(provider, method, params)
        _asked.update(_told(method, params, answer))
        return answer

    return make_request


def _told(method: str, params: Any, answer: Any) -> list[str]:
    if method in _OF_CALLS:
        to = params[0].get("to")
        contract = _contract_map.get(to_checksum_address(to)) if to else None
        error = answer.get("error")
        outcome = "went well" if error is None else str(error.get("data", ""))[:10]
        return [f"{contract and contract._name} {str(params[0].get('data', ''))[:10]} {outcome}"]
    if method == "eth_getTransactionReceipt" and answer.get("result"):
        receipt = answer["result"]
        return [f"mined with status {receipt['status']}", *(f"event {log['topics'][0]}" for log in receipt["logs"])]
    return [method]
