"""A busy payer's month: `python -m tests.bench.month_audit [--payments 100000] [--database URL]`.

Fills a database with so many payments of one payer in the month, as many in the month before and in the same month a year ago, each to a
merchant with points for it, and as many of somebody else, and asks the real app for the month's audit. Ends with 1 if that takes a second or more: of the
processor with SQLite, all of whose work is done in this process, so that what else the machine does counts for nothing; else the fastest answer.
"""

import argparse
import logging
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import structlog
from fastapi.testclient import TestClient
from sqlalchemy import text

from taesan.app import create_app
from taesan.hub import Hub
from taesan.identity.auth import hash_secret
from taesan.identity.models import LoginSession
from taesan.insights import persons, reading
from taesan.insights.models import PersonTerms
from taesan.insights.movements import Kind, Movement, next_month
from taesan.jars.models import JarFiring
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import Member, PointsLot
from tests.bench.payers import Payer, move_in
from tests.support.offline import hub_on

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))

SEED, PAYMENTS, PAGE = 8, 100_000, 5_000
MERCHANTS, CATEGORIES = 400, ("coffee", "books", "games", "music", "")
PER_FIRING = 10
ROUNDS, BOUND_S = 7, 1.0
MONTHS = (date(2026, 10, 1), date(2026, 9, 1), date(2025, 10, 1))


def _lines(chance: random.Random, month: date, count: int, asset: str) -> Iterator[Movement]:
    """Payments to merchants and the jar, and some refunds."""
    days = (next_month(month) - month).days
    for n in range(count):
        day = month + timedelta(chance.randrange(days))
        at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=chance.randrange(86_400))
        merchant = f"shop {min(int(chance.expovariate(1 / 60)), MERCHANTS)}"
        kind: Kind = chance.choices(("spent", "gathered", "refunded"), (80, 17, 3))[0]
        category = chance.choice(CATEGORIES)
        yield Movement(
            f"pay_{month}_{n}",
            "hub",
            kind,
            at,
            day,
            merchant,
            merchant.title(),
            category,
            asset,
            6,
            chance.randrange(1, 10**6),
        )


def _fill(hub: Hub, payments: int) -> dict[str, str]:
    """Returns the headers of the payer's session."""
    facts, chance, token = move_in(hub, 2), random.Random(SEED), secrets.token_hex(16)
    busy, other = (Payer(facts, number) for number in range(2))
    now, until = hub.clock.now(), hub.clock.now() + timedelta(hours=1)
    with hub.db.write() as session:
        owners = [
            persons.number_of(persons.ask(session, payer.address, PersonTerms(zone="Asia/Seoul"), now))
            for payer in (busy, other)
        ]
        session.execute(text("DELETE FROM insights_filling"))  # what there is comes from here
        session.add(LoginSession(token_hash=hash_secret(token), address=busy.address, expires_at=until))
        for n in range(payments // PER_FIRING):
            at = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=31 * n * PER_FIRING / payments)
            firing = JarFiring(
                channel_id=busy.channel_id,
                account=busy.address,
                amount=n + 1,
                payment_count=1,
                reason="count",
                fired_at=at,
            )
            session.add(firing)
        member = Member(owner=HUB, payer=busy.address, looked=0, since=now)
        session.add(member)
        session.flush()
    for owner, months in zip(owners, (MONTHS, MONTHS[:1]), strict=True):
        for month in months:
            lines = list(_lines(chance, month, payments, hub.asset.id))
            for first in range(0, payments, PAGE):
                with hub.db.write() as session:
                    page = lines[first : first + PAGE]
                    reading.store(session, [(owner, line) for line in page])
                    if owner == owners[0]:
                        session.add_all(_lot(member, line) for line in page if line.kind == "spent")
    with hub.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return {"Authorization": f"Bearer {token}"}


def _lot(member: Member, line: Movement) -> PointsLot:
    assert member.id is not None
    points = line.amount // 10_000
    ends = line.at + timedelta(days=365)
    return PointsLot(
        member_id=member.id, source=line.key, points=points, remaining=points, paid_at=line.at, expires_at=ends
    )


def measure(database_url: str, payments: int) -> list[tuple[float, float]]:
    """(seconds, seconds of the processor) of each time."""
    hub = hub_on(database_url)
    headers = _fill(hub, payments)
    found = []
    with TestClient(create_app(hub)) as client:
        for _ in range(ROUNDS):
            started, cpu = time.perf_counter(), time.process_time()
            answer = client.get(f"/v1/insights/months/{MONTHS[0]:%Y-%m}", headers=headers)
            found.append((time.perf_counter() - started, time.process_time() - cpu))
            assert answer.status_code == 200, answer.text
            (asset,) = answer.json()["assets"]
            assert sum(moved["count"] for moved in asset["moved"]) == payments
    hub.db.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--payments", type=int, default=PAYMENTS)
    parser.add_argument("--database", default="", help="an empty one; a SQLite file of its own if left out")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="taesan-audit-") as folder:
        url = chosen.database or f"sqlite:///{Path(folder) / 'audit.db'}"
        found = measure(url, chosen.payments)
    walls, cpus = zip(*found, strict=True)
    wall, cpu, fastest = statistics.median(walls), statistics.median(cpus), min(walls)
    print(
        f"the audit of a month with {chosen.payments:,} payments of one payer, and as many in each of the two months that it is "
        f"compared with ({url.partition(':')[0]}, seed {SEED}): {wall:.2f} s, {cpu:.2f} s of the processor (median of {ROUNDS}); the fastest {fastest:.2f} s"
    )
    return 1 if (cpu if url.startswith("sqlite") else fastest) >= BOUND_S else 0


if __name__ == "__main__":
    sys.exit(main())
