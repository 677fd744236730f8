"""The intake in a process of its own: what arrives together is committed together, and what is lost with it is told so."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec import structs

from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.identity import keys
from taesan.ledger.audit import Report, audit_books
from taesan.payments.lanes import ProcessLanes
from taesan.payments.messages import Outcome, Refusal, Submission
from tests.support import databases
from tests.support.loops import run_async
from tests.support.offline import chain_tells, facts_of, hub_on, open_channel
from tests.support.signing import ZERO_ADDRESS
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

CENT = 10_000


@asynccontextmanager
async def _open(tmp_path: Path, **settings: object) -> AsyncIterator[tuple[Hub, ProcessLanes]]:
    hub = hub_on(databases.here().new(tmp_path), **settings)
    lanes = ProcessLanes(hub)
    await lanes.open()
    try:
        yield hub, lanes
    finally:
        await lanes.close()
        with hub.db.read() as session:
            report = Report()
            audit_books(session, report)
            assert report.differences == []
        hub.db.close()


def _submissions(hub: Hub, wallet: Wallet, channel: str, first: int, count: int) -> list[Submission]:
    facts = facts_of(hub)
    return [
        Submission(f"k{n}", channel, CENT, n * CENT, wallet.voucher(facts, channel, n * CENT))
        for n in range(first, first + count)
    ]


def _payments(hub: Hub) -> int:
    with hub.db.read() as session:
        return int(session.connection().exec_driver_sql("SELECT count(*) FROM payment").scalar_one())


def test_requests_that_arrive_together_are_one_commit_and_in_order(tmp_path: Path) -> None:
    async def run() -> None:
        async with _open(tmp_path) as (hub, lanes):
            wallets = [Wallet(f"payer {n}") for n in range(40)]
            channels = [open_channel(hub, wallet, 10_000_000) for wallet in wallets]
            waves = [
                lanes.submit(_submissions(hub, wallet, channel, n, 1))
                for n in (1, 2)
                for wallet, channel in zip(wallets, channels, strict=True)
            ]
            results = [result for (result,) in await asyncio.gather(*waves)]
            assert all(isinstance(result, Outcome) for result in results), results
            assert _payments(hub) == 80
            with hub.db.read() as session:
                kind = "SELECT count(*) FROM journal_entry WHERE kind = 'payments'"
                entries = int(session.connection().exec_driver_sql(kind).scalar_one())
            assert entries <= 4, "80 requests, a few commits"

    run_async(run())


def test_a_large_request_goes_in_several_groups_and_keeps_its_order(tmp_path: Path) -> None:
    async def run() -> None:
        async with _open(tmp_path, payer_rate="10000/second") as (hub, lanes):
            wallet = Wallet("anna")
            channel = open_channel(hub, wallet, 100_000_000)
            good = _submissions(hub, wallet, channel, 1, 1_500)
            bad = Submission("bad", channel, CENT, CENT, "0x" + "11" * 65)
            assert await asyncio.wait_for(lanes.submit([]), 5) == [], "such as a request of nothing but nonsense"
            results = await lanes.submit([*good[:700], bad, *good[700:]])
            assert [n for n, result in enumerate(results) if isinstance(result, Refusal)] == [700]
            assert _payments(hub) == 1_500

    run_async(run())


def test_a_contract_wallets_word_crosses_to_the_process_and_the_doubt_comes_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with _open(tmp_path) as (hub, lanes):
            wallet = Wallet("contract")
            with hub.db.write() as session:
                cafe = keys.register(session, "Café", Wallet("merchant").address, hub.clock.now(), hub.mode)[0].id
            chain_tells(hub, "settlement.Funded", "fund", amount=CENT)
            channel = open_channel(hub, wallet, CENT, payer_authorizer=ZERO_ADDRESS)
            hot = open_channel(hub, Wallet("anna"), CENT)
            doubtful = Submission("a", channel, CENT, CENT, "0x1271", cafe)
            wrong = Submission("b", hot, CENT, CENT, "0x" + "1b" * 65, cafe)
            results = await lanes.submit([doubtful, wrong])
            assert [r.type for r in results if isinstance(r, Refusal)] == ["invalid-signature"] * 2
            assert [r.payer_may_know for r in results if isinstance(r, Refusal)] == [True, False]
            (accepted,) = await lanes.submit([structs.replace(doubtful, by_contract=True)])
            assert isinstance(accepted, Outcome)

    run_async(run())


def test_what_is_in_a_process_that_dies_is_answered_and_can_be_repeated(tmp_path: Path) -> None:
    async def run() -> None:
        async with _open(tmp_path) as (hub, lanes):
            wallet = Wallet("anna")
            channel = open_channel(hub, wallet, 10_000_000)
            submissions = _submissions(hub, wallet, channel, 1, 60)
            assert lanes._process is not None
            assert lanes._process.pid is not None
            asked = asyncio.gather(*(lanes.submit([s]) for s in submissions))
            await asyncio.sleep(0)
            os.kill(lanes._process.pid, signal.SIGKILL)
            told = [result for (result,) in await asyncio.wait_for(asked, 20)]
            lost = [r for r in told if isinstance(r, Refusal)]
            assert lost
            assert {r.type for r in lost} == {"intake-unavailable"}
            accepted_then = _payments(hub)
            assert accepted_then >= len(told) - len(lost), "what was answered is there"
            # The next one starts another process; the same keys bring the same payments, each once.
            again = [(await lanes.submit([s]))[0] for s in submissions]
            assert all(isinstance(r, Outcome) for r in again), again
            assert sum(r.replayed for r in again if isinstance(r, Outcome)) == accepted_then
            assert _payments(hub) == 60

    run_async(run())


def test_more_than_the_house_holds_is_refused_at_the_door(tmp_path: Path) -> None:
    async def run() -> None:
        async with _open(tmp_path, intake_queue_max=10) as (hub, lanes):
            wallet = Wallet("anna")
            channel = open_channel(hub, wallet, 10_000_000)
            submissions = _submissions(hub, wallet, channel, 1, 11)
            with pytest.raises(Problem) as refused:
                await lanes.submit(submissions)
            assert (refused.value.type, refused.value.status) == ("busy", 503)
            assert refused.value.headers["retry-after"] == "1"
            assert _payments(hub) == 0
            assert len(await lanes.submit(submissions[:10])) == 10

    run_async(run())


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    async def run() -> list[int]:
        async with _open(tmp_path) as (_, lanes):
            assert lanes._process is not None
            assert lanes._process.pid is not None
            children = Path(f"/proc/{lanes._process.pid}/task/{lanes._process.pid}/children").read_text().split()
            assert len(children) == 2, "its verifiers"
            return [lanes._process.pid, *map(int, children)]

    for pid in run_async(run()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_process_that_does_not_start_is_told_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with _open(tmp_path) as (hub, lanes):
            wallet = Wallet("anna")
            (submission,) = _submissions(hub, wallet, open_channel(hub, wallet, 10_000_000), 1, 1)
            await lanes.close()
            with monkeypatch.context() as broken:
                broken.setattr(ProcessLanes, "_start_process", _no_more_processes)
                (told,) = await asyncio.wait_for(lanes.submit([submission]), 10)
                assert isinstance(told, Refusal)
                assert told.type == "intake-unavailable"
            assert isinstance((await asyncio.wait_for(lanes.submit([submission]), 20))[0], Outcome)

    run_async(run())


async def _no_more_processes(_lanes: ProcessLanes) -> None:
    raise OSError("no more processes")
