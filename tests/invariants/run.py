"""A campaign: random calls against the contracts, the promises asked after each of them, and a count of what was tried.

`make invariants` and `make test-invariants` run it; see README.md beside this file.
"""

import argparse
import re
import secrets
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import environ
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "invariants"

ATTACKS = {"trespass", "steal authorisation", "other chain"}
"""Actions of which nothing may ever go through. Every other has to, at least once in a campaign."""

ENOUGH_FOR_ALL = 20_000
"""Calls in which the rarest outcome has happened some twenty times."""


@dataclass
class Campaign:
    """One process of forge: `runs` times from the start, `depth` calls each."""

    seed: int
    runs: int
    depth: int
    seconds: int | None = None
    contracts: str = "build/contracts"
    shrinks: bool = True
    name: str = "campaign"

    passed: bool = False
    calls: int = 0
    output: str = ""
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)

    def run(self) -> "Campaign":
        tally = BUILD / f"{self.name}.tally"
        tally.unlink(missing_ok=True)
        process = _forge(
            ["test", "--fuzz-seed", str(self.seed)],
            INVARIANTS_TALLY=str(tally.relative_to(ROOT)),
            INVARIANTS_CONTRACTS=self.contracts,
            FOUNDRY_INVARIANT_RUNS=str(self.runs),
            FOUNDRY_INVARIANT_DEPTH=str(self.depth),
            # A failure of before would be played back instead of what this seed says.
            FOUNDRY_INVARIANT_FAILURE_PERSIST_DIR=f"build/invariants/failures/{self.name}-{secrets.token_hex(4)}",
            **({"FOUNDRY_INVARIANT_TIMEOUT": str(self.seconds)} if self.seconds else {}),
            **({} if self.shrinks else {"FOUNDRY_INVARIANT_SHRINK_RUN_LIMIT": "0"}),
        )
        self.output = process.stdout + process.stderr
        counted = re.search(r"\(runs: \d+, calls: (\d+), reverts: (\d+)\)", self.output)
        self.calls = int(counted[1]) if counted else 0
        # By its words: npm's `forge` answers 0 whatever happens.
        self.passed = (
            "Suite result: ok. 1 passed; 0 failed" in self.output and counted is not None and counted[2] == "0"
        )
        for line in tally.read_text().splitlines() if tally.exists() else ():
            action, why, count = line.split("|")
            self.tally[action, why] += int(count)
        return self

    @property
    def reason(self) -> str:
        """Which promise broke, in the suite's words."""
        found = re.search(r"\[FAIL: (?:revert: )?(.*?)\]\s*$", self.output, re.MULTILINE)
        return found[1] if found else "forge failed in another way"


def compile_suite() -> None:
    """So that processes at the same time find it compiled."""
    (BUILD / "failures").mkdir(parents=True, exist_ok=True)
    process = _forge(["build"])
    if not re.search(r"Compiler run successful|compilation skipped", process.stdout):
        sys.exit(process.stdout + process.stderr)


def _forge(arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    forge = ROOT / "node_modules" / ".bin" / "forge"
    return subprocess.run(
        [forge, *arguments, "--root", ".", "--color", "never"],
        cwd=ROOT,
        env={**environ, "FOUNDRY_CONFIG": "tests/invariants/foundry.toml", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


# ----------------------------------------------------------------------- report


def report(tally: Mapping[tuple[str, str], int]) -> None:
    """Each action: how often it was tried, went through, and was refused as foreseen, and why."""
    print(f"\n{'action':24}{'tried':>9}{'went through':>14}{'refused':>9}   for these reasons")
    for action in sorted({action for action, _ in tally}):
        through = tally.get((action, ""), 0)
        whys = sorted(((n, why) for (name, why), n in tally.items() if name == action and why), reverse=True)
        refused = sum(n for n, _ in whys)
        reasons = ", ".join(f"{why} {n}" for n, why in whys)
        print(f"{action:24}{through + refused:>9}{through:>14}{refused:>9}   {reasons}")


def never_tried(tally: Mapping[tuple[str, str], int]) -> list[str]:
    """What the suite's source names and this campaign has not met: it would have proven nothing about it."""
    source = "".join(path.read_text() for path in sorted(HERE.glob("*.sol")))
    actions = set(re.findall(r'(?:_expect|_outcome|bytes32)\(\s*"([^"]+)"', source))
    actions |= set(re.findall(r'_(?:initiate|finalize)\("([^"]+)"', source))
    whys = set(re.findall(r'bytes32 internal constant \w+ = "([^"]+)";', source))
    missing = {action for action in actions - ATTACKS if not tally.get((action, ""))}
    missing |= {action for action in ATTACKS if action not in {name for name, _ in tally}}
    missing |= whys - {why for _, why in tally}
    return sorted(missing)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="repeats a campaign; without it each is another")
    parser.add_argument("--runs", type=int, default=240, help="how often to start anew (default: %(default)s)")
    parser.add_argument("--depth", type=int, default=500, help="calls in a run (default: %(default)s)")
    parser.add_argument("--seconds", type=int, help="stop after so long, whatever the number of runs")
    parser.add_argument(
        "--workers", type=int, default=2, help="processes, each with a seed of its own (default: %(default)s)"
    )
    options = parser.parse_args()

    seed = secrets.randbits(48) if options.seed is None else options.seed
    compile_suite()
    share = -(-options.runs // options.workers)
    campaigns = [
        Campaign(seed + k, share, options.depth, options.seconds, name=f"campaign-{k}") for k in range(options.workers)
    ]
    started = time.monotonic()
    with ThreadPoolExecutor(options.workers) as pool:
        campaigns = list(pool.map(Campaign.run, campaigns))
    seconds = time.monotonic() - started

    tally: Counter[tuple[str, str]] = sum((campaign.tally for campaign in campaigns), Counter())
    report(tally)
    failed = [campaign for campaign in campaigns if not campaign.passed]
    for campaign in failed:
        print(f"\n{campaign.output}\nviolated: {campaign.reason}")
        print(
            f'repeat it: make invariants ARGS="--seed {campaign.seed} --runs {share} --depth {campaign.depth} --workers 1"'
        )
    missing = [] if failed else never_tried(tally)
    if missing:
        print(f"\nnever happened, so nothing was shown about it: {', '.join(missing)}. Too few calls? Raise --runs.")

    calls = sum(campaign.calls for campaign in campaigns)
    if calls < ENOUGH_FOR_ALL:
        missing = []  # on a busy machine, in the time that there was
    print(
        f"\n{calls:,} calls in {seconds:.0f} s ({calls / seconds:,.0f} a second), "
        f"seeds {', '.join(str(campaign.seed) for campaign in campaigns)}: {len(failed)} violations"
    )
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
