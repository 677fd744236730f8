"""`python -m tests.simulation`: runs seeds, and tells what was tried and what was found. See docs/architecture.md."""

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.simulation.actions import Action, draw
from tests.simulation.bugs import BUGS, VARIABLE
from tests.simulation.run import Outcome, run
from tests.simulation.service import prepare
from tests.simulation.shrink import shrink


def _run_seed(seed: int, bug: str) -> Outcome:
    return run(seed, draw(seed), bug)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--bug", default=os.environ.get(VARIABLE, ""), choices=["", *BUGS], help="to be planted")
    parser.add_argument("--replay", type=Path, help="a file with a seed and its actions, as a failure prints them")
    chosen = parser.parse_args(arguments)
    if chosen.replay:
        return _replay(chosen.replay, chosen.bug)
    prepare()
    began, runs = time.monotonic(), 0
    faults: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    failed: tuple[int, str] | None = None
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    with ProcessPoolExecutor(chosen.processes, get_context("fork")) as pool:
        for seed, outcome in zip(seeds, pool.map(partial(_run_seed, bug=chosen.bug), seeds), strict=True):
            runs, faults, counted = runs + 1, faults + outcome.faults, counted + outcome.counted
            if outcome.violation:
                failed = seed, outcome.violation
                break
        pool.shutdown(cancel_futures=True)
    print(f"{runs} seeds in {time.monotonic() - began:.0f} s: " + _listed(counted))
    print("faults injected: " + _listed(faults))
    print(f"violations: {int(failed is not None)}")
    if failed is None:
        return 0
    _tell(*failed, chosen.bug)
    return 1


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _tell(seed: int, violation: str, bug: str) -> None:
    """Prints the shortest list of actions that fails; what it breaks may be another promise than the long one did."""
    print(f"seed {seed}: {violation}\nmaking its {len(draw(seed))} actions fewer …", flush=True)
    shortest = shrink(draw(seed), lambda actions: bool(run(seed, actions, bug).violation))
    print(f"{len(shortest)} actions are enough: {run(seed, shortest, bug).violation}")
    print(_written(seed, shortest))


def _written(seed: int, actions: Sequence[Action]) -> str:
    """As `--replay` reads it: JSON, an action a line."""
    return f'{{"seed": {seed}, "actions": [\n' + ",\n".join(f"  {json.dumps(action)}" for action in actions) + "\n]}"


def _replay(path: Path, bug: str) -> int:
    written = json.loads(path.read_text())
    outcome = run(written["seed"], [tuple(action) for action in written["actions"]], bug)
    print(outcome.violation or "no promise is broken")
    return int(bool(outcome.violation))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
