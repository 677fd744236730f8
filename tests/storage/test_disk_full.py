"""The disk is full, or may not be written to: payments are refused whole, and are taken again as soon as there is room."""

import contextlib
import resource
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import event

from taesan.core import snapshots
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Payer, Stage, key


@contextlib.contextmanager
def no_room(stage: Stage) -> Iterator[None]:
    """No file of this process grows beyond what the write-ahead log, to which all is written first, has now."""
    database = snapshots.path_of(stage.settings.database_url)
    log = database.with_name(database.name + "-wal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_size(log), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _filled(stage: Stage) -> Payer:
    """A payer, and a log long enough that nothing but the database's own files meets the limit."""
    anna = stage.payer()
    for _ in range(20):
        anna.pay(CENT)
    return anna


def test_payments_are_refused_whole_and_taken_when_there_is_room(stage: Stage) -> None:
    anna, cafe = _filled(stage), stage.merchant()
    counted, free = stage.row_counts(), stage.balance("channel", anna.id)
    body, repeated = anna.payment(DOLLAR, cafe), key()
    bulk = {"payments": [anna.payment(DOLLAR, cafe) | {"idempotency_key": f"bulk-{n}"} for n in range(3)]}
    with no_room(stage):
        for _ in range(3):
            answer = stage.client.post("/v1/payments", json=body, headers=repeated)
            assert assert_problem(answer, "intake-unavailable", 503)
            assert "retry-after" in answer.headers
        results = stage.client.post("/v1/payments/bulk", json=bulk).json()["results"]
        assert [result["status"] for result in results] == [503] * 3
        assert stage.row_counts() == counted
        assert stage.balance("channel", anna.id) == free
        assert stage.client.get("/v1/overview").status_code == 200, "reading goes on"
    answer = stage.client.post("/v1/payments", json=body, headers=repeated)
    assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (201, None)
    anna.charged += DOLLAR
    stage.settle()
    assert stage.audit().differences == []


def test_orders_are_refused_and_the_worker_waits(stage: Stage) -> None:
    anna, cafe = _filled(stage), stage.merchant()
    anna.pay(DOLLAR, cafe)
    stage.settle()
    for _ in range(5):
        anna.pay(CENT, cafe)
    with no_room(stage):
        assert_problem(cafe.order_payout(CENT), "database-unavailable", 503)
        stage.later(61)
        stage.tick(3)
        assert stage.batch_states() == ["posted"]
    assert cafe.order_payout(CENT).status_code == 202
    stage.settle()
    assert stage.batch_states() == ["posted", "posted"]
    assert stage.audit().differences == []


def test_a_database_that_is_not_ours_to_write_is_told(stage: Stage) -> None:
    """As when a volume is mounted read-only after an error of its disk."""
    anna = _filled(stage)
    stage.hub.db.engine.dispose()

    def read_only(connection: object, _entry: object) -> None:
        connection.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]

    event.listen(stage.hub.db.engine, "connect", read_only)
    try:
        assert_problem(anna.try_to_pay(CENT), "intake-unavailable", 503)
        stage.tick()
    finally:
        event.remove(stage.hub.db.engine, "connect", read_only)
        stage.hub.db.engine.dispose()
    anna.pay(CENT)
    assert stage.audit().differences == []
