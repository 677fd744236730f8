"""What a hub tells Prometheus, held against what was done with it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.exc import OperationalError

from taesan.app import create_app
from taesan.chain import alarms
from taesan.core import restoration
from taesan.core.db import Database
from taesan.core.worker import STEP_FAILURES
from taesan.hub import Hub
from taesan.operations.metrics import serve_worker
from taesan.settlement.models import ChainCheck, Quarantine
from tests.support.chain import free_port
from tests.support.metrics import by_label, samples, value
from tests.support.offline import offline_hub
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Stage, key

TOKEN = "a-scraper's-own-token"


def _grown(before: list[Any], after: list[Any], name: str, **labels: str) -> float:
    return value(after, name, **labels) - value(before, name, **labels)


def test_payments_are_counted_by_what_became_of_them(stage: Stage) -> None:
    anna = stage.payer()
    before = samples(stage.client)
    repeated = key()
    body = anna.payment(CENT)
    for _ in range(3):
        assert stage.client.post("/v1/payments", json=body, headers=repeated).status_code == 201
    anna.charged += CENT
    items = [anna.payment(CENT) | {"idempotency_key": "one"}, anna.payment(3 * CENT) | {"idempotency_key": "two"}]
    items[1]["voucher"]["signature"] = items[0]["voucher"]["signature"]
    assert stage.client.post("/v1/payments/bulk", json={"payments": items}).status_code == 200
    after = samples(stage.client)

    def grown(result: str, problem: str = "") -> float:
        return _grown(before, after, "taesan_payments_total", result=result, problem=problem)

    assert (grown("accepted"), grown("replayed"), grown("refused", "invalid-signature")) == (2, 2, 1)
    assert _grown(before, after, "taesan_intake_group_payments_count") == 4
    assert _grown(before, after, "taesan_intake_group_payments_sum") == 5
    assert _grown(before, after, "taesan_booked_payments_total", stage="accepted") == 2
    assert value(after, "taesan_intake_queue_payments") == 0


def test_requests_are_counted_by_the_routes_template_however_they_are_handled(stage: Stage) -> None:
    anna = stage.payer()
    before = samples(stage.client)
    paid = anna.pay(CENT)
    stage.client.post("/v1/payments", json={"voucher": "none"}, headers=key())
    for path in (f"/v1/payments/{paid['id']}", "/v1/payments/pay_1", "/v1/payments/pay_2", "/never/heard/of/it"):
        stage.client.get(path)
    stage.client.get("/static/favicon.svg")
    stage.client.delete("/v1/payments")
    after = samples(stage.client)

    def grown(route: str, method: str, status: str) -> float:
        return _grown(before, after, "taesan_http_requests_total", route=route, method=method, status=status)

    assert grown("/v1/payments", "POST", "201") == 1
    assert grown("/v1/payments", "POST", "422") == 1
    assert grown("/v1/payments", "DELETE", "405") == 1
    assert grown("/v1/payments/{payment_id}", "GET", "200") == 1
    assert grown("/v1/payments/{payment_id}", "GET", "404") == 2
    assert grown("none", "GET", "404") == 1
    assert grown("/static", "GET", "200") == 1
    seconds = "taesan_http_request_duration_seconds_count"
    assert _grown(before, after, seconds, route="/v1/payments", method="POST") == 2
    assert not [s for s in after if paid["id"] in str(s.labels)], "one series for each payment would never end"


def test_a_fault_of_ours_is_counted_as_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from taesan.payments import queries

    def broken(*_: Any) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(queries, "find", broken)
    before = samples(stage.client)
    answer = stage.client.get("/v1/payments/pay_1")
    assert (answer.status_code, len(answer.headers["x-request-id"])) == (500, 16)
    route = {"route": "/v1/payments/{payment_id}", "method": "GET", "status": "500"}
    assert _grown(before, samples(stage.client), "taesan_http_requests_total", **route) == 1


def test_a_batchs_way_shows_in_the_figures(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    for _ in range(4):
        anna.pay(DOLLAR, cafe)
    stage.later(30)
    told = samples(stage.client)
    assert value(told, "taesan_oldest_waiting_payment_age_seconds") == 30
    assert value(told, "taesan_open_batch_age_seconds") == 0
    nonce = value(told, "taesan_signer_next_nonce")
    stage.later(stage.settings.batch_interval_s)
    stage.tick()
    stage.later(5)
    told = samples(stage.client)
    assert value(told, "taesan_oldest_waiting_payment_age_seconds") == 0
    assert value(told, "taesan_open_batch_age_seconds") == 5
    assert sum(by_label(told, "taesan_batches", "state").values()) == 1
    assert value(told, "taesan_batches", state="posted") == 0
    assert sum(by_label(told, "taesan_open_transactions", "state").values()) == 1
    assert value(told, "taesan_signer_next_nonce") == nonce + 1
    stage.confirm()
    told = samples(stage.client)
    assert by_label(told, "taesan_batches", "state") == {
        "frozen": 0, "signed": 0, "broadcast": 0, "mined": 0, "confirmed": 0, "posted": 1,
    }  # fmt: skip
    assert sum(by_label(told, "taesan_open_transactions", "state").values()) == 0
    stages = by_label(told, "taesan_booked_payments_total", "stage")
    assert stages == {"accepted": 4, "batched": 4, "posted": 4}
    batch = stage.get("/v1/batches/1")
    assert value(told, "taesan_recent_gas_per_payment") == batch["gas_used"] / 4
    assert value(told, "taesan_gas_used_total", kind="batch") == batch["gas_used"]


def test_chain_and_books_are_told_as_they_are(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    stage.settle()
    stage.later(5)
    stage.chain.mine(1)
    stage.tick()
    told = samples(stage.client)
    overview = stage.get("/v1/overview")
    assert value(told, "taesan_chain_head_block") == overview["chain"]["head_block"]
    assert value(told, "taesan_chain_unread_blocks") == 0
    assert value(told, "taesan_node_silence_seconds") == 0
    assert value(told, "taesan_reserve_minor_units") == DOLLAR == int(overview["trust"]["reserve"])
    assert value(told, "taesan_liabilities_minor_units") == DOLLAR
    assert (value(told, "taesan_books_balanced"), value(told, "taesan_books_chain_differences")) == (1, 0)
    wei = stage.hub.node.web3.eth.get_balance(stage.hub.signer.address)  # type: ignore[arg-type]
    assert value(told, "taesan_signer_balance_wei") == float(wei)
    stage.later(100)
    told = samples(stage.client)
    assert value(told, "taesan_node_silence_seconds") == 100
    assert value(told, "taesan_books_chain_check_age_seconds") >= 100
    assert value(told, "taesan_worker_absence_seconds") > 80


def test_a_node_that_is_away_holds_up_nothing(stage: Stage) -> None:
    with stage.node_away():
        told = samples(stage.client)
        stage.tick()
        again = samples(stage.client)
    assert value(told, "taesan_database_up") == 1
    assert not [s for s in told if s.name == "taesan_signer_balance_wei"], "nobody knows, so nothing is told"
    reading = {"step": "read chain", "reason": "waiting"}
    assert _grown(told, again, "taesan_worker_step_failures_total", **reading) == 1


def test_a_database_that_is_away_is_told_and_what_was_counted_is_there(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Database) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(Database, "read", away)
    told = samples(stage.client)
    assert value(told, "taesan_database_up") == 0
    names = {sample.name for sample in told}
    assert {"taesan_payments_total", "process_resident_memory_bytes"} <= names
    assert "taesan_chain_head_block" not in names


def test_a_books_difference_is_told(stage: Stage) -> None:
    with stage.hub.db.write() as session:
        session.add(
            ChainCheck(block_number=1, checked_at=stage.clock.now(), difference_count=3, reserve=5, liabilities=7)
        )
    told = samples(stage.client)
    assert value(told, "taesan_books_chain_differences") == 3
    assert value(told, "taesan_reserve_minor_units") - value(told, "taesan_liabilities_minor_units") == -2


def test_what_a_person_has_to_look_at_is_told(stage: Stage) -> None:
    anna = stage.payer()
    told = samples(stage.client)
    news = ("taesan_quarantined_channels", "taesan_reconciling")
    assert [value(told, name) for name in news] == [0, 0]
    assert by_label(told, "taesan_alarm", "name") == {}
    with stage.hub.db.write() as session:
        now = stage.clock.now()
        alarms.raise_(session, alarms.DEEP_REORG, "40 blocks", now)
        held = {"channel_id": anna.id, "batch_id": 1, "reason": "x", "payments": 1, "amount": 1, "since": now}
        session.add(Quarantine(public_id="qua_1", state="held", **held))
        session.add(Quarantine(public_id="qua_2", state="refunded", **held))
        restoration.mark(session, "a test", now)
    told = samples(stage.client)
    assert [value(told, name) for name in news] == [1, 1]
    assert by_label(told, "taesan_alarm", "name") == {"deep-reorg": 1}


def test_names_units_and_helps_are_prometheus_own_way(shared_stage: Stage) -> None:
    text = shared_stage.client.get("/metrics").text
    families = [f for f in text_string_to_metric_families(text) if f.name.startswith("taesan_")]
    assert len(families) >= 30
    assert not [f.name for f in families if not f.documentation.endswith(".")]
    assert len({f.name for f in families}) == len(families)
    for family in families:
        # The parser leaves out a counter's `_total`; our samples must have it.
        assert family.type in ("counter", "gauge", "histogram"), family.name
        if family.type == "counter":
            assert all(sample.name == f"{family.name}_total" for sample in family.samples)
        assert not family.name.endswith(("_ms", "_minutes", "_count", "_sum", "_bucket"))


def test_openmetrics_is_spoken_to_who_asks_for_it(shared_stage: Stage) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = shared_stage.client.get("/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


# ------------------------------------------------------------------------ who may look


KEYSTORE: dict[str, Any] = {"operator_keystore": "key.json", "operator_keystore_password_file": "password"}


def _client(folder: Path, **settings: Any) -> tuple[Hub, TestClient]:
    hub = offline_hub(folder, **settings)
    return hub, TestClient(create_app(hub), raise_server_exceptions=False)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_outside_local_nobody_sees_them_unless_a_token_is_set(tmp_path: Path, language: str) -> None:
    hub, client = _client(tmp_path, environment="test-chain", **KEYSTORE)
    for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}"}):
        assert_problem(client.get("/metrics", headers=headers | {"Accept-Language": language}), "not-found", 404)
    hub.db.close()


@pytest.mark.parametrize("environment", ["local", "test-chain"])
def test_a_token_is_wanted_where_one_is_set(tmp_path: Path, environment: str) -> None:
    hub, client = _client(
        tmp_path, environment=environment, metrics_token=TOKEN, **(KEYSTORE if environment != "local" else {})
    )
    for wrong in ({}, {"Authorization": "Bearer "}, {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": TOKEN}):
        answer = client.get("/metrics", headers=wrong)
        assert_problem(answer, "unauthorized", 401)
        assert answer.headers["www-authenticate"] == "Bearer"
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    hub.db.close()


def test_a_worker_of_its_own_tells_what_it_counts() -> None:
    STEP_FAILURES.values["read chain", "waiting"] += 1
    port = free_port()
    serve_worker(port)
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    told = [sample for family in text_string_to_metric_families(answer) for sample in family.samples]
    assert value(told, "taesan_worker_step_failures_total", step="read chain", reason="waiting") > 0
    assert value(told, "process_cpu_seconds_total") > 0
