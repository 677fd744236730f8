"""A great load while processes die: `python -m tests.chaos.load [--payments N] [--channels N] [--kills N] [--database URL]`.

Every payment answered "accepted" must be in the books once, every refused one nowhere, and what was unknown is known after
it was asked for again. Ends with 1 if anything differs.
"""

import argparse
import asyncio
import contextlib
import itertools
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import text

from taesan.hub import Hub
from taesan.ledger.audit import Report
from taesan.settlement.audit import audit_own
from tests.bench.payers import move_in
from tests.chaos.crowd import Client, Crowd, judge
from tests.chaos.hub_process import HubProcess
from tests.support.offline import hub_on

ROLES = ("server", "intake", "verifier")


@dataclass(frozen=True)
class Outcome:
    """:ivar kills: by role. :ivar counted: as `judge` counts. :ivar differences: as the audit tells them"""

    kills: Counter[str]
    counted: Counter[str]
    differences: list[str]
    elapsed_s: float
    retries: int
    audited: dict[str, int] = field(default_factory=dict)

    @property
    def wrong(self) -> dict[str, int]:
        return {what: n for what, n in self.counted.items() if what.startswith("wrong") and n}


def run(
    database_url: str, folder: Path, *, payments: int, channels: int, kills: int, seed: int, connections: int = 32
) -> Outcome:
    """:param payments: that are meant to be accepted. :param kills: in all, of the roles in turn"""
    hub = hub_on(database_url)
    facts = move_in(hub, channels)
    clients = [Client(facts, n, payments // channels, seed) for n in range(channels)]
    process = HubProcess(database_url, folder / "server.log")
    try:
        crowd = Crowd(clients, process.port, connections)
        started = time.monotonic()
        with ThreadPoolExecutor(1) as thread:  # a browser's tests may have left an event loop in this one
            killed = thread.submit(asyncio.run, _run(crowd, process, kills, seed)).result()
        elapsed = time.monotonic() - started
    finally:
        process.stop()
    report = Report()
    with hub.db.read() as session:
        audit_own(session, hub, report)
    counted = judge(clients, _in_books(hub))
    hub.db.close()
    return Outcome(killed, counted, report.differences, elapsed, crowd.retries, report.counted)


async def _run(crowd: Crowd, process: HubProcess, kills: int, seed: int) -> Counter[str]:
    sending = asyncio.create_task(crowd.run())
    killing = asyncio.create_task(_kill(crowd, process, kills, seed))
    showing = asyncio.create_task(_show(crowd))
    try:
        await sending
        return await killing
    finally:
        for task in (sending, killing, showing):
            task.cancel()


async def _kill(crowd: Crowd, process: HubProcess, kills: int, seed: int) -> Counter[str]:
    """At points that are spread over the whole load, each a little off, so that any moment of a commit may be hit."""
    killed: Counter[str] = Counter()
    chance = random.Random(seed)
    for n, role in zip(range(kills), itertools.cycle(ROLES), strict=False):
        due = crowd.total * (n + 0.3 + 0.4 * chance.random()) / kills
        while crowd.done < due:
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.random() * 0.05)
        while not await asyncio.to_thread(process.kill, role):
            await asyncio.sleep(0.01)
        killed[role] += 1
    return killed


async def _show(crowd: Crowd) -> None:
    columns = (TextColumn("payments"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=crowd.total)
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                progress.update(task, completed=crowd.done)
                await asyncio.sleep(0.2)


def _in_books(hub: Hub) -> dict[str, dict[str, tuple[str, int]]]:
    found: dict[str, dict[str, tuple[str, int]]] = {}
    with hub.db.read() as session:
        for channel, key, id_, cumulative in session.execute(
            text("SELECT channel_id, idempotency_key, public_id, cumulative FROM payment")
        ):
            found.setdefault(channel, {})[key] = (id_, cumulative)
    return found


# ----------------------------------------------------------------------- command


def _print(outcome: Outcome) -> None:
    table = Table("", "", show_header=False)
    table.columns[1].justify = "right"
    counted = outcome.counted
    for name in ("sent", "accepted", "duplicates replayed", "stale refused", "forged refused"):
        table.add_row(name, f"{counted[name]:,}")
    table.add_row("asked again", f"{outcome.retries:,}")
    table.add_row("killed", ", ".join(f"{role} {n}" for role, n in outcome.kills.items()))
    table.add_section()
    for name in sorted(name for name in counted if name.startswith("wrong")):
        table.add_row(name, f"{counted[name]:,}")
    table.add_row("differences in the audit", f"{len(outcome.differences):,}")
    table.add_section()
    table.add_row(
        "entries, postings audited", f"{outcome.audited['journal entries']:,}, {outcome.audited['postings']:,}"
    )
    table.add_row("time", f"{outcome.elapsed_s:,.0f} s")
    Console().print(table)
    for line in outcome.differences[:10]:
        print(line)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split(":")[0] if __doc__ else None)
    parser.add_argument("--payments", type=int, default=200_000)
    parser.add_argument("--channels", type=int, default=2_000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--database", default="", help="an empty one; a SQLite file of its own if left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="taesan-load-") as folder:
        url = chosen.database or f"sqlite:///{folder}/load.db"
        print(f"seed {chosen.seed}", flush=True)
        outcome = run(
            url,
            Path(folder),
            payments=chosen.payments,
            channels=chosen.channels,
            kills=chosen.kills,
            seed=chosen.seed,
        )
    _print(outcome)
    return 1 if outcome.wrong or outcome.differences else 0


if __name__ == "__main__":
    sys.exit(main())
