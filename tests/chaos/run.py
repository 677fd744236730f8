"""Real faults against real processes: `python -m tests.chaos.run [WORDS …] [--lanes N] [--write FILE]`.

Two hubs at a time, each with a chain, a database and people of its own, suffer one fault after the other. After each the hub
has to recover by itself; then everybody stops, and what must hold is checked (tests/chaos/oracle.py). Ends with 1 if anything
does not. WORDS choose faults by a part of their name.
"""

import argparse
import math
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from taesan.core.logs import Logs, set_up_logs
from tests.chaos import of_database, of_node, of_processes  # noqa: F401  # they register their faults
from tests.chaos.oracle import judge
from tests.chaos.registry import FAULTS, Fault
from tests.chaos.world import World

BUSY = 5  # payments in flight before a fault comes
FAULTS_A_WORLD = 14  # the judgement takes time in proportion to all its payments
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks" / "chaos.md"


@dataclass
class Outcome:
    """Of a fault, or of all in a row. :ivar struck: payments in flight at each strike. :ivar recovery_s: after each
    :ivar reasons: why it is red"""

    struck: list[int] = field(default_factory=list)
    recovery_s: list[float] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def is_green(self) -> bool:
        return bool(self.struck) and not (self.lost or self.doubled or self.reasons)

    def add(self, other: "Outcome") -> None:
        self.struck += other.struck
        self.recovery_s += other.recovery_s
        self.lost += other.lost
        self.doubled += other.doubled
        self.reasons += other.reasons

    def recovery(self, share: float) -> float:
        """The quantile of the seconds to recover, by the nearest rank."""
        ordered = sorted(self.recovery_s)
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else math.nan


def suffer(world: World, fault: Fault) -> Outcome:
    """Has a world suffer a fault, as often as it says, each time with recovery and judgement."""
    outcome = Outcome()
    for _ in range(fault.times):
        try:
            world.traffic.go()
            world.wait_until(lambda: world.in_flight() >= BUSY, "payments in flight")
            world.strikes.clear()
            fault.strike(world)
            outcome.struck += world.strikes
            outcome.recovery_s.append(world.wait_for_settlement())
            world.come_to_rest()
            verdict = judge(world)
        except Exception as error:  # the world may be in any state: it is told, and not used again
            outcome.reasons.append(f"{fault}: {type(error).__name__}: {error}"[:2_000])
            return outcome
        outcome.lost += verdict.lost
        outcome.doubled += verdict.doubled
        outcome.reasons += [f"{fault}: {what}" for what in verdict.wrong]
        if not verdict.is_sound:
            return outcome
    return outcome


class Lanes:
    """Takes faults from one list, each lane with a world of its own."""

    def __init__(self, faults: Sequence[Fault], progress: Progress) -> None:
        self._left, self._progress = list(faults), progress
        self._task = progress.add_task("", total=len(faults))
        self._lock = threading.Lock()
        self.rows: dict[str, Outcome] = {fault.name: Outcome() for fault in faults}

    def run(self, count: int) -> None:
        threads = [threading.Thread(target=self._work, args=(f"lane {n}",), daemon=True) for n in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, name: str) -> None:
        world: World | None = None
        kind, age = "", 0
        while (fault := self._next(kind)) is not None:
            try:
                if world is None or kind != fault.database or age >= FAULTS_A_WORLD:
                    if world is not None:
                        world.close()
                    world, kind, age = World(fault.database, name), fault.database, 0
                outcome = suffer(world, fault)
            except Exception as error:
                outcome = Outcome(reasons=[f"{fault}: no world for it: {error!r}"[:700]])
            age += 1 if outcome.is_green else FAULTS_A_WORLD
            self._note(fault, outcome)
        if world is not None:
            world.close()

    def _next(self, kind: str) -> Fault | None:
        """Rather one for the same kind of world."""
        with self._lock:
            chosen = next((fault for fault in self._left if fault.database == kind), next(iter(self._left), None))
            if chosen is not None:
                self._left.remove(chosen)
                self._progress.update(self._task, description=str(chosen))
            return chosen

    def _note(self, fault: Fault, outcome: Outcome) -> None:
        with self._lock:
            self.rows[fault.name].add(outcome)
            self._progress.advance(self._task)
            if not outcome.is_green:
                self._progress.console.print(f"[red]✗[/] {fault}: {'; '.join(outcome.reasons)}", highlight=False)
            elif not self._progress.console.is_terminal:
                self._progress.console.print(f"✓ {fault}", highlight=False)


# --------------------------------------------------------------------- telling

RECOVERY = (
    "Recovery: from the end of the fault (what was killed is started again, what was broken is whole) until a payment that "
    "is sent after it is in a batch that was settled, confirmed and posted."
)


def show(rows: dict[str, Outcome], elapsed_s: float) -> Table:
    table = Table(
        title=f"{len(rows)} kinds of fault in {elapsed_s / 60:.1f} minutes", caption=RECOVERY, caption_justify="left"
    )
    table.add_column("fault")
    for name in ("times", "payments in flight", "lost", "doubled", "recovery p50", "p99"):
        table.add_column(name, justify="right")
    table.add_column("")
    for name, row in rows.items():
        figures = (f"{row.recovery(0.5):.1f} s", f"{row.recovery(0.99):.1f} s") if row.recovery_s else ("–", "–")
        verdict = "[green]green[/]" if row.is_green else f"[red]{row.reasons[0] if row.reasons else 'red'}[/]"
        counts = (len(row.struck), sum(row.struck), row.lost, row.doubled)
        table.add_row(name, *map(str, counts), *figures, verdict)
    return table


def document(rows: dict[str, Outcome], elapsed_s: float) -> str:
    lines = []
    for name, row in rows.items():
        verdict = "yes" if row.is_green else f"**no**: {row.reasons[0] if row.reasons else 'it did not come true'}"
        lines.append(
            f"| {name} | {len(row.struck)} | {sum(row.struck)} | {row.lost} | {row.doubled} | {row.recovery(0.5):.1f} | "
            f"{row.recovery(0.99):.1f} | {verdict.replace('|', '/')} |"
        )
    strikes, in_flight = sum(len(r.struck) for r in rows.values()), sum(sum(r.struck) for r in rows.values())
    recovered = Outcome(recovery_s=[s for row in rows.values() for s in row.recovery_s])
    return f"""# Bad days

Real faults against real processes: `taesan serve` and `taesan worker`, anvil, SQLite or PostgreSQL, while payers, contract
wallets, holders and a merchant go on paying, depositing, redeeming and cashing in. {len(rows)} kinds of fault, {strikes} strikes,
{in_flight:,} payments in flight when they came; recovery within {recovered.recovery(0.5):.1f} s in half of them, {recovered.recovery(0.99):.1f} s in 99 of 100.

After each fault the hub recovers by itself; then everybody stops and this is checked: each payment that was answered
"accepted" is in the books once and in one leaf of the settled batches, each refused one nowhere; the books sum up to zero, their
hashes are one chain and equal the chain's balances (`taesan audit`); minted less burned is claims less redemptions; each batch
was settled once; no nonce is missing and no transaction left in the pool.

| fault | times | payments in flight | lost | doubled | recovery p50, s | p99, s | green |
|---|---:|---:|---:|---:|---:|---:|---|
{chr(10).join(lines)}

{RECOVERY} Killed processes
are started by hand here: Python's start, two seconds on this machine, is in it. So is a dead worker's lease, 1.5 s here and 15 s by
default (`TAESAN_WORKER_LEASE_S`), and the wait for a transaction that nobody has seen (15 s). Blocks come every quarter of a
second, and count when two are on top.

"At a point" is a named place in the source (`core/crashpoints.py`), where the process ends itself as kill -9 would, is
started, ends itself there again, and is started for good.

Written by `make chaos` on {datetime.now(UTC):%Y-%m-%d}, in {elapsed_s / 60:.1f} minutes.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only faults with one of these in their name")
    parser.add_argument("--lanes", type=int, default=2, help="hubs at a time")
    parser.add_argument("--write", type=Path, default=DOCS)
    chosen = parser.parse_args()
    set_up_logs(Logs("console", "error"))
    faults = sorted(FAULTS, key=lambda f: not f.name.startswith("kill"))  # the others in their order
    faults = [f for f in faults if not chosen.words or any(word in str(f) for word in chosen.words)]
    started = time.monotonic()
    columns = (
        TextColumn("faults"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        lanes = Lanes(faults, progress)
        lanes.run(chosen.lanes)
    elapsed_s = time.monotonic() - started
    Console().print(show(lanes.rows, elapsed_s))
    if not chosen.words:
        chosen.write.write_text(document(lanes.rows, elapsed_s))
    return 0 if all(row.is_green for row in lanes.rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
