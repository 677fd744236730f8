"""Leases, outbox, transactions: the tools of the floor that knows no domain, on a real database file."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlmodel import col

from taesan.core import outbox
from taesan.core.clock import FixedClock, SystemClock, rfc3339
from taesan.core.db import Database
from taesan.core.models import Lease, OutboxEvent
from taesan.core.worker import LEASE_S, TransientError, Worker, acquire
from tests.support.offline import NOW, new_database

pytestmark = pytest.mark.database("sqlite", "postgresql")


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    db = new_database(tmp_path)
    yield db
    db.close()


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(NOW)


# --------------------------------------------------------------------- database


def test_a_transaction_that_fails_leaves_nothing(db: Database) -> None:
    def fail() -> None:
        with db.write() as session:
            outbox.put(session, "a", "Happened", {}, NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with db.read() as session:
        assert session.scalars(select(OutboxEvent)).all() == []


def test_reading_keeps_nothing_that_it_wrote(db: Database) -> None:
    with db.read() as session:
        outbox.put(session, "a", "Happened", {}, NOW)
    with db.read() as session:
        assert session.scalars(select(OutboxEvent)).all() == []


def test_a_reader_sees_one_moment_and_waits_for_no_writer(db: Database) -> None:
    with db.read() as before:
        assert before.scalars(select(OutboxEvent)).all() == []
        with db.write() as writing:
            outbox.put(writing, "a", "Happened", {}, NOW)
            with db.read() as meanwhile:
                assert meanwhile.scalars(select(OutboxEvent)).all() == []
        assert before.scalars(select(OutboxEvent)).all() == []
    with db.read() as after:
        assert len(after.scalars(select(OutboxEvent)).all()) == 1


@pytest.mark.database("sqlite")
def test_what_is_committed_is_synced_to_disk_with_foreign_keys_on(db: Database) -> None:
    with db.read() as session:
        pragmas = {
            p: session.execute(text(f"PRAGMA {p}")).scalar() for p in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_times_come_back_in_utc_and_exactly(db: Database) -> None:
    at = NOW.replace(microsecond=123_456)
    with db.write() as session:
        outbox.put(session, "a", "Happened", {}, at)
    with db.read() as session:
        event = session.scalars(select(OutboxEvent)).one()
    assert event.created_at == at
    assert event.created_at.utcoffset() == timedelta(0)
    assert rfc3339(event.created_at) == "2026-11-22T12:00:00.123Z"
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_a_second_process_that_holds_the_file_is_waited_for(db: Database) -> None:
    other = Database(db.url)
    order: list[str] = []

    def write() -> None:
        with other.write() as session:
            outbox.put(session, "b", "Happened", {}, NOW)
            order.append("second")

    with db.write() as session:
        outbox.put(session, "a", "Happened", {}, NOW)
        thread = threading.Thread(target=write)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join()
    other.close()
    assert order == ["first", "second"]


@pytest.mark.database("sqlite")
def test_a_database_that_is_gone_is_not_healthy(db: Database) -> None:
    db.ping()
    with pytest.raises(OperationalError):
        Database(f"sqlite:///{Path(db.url.removeprefix('sqlite:///')).parent}").ping()  # a folder is no file


# ----------------------------------------------------------------------- outbox


def test_an_event_is_put_once_for_its_key(db: Database) -> None:
    with db.write() as session:
        assert outbox.put(session, "a", "Happened", {"n": 1}, NOW)
        assert not outbox.put(session, "a", "Happened", {"n": 2}, NOW)
    with db.read() as session:
        assert [e.payload for e in session.scalars(select(OutboxEvent))] == [{"n": 1}]


def _put(db: Database, *numbers: int) -> None:
    with db.write() as session:
        for n in numbers:
            outbox.put(session, f"{n}", "Happened", {"n": n}, NOW)


def test_events_are_handled_in_order_once(db: Database, clock: FixedClock) -> None:
    seen: list[int] = []
    handlers = {"Happened": [lambda session, payload, now: seen.append(payload["n"])]}
    _put(db, 1, 2, 3)
    assert outbox.deliver(db, handlers, clock) == 3
    assert outbox.deliver(db, handlers, clock) == 0
    assert seen == [1, 2, 3]


def test_events_that_nobody_handles_are_done_with(db: Database, clock: FixedClock) -> None:
    _put(db, 1)
    assert outbox.deliver(db, {}, clock) == 1
    with db.read() as session:
        assert outbox.waiting_count(session) == 0


def test_an_event_that_fails_holds_up_those_after_it_and_leaves_no_half_work(db: Database, clock: FixedClock) -> None:
    seen: list[int] = []
    broken = [True]

    def handle(session: Any, payload: Any, now: Any) -> None:
        seen.append(payload["n"])
        outbox.put(session, f"work {payload['n']}", "Nothing", {}, now)
        if payload["n"] == 2 and broken[0]:
            raise RuntimeError("not today")

    _put(db, 1, 2, 3)
    assert outbox.deliver(db, {"Happened": [handle]}, clock) == 1
    assert seen == [1, 2]
    with db.read() as session:
        waiting = session.scalars(select(OutboxEvent).where(col(OutboxEvent.key) == "2")).one()
        assert waiting.handled_at is None
        assert "not today" in str(waiting.last_error)
        assert session.scalar(select(OutboxEvent.id).where(col(OutboxEvent.key) == "work 2")) is None  # type: ignore[call-overload]
    broken[0] = False
    outbox.deliver(db, {"Happened": [handle]}, clock)
    assert seen == [1, 2, 2, 3]
    with db.read() as session:
        assert session.scalars(select(OutboxEvent).where(col(OutboxEvent.key) == "2")).one().last_error is None


def test_two_deliverers_handle_each_event_once(db: Database, clock: FixedClock) -> None:
    seen: list[int] = []
    handlers = {"Happened": [lambda session, payload, now: seen.append(payload["n"])]}
    _put(db, *range(40))
    other = Database(db.url)
    threads = [threading.Thread(target=outbox.deliver, args=(d, handlers, clock)) for d in (db, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert sorted(seen) == list(range(40))


# ------------------------------------------------------------------------ leases


def test_a_lease_is_one_holders_until_it_runs_out(db: Database, clock: FixedClock) -> None:
    def try_to(holder: str) -> bool:
        with db.write() as session:
            return acquire(session, "pipeline", holder, clock)

    assert try_to("anna")
    assert not try_to("berta")
    clock.at += timedelta(seconds=LEASE_S - 1)
    assert try_to("anna"), "renewed"
    clock.at += timedelta(seconds=LEASE_S - 1)
    assert not try_to("berta")
    clock.at += timedelta(seconds=2)
    assert try_to("berta")
    assert not try_to("anna")


def test_a_lease_by_a_clock_that_was_a_day_ahead_does_not_last_a_day(db: Database, clock: FixedClock) -> None:
    """Nor does who took it believe in it until then."""
    first, second = (Worker(db, clock, {"step": lambda: True}, 0.01) for _ in range(2))
    clock.at += timedelta(days=1)
    assert first.tick()
    clock.at -= timedelta(days=1)
    assert second.tick()
    assert not first.tick(), "the lease is the second one's"
    clock.at += timedelta(seconds=LEASE_S + 1)
    assert first.tick()


def test_clocks_of_two_hosts_may_differ_by_some_seconds(db: Database, clock: FixedClock) -> None:
    first, second = (Worker(db, clock, {"step": lambda: True}, 0.01) for _ in range(2))
    assert first.tick()
    clock.at -= timedelta(seconds=LEASE_S)
    assert not second.tick()


def test_a_worker_goes_on_when_a_step_fails(db: Database, clock: FixedClock) -> None:
    done: list[str] = []

    def fails() -> bool:
        done.append("fails")
        raise RuntimeError

    def waits() -> bool:
        done.append("waits")
        raise TransientError("not yet")

    def works() -> bool:
        done.append("works")
        return True

    worker = Worker(db, clock, {"fails": fails, "waits": waits, "works": works}, 0.01)
    assert worker.tick()
    assert done == ["fails", "waits", "works"]


def test_a_worker_that_ends_hands_its_lease_over(db: Database) -> None:
    clock = SystemClock()
    first = Worker(db, clock, {"step": lambda: False}, 0.01)
    thread = threading.Thread(target=first.run)
    thread.start()
    while True:
        with db.read() as session:
            if session.scalars(select(Lease)).first() is not None:
                break
    second = Worker(db, clock, {"step": lambda: True}, 0.01)
    assert not second.tick()
    first.stopping.set()
    thread.join()
    assert second.tick(), "at once, not when the lease has run out"
