"""One API, two ways through it: what the quick route answers is what the documented one answers, to the letter."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError
from starlette.types import Message

from taesan.app import create_app
from taesan.chain import erc1271
from taesan.core.http import MAX_BODY_BYTES
from taesan.core.problems import node_unavailable
from taesan.identity import keys
from taesan.payments import quick
from taesan.payments.quick import QuickRoute
from taesan.payments.wallets import WalletLanes
from tests.support.examples import examples
from tests.support.loops import run_async
from tests.support.offline import chain_tells, facts_of, offline_hub, open_channel
from tests.support.signing import ZERO_ADDRESS
from tests.support.wallet import Wallet

ANNA = Wallet("anna")
# FastAPI reads the type whatever its case, the quick route takes only the usual one.
QUICK, DOCUMENTED = "application/json", "Application/JSON"

NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["0", "00", "-1", "1e3", " 1", "1 ", "١", "9" * 18, "9" * 19, "0x", "USD", "KRW", "eip155:31337", "eip155:1"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
PLACES = [
    ("voucher",),
    ("voucher", "channel_id"),
    ("voucher", "max_claimable_amount"),
    ("voucher", "signature"),
    ("voucher", "network"),
    ("voucher", "contract"),
    ("amount",),
    ("amount", "value"),
    ("amount", "asset"),
    ("amount", "exponent"),
    ("destination",),
    ("destination", "type"),
    ("destination", "merchant_id"),
    ("destination", "rule_id"),
    ("purchase",),
    ("purchase", "merchant_id"),
    ("purchase", "category"),
    ("purchase", "value"),
    ("purchase", "asset"),
    ("purchase", "exponent"),
    ("reference",),
    ("more",),
    ("voucher", "more"),
]
KEYS = st.one_of(st.just("k"), st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=130))
CHANGES = st.lists(st.tuples(st.sampled_from(PLACES), NONSENSE), max_size=2)


@given(changes=CHANGES, key=KEYS, quick_first=st.booleans(), language=st.sampled_from(["ko", "en", "fr;q=x"]))
@example(changes=[], key="k", quick_first=True, language="en")
@example(changes=[(("reference",), "a\0b")], key="k", quick_first=True, language="en")
@example(changes=[(("destination", "merchant_id"), "\0")], key="k", quick_first=True, language="ko")
@example(changes=[(("voucher", "network"), None)], key="k", quick_first=False, language="ko")
@example(changes=[(("reference",), "가" * 64)], key="k", quick_first=True, language="ko")
@example(changes=[(("reference",), "가" * 65)], key="k", quick_first=True, language="ko")
@example(changes=[(("voucher", "signature"), "0x" + "ab" * 66)], key="k", quick_first=True, language="ko")
@example(changes=[(("amount", "exponent"), 6.0)], key="k", quick_first=True, language="en")
@settings(max_examples=examples(100))
def test_both_routes_answer_alike(changes: list[Any], key: str, quick_first: bool, language: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="taesan-quick-"))
    hub = offline_hub(folder)
    try:
        with TestClient(create_app(hub)) as client:
            body = _payment(facts_of(hub), open_channel(hub, ANNA, 10_000_000))
            for place, value in changes:
                _put(body, place, value)
            types = [QUICK, DOCUMENTED] if quick_first else [DOCUMENTED, QUICK]
            headers = {"Idempotency-Key": key, "Accept-Language": language}
            first, second = (
                client.post("/v1/payments", json=body, headers=headers | {"Content-Type": type_}) for type_ in types
            )
            assert (first.status_code, first.json()) == (second.status_code, second.json())
            assert _comparable(first) == _comparable(second)
            assert all(answer.headers["x-request-id"] for answer in (first, second))
            if first.status_code == 201:
                assert "idempotent-replayed" not in first.headers
                assert second.headers["idempotent-replayed"] == "true"
    finally:
        hub.db.close()
        shutil.rmtree(folder)


BULK_CHANGES = st.lists(CHANGES, min_size=1, max_size=4)


@given(changes=BULK_CHANGES, keys=st.lists(st.sampled_from(["k", "l", "m", ""]), min_size=4, max_size=4))
@example(changes=[[], []], keys=["k", "k", "l", "m"])
@example(changes=[[], [(("voucher", "signature"), "0x" + "ab" * 65)]], keys=["k", "l", "m", "k"])
@settings(max_examples=examples(40))
def test_both_routes_answer_alike_in_bulk(changes: list[Any], keys: list[str]) -> None:
    """Item by item: accepted, replayed, refused; first by one route and then, all of it again, by the other, and the same
    with the two exchanged."""
    told = []
    for types in ([QUICK, DOCUMENTED], [DOCUMENTED, QUICK]):
        folder = Path(tempfile.mkdtemp(prefix="taesan-quick-"))
        hub = offline_hub(folder)
        with TestClient(create_app(hub)) as client:
            channel = open_channel(hub, ANNA, 10_000_000)
            items = [
                _payment(facts_of(hub), channel) | {"idempotency_key": key}
                for _, key in zip(changes, keys, strict=False)
            ]
            for item, of_item in zip(items, changes, strict=True):
                for place, value in of_item:
                    _put(item, place, value)
            answers = [
                client.post("/v1/payments/bulk", json={"payments": items}, headers={"Content-Type": type_})
                for type_ in types
            ]
            told.append([(answer.status_code, _comparable(answer), _without_ids(answer.json())) for answer in answers])
        hub.db.close()
        shutil.rmtree(folder)
    assert told[0] == told[1]


def _without_ids(body: Any) -> Any:
    for result in body.get("results", []):
        if result["payment"] is not None:
            assert result["payment"].pop("id").startswith("pay_")
    return body


@pytest.mark.parametrize(
    ("pieces", "end"),
    [
        ([b"{", b"}"], {"type": "http.request", "body": b"!", "more_body": False}),
        ([], {"type": "http.request", "body": b"{}", "more_body": False}),
        ([], {"type": "http.request"}),
        ([b"{", b""], {"type": "http.disconnect"}),
        ([], {"type": "http.disconnect"}),
        ([], {"type": "http.request", "body": b"x" * (MAX_BODY_BYTES + 1), "more_body": True}),
    ],
)
def test_what_was_read_in_pieces_is_handed_on_whole(pieces: list[bytes], end: Message) -> None:
    coming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces] + [dict(end)]
    sent = b"".join(message.get("body", b"") for message in coming)

    async def receive() -> Message:
        return coming.pop(0)

    async def told() -> list[Message]:
        again = quick._again(*await quick._read(receive), receive)
        assert coming == []
        messages = [await again()]
        while messages[-1].get("more_body") and end["type"] == "http.disconnect":
            messages.append(await again())
        return messages

    messages = run_async(told())
    assert len(messages) <= 2, "not one for each piece"
    assert b"".join(message.get("body", b"") for message in messages) == sent
    assert messages[-1]["type"] == end["type"]
    assert messages[-1].get("more_body", False) == end.get("more_body", False)


@pytest.mark.parametrize("bulk", [False, True])
def test_both_routes_count_for_one_limit(bulk: bool, tmp_path: Path) -> None:
    hub = offline_hub(tmp_path, key_rate="4/hour")
    with TestClient(create_app(hub)) as client:
        payment = _payment(facts_of(hub), open_channel(hub, ANNA, 10_000_000))
        body = {"payments": [payment | {"idempotency_key": "k"}]} if bulk else payment
        told = []
        for n in range(8):
            type_ = QUICK if n % 2 else DOCUMENTED
            headers = {"Idempotency-Key": "k", "Content-Type": type_, "Authorization": "Bearer tsk_one"}
            answer = client.post("/v1/payments/bulk" if bulk else "/v1/payments", json=body, headers=headers)
            told.append(answer.status_code)
            if answer.status_code == 429:
                assert 3_590 < int(answer.headers["retry-after"]) <= 3_600
                assert answer.json()["detail"] == "At most 4 per 1 hour; nothing was stored."
        assert told == [200 if bulk else 201] * 4 + [429] * 4
    hub.db.close()


@pytest.mark.parametrize("says", [True, False])
@pytest.mark.parametrize("signature", ["0x" + "1b" * 65, "0x1271"])
def test_both_routes_answer_alike_for_contract_wallets(
    says: bool, signature: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erc1271, "is_valid_contract_signature", lambda *_: says)
    hub = offline_hub(tmp_path)
    chain_tells(hub, "settlement.Funded", "fund", amount=10**9)
    with hub.db.write() as session:
        cafe = keys.register(session, "Café", Wallet("merchant").address, hub.clock.now(), hub.mode)[0].id
    with TestClient(create_app(hub)) as client:
        channel = open_channel(hub, ANNA, 10**9, payer_authorizer=ZERO_ADDRESS)
        body = _payment(facts_of(hub), channel) | {"destination": {"type": "merchant", "merchant_id": cafe}}
        body["voucher"]["signature"] = signature
        told = [
            client.post("/v1/payments", json=body, headers={"Idempotency-Key": "k", "Content-Type": type_})
            for type_ in (QUICK, DOCUMENTED)
        ]
    assert [answer.status_code for answer in told] == [201 if says else 403] * 2
    assert told[0].json() == told[1].json()
    hub.db.close()


TYPE = (b"content-type", b"application/json")
KEY = (b"idempotency-key", b"k")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        ([TYPE, KEY], 201),
        ([TYPE, KEY, (b"idempotency-key", b"other")], 201),
        ([TYPE, (b"idempotency-key", b"one, two")], 422),
        ([TYPE, (b"idempotency-key", b"\xe9")], 422),
        ([TYPE], 400),
        ([KEY], 422),
        ([TYPE, (b"content-type", b"text/plain"), KEY], 201),
        ([(b"content-type", b"text/plain"), TYPE, KEY], 422),
        ([(b"content-type", b"application/json-seq"), KEY], 422),
        ([(b"content-type", b"application/jsonp; charset=utf-8"), KEY], 422),
        ([(b"content-type", b"application/json, text/plain"), KEY], 422),
        ([(b"content-type", b"application/json; charset=utf-8"), KEY], 201),
        ([(b"content-type", b" application/json ;charset=utf-8"), KEY], 201),
        ([(b"content-type", b"application/vnd.x+json"), KEY], 201),
        ([TYPE, KEY, (b"accept-language", b"ko"), (b"accept-language", b"en")], 201),
        ([TYPE, KEY, (b"authorization", b"Bearer tsk_one"), (b"authorization", b"Bearer tsk_two")], 201),
    ],
)
def test_headers_as_they_come_are_understood_alike(raw: list[tuple[bytes, bytes]], status: int, tmp_path: Path) -> None:
    hub = offline_hub(tmp_path)
    app = create_app(hub)
    with TestClient(app) as client:
        body = json.dumps(_payment(facts_of(hub), open_channel(hub, ANNA, 10_000_000)))
        told = []
        for route in (app.quick, app.documented):  # type: ignore[attr-defined]
            app.quick = route  # type: ignore[attr-defined]
            told.append(client.post("/v1/payments", content=body, headers=raw))
    assert [answer.status_code for answer in told] == [status] * 2
    assert told[0].json() == told[1].json()
    assert _comparable(told[0]) == _comparable(told[1])
    if status == 201:
        assert ["idempotent-replayed" in answer.headers for answer in told] == [False, True], "one key"
    hub.db.close()


@pytest.mark.parametrize("path", ["/v1/payments", "/v1/payments/bulk"])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("of ours"), 500),
        (OperationalError("SELECT 1", {}, Exception("gone")), 503),
        (node_unavailable(), 503),
    ],
)
def test_what_goes_wrong_within_is_told_alike(
    path: str, error: Exception, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def submit(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(WalletLanes, "submit", submit)
    hub = offline_hub(tmp_path)
    app = create_app(hub)
    with TestClient(app, raise_server_exceptions=False) as client:
        body = _payment(facts_of(hub), open_channel(hub, ANNA, 10_000_000))
        if path.endswith("bulk"):
            body = {"payments": [body | {"idempotency_key": "k"}]}
        quickly, documented = (
            client.post(path, json=body, headers={"Idempotency-Key": "k", "Content-Type": type_})
            for type_ in (QUICK, DOCUMENTED)
        )
    assert quickly.status_code == documented.status_code == status
    assert quickly.json() == documented.json()
    assert _comparable(quickly) == _comparable(documented)
    assert quickly.headers["x-request-id"]
    hub.db.close()


def test_what_is_too_long_for_the_documented_route_is_not_taken(tmp_path: Path) -> None:
    """Each limit is met, and passed by one."""
    hub = offline_hub(tmp_path)
    with TestClient(create_app(hub)) as client:
        payment = _payment(facts_of(hub), open_channel(hub, ANNA, 10_000_000))
        item = payment | {"idempotency_key": "k"}
        for type_ in (QUICK, DOCUMENTED):
            for path, limit, body_of in (
                ("/v1/payments/bulk", 1_000, lambda n: {"payments": [item] * n}),
                ("/v1/payments", 64, lambda n: payment | {"reference": "a" * n}),
            ):
                for more in (0, 1):
                    headers = {"Content-Type": type_, "Idempotency-Key": str(limit)}
                    answer = client.post(path, json=body_of(limit + more), headers=headers)
                    assert (answer.status_code == 422) == bool(more), (type_, path, answer.text[:200])
    hub.db.close()


def test_the_quick_route_is_taken(monkeypatch: Any) -> None:
    """Or the test above would compare the documented one with itself."""
    folder = Path(tempfile.mkdtemp(prefix="taesan-quick-"))
    hub = offline_hub(folder)
    read = []
    submission = QuickRoute._submission
    monkeypatch.setattr(QuickRoute, "_submission", lambda self, *a: read.append(a) or submission(self, *a))
    with TestClient(create_app(hub)) as client:
        body = _payment(facts_of(hub), open_channel(hub, ANNA, 10_000_000))
        for type_, taken in ((DOCUMENTED, 0), (QUICK, 1)):
            answer = client.post("/v1/payments", json=body, headers={"Idempotency-Key": "k", "Content-Type": type_})
            assert answer.status_code == 201
            assert len(read) == taken
    hub.db.close()
    shutil.rmtree(folder)


def _payment(facts: Any, channel: str) -> Any:
    return {
        "voucher": {
            "channel_id": channel,
            "max_claimable_amount": "230000",
            "signature": ANNA.voucher(facts, channel, 230_000),
        },
        "amount": {"value": "230000", "asset": facts["asset"], "exponent": 6},
        "destination": {"type": "jar"},
        "purchase": {"value": "1177", "asset": "USD"},
    }


def _comparable(answer: httpx.Response) -> dict[str, str]:
    own = {"x-request-id", "idempotent-replayed", "date"}
    return {name: value for name, value in answer.headers.items() if name not in own}


def _put(body: Any, place: tuple[str, ...], value: Any) -> None:
    *path, last = place
    for name in path:
        body = body[name] if isinstance(body.get(name), dict) else {}
    body[last] = value
