"""What Brownie's coverage needs to see our contracts; used by `make coverage` alone.

Brownie reads coverage from the traces of mined transactions, by the compiler's source map of unoptimised code. Three
things stand in the way: anvil keeps traces only if told so, Brownie drops a contract's source map when the code on chain is not
the compiled one to the byte (immutables are written into it at deployment), and our expected reverts are never mined. And
eth-brownie 1.22.2 fails in its own report as soon as there is something to report: a table of ours takes its place.
"""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from brownie import project, web3
from brownie._config import CONFIG
from brownie.network import contract as brownie_contract
from brownie.network.transaction import TransactionReceipt
from brownie.test import coverage
from eth_utils import to_hex

REQUIRED = 0.95
"""Of all branches' halves: a condition counts twice, once for each of its outcomes."""

EXCLUDED = "contracts/mocks/"


def is_on() -> bool:
    return bool(CONFIG.argv["coverage"])


def prepare() -> None:
    """Must run before Brownie starts its node."""
    CONFIG.networks["development"]["cmd"] += " --steps-tracing"
    brownie_contract._verify_deployed_code = lambda *_: True
    coverage.get_merged_coverage_eval = dict


def mine(call: dict[str, Any]) -> None:
    """Evaluate a call that was only simulated: mine it, and undo it."""
    snapshot = _request("evm_snapshot", [])
    answer = web3.provider.make_request("eth_sendTransaction", [{**call, "gas": to_hex(11_000_000), "gasPrice": "0x0"}])
    if "result" in answer:
        TransactionReceipt(answer["result"], silent=True, required_confs=1)
    _request("evm_revert", [snapshot])


def _request(method: str, params: list[Any]) -> Any:
    return web3.provider.make_request(method, params)["result"]


# ------------------------------------------------------------------ the table


class Share(NamedTuple):
    covered: int
    total: int

    def __str__(self) -> str:
        return f"{self.covered:>4} of {self.total:>4}  {self.ratio:>6.1%}"

    @property
    def ratio(self) -> float:
        return self.covered / self.total if self.total else 1.0


def table() -> tuple[list[str], bool]:
    """A line for each of our source files, those of mocks left out; and whether enough is covered."""
    statements, branches = _evaluated()
    rows = [(path, _share(statements[path], 1), _share(branches[path], 2)) for path in sorted(statements)]
    totals = [Share(*map(sum, zip(*shares, strict=True))) for shares in list(zip(*rows, strict=True))[1:]]
    width = max(len(path) for path, *_ in rows)
    lines = [f"{'':<{width}}  {'statements':^20}   {'branches':^20}"]
    lines += [f"{path:<{width}}  {statement}   {branch}" for path, statement, branch in rows]
    lines.append(f"{'all':<{width}}  {totals[0]}   {totals[1]}")
    for path in sorted(branches):
        for place, outcomes in sorted(branches[path].items()):
            if len(outcomes) < 2:
                seen = ", ".join(sorted(outcomes)) or "neither"
                lines.append(f"  {path}:{_line(path, place[0])} a condition of which only this was seen: {seen}")
    return lines, totals[1].ratio >= REQUIRED


Places = dict[str, dict[tuple[int, int], set[str]]]
"""By source file: a statement's or a branch's place in it, and what of it was seen, in whichever contract."""


def _evaluated() -> tuple[Places, Places]:
    evaluation = _merged()
    statements: Places = defaultdict(dict)
    branches: Places = defaultdict(dict)
    for container in project.get_loaded_projects()[0]:
        build = container._build
        if build["type"] == "interface" or build["sourcePath"].startswith(EXCLUDED):
            continue
        for path_id, path in build["allSourcePaths"].items():
            if not path.startswith("contracts/") or path.startswith(EXCLUDED):
                continue
            seen = evaluation[build["contractName"]][path_id]
            for number, place in _map(build, "statements", path_id):
                statements[path].setdefault(place, set()).update({"run"} if number in seen[0] else ())
            for number, place in _map(build, "branches", path_id):
                outcomes = {name for name, kind in (("jump not taken", 1), ("jump taken", 2)) if number in seen[kind]}
                branches[path].setdefault(place, set()).update(outcomes)
    return statements, branches


def _merged() -> dict[str, dict[str, list[set[int]]]]:
    """By contract and path: the numbers of the statements that ran, and of branches by outcome."""
    merged: dict[str, dict[str, list[set[int]]]] = defaultdict(lambda: defaultdict(lambda: [set(), set(), set()]))
    for transaction in coverage._coverage_eval.values():
        for contract_name, paths in transaction.items():
            for path_id, kinds in paths.items():
                for into, numbers in zip(merged[contract_name][path_id], kinds, strict=True):
                    into.update(map(int, numbers))
    return merged


def _map(build: dict[str, Any], kind: str, path_id: str) -> Iterator[tuple[int, tuple[int, int]]]:
    for places in build["coverageMap"][kind].get(path_id, {}).values():
        for number, place in places.items():
            yield int(number), (place[0], place[1])


def _share(places: dict[tuple[int, int], set[str]], of_each: int) -> Share:
    return Share(sum(map(len, places.values())), of_each * len(places))


def _line(path: str, offset: int) -> int:
    return Path(path).read_bytes()[:offset].count(b"\n") + 1
