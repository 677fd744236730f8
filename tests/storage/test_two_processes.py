"""Two processes serve the API on one database: each channel keeps its order, each payment is in the books once."""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
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
from taesan.payments.invoices import Invoice
from taesan.payments.models import Payment
from taesan.settlement.audit_checkout import audit_checkout
from tests.bench.payers import AMOUNT, Payer, move_in
from tests.support import databases
from tests.support.chain import free_port
from tests.support.loops import run_async
from tests.support.offline import hub_on

pytestmark = pytest.mark.database("sqlite", "postgresql")

CHANNELS, PAYMENTS, INVOICES = 8, 12, 10


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


@pytest.fixture
def payers(hub: Hub) -> list[Payer]:
    facts = move_in(hub, CHANNELS)
    return [Payer(facts, number) for number in range(CHANNELS)]


def test_whatever_is_sent_to_either_or_both_is_in_the_books_once_and_in_order(
    hub: Hub, servers: dict[str, Process], payers: list[Payer]
) -> None:
    """On the same two, as each start of one takes seconds: the second part kills one of them."""
    _each_invoice_is_paid_once_by_whoever_comes_first(hub, list(servers), payers)
    _payments_sent_to_both_are_taken_once_even_when_one_dies(hub, servers, payers)


def _payments_sent_to_both_are_taken_once_even_when_one_dies(
    hub: Hub, servers: dict[str, Process], payers: Sequence[Payer]
) -> None:
    lost = run_async(_pay(payers, servers))
    assert lost > 0, "the kill met no request"
    _check(hub, INVOICES + CHANNELS * PAYMENTS)


async def _pay(payers: Sequence[Payer], servers: dict[str, Process]) -> int:
    """All channels at once, each payment to both servers at once; half way, one of them is killed.

    :return: requests that were on their way to it, so that their connections broke
    """
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


def _each_invoice_is_paid_once_by_whoever_comes_first(hub: Hub, urls: list[str], payers: Sequence[Payer]) -> None:
    ids = [f"inv_{n}" for n in range(INVOICES)]
    later = hub.clock.now() + timedelta(hours=1)
    with hub.db.write() as session:
        session.add_all(
            Invoice(
                public_id=id_,
                merchant_id=payers[0].facts.merchant_ids[0],
                currency="USD",
                amount=2,
                quote=AMOUNT,
                description="Coffee",
                details={},
                state="open",
                created_at=hub.clock.now(),
                expires_at=later,
            )
            for id_ in ids
        )
    statuses = run_async(_race(payers, urls, ids))
    assert statuses == {201: INVOICES, 409: INVOICES * (CHANNELS - 1)}
    _check(hub, INVOICES)
    with hub.db.read() as session:
        report = Report()
        audit_checkout(session, report)
        assert report.differences == []
        assert report.counted["invoices paid"] == INVOICES


async def _race(payers: Sequence[Payer], urls: list[str], ids: list[str]) -> Counter[int]:
    """All payers try to pay all invoices, half of them from the last to the first; how each request was answered."""
    statuses: Counter[int] = Counter()

    async def pay_all(client: httpx.AsyncClient, number: int, payer: Payer) -> None:
        for id_ in ids if number % 2 else reversed(ids):
            body = payer.payment() | {"destination": {"type": "invoice", "invoice_id": id_}}
            headers = {"Idempotency-Key": id_}
            answer = await client.post(f"{random.choice(urls)}/v1/payments", json=body, headers=headers)
            statuses[answer.status_code] += 1
            if answer.status_code != 201:
                assert answer.json()["type"].endswith(":invoice-paid"), answer.text
                payer.paid -= 1

    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=100)) as client:
        await asyncio.gather(*(pay_all(client, number, payer) for number, payer in enumerate(payers)))
    return statuses


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
