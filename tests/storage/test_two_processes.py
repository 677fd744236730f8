"""Two processes serve the API on one database: each channel keeps its order, each payment is in the books once."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from taesan.channels.models import Charged
from taesan.demo.processes import Process, wait_for_http
from taesan.hub import Hub
from taesan.ledger.audit import Report, audit_books
from taesan.payments.models import Payment
from tests.bench.payers import AMOUNT, Facts, Payer, move_in
from tests.support import databases
from tests.support.chain import free_port
from tests.support.offline import hub_on

pytestmark = pytest.mark.database("sqlite", "postgresql")

CHANNELS, PAYMENTS = 12, 20


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = hub_on(databases.here().new(tmp_path))
    yield hub
    hub.db.close()


@pytest.fixture
def servers(hub: Hub, tmp_path: Path) -> Iterator[dict[str, Process]]:
    """URL → process."""
    with ExitStack() as stack:
        found = {}
        for number, port in enumerate([free_port(), free_port()]):
            command = [sys.executable, "-m", "tests.bench.server", hub.db.url, str(port)]
            process = Process(f"server {number}", command, tmp_path / f"server{number}.log")
            stack.callback(process.kill)
            found[f"http://127.0.0.1:{port}"] = process
        for url, process in found.items():
            wait_for_http(process, f"{url}/healthz")
        yield found


def test_payments_sent_to_both_are_in_order_and_in_the_books_once_even_when_one_dies(
    hub: Hub, servers: dict[str, Process]
) -> None:
    facts = move_in(hub, CHANNELS)
    lost = asyncio.run(_pay(facts, servers))
    assert lost > 0, "the kill met no request"
    _check(hub, CHANNELS * PAYMENTS)


async def _pay(facts: Facts, servers: dict[str, Process]) -> int:
    """All channels at once, each payment to both servers at once; half way, one of them is killed.

    :return: requests that were on their way to it, so that their connections broke
    """
    payers = [Payer(facts, number) for number in range(CHANNELS)]
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:
        await asyncio.gather(*(_pay_in_turn(client, payer, list(servers), PAYMENTS // 2) for payer in payers))
        turns = (_pay_in_turn(client, payer, list(servers), PAYMENTS // 2, one_dies=True) for payer in payers)
        rest = asyncio.gather(*turns)
        await asyncio.sleep(0.05)
        victim = next(iter(servers.values()))
        os.kill(victim.pid, signal.SIGSTOP)  # so that it surely has something that it has not answered
        await asyncio.sleep(0.2)
        victim.kill()
        return sum(await rest)


async def _pay_in_turn(
    client: httpx.AsyncClient, payer: Payer, urls: list[str], count: int, *, one_dies: bool = False
) -> int:
    """:return: requests whose connection broke before they were answered; one that could not be opened is none"""
    lost = 0
    for _ in range(count):
        body = payer.payment()
        key = {"Idempotency-Key": f"{payer.paid}"}
        in_some_order = random.sample(urls, len(urls))
        answers: list[Any] = await asyncio.gather(
            *(client.post(f"{url}/v1/payments", json=body, headers=key) for url in in_some_order),
            return_exceptions=one_dies,
        )
        told = [answer for answer in answers if not isinstance(answer, httpx.TransportError)]
        lost += sum(isinstance(answer, httpx.ReadError | httpx.RemoteProtocolError) for answer in answers)
        assert told, "the other lives"
        assert {answer.status_code for answer in told} == {201}, [answer.text for answer in told]
        assert len({answer.json()["id"] for answer in told}) == 1, "the same payment"
        if not one_dies:
            assert sorted("idempotent-replayed" in answer.headers for answer in told) == [False, True]
    return lost


def _check(hub: Hub, accepted: int) -> None:
    with hub.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Payment)) == accepted
        for account, charged in session.execute(select(col(Charged.account_id), col(Charged.amount))):
            in_order = (
                select(col(Payment.cumulative)).where(col(Payment.account_id) == account).order_by(col(Payment.id))
            )
            assert session.scalars(in_order).all() == list(range(AMOUNT, charged + 1, AMOUNT))
        report = Report()
        audit_books(session, report)
        assert report.differences == []
        if hub.db.engine.dialect.name == "postgresql":
            told = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            assert session.connection().exec_driver_sql(told).scalar() == 0
