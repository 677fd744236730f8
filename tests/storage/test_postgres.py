"""What only PostgreSQL can do to us: end transactions to have them done again, cut connections, be restarted."""

import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import inspect, make_url, text
from sqlalchemy.exc import OperationalError

from taesan.app import create_app
from taesan.core import db, outbox
from taesan.core.clock import SystemClock
from taesan.core.db import ATTEMPTS, RETRYABLE, UNAVAILABLE, Database
from taesan.core.worker import Worker
from taesan.hub import Hub
from taesan.ledger.audit import Report, audit_books
from tests.bench.payers import Payer, move_in
from tests.support import databases, postgres
from tests.support.offline import hub_on
from tests.support.problems import assert_problem
from tests.support.stage import key

pytestmark = pytest.mark.database("postgresql")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = hub_on(databases.here().new(tmp_path))
    yield hub
    hub.db.close()


@pytest.fixture
def client(hub: Hub) -> TestClient:
    return TestClient(create_app(hub), raise_server_exceptions=False)


@pytest.fixture
def anna(hub: Hub) -> Payer:
    return Payer(move_in(hub, 1), 0)


def test_accepted_means_durable_however_the_server_is_set_up(hub: Hub) -> None:
    asked = text("SHOW synchronous_commit")
    for setting, then in (("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")):
        name = make_url(hub.db.url).database
        databases.execute(hub.db.url, f'ALTER DATABASE "{name}" SET synchronous_commit = {setting}')
        fresh = Database(hub.db.url)
        with fresh.write() as session:
            assert session.scalar(asked) == then
        with fresh.take_in() as session:
            assert session.scalar(asked) == then
        fresh.close()


def _fail(hub: Hub, table: str, sqlstate: str, times: int) -> None:
    """The next rows of a table end their transactions. Sequences are not rolled back: they count."""
    databases.execute(
        hub.db.url,
        "CREATE SEQUENCE failures",
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF nextval('failures') <= {times} THEN RAISE EXCEPTION 'again' USING ERRCODE = '{sqlstate}'; END IF; "
        "RETURN NEW; END $$",
        f"CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()",
    )


def _tries(hub: Hub) -> int:
    with hub.db.read() as session:
        return int(session.connection().exec_driver_sql("SELECT last_value FROM failures").scalar_one())


def _payments(hub: Hub) -> int:
    with hub.db.read() as session:
        report = Report()
        audit_books(session, report)
        assert report.differences == []
        return int(session.connection().exec_driver_sql("SELECT count(*) FROM payment").scalar_one())


# ------------------------------------------------------------------ done again


@pytest.mark.parametrize("sqlstate", RETRYABLE)
# The first two are written by COPY and by the driver directly, the third by SQLAlchemy.
@pytest.mark.parametrize("table", ["payment", "posting", "journal_entry"])
def test_a_payment_whose_transaction_was_ended_is_taken_in_again(
    hub: Hub, client: TestClient, anna: Payer, sqlstate: str, table: str
) -> None:
    _fail(hub, table, sqlstate, ATTEMPTS - 1)
    answer = client.post("/v1/payments", json=anna.payment(), headers=key())
    assert answer.status_code == 201, answer.text
    assert _payments(hub) == 1


@pytest.mark.parametrize("sqlstate", RETRYABLE)
def test_a_payment_is_not_tried_for_ever(hub: Hub, client: TestClient, anna: Payer, sqlstate: str) -> None:
    _fail(hub, "payment", sqlstate, ATTEMPTS)
    body, headers = anna.payment(), key()
    answer = client.post("/v1/payments", json=body, headers=headers)
    assert_problem(answer, "intake-unavailable", 503)
    assert (_tries(hub), _payments(hub)) == (ATTEMPTS, 0)
    assert client.post("/v1/payments", json=body, headers=headers).status_code == 201, "and can be sent again"
    assert _payments(hub) == 1


@pytest.mark.parametrize("sqlstate", RETRYABLE)
def test_a_request_whose_transaction_was_ended_is_done_again_and_not_for_ever(
    hub: Hub, client: TestClient, sqlstate: str
) -> None:
    _fail(hub, "siwe_nonce", sqlstate, ATTEMPTS - 1 + ATTEMPTS)
    assert client.post("/v1/auth/nonces").status_code == 503
    assert _tries(hub) == ATTEMPTS
    answer = client.post("/v1/auth/nonces")
    assert (answer.status_code, _tries(hub)) == (201, 2 * ATTEMPTS), answer.text


@pytest.mark.parametrize("sqlstate", RETRYABLE)
def test_a_workers_step_whose_transaction_was_ended_is_done_again_and_not_for_ever(hub: Hub, sqlstate: str) -> None:
    _fail(hub, "outbox_event", sqlstate, ATTEMPTS - 1 + ATTEMPTS)
    worker = Worker(hub.db, SystemClock(), {"step": lambda: _put(hub.db, "news")}, 0.1)
    assert not worker.tick()
    assert _tries(hub) == ATTEMPTS
    assert worker.tick()
    assert _tries(hub) == 2 * ATTEMPTS


def test_an_event_is_not_to_blame_for_the_databases_trouble(hub: Hub) -> None:
    _put(hub.db, "event")
    _fail(hub, "outbox_event", RETRYABLE[0], ATTEMPTS)

    def handle(session: Any, payload: Any, now: Any) -> None:
        outbox.put(session, "further news", "Happened", {}, now)

    worker = Worker(
        hub.db, SystemClock(), {"step": lambda: outbox.deliver(hub.db, {"Happened": [handle]}, SystemClock()) > 0}, 0.1
    )
    worker.tick()
    with hub.db.read() as session:
        assert not outbox.is_stuck(session)
        assert outbox.waiting_count(session) == 1
    worker.tick()
    with hub.db.read() as session:
        assert outbox.waiting_count(session) == 1, "the further news"


def _put(database: Database, name: str) -> bool:
    with database.write() as session:
        return outbox.put(session, name, "Happened", {}, datetime.now(UTC))


# --------------------------------------------------------------- cut connections


def test_idle_connections_that_are_cut_are_replaced_unnoticed(hub: Hub, client: TestClient, anna: Payer) -> None:
    assert client.post("/v1/payments", json=anna.payment(), headers=key()).status_code == 201
    databases.execute(
        hub.db.url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert client.post("/v1/payments", json=anna.payment(), headers=key()).status_code == 201
    assert _payments(hub) == 2


@pytest.mark.parametrize("table", ["payment", "turnover"])
def test_a_connection_that_is_cut_in_the_middle_is_told_and_nothing_is_lost(
    hub: Hub, client: TestClient, anna: Payer, table: str
) -> None:
    databases.execute(
        hub.db.url,
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$",
        f"CREATE TRIGGER cut BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION cut()",
    )
    body, headers = anna.payment(), key()
    assert_problem(client.post("/v1/payments", json=body, headers=headers), "intake-unavailable", 503)
    databases.execute(hub.db.url, f"DROP TRIGGER cut ON {table}")
    assert client.post("/v1/payments", json=body, headers=headers).status_code == 201
    assert _payments(hub) == 1


def test_a_server_that_is_gone_is_told_and_goes_on_where_it_was_when_it_is_back() -> None:
    """What was answered 201 is there; what was answered 503 can be sent again; the worker lives on."""
    with (
        tempfile.TemporaryDirectory(prefix="taesan-") as folder,
        postgres.running_server(Path(folder)) as server,  # a durable one
    ):
        hub = hub_on(postgres.fresh_database(server.url))
        client = TestClient(create_app(hub), raise_server_exceptions=False)
        worker = Worker(hub.db, SystemClock(), {"step": lambda: _put(hub.db, "news")}, 0.02)
        thread = threading.Thread(target=worker.run, daemon=True)
        facts = move_in(hub, 2)
        anna, berta = Payer(facts, 0), Payer(facts, 1)
        bodies, keys = [anna.payment() for _ in range(3)], [key() for _ in range(3)]
        assert client.post("/v1/payments", json=bodies[0], headers=keys[0]).status_code == 201
        server.crash()
        thread.start()
        answer = client.post("/v1/payments", json=bodies[1], headers=keys[1])
        assert_problem(answer, "intake-unavailable", 503)
        assert answer.headers["retry-after"]
        # Nor is a channel that the intake has never seen told to be unknown.
        assert_problem(client.post("/v1/payments", json=berta.payment(), headers=key()), "intake-unavailable", 503)
        assert_problem(client.post("/v1/auth/nonces"), "database-unavailable", 503)
        assert_problem(client.get("/v1/ledger/entries"), "database-unavailable", 503)
        assert_problem(client.get("/readyz"), "not-ready", 503)
        assert client.get("/healthz").status_code == 200, "to start it again would not help"
        server.start()
        again = [client.post("/v1/payments", json=body, headers=k) for body, k in zip(bodies, keys, strict=True)]
        assert [answer.status_code for answer in again] == [201, 201, 201], [answer.text for answer in again]
        assert ["idempotent-replayed" in answer.headers for answer in again] == [True, False, False]
        assert _payments(hub) == 3
        _wait_for_news(hub)
        worker.stopping.set()
        thread.join()
        hub.db.close()


def _wait_for_news(hub: Hub) -> None:
    for _ in range(200):
        with hub.db.read() as session:
            if outbox.waiting_count(session):
                return
        threading.Event().wait(0.05)
    raise AssertionError("the worker is dead")


# ----------------------------------------------------------------------- silence


def test_a_lock_that_somebody_does_not_give_back_is_told(
    hub: Hub, client: TestClient, anna: Payer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "PATIENCE_S", 1)
    body, headers = anna.payment(), key()
    with hub.db.engine.begin() as other:
        other.exec_driver_sql(f"SELECT pg_advisory_xact_lock({db._WRITERS})")
        assert_problem(client.post("/v1/auth/nonces"), "database-unavailable", 503)
        assert_problem(client.post("/v1/payments", json=body, headers=headers), "intake-unavailable", 503)
    assert client.post("/v1/auth/nonces").status_code == 201
    assert client.post("/v1/payments", json=body, headers=headers).status_code == 201
    assert _payments(hub) == 1


def test_a_writer_that_says_nothing_more_loses_its_locks(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "PATIENCE_S", 1)
    others = Database(hub.db.url)

    def fall_silent() -> None:
        with hub.db.write() as session:
            outbox.put(session, "lost", "Happened", {}, datetime.now(UTC))
            session.flush()
            monkeypatch.setattr(db, "PATIENCE_S", 5)
            assert _put(others, "news")  # waits until the server has ended the other
            session.connection().exec_driver_sql("SELECT 1")

    with pytest.raises(UNAVAILABLE):
        fall_silent()
    with hub.db.read() as session:
        assert outbox.waiting_count(session) == 1
    others.close()


def test_a_host_that_vanishes_is_found_out_in_seconds(hub: Hub) -> None:
    """libpq's own doing; that it is asked to."""
    with hub.db.read() as session:
        asked = session.connection().connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
    assert 0 < int(asked["tcp_user_timeout"]) <= 30_000
    assert int(asked["keepalives_idle"]) + int(asked["keepalives_interval"]) * int(asked["keepalives_count"]) <= 30


# ------------------------------------------------------------------------- start


def test_services_that_start_at_once_migrate_one_after_the_other(tmp_path: Path) -> None:
    url = databases.here().new(tmp_path)
    opened = [Database(url) for _ in range(3)]
    failures: list[BaseException] = []

    def migrate(database: Database) -> None:
        try:
            database.migrate()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(database,)) for database in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert inspect(opened[0].engine).has_table("payment")
    for database in opened:
        database.close()


def test_a_server_that_is_not_there_is_told_within_seconds() -> None:
    with pytest.raises(OperationalError):
        Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing").ping()
