"""Reads as the books grow: `python -m tests.bench.reads [--sizes 10000,100000,1000000] [--database URL] [--write FILE]`.

Fills a database by the real intake, freezes and settles batches by the real code, and at each size asks the real app
everything that a payer, a merchant or a page reads. Ends with 1 if a read has become slower with the books.
"""

import argparse
import asyncio
import logging
import platform
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import structlog
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy import select, text
from sqlmodel import col

from taesan.app import create_app
from taesan.core.pages import cursor_of
from taesan.hub import Hub
from taesan.identity.auth import hash_secret
from taesan.identity.keys import add_key
from taesan.identity.models import LoginSession
from taesan.payments import requests as forms
from taesan.payments.engine import Engine
from taesan.payments.lanes import GROUP
from taesan.payments.messages import Outcome, Submission
from taesan.payments.models import PaymentCreate
from taesan.payments.terms import terms_of
from taesan.settlement import batcher, packing
from taesan.settlement.models import BatchCredit, BatchEntitlement
from tests.bench.payers import Facts, Payer, move_in
from tests.support.offline import chain_tells, hub_on

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

SIZES = (10_000, 100_000, 1_000_000)
PER_CHANNEL = 200  # payments, enough for each jar to fire
SIGNED_AHEAD = 1_000  # payers, whose payments are in memory
BATCH = 10_000  # payments settled together, at each size
PAYER = 3  # who reads
ROUNDS, WARM_UP = 100, 5
SLACK_MS = 2
GROWTH = 1.5  # at most, from the smallest size to the largest
DOCS = Path(__file__).parents[2] / "docs" / "benchmarks" / "reads.md"


# --------------------------------------------------------------------- filling


def _signed(facts: Facts, numbers: Sequence[int]) -> list[Any]:
    """All payments of some payers, in turn. For another process: signing is the larger part of filling."""
    payers = [Payer(facts, number) for number in numbers]
    return [(f"k{payer.paid}", payer.payment()) for _ in range(PER_CHANNEL) for payer in payers]


def _fill(hub: Hub, facts: Facts, first: int, last: int, done: Callable[[int], None]) -> None:
    """:param first: number of the first payer that has not paid yet. :param last: the one after the last"""
    engine = Engine(hub.db, terms_of(hub), hub.clock)
    blocks = [range(n, min(n + SIGNED_AHEAD, last)) for n in range(first, last, SIGNED_AHEAD)]
    with ProcessPoolExecutor(1) as signer:
        for signed in signer.map(_signed, [facts] * len(blocks), blocks):
            for n in range(0, len(signed), GROUP):
                group = [_submission(hub, key, body) for key, body in signed[n : n + GROUP]]
                results = engine.run(group)
                assert all(isinstance(result, Outcome) for result in results), results[:3]
                done(len(group))
                if (n + GROUP) % BATCH == 0:
                    _settle(hub)


def _submission(hub: Hub, key: str, body: Any) -> Submission:
    return forms.submission_of(hub, PaymentCreate.model_validate(body), key)


def _settle(hub: Hub) -> None:
    """Batches of all that waits, each posted as the chain's events would have it."""
    while True:
        with hub.db.write() as session:
            batch = batcher.freeze(session, hub, hub.clock.now())
        if batch is None:
            return
        with hub.db.read() as session:
            owed = session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id))
            credits = [packing.word(credit.address, credit.amount) for credit in owed]
            mints = session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id)).all()
        deployment = hub.contracts.deployment
        args = {"receiver": deployment.settlement, "token": deployment.asset, "amount": batch.claimed, "skipped": []}
        chain_tells(hub, "channels.PackedClaimed", f"claimed {batch.id}", **args)
        args = {"batchId": batch.id, "root": batch.root, "entitled": batch.entitled, "credits": credits}
        chain_tells(hub, "settlement.BatchSettled", f"settled {batch.id}", **args)
        for mint in mints:
            args = {"to": mint.account, "value": mint.amount}
            chain_tells(hub, "gift_token.Minted", f"minted {batch.id} {mint.account}", **args)


# ------------------------------------------------------------------- measuring


@dataclass(frozen=True)
class Read:
    """:ivar path: as it is asked, from one row of what is there"""

    name: str
    path: str
    headers: dict[str, str]


def _reads(hub: Hub, facts: Facts) -> Iterator[Read]:
    """What is asked, about the middle of the books: neither the oldest nor the newest."""
    token, now = secrets.token_hex(16), hub.clock.now()
    payer = Payer(facts, PAYER)
    with hub.db.write() as session:
        key = add_key(session, facts.merchant_ids[0], now, hub.mode)
        until = now + timedelta(hours=1)
        session.add(LoginSession(token_hash=hash_secret(token), address=payer.address, expires_at=until))
    own, theirs = {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {key}"}
    with hub.db.read() as session:
        last, entries = session.execute(
            text("SELECT (SELECT max(id) FROM payment), (SELECT max(id) FROM journal_entry)")
        ).one()
        middle = text("SELECT public_id, batch_id FROM payment WHERE id = :id")
        payment, batch = session.execute(middle, {"id": last // 2}).one()
    first = "the first page (100)"
    yield Read("a channel's balance", f"/v1/channels/{payer.channel_id}", own)
    yield Read("a jar", f"/v1/channels/{payer.channel_id}/jar", own)
    yield Read("a merchant's balance", "/v1/account", theirs)
    yield Read("a payment", f"/v1/payments/{payment}", {})
    yield Read("a payment's proof", f"/v1/payments/{payment}/proof", {})
    yield Read("an entitlement's proof", f"/v1/entitlements/{payer.address}", {})
    yield Read(f"a channel's payments, {first}", f"/v1/channels/{payer.channel_id}/payments", own)
    yield Read(f"a merchant's payments, {first}", "/v1/payments", theirs)
    yield Read("… a page in the middle", f"/v1/payments?cursor={cursor_of(last // 2)}", theirs)
    yield Read("… nearly the last page", f"/v1/payments?cursor={cursor_of(last // 100)}", theirs)
    yield Read("batches, the first page (50)", "/v1/batches", {})
    yield Read("a batch", f"/v1/batches/{batch}", {})
    yield Read("the journal, one entry, first", "/v1/ledger/entries?limit=1", {})
    yield Read("… in the middle", f"/v1/ledger/entries?limit=1&cursor={cursor_of(entries // 2)}", {})
    yield Read("the trial balance", "/v1/ledger/totals", {})
    yield Read("the overview (JSON)", "/v1/overview", {})
    yield Read("the overview (page)", "/", {})
    yield Read("a batch's page", f"/batches/{batch}", {})


class Waits(NamedTuple):
    """Milliseconds. :ivar cpu: median of the processor time, in which others on this machine have no part"""

    p50: float
    p99: float
    cpu: float


async def _measure(hub: Hub, facts: Facts, done: Callable[[], None]) -> dict[str, Waits]:
    """Read → what it takes through the whole app, one at a time."""
    measured = {}
    transport = httpx.ASGITransport(create_app(hub))
    async with httpx.AsyncClient(transport=transport, base_url="http://hub") as client:
        for read in _reads(hub, facts):
            waits, worked = [], []
            for _ in range(WARM_UP + ROUNDS):
                started, cpu = time.perf_counter(), time.process_time()
                answer = await client.get(read.path, headers=read.headers)
                waits.append((time.perf_counter() - started) * 1e3)
                worked.append((time.process_time() - cpu) * 1e3)
                assert answer.status_code == 200, (read.path, answer.text)
            waits = sorted(waits[WARM_UP:])
            p99 = waits[int(len(waits) * 0.99)]
            measured[read.name] = Waits(statistics.median(waits), p99, statistics.median(worked[WARM_UP:]))
            done()
    return measured


def measure(database_url: str, sizes: Sequence[int]) -> dict[int, dict[str, Waits]]:
    """Size → as `_measure`."""
    hub = hub_on(database_url, payer_rate="1000000/second")
    found = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        facts = move_in(hub, max(sizes) // PER_CHANNEL)
        filling = progress.add_task("payments", total=max(sizes))
        paid = 0
        for size in sorted(sizes):
            _fill(hub, facts, paid, size // PER_CHANNEL, lambda count: progress.advance(filling, count))
            paid = size // PER_CHANNEL
            reading = progress.add_task(f"reads at {size:,}", total=len(list(_reads(hub, facts))))
            found[size] = asyncio.run(_measure(hub, facts, lambda reading=reading: progress.advance(reading)))
    hub.db.close()
    return found


# --------------------------------------------------------------------- telling


def grown(found: dict[int, dict[str, Waits]]) -> list[str]:
    """Reads that take more of the processor at the largest size than at the smallest."""
    small, large = found[min(found)], found[max(found)]
    return [name for name in small if large[name].cpu > small[name].cpu * GROWTH + SLACK_MS]


def document(found: dict[int, dict[str, Waits]], database: str) -> str:
    sizes = sorted(found)
    head = "| read | " + " | ".join(f"{size:,}" for size in sizes) + " |\n|---|" + "---:|" * len(sizes)
    rows = [
        f"| {name} | "
        + " | ".join(
            f"{found[size][name].p50:.1f} / {found[size][name].p99:.1f} ({found[size][name].cpu:.1f})" for size in sizes
        )
        + " |"
        for name in found[sizes[0]]
    ]
    slower = grown(found)
    verdict = f"Slower with the books: {', '.join(slower)}." if slower else "None of them grows with the books."
    return f"""# Reads as the books grow

Milliseconds, median / 99th of {ROUNDS} (median of the processor's), at this many payments in the books. {verdict}

{head}
{chr(10).join(rows)}

Written by `make bench-reads` on {datetime.now(UTC):%Y-%m-%d}: {database}, Python {platform.python_version()}, one reader,
through the whole app. The payments went in by the real intake, {PER_CHANNEL} a channel, and were settled in batches of
{BATCH:,}; there is no node, and the overview says so. A read counts as slower if the processor's time at the largest size
is over {GROWTH} times that at the smallest and {SLACK_MS} ms more: the wall clock also tells what else the machine did.

What keeps them flat: balances are kept (`balance`), totals come from `turnover` and `counter`, lists go by the key of the last
row and never by a count or an offset. `tests/api/test_query_plans.py` asks the database for the plan of each statement.

A payment's proof and its batch's page grow with the batch, which is at most `TAESAN_BATCH_MAX_PAYMENTS`, not with the books.
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--database", default="", help="an empty one; a SQLite file of its own if left out")
    parser.add_argument("--write", type=Path, default=DOCS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="taesan-reads-") as folder:
        url = chosen.database or f"sqlite:///{folder}/reads.db"
        found = measure(url, [int(size) for size in chosen.sizes.split(",")])
    content = document(found, url.split(":")[0])
    chosen.write.write_text(content)
    print(content)
    return 1 if grown(found) else 0


if __name__ == "__main__":
    sys.exit(main())
