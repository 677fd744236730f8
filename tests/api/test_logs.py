"""What is logged, and what never is: a hub's typical and failing ways with every logger open, and a look for its secrets."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
from fastapi.testclient import TestClient
from pydantic import SecretStr

from taesan.app import create_app
from taesan.chain.rpc import Node, NodeUnavailable
from taesan.core.db import Database, brief
from taesan.core.logs import Logs, logs_of, secrets_of, set_up_logs
from taesan.payments import queries
from taesan.settings import DEV_OPERATOR_KEY, Settings
from tests.support.offline import offline_hub
from tests.support.stage import CENT, DOLLAR, Stage, StageFactory, key

OWN_KEY = "0x" + "17" * 32
RPC_KEY = "Zq81xv-RPC-key-77"
PASSWORD = 'p4ss"word/ä'


@contextmanager
def _logging(logs: Logs, everything: bool = False) -> Iterator[io.StringIO]:
    """:param everything: open also those loggers that set themselves, or that we set, to tell less"""
    kept, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in list(root.manager.loggerDict)}
    written = io.StringIO()
    set_up_logs(logs, written)
    if everything:
        for name in list(root.manager.loggerDict):
            logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield written
    finally:
        structlog.configure(**kept)
        root.handlers[:], root.level = handlers, level
        for name in list(root.manager.loggerDict):
            logging.getLogger(name).setLevel(levels.get(name, logging.NOTSET))


def _lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


# ------------------------------------------------------------------------ secrets


def test_no_secret_gets_into_a_line_or_an_errors_text(
    open_stage: StageFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Payments, sign-in, API keys, a batch, a node that goes away, routes, steps and events that fail."""
    url = open_stage().chain.url
    with _logging(Logs("json", "debug", tuple(secrets_of(_settings(url)))), everything=True) as written:
        stage = open_stage(rpc_url=f"{url}/?apikey={RPC_KEY}", metrics_token="m3trics-token-of-ours")
        secrets = {DEV_OPERATOR_KEY, RPC_KEY, "m3trics-token-of-ours"}
        anna, cafe = stage.payer(), stage.merchant()
        secrets |= {headers["Authorization"].removeprefix("Bearer ") for headers in (anna.headers(), cafe.headers)}
        anna.pay(DOLLAR, cafe)
        anna.pay(DOLLAR)
        stage.settle()
        stage.get("/v1/account", **cafe.headers)
        stage.client.get("/metrics", headers={"Authorization": "Bearer m3trics-token-of-ours"})
        texts = _all_that_fails(stage, anna, cafe, monkeypatch)
        told = written.getvalue() + "\n".join(texts)
    assert "/?apikey=[hidden]" in told, "the libraries did tell where they ask"
    assert "Making request HTTP" in told
    assert "Traceback" in told
    for secret in secrets:
        assert len(secret) > 10
        for form in (secret, secret.removeprefix("0x"), secret.removeprefix("0x").upper()):
            assert form not in told, f"{secret[:6]}… in {_around(told, form)}"
    assert told.count("[hidden]") > 10


def _settings(url: str) -> Settings:
    return Settings(rpc_url=f"{url}/?apikey={RPC_KEY}", metrics_token=SecretStr("m3trics-token-of-ours"))


def _all_that_fails(stage: Stage, anna: Any, cafe: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns the texts of errors, as they would stand in an answer or on a terminal."""
    texts = []
    with stage.node_away():
        provider: Any = stage.hub.node.web3.provider
        provider.endpoint_uri = f"http://user:{RPC_KEY}@127.0.0.1:1/v3/{RPC_KEY}"
        stage.tick()
        body = anna.wallet.redemption(stage.facts, cafe.address, CENT)
        texts.append(stage.client.post("/v1/redemptions", json=body, headers=cafe.headers | key()).text)
        lost = Node(f"http://127.0.0.1:1/v3/{RPC_KEY}")
        with pytest.raises(NodeUnavailable) as gone:
            lost.head()
        texts.append(str(gone.value))
        structlog.get_logger().error("failed", exc_info=gone.value)  # with all that caused it
    provider.endpoint_uri = stage.settings.rpc_url
    stage.client.get("/v1/account", headers={"Authorization": "Bearer tsk_nobodys-key-at-all"})

    def broken(*_: Any) -> None:
        raise RuntimeError(f"asked with {cafe.headers['Authorization']} for {stage.settings.rpc_url}")

    with monkeypatch.context() as broken_route:
        broken_route.setattr(queries, "find", broken)
        texts.append(stage.client.get("/v1/payments/pay_1").text)
    stage.worker.steps = {**stage.worker.steps, "fails": broken}  # type: ignore[dict-item]
    stage.tick()
    texts += [repr(stage.settings), repr(stage.hub.signer), repr(logs_of(stage.settings)), repr(stage.hub.node)]
    return texts


def _around(text: str, found: str) -> str:
    at = text.index(found)
    return text[max(0, at - 120) : at] + "HERE" + text[at + len(found) : at + len(found) + 40]


@pytest.mark.parametrize(
    "text",
    [
        OWN_KEY,
        OWN_KEY[2:].upper(),
        RPC_KEY,
        PASSWORD,
        "Authorization: Bearer eyJ-any-token_at.all",
        "tsk_aB3-_9",
        "whsec_aB3/x+9=",
        "postgresql+psycopg://taesan:hunter2@db.example/taesan",
        "https://only-a-key-9876@rpc.example/v2",
        "p4ss%22word%2F%C3%A4",
        "a-query's-key",
    ],
)
@pytest.mark.parametrize("format_", ["json", "console"])
def test_a_secret_is_hidden_wherever_and_however_it_is_written(format_: Any, text: str) -> None:
    settings = Settings(
        operator_key=SecretStr(OWN_KEY),
        database_url="postgresql://taesan:p4ss%22word%2F%C3%A4@db.example/taesan",
        rpc_url=f"http://127.0.0.1:8545,https://rpc.example/mainnet/v3/{RPC_KEY}?apikey=a-query%27s-key",
        log_format=format_,
    )
    with _logging(logs_of(settings)) as written:
        log = structlog.get_logger()
        log.info(f"event {text}.", value=f"in {text}", nested={"list": [text]}, shown=repr(text))
        logging.getLogger("somebody.else").warning("of a library: %s", text)
        try:
            raise ValueError(text)
        except ValueError:
            log.exception("failed")
    told = written.getvalue()
    assert "[hidden]" in told
    hidden = text.removeprefix("Authorization: Bearer ").removeprefix("0x")
    if "://" in text:
        hidden = urlsplit(text).password or str(urlsplit(text).username)
    for form in (hidden, json.dumps(hidden)[1:-1], repr(hidden)[1:-1]):
        assert form.lower() not in told.lower(), told
    assert "mainnet" not in written.getvalue() or "mainnet" in told


def test_what_is_no_secret_stays(tmp_path: Path) -> None:
    with _logging(Logs("json", "info", (OWN_KEY, RPC_KEY))) as written:
        hash_ = "0x" + "ab" * 32
        structlog.get_logger().info("batch.moved", batch_id=7, transaction=hash_, node="https://rpc.example/mainnet")
    (line,) = _lines(written)
    assert (line["batch_id"], line["transaction"], line["node"]) == (7, hash_, "https://rpc.example/mainnet")


def test_a_process_is_told_the_secrets_that_it_could_tell_and_no_others() -> None:
    settings = Settings(
        operator_key=SecretStr(OWN_KEY), database_url="postgresql://taesan:s3cret-word@db.example/taesan"
    )
    assert logs_of(settings, ["database_url"]).secrets == ("s3cret-word",)
    assert {OWN_KEY, "s3cret-word"} <= set(logs_of(settings).secrets)


def test_a_databases_error_is_told_without_its_password(tmp_path: Path) -> None:
    db = Database("postgresql+psycopg://taesan:s3cret-word@127.0.0.1:1/taesan?connect_timeout=1")
    with pytest.raises(Exception, match=r"127\.0\.0\.1") as refused:
        db.ping()
    assert "s3cret-word" not in str(refused.value) + brief(refused.value) + repr(db.engine.url)


# ------------------------------------------------------------------------ what is told


def test_lines_of_a_batchs_way_name_batch_transaction_and_payments(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    anna.pay(DOLLAR)
    with _logging(Logs("json", "info")) as written:
        stage.settle()
    hash_ = stage.get("/v1/batches/1")["transaction"]
    told = {line["event"]: line for line in _lines(written)}
    assert told.keys() >= {"batch.frozen", "batch.signed", "batch.moved", "batch.posted"}
    for event in ("batch.frozen", "batch.signed", "batch.moved", "batch.posted"):
        assert (told[event]["batch_id"], told[event]["payments"]) == (1, 2), event
        assert told[event]["level"] == "info"
        assert told[event]["step"]
    assert told["batch.signed"]["transaction"] == told["batch.moved"]["transaction"] == hash_


def test_a_requests_lines_bear_the_id_that_its_answer_bears(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = stage.payer()

    def broken(*_: Any) -> None:
        raise RuntimeError("inside")

    monkeypatch.setattr(queries, "find", broken)
    with _logging(Logs("json", "debug")) as written:
        answers = [
            stage.client.get("/v1/payments/pay_1"),
            stage.client.get("/v1/hub"),
            stage.client.post("/v1/payments", json={"nonsense": True}, headers=key()),
        ]
    lines = _lines(written)
    for answer in answers:
        of_request = [line for line in lines if line.get("request_id") == answer.headers["x-request-id"]]
        (access,) = [line for line in of_request if line["event"] == "request"]
        assert (access["status"], access["level"]) == (answer.status_code, "debug")
    failed = next(line for line in lines if line["event"] == "request.failed")
    assert failed["request_id"] == answers[0].headers["x-request-id"]
    assert "RuntimeError: inside" in failed["exception"]
    assert anna.charged == 0


def test_the_quick_way_tells_of_its_requests_alike(tmp_path: Path) -> None:
    from tests.support.offline import facts_of, open_channel
    from tests.support.wallet import Wallet

    hub, wallet = offline_hub(tmp_path), Wallet("anna")
    channel, facts = open_channel(hub, wallet, DOLLAR), facts_of(hub)
    with _logging(Logs("json", "debug")) as written:
        client = TestClient(create_app(hub))
        answers = []
        for n in (1, 200):  # the second is more than there is
            voucher = {"channel_id": channel, "max_claimable_amount": str(n * CENT)}
            voucher["signature"] = wallet.voucher(facts, channel, n * CENT)
            body = {
                "voucher": voucher,
                "amount": {"value": str(n * CENT - (n > 1) * CENT), "asset": facts["asset"]},
                "destination": {"type": "jar"},
            }
            answers.append(client.post("/v1/payments", json=body, headers=key()))
    assert [answer.status_code for answer in answers] == [201, 402]
    requests = [line for line in _lines(written) if line["event"] == "request"]
    assert [(line["request_id"], line["status"], line["payments"]) for line in requests] == [
        (answer.headers["x-request-id"], answer.status_code, 1) for answer in answers
    ]
    groups = [line for line in _lines(written) if line["event"] == "intake.group"]
    assert [(line["payments"], line["accepted"]) for line in groups] == [(1, 1), (1, 0)]
    hub.db.close()


def test_at_info_requests_are_silent_and_libraries_do_not_chatter(stage: Stage) -> None:
    with _logging(Logs("json", "info")) as written:
        stage.client.get("/v1/hub")
        stage.payer().pay(CENT)
        logging.getLogger("uvicorn.error").info("of the server")
        logging.getLogger("web3.providers").debug("chatter")
    assert {line["event"] for line in _lines(written)} & {"request", "chatter"} == set()
    (server,) = [line for line in _lines(written) if line.get("logger") == "uvicorn.error"]
    assert (server["event"], server["level"]) == ("of the server", "info")


KEYSTORE = {"operator_keystore": "key.json", "operator_keystore_password_file": "password"}


@pytest.mark.parametrize(
    ("settings", "format_", "level"),
    [
        ({}, "json", "info"),  # no terminal here
        ({"log_format": "console", "log_level": "debug"}, "console", "debug"),
        ({"environment": "test-chain", **KEYSTORE}, "json", "info"),
        ({"environment": "test-chain", **KEYSTORE, "log_format": "console"}, "console", "info"),
    ],
)
def test_format_and_level_are_settings(settings: dict[str, Any], format_: str, level: str) -> None:
    assert logs_of(Settings(**settings))[:2] == (format_, level)


def test_a_line_for_a_person_is_no_json() -> None:
    with _logging(Logs("console", "info")) as written:
        structlog.get_logger().info("batch.frozen", batch_id=3)
    assert "batch.frozen" in written.getvalue()
    assert "batch_id=3" in written.getvalue()
    assert "\x1b" not in written.getvalue(), "no colours in a file"
