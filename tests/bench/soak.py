"""A steady load for minutes, and what the hub's processes hold of memory meanwhile:
`python -m tests.bench.soak [--minutes N] [--rate N] [--database URL] [--write FILE]`.

Ends with 1 if memory grows after the warm-up, by a straight line through its samples.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import text

from taesan.ledger.audit import Report
from taesan.settlement.audit import audit_own
from tests.bench.payers import Facts, Payer, move_in
from tests.chaos.crowd import Line
from tests.chaos.hub_process import HubProcess
from tests.support.offline import hub_on

SAMPLE_S = 2
WARM_UP = 0.4  # of the time: caches fill
LIMIT = 0.05  # growth in ten minutes
CACHE_MIB = 32  # of the intake, so that it is full before the warm-up ends
CHANNELS, CONNECTIONS, BULK = 500, 16, 20
READS = ("/", "/v1/overview", "/v1/batches", "/v1/ledger/totals", "/v1/ledger/entries?limit=5")
BARS = "▁▂▃▄▅▆▇█"
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks" / "soak.md"


@dataclass
class Soak:
    """:ivar at_s: when a sample was taken. :ivar memory_mb: role → a sample of its processes each time"""

    at_s: list[float] = field(default_factory=list)
    memory_mb: dict[str, list[float]] = field(default_factory=dict)
    payments: int = 0
    reads: int = 0

    def growth(self, role: str) -> float:
        """In ten minutes, as a part of what is held: the slope of the least-squares line after the warm-up."""
        start = self.at_s[-1] * WARM_UP
        points = [(t, mb) for t, mb in zip(self.at_s, self.memory_mb[role], strict=True) if t >= start]
        mean_t = sum(t for t, _ in points) / len(points)
        mean_mb = sum(mb for _, mb in points) / len(points)
        slope = sum((t - mean_t) * (mb - mean_mb) for t, mb in points) / sum((t - mean_t) ** 2 for t, _ in points)
        return slope * 600 / mean_mb


def run(database_url: str, folder: Path, seconds: float, rate: int) -> Soak:
    """:param rate: payments a second, in bulk of 20; each second page and API are read once"""
    hub = hub_on(database_url)
    facts = move_in(hub, CHANNELS)
    process = HubProcess(database_url, folder / "server.log", intake_cache_mib=CACHE_MIB)
    try:
        soak = asyncio.run(_run(process, facts, seconds, rate))
    finally:
        process.stop()
    report = Report()
    with hub.db.read() as session:
        audit_own(session, hub, report)
        stored = session.execute(text("SELECT count(*) FROM payment")).scalar_one()
    hub.db.close()
    assert report.differences == [], report.differences[:5]
    assert stored == soak.payments, f"{soak.payments} accepted, {stored} in the books"
    return soak


async def _run(process: HubProcess, facts: Facts, seconds: float, rate: int) -> Soak:
    soak, end = Soak(), time.monotonic() + seconds
    payers = [Payer(facts, number) for number in range(CHANNELS)]
    tasks = [
        asyncio.create_task(_pay(soak, process.port, payers[n::CONNECTIONS], BULK * CONNECTIONS / rate, end))
        for n in range(CONNECTIONS)
    ]
    tasks.append(asyncio.create_task(_read(soak, process.port, end)))
    started = time.monotonic()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=seconds)
        while (now := time.monotonic()) < end:
            memory = await asyncio.to_thread(process.memory_mb)
            soak.at_s.append(now - started)
            for role, mb in memory.items():
                soak.memory_mb.setdefault(role, []).append(mb)
            shown = ", ".join(f"{role} {mb:.0f} MB" for role, mb in memory.items())
            progress.update(task, completed=now - started, description=f"{soak.payments:,} payments, {shown}")
            await asyncio.sleep(SAMPLE_S)
    await asyncio.gather(*tasks)
    return soak


async def _pay(soak: Soak, port: int, payers: Sequence[Payer], every_s: float, end: float) -> None:
    line, turns = Line(port), _in_turn(payers)
    due = time.monotonic()
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due = max(due + every_s, time.monotonic() - 1)  # what is far behind is not made good for
        items = [
            payer.payment() | {"idempotency_key": f"k{payer.paid}"} for payer in (next(turns) for _ in range(BULK))
        ]
        status, answer = await line.post("/v1/payments/bulk", {"payments": items}, None)
        assert status == 200, (status, answer)
        assert all(result["status"] == 201 for result in answer["results"]), answer
        soak.payments += len(items)
    line.close()


def _in_turn(payers: Sequence[Payer]) -> Iterator[Payer]:
    while True:
        yield from payers


async def _read(soak: Soak, port: int, end: float) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        while time.monotonic() < end:
            for path in READS:
                answer = await client.get(path)
                assert answer.status_code == 200, (path, answer.text)
                soak.reads += 1
            await asyncio.sleep(1)


# --------------------------------------------------------------------- telling


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """From nothing to the largest, so that what is flat looks flat."""
    step = max(len(values) / width, 1)
    picked = [values[int(n * step)] for n in range(min(width, len(values)))]
    return "".join(BARS[min(int(value / max(values) * len(BARS)), len(BARS) - 1)] for value in picked)


def document(soak: Soak, rate: int, database: str) -> str:
    minutes = soak.at_s[-1] / 60
    lines = []
    for role, samples in soak.memory_mb.items():
        settled = samples[int(len(samples) * WARM_UP)]
        growth = soak.growth(role)
        verdict = "flat" if growth < LIMIT else "**grows**"
        lines.append(
            f"| {role} | {samples[0]:.0f} | {settled:.0f} | {max(samples):.0f} | {samples[-1]:.0f} | "
            f"{growth:+.1%} | {verdict} | `{sparkline(samples, 40)}` |"
        )
    return f"""# Memory under a steady load

What each role's processes hold of main memory that they share with nobody, in MB, over {minutes:.1f} minutes of {rate:,} payments a
second ({soak.payments:,} in all, {soak.reads:,} reads beside them). The books were audited afterwards.

| process | at first | after {WARM_UP:.0%} | most | at last | in ten minutes | | |
|---|---:|---:|---:|---:|---:|---|---|
{chr(10).join(lines)}

Written by `make soak` on {datetime.now(UTC):%Y-%m-%d}: {database}. Growth is the slope of a straight line through the samples
after the warm-up; up to {LIMIT:.0%} counts as flat. The charts begin at zero.

What is kept in memory and how it is bounded: the intake's database pages (`TAESAN_INTAKE_CACHE_MIB`: 256, here {CACHE_MIB}) and the signers of channels (`engine.py`);
in the server the pages of each of at most 30 connections (16 MiB), payments in the house (`TAESAN_INTAKE_QUEUE_MAX`),
bodies (1.5 MB) and heads (32 KiB) of requests.
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rate", type=int, default=1_000)
    parser.add_argument("--database", default="", help="an empty one; a SQLite file of its own if left out")
    parser.add_argument("--write", type=Path, default=DOCS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="taesan-soak-") as folder:
        url = chosen.database or f"sqlite:///{folder}/soak.db"
        soak = run(url, Path(folder), chosen.minutes * 60, chosen.rate)
    content = document(soak, chosen.rate, url.split(":")[0])
    chosen.write.write_text(content)
    print(content)
    return 1 if any(soak.growth(role) >= LIMIT for role in soak.memory_mb) else 0


if __name__ == "__main__":
    sys.exit(main())
