"""One API, two ways through it: what the quick route answers is what the documented one answers, to the letter."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taesan.app import create_app
from taesan.chain import erc1271
from taesan.identity import keys
from taesan.payments.quick import QuickRoute
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
    ("purchase",),
    ("purchase", "value"),
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
@settings(max_examples=150)
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
            own = {"x-request-id", "idempotent-replayed", "date"}
            told = [{k: v for k, v in answer.headers.items() if k not in own} for answer in (first, second)]
            assert told[0] == told[1]
            assert all(answer.headers["x-request-id"] for answer in (first, second))
            if first.status_code == 201:
                assert "idempotent-replayed" not in first.headers
                assert second.headers["idempotent-replayed"] == "true"
    finally:
        hub.db.close()
        shutil.rmtree(folder)


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
        cafe = keys.register(session, "Café", Wallet("merchant").address, hub.clock.now())[0].id
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


def _put(body: Any, place: tuple[str, ...], value: Any) -> None:
    *path, last = place
    for name in path:
        body = body[name] if isinstance(body.get(name), dict) else {}
    body[last] = value
