"""Alive and ready: what a supervisor and a load balancer go by."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from taesan.app import create_app
from taesan.chain import alarms
from taesan.core import outbox, restoration
from taesan.core.db import Database
from taesan.payments.lanes import Lanes, ProcessLanes
from tests.support import databases
from tests.support.loops import run_async
from tests.support.offline import hub_on, offline_hub
from tests.support.problems import assert_problem
from tests.support.stage import Stage

ALL_WELL = {"database": "ok", "node": "ok", "outbox": "ok", "maintenance": "ok", "intake": "ok"}


def _problem(client: TestClient, language: str = "en") -> dict[str, Any]:
    answer = client.get("/readyz", headers={"Accept-Language": language})
    assert answer.headers["retry-after"]
    return assert_problem(answer, "not-ready", 503)


def test_a_hub_that_works_is_ready(stage: Stage) -> None:
    stage.tick()
    assert stage.get("/readyz") == {"status": "ready", "checks": ALL_WELL, "alarms": []}
    assert stage.get("/healthz") == {"status": "ok"}


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_node_that_is_silent_for_a_while_is_told(stage: Stage, language: str) -> None:
    stage.tick()
    with stage.node_away():
        stage.later(59)
        stage.tick()
        assert stage.get("/readyz")["status"] == "ready"
        stage.later(2)
        stage.tick()
        body = _problem(stage.client, language)
        assert body["checks"] == ALL_WELL | {"node": "nothing heard from it for 61 s"}
        assert stage.client.get("/healthz").status_code == 200
    stage.tick()
    assert stage.get("/readyz")["status"] == "ready"


def test_how_long_it_may_be_silent_is_a_setting(tmp_path: Path) -> None:
    hub = offline_hub(tmp_path, ready_silence_s=3_600)
    client = TestClient(create_app(hub))
    hub.clock.at = hub.clock.now().replace(hour=13)  # type: ignore[attr-defined]
    assert client.get("/readyz").status_code == 200
    hub.db.close()


def test_an_event_that_cannot_be_handled_is_told(stage: Stage) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("of the handler")

    stage.tick()
    with stage.hub.db.write() as session:
        outbox.put(session, "news", "news", {}, stage.clock.now())
    assert stage.get("/readyz")["status"] == "ready", "that it waits is no trouble yet"
    outbox.deliver(stage.hub.db, {"news": [broken]}, stage.clock)
    assert _problem(stage.client)["checks"] == ALL_WELL | {"outbox": "an event could not be handled"}
    outbox.deliver(stage.hub.db, {}, stage.clock)
    assert stage.get("/readyz")["status"] == "ready"


def test_a_hub_that_catches_up_after_a_restore_is_not_ready(stage: Stage) -> None:
    stage.tick()
    with stage.hub.db.write() as session:
        restoration.mark(session, "a test", stage.clock.now())
    assert _problem(stage.client)["checks"]["maintenance"].startswith("restored from a backup")
    with stage.hub.db.write() as session:
        restoration.finish(session, stage.clock.now())
    assert stage.get("/readyz")["status"] == "ready"


def test_an_alarm_is_told_and_payments_go_on(stage: Stage) -> None:
    stage.tick()
    with stage.hub.db.write() as session:
        alarms.raise_(session, alarms.NONCE_USED_ELSEWHERE, "7 by somebody", stage.clock.now())
    assert stage.get("/readyz") == {"status": "ready", "checks": ALL_WELL, "alarms": ["nonce-used-elsewhere"]}


def test_a_database_that_is_away_is_told_without_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Database) -> None:
        raise OperationalError("SELECT 1", {}, Exception("connection to db.example failed"))

    hub = offline_hub(tmp_path)
    client = TestClient(create_app(hub))
    monkeypatch.setattr(Database, "read", away)
    body = _problem(client)
    assert body["checks"] == {"database": "it cannot be read", "intake": "ok"}
    assert "db.example" not in str(body)
    assert client.get("/healthz").status_code == 200, "to start the process again would not bring it back"
    hub.db.close()


def test_an_intake_that_died_is_told_and_begun_anew_without_a_payment(tmp_path: Path) -> None:
    """Else a load balancer that goes by `/readyz` would never send the payment that starts it again."""

    async def run() -> None:
        hub = hub_on(databases.here().new(tmp_path))
        lanes: Lanes = ProcessLanes(hub)
        await lanes.open()
        try:
            assert lanes.is_up()
            process = lanes._process  # type: ignore[attr-defined]
            os.kill(process.pid, signal.SIGKILL)
            await asyncio.to_thread(process.join)
            for wanted in (False, True):
                async with asyncio.timeout(120):
                    while lanes.is_up() is not wanted:
                        await asyncio.sleep(0.01)
        finally:
            await lanes.close()
            hub.db.close()

    run_async(run())


def test_an_intake_that_is_not_there_makes_the_hub_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from taesan.payments.wallets import WalletLanes

    hub = offline_hub(tmp_path)
    client = TestClient(create_app(hub))
    monkeypatch.setattr(WalletLanes, "is_up", lambda _: False)
    assert _problem(client)["checks"]["intake"] != "ok"
    hub.db.close()
