"""`make bench`: the intake beside other servers, pair by pair in one run; writes docs/benchmarks/intake.md.

Machines are noisy, ratios are less so: ours is held against the signatures of the seconds right before and after it, several
times where a target hangs on it, of which the one with the middle ratio counts; a ratio to others is of figures from one round.
With several rounds, what is told is the median over them.
"""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console

from tests.bench import intake, peers
from tests.bench.drive import Measured
from tests.bench.intake import BULK, BULK_POSTGRES, SINGLE, WAYS
from tests.bench.signatures import Rates, rates
from tests.support.chain import ROOT
from tests.support.postgres import running_server

PAGE = ROOT / "docs" / "benchmarks" / "intake.md"
SECONDS = 4  # of a peer's run
TARGETED, TRIES = (SINGLE, BULK, BULK_POSTGRES), 5
PEER_CONNECTIONS = 16

OTHERS: dict[str, Callable[[], Measured]] = {
    "straightforward": lambda: peers.straightforward(SECONDS, PEER_CONNECTIONS, native=True),
    "straightforward, coincurve": lambda: peers.straightforward(SECONDS, PEER_CONNECTIONS, native=False),
    "x402 as documented": lambda: peers.x402_server(SECONDS, PEER_CONNECTIONS, native=True, durable=False, once=False),
    "x402 at its best": lambda: peers.x402_server(SECONDS, PEER_CONNECTIONS, native=False, durable=False),
    "x402, files": lambda: peers.x402_server(SECONDS, PEER_CONNECTIONS, native=False),
    "x402 bare": lambda: peers.x402_bare(SECONDS),
}


@dataclass(frozen=True)
class Round:
    """Everything, measured once. :ivar ours: by `Way.name`. :ivar signatures: around each of them; by `Way.name`, too
    :ivar others: by the names in `OTHERS`"""

    ours: dict[str, Measured]
    signatures: dict[str, Rates]
    others: dict[str, Measured]


class Target(NamedTuple):
    what: str
    value: float
    limit: float
    unit: str
    at_most: bool = False

    @property
    def holds(self) -> bool:
        return self.value <= self.limit if self.at_most else self.value >= self.limit


def _all(round_: Round) -> Rates:
    return Rates.mean(list(round_.signatures.values()))


def targets(rounds: Sequence[Round], filled: Sequence[tuple[Measured, Measured]]) -> list[Target]:
    def of(ratio: Callable[[Round], float]) -> float:
        return median(map(ratio, rounds))

    def share(way: str, of_rate: Callable[[Rates], float]) -> float:
        return of(lambda r: 100 * r.ours[way].rate / of_rate(r.signatures[way]))

    def times(way: str, other: str) -> float:
        return of(lambda r: r.ours[way].rate / r.others[other].rate)

    single, bulk = SINGLE.name, BULK.name
    wanted = [
        Target("single, SQLite, of V1", share(single, lambda s: s.v1), 40, "%"),
        Target("single, SQLite, p99 at 256 connections", of(lambda r: r.ours[single].p99_ms), 60, "ms", at_most=True),
        Target("bulk 1,000, SQLite, of V2", share(bulk, lambda s: s.v2), 50, "%"),
        Target("bulk 1,000, PostgreSQL, of V2", share(BULK_POSTGRES.name, lambda s: s.v2), 35, "%"),
        Target("single over the x402 SDK's server as documented", times(single, "x402 as documented"), 60, "×"),
        Target("bulk 1,000 over the x402 SDK's bare verification", times(bulk, "x402 bare"), 15, "×"),
        Target("single over the straightforward endpoint", times(single, "straightforward"), 40, "×"),
        Target("a verification over bare recovery", of(lambda r: _all(r).bare / _all(r).v1), 1.15, "×", True),
    ]
    for empty, full in filled:
        name = empty.name.removeprefix("ours: ")
        wanted.append(Target(f"{name}, with a million payments before", 100 * full.rate / empty.rate, 60, "%"))
    return wanted


# ------------------------------------------------------------------- the run


def run(rounds: int, console: Console) -> tuple[list[Round], list[tuple[Measured, Measured]]]:
    done = []
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        for n in range(rounds):
            console.print(f"\n[bold]round {n + 1} of {rounds}[/]")
            ours, signatures = {}, {}
            after = _signatures(console)
            for way in WAYS:
                tries: list[tuple[Measured, Rates]] = []
                for _ in range(TRIES if way in TARGETED else 1):
                    before = after
                    measured = _told(console, way.name, lambda way=way: intake.measure(way, server.url))
                    after = _signatures(console)
                    tries.append((measured, Rates.mean([before, after])))
                # By the measure that its target is told in.
                share = [measured.rate / (around.v2 if way.bulk else around.v1) for measured, around in tries]
                middle = tries[share.index(sorted(share)[len(share) // 2])]
                ours[way.name], signatures[way.name] = middle
            others = {name: _told(console, name, measure) for name, measure in OTHERS.items()}
            done.append(Round(ours, signatures, others))
    console.print("\n[bold]a million payments[/]")
    with console.status("on an empty database") as status:
        filled = intake.at_a_million(lambda count: status.update(f"{count:,} payments are in"))
    for empty, full in filled:
        console.print(f"  {full.name}: {full.rate:,.0f} a second, {empty.rate:,.0f} when empty")
    return done, filled


def _signatures(console: Console) -> Rates:
    with console.status("signatures alone"):
        measured = rates(2)
    console.print(f"  [dim]V1 {measured.v1:,.0f} a second, V2 {measured.v2:,.0f}, bare {measured.bare:,.0f}[/]")
    return measured


def _told(console: Console, name: str, measure: Callable[[], Measured]) -> Measured:
    with console.status(name):
        measured = measure()
    console.print(f"  {measured.name:<64}{measured.rate:>8,.0f} a second{measured.p99_ms:>9,.0f} ms p99")
    return measured


# ------------------------------------------------------------------ the page


def page(rounds: Sequence[Round], filled: Sequence[tuple[Measured, Measured]]) -> str:
    v1, v2 = (median(getattr(_all(r), name) for r in rounds) for name in ("v1", "v2"))
    lines = [
        "# Intake",
        "",
        "<!-- Written by `make bench`; edit tests/bench/intake_report.py instead. -->",
        "",
        f"Payments a second over HTTP, durable when answered. {'Median of ' * (len(rounds) > 1)}{len(rounds)} round{'s' * (len(rounds) > 1)}; "
        f"what has a target was measured {TRIES} times in each, and the middle one counts. The load generator runs beside the servers on the same {os.cpu_count()} cores (Python "
        f"{platform.python_version()}, {platform.machine()}). {intake.PAYERS:,} channels; a fifth of the payments goes to "
        "merchants. After each of our runs the books are audited: signatures, order, postings, hashes, balances.",
        "",
        f"V1 and V2 are vouchers verified a second, and nothing else, by one process and by two: **{v1:,.0f}** and "
        f"**{v2:,.0f}** in the mean; each row is held against those of the seconds right before and after it.",
        "",
        "## Ours",
        "",
        _head("of V2"),
        *(_our_row(way.name, rounds) for way in WAYS),
        "",
        "## Others, under the same load",
        "",
        f"But for the connections, which are {PEER_CONNECTIONS} and not 256, as each of the x402 SDK's customers needs a deposit of its "
        "own: their p50 and p99 are not to be held against ours. `python -m tests.bench.peers 4 256` takes 256.",
        "",
        _head(),
        *(_row(rounds[0].others[name].name, [r.others[name] for r in rounds]) for name in OTHERS),
        "",
        "“As its example” makes the SDK's middleware in each request, as its example for batch-settlement does. Its "
        "customers are unmodified; what claims the vouchers later is left out. “No HTTP” is its verification and its "
        "channel store in a loop. The straightforward endpoint is what FastAPI's and SQLModel's tutorials lead to: a "
        "session and `session.add` for each payment, eth-account's `encode_typed_data`. `pip install` brings pure Python "
        "keys to both.",
        "",
        "## As the books grow",
        "",
        "| | empty | a million payments before | |",
        "|---|---:|---:|---:|",
        *(
            f"| {empty.name.removeprefix('ours: ')} | {empty.rate:,.0f} | {full.rate:,.0f} | {full.rate / empty.rate:.0%} |"
            for empty, full in filled
        ),
        "",
        "## Targets",
        "",
        "| what | measured | target | |",
        "|---|---:|---:|---|",
        *(
            f"| {t.what} | {_figure(t.value)} {t.unit} | {'≤' if t.at_most else '≥'} {t.limit:g} {t.unit} "
            f"| {'met' if t.holds else 'missed'} |"
            for t in targets(rounds, filled)
        ),
        "",
        "Two cores do 2 s of work a second, the load's included: “CPU a payment” says what a payment costs the servers, and "
        "so what could be taken in if the load came from elsewhere; PostgreSQL's own processes are not in it.",
        "",
    ]
    return "\n".join(lines)


_COLUMNS = ["", "a second", "p50 ms", "p99 ms", "CPU a payment, µs"]


def _head(*more: str) -> str:
    columns = [*_COLUMNS, *more]
    return "| " + " | ".join(columns) + " |\n|---|" + "---:|" * (len(columns) - 1)


def _our_row(name: str, rounds: Sequence[Round]) -> str:
    row = _row(f"**{name.removeprefix('ours: ')}**", [r.ours[name] for r in rounds])
    return f"{row} {median(r.ours[name].rate / r.signatures[name].v2 for r in rounds):.1%} |"


def _row(name: str, runs: Sequence[Measured]) -> str:
    rate, p50, p99, cpu = (
        median(getattr(m, field) for m in runs) for field in ("rate", "p50_ms", "p99_ms", "cpu_us_per_payment")
    )
    return f"| {name} | {rate:,.0f} | {p50:,.0f} | {p99:,.0f} | {cpu:,.0f} |"


def _figure(value: float) -> str:
    return f"{value:,.2f}" if value < 10 else f"{value:,.1f}"


def main(rounds: int = 1) -> int:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    done, filled = run(rounds, console)
    PAGE.write_text(page(done, filled))
    console.print()
    results = targets(done, filled)
    for t in results:
        console.print(
            f"  {'✓' if t.holds else '✗'} {t.what:<56}{_figure(t.value):>10} {t.unit:<3} "
            f"target {'≤' if t.at_most else '≥'} {t.limit:g} {t.unit}"
        )
    console.print(f"\nwritten: {PAGE.relative_to(ROOT)}")
    return 0 if all(t.holds for t in results) else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
