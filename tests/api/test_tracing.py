"""Spans: switched on by the environment, joined across the intake's process, silent about secrets; off, they cost nothing."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from web3 import HTTPProvider

from taesan.chain.tracing import trace_nodes
from taesan.core import tracing
from taesan.core.tracing import TracingUnavailable, set_up_tracing
from taesan.payments import lanes as lanes_module
from taesan.payments.engine import Engine
from taesan.payments.lanes import ProcessLanes
from taesan.payments.messages import Outcome, Submission
from taesan.payments.terms import terms_of
from tests.support import databases
from tests.support.commands import run
from tests.support.loops import run_async
from tests.support.offline import facts_of, hub_on, open_channel
from tests.support.stage import CENT, DOLLAR, Stage, key
from tests.support.wallet import Wallet

OTEL = (
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_SERVICE_NAME",
)


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in OTEL:
        monkeypatch.delenv(name, raising=False)
    yield
    tracing.trace_with(None)


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.trace_with(provider)
    for name in ("make_request", "make_batch_request"):
        monkeypatch.setattr(HTTPProvider, name, getattr(HTTPProvider, name))  # and so it is put back
    trace_nodes()  # before any node is made, as when a process starts: web3 remembers what it asks by
    return exporter


def _ancestors(span: ReadableSpan, spans: dict[int, ReadableSpan]) -> list[str]:
    names = []
    while span.parent is not None and span.parent.span_id in spans:
        span = spans[span.parent.span_id]
        names.append(span.name)
    return names


def _by_id(exporter: InMemorySpanExporter) -> dict[int, ReadableSpan]:
    return {span.context.span_id: span for span in exporter.get_finished_spans() if span.context}


def _named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def test_a_payment_is_a_request_with_its_group_and_its_commit(exporter: InMemorySpanExporter, stage: Stage) -> None:
    anna = stage.payer()
    exporter.clear()
    caller = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
    answer = stage.client.post("/v1/payments", json=anna.payment(CENT), headers=key() | {"traceparent": caller})
    assert answer.status_code == 201
    (request,) = _named(exporter, "POST /v1/payments")
    assert request.context is not None
    assert f"{request.context.trace_id:032x}" == "ab" * 16, "it goes on with the caller's trace"
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.response.status_code": 201,
        "http.route": "/v1/payments",
        "taesan.request_id": answer.headers["x-request-id"],
    }
    (commit,) = _named(exporter, "commit")
    assert _ancestors(commit, _by_id(exporter)) == ["intake", "POST /v1/payments"]
    assert dict(commit.attributes or {}) == {"taesan.payments": 1}


def test_documented_routes_are_named_by_their_template(exporter: InMemorySpanExporter, stage: Stage) -> None:
    stage.client.get("/v1/payments/pay_1?key=of-somebody", headers={"Authorization": "Bearer of-somebody"})
    (request,) = _named(exporter, "GET /v1/payments/{payment_id}")
    assert "of-somebody" not in request.to_json()


def test_each_step_of_the_worker_is_a_span_with_what_it_asks_the_node(
    exporter: InMemorySpanExporter, stage: Stage
) -> None:
    anna = stage.payer()
    anna.pay(DOLLAR)
    exporter.clear()
    stage.settle()
    spans = _by_id(exporter)
    names = {span.name for span in spans.values()}
    assert {f"worker: {step}" for step in ("freeze batch", "sign batch", "read chain", "book events")} <= names
    assert "worker: relay payouts" not in names, "what nothing waits for is not even begun"
    (sent,) = [span for span in spans.values() if span.name == "node eth_sendRawTransaction"]
    assert _ancestors(sent, spans) == ["worker: advance transactions"]
    assert dict(sent.attributes or {}) == {"server.address": "127.0.0.1"}
    assert any(name.startswith("node eth_call × ") for name in names), "a batch of questions is one"


def test_what_fails_is_told_by_its_type_alone(exporter: InMemorySpanExporter, stage: Stage) -> None:
    with stage.node_away():
        provider: Any = stage.hub.node.web3.provider
        provider.endpoint_uri = "http://127.0.0.1:1/v3/a-key-in-the-path"
        stage.tick()
    failed = [span for span in exporter.get_finished_spans() if not span.status.is_ok]
    assert {span.status.description for span in failed} == {"NewConnectionError", "NodeUnavailable"}
    assert "a-key-in-the-path" not in "".join(span.to_json() for span in exporter.get_finished_spans())


def test_a_group_serves_requests_of_many_traces_and_is_one_with_its_commit(
    tmp_path: Path, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process's part is done here by an engine of our own, as it keeps its spans to itself."""
    messages: list[Any] = []
    encode = lanes_module._encode_group
    monkeypatch.setattr(lanes_module, "_encode_group", lambda group: messages.append(group) or encode(group))

    async def one(lanes: ProcessLanes, submission: Submission) -> Any:
        with tracing.span(f"request {submission.idempotency_key}"):
            (result,) = await lanes.submit([submission])
        return result

    async def go() -> None:
        hub = hub_on(databases.here().new(tmp_path))
        lanes = ProcessLanes(hub)
        await lanes.open()
        try:
            wallet = Wallet("anna")
            channel, facts = open_channel(hub, wallet, DOLLAR), facts_of(hub)
            signed = [
                Submission(f"k{n}", channel, CENT, n * CENT, wallet.voucher(facts, channel, n * CENT))
                for n in range(1, 6)
            ]
            results = await asyncio.gather(*(one(lanes, submission) for submission in signed))
            assert all(isinstance(result, Outcome) for result in results), results
        finally:
            await lanes.close()
        again = Engine(hub.db, terms_of(hub), hub.clock)
        for trace, submissions in messages:
            again.finish(again.start(submissions, trace))
        hub.db.close()

    run_async(go())
    groups = _named(exporter, "intake group")
    spans = _by_id(exporter)
    requests = {id_ for id_, span in spans.items() if span.name.startswith("request")}
    served = [group.parent.span_id for group in groups if group.parent]
    served += [link.context.span_id for group in groups for link in group.links]
    assert sorted(served) == sorted(requests)
    assert len(requests) == 5
    ancestors = [_ancestors(span, spans) for span in _named(exporter, "intake")]
    assert [names[0] for names in ancestors] == ["intake group"] * len(groups)
    assert all(names[1].startswith("request k") for names in ancestors)
    assert sum(int(group.attributes["taesan.payments"]) for group in groups if group.attributes) == 5  # type: ignore[arg-type]


# ------------------------------------------------------------------------ on and off


def test_off_nothing_of_it_is_loaded_and_no_span_is_made() -> None:
    code = (
        "import sys; from taesan.core import tracing; import taesan.app, taesan.work, taesan.payments.lanes;"
        "tracing.set_up_tracing('taesan'); assert not tracing.is_on();"
        "assert tracing.span('a') is tracing.span('b'); assert tracing.detached('c', {}, []) is None;"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize(
    ("environment", "is_on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, False),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, False),
    ],
    ids=str,
)
def test_opentelemetrys_own_variables_switch_it(
    environment: dict[str, str], is_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    set_up_tracing("taesan-test")
    assert tracing.is_on() == is_on
    tracing.trace_with(None)


def test_the_console_is_told_what_was_done_and_by_whom() -> None:
    code = (
        "from taesan.core import tracing; tracing.set_up_tracing('taesan-test')\n"
        "with tracing.span('a step', {'taesan.payments': 3}): pass\n"
        "tracing.shut_down()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"OTEL_TRACES_EXPORTER": "console", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert all(part in done.stdout for part in ('"a step"', '"taesan.payments": 3', '"taesan-test"')), done


def test_switched_on_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(TracingUnavailable, match=r"install `taesan\[tracing\]`"):
        set_up_tracing("taesan")


def test_an_exporter_that_we_have_not_is_refused_in_one_line() -> None:
    code, output = run("serve", environment={"OTEL_TRACES_EXPORTER": "zipkin"})
    assert (code, "Traceback" in output) == (2, False), output
    assert "'zipkin'; here it may be otlp (over HTTP), console or none" in " ".join(output.split())
