"""Who may call what: docs/access.md against the service, and everybody against everybody else's things."""

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from taesan.chain.rpc import NodeUnavailable
from taesan.core.http import MAX_SHOWN, SAFE_HEADERS
from taesan.core.problems import Problem
from taesan.gateways import signed
from taesan.identity import access, auth, rates
from taesan.identity.auth import SESSIONS_MAX
from taesan.identity.keys import KEYS_MAX
from taesan.identity.models import LoginSession
from taesan.identity.scopes import SCOPES
from taesan.web.router import NodeWatch
from tests.support.bank_files import MAPPING, import_two
from tests.support.conversions import gather, sign_rule, to
from tests.support.gateway import Gateway
from tests.support.insights import ask_for_insights, number_of, pays
from tests.support.problems import assert_problem
from tests.support.stage import CENT, DOLLAR, Merchant, Payer, Stage, StageFactory, key
from tests.support.wallet import Json, Wallet, siwe_message

SCOPE_ROW = re.compile(r"^\| `(\w+:\w+)` \| (.+) \|$")
TABLE = Path(__file__).parents[2] / "docs" / "access.md"
ROW = re.compile(r"^\| `([A-Z]+ [^`]+)` \| (\w+) \| (\w+) \|")
EVIL = "https://evil.example"


def _table() -> dict[str, tuple[str, str]]:
    """Route → (who, limit)."""
    found = [ROW.match(line) for line in TABLE.read_text().splitlines()]
    return {row[1]: (row[2], row[3]) for row in found if row}


def _routes(stage: Stage) -> dict[str, Any]:
    """`METHOD /path` → route; files count as read."""
    return {
        f"{method} {route.path}": route
        for route in iter_route_contexts(stage.client.app.routes)  # type: ignore[attr-defined]
        for method in (route.methods or {"GET"}) - {"HEAD"}
    }


def _asked(dependant: Any) -> Iterator[Any]:
    """All functions that a route depends on."""
    for below in dependant.dependencies:
        yield below.call
        yield from _asked(below)


def _who(name: str, functions: set[Any]) -> str:
    if any(f.__module__ == "taesan.identity.operators" for f in functions):
        return "operator"
    if access._wallet in functions:
        return "wallet"
    if access._caller in functions:
        return "merchant"
    if signed._signed in functions:
        return "gateway"
    return "voucher" if name.startswith(("POST /v1/payments", "POST /x402/")) else "anybody"


def _limit(functions: set[Any]) -> str:
    if rates.count_call in functions:
        return "calls"
    return "payments" if rates._rates in functions else "none"


def test_each_route_has_its_row_and_each_row_its_route(shared_stage: Stage) -> None:
    assert set(_table()) == set(_routes(shared_stage))


def test_the_table_tells_who_may_call_and_how_often(shared_stage: Stage) -> None:
    wrong = {}
    for name, route in _routes(shared_stage).items():
        is_api = isinstance(route.original_route, APIRoute)
        functions = set(_asked(route.dependant)) if is_api else set()
        found = (_who(name, functions), _limit(functions))
        if _table()[name] != found:
            wrong[name] = found
    assert wrong == {}


def test_each_route_of_a_merchant_needs_the_scope_that_the_table_tells(shared_stage: Stage) -> None:
    found: dict[str, set[str]] = {}
    for name, route in _routes(shared_stage).items():
        if not isinstance(route.original_route, APIRoute):
            continue
        functions = set(_asked(route.dependant))
        scopes = {f.scope for f in functions if isinstance(f, access.Needs)}
        if access._caller in functions:
            assert scopes or name == "GET /v1/merchants/me", name
        for scope in scopes:
            found.setdefault(scope, set()).add(name)
    rows = [SCOPE_ROW.match(line) for line in TABLE.read_text().splitlines()]
    assert {row[1]: set(re.findall(r"`([^`]+)`", row[2])) for row in rows if row} == found
    assert found.keys() <= set(SCOPES)


def test_whatever_changes_anything_is_limited(shared_stage: Stage) -> None:
    assert [name for name, (_, limit) in _table().items() if not name.startswith("GET ") and limit == "none"] == []


# ---------------------------------------------------------- somebody else's things


@pytest.fixture
def ids(stage: Stage) -> Json:
    """Of things that are somebody's, by the name of the path's parameter; and `secrets`, which nobody else may be told."""
    anna, cafe = stage.payer(), stage.merchant()
    payment = anna.pay(3 * DOLLAR, cafe)["id"]
    anna.pay(2 * DOLLAR)
    stage.settle()
    redemption = cafe.redeem(anna.wallet, DOLLAR).json()["id"]
    payout = cafe.order_payout(DOLLAR).json()["id"]
    invoice = cafe.invoice(reference="her order")
    due = int(cafe.invoice(700)["transfer"]["amount"]["value"])
    stage.chain.give_dollars(anna.address, due)
    stage.chain.send(anna.wallet.key, "asset", "transfer", cafe.address, due)
    stage.confirm()
    (transfer,) = stage.get("/v1/transfers", **cafe.headers)["items"]
    refund = cafe.refund(anna.pay(DOLLAR, cafe)["id"]).json()["id"]
    ends = {"name": "Autumn", "rate": 1, "budget": "1", "ends_at": "2999-01-01T00:00:00Z"}
    campaign = stage.client.post("/v1/campaigns", json=ends, headers=cafe.headers | key()).json()["id"]
    session = stage.session_of(cafe.wallet)
    (api_key,) = stage.get("/v1/merchants/me/keys", **session)
    wanted = {"url": "https://shop.example/", "event_types": ["payout.paid"]}
    webhook = stage.client.post("/v1/webhooks", json=wanted, headers=cafe.headers).json()
    delivery = stage.client.post(f"/v1/webhooks/{webhook['id']}/test", headers=cafe.headers).json()
    return {
        "address": anna.address,
        "payment_id": payment,
        "channel_id": anna.id,
        "rule_id": anna.sign_rule("top-ups", "when I say so").id,
        "redemption_id": redemption,
        "payout_id": payout,
        "invoice_id": invoice["id"],
        "refund_id": refund,
        "transfer_id": transfer["id"],
        "campaign_id": campaign,
        "day": "2026-11-26",
        "month": "2026-11",
        "budget_id": _budget(stage, anna),
        "key_id": api_key["id"],
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "gateway_id": Gateway(stage).id,
        "conversion_id": _conversion(stage, anna),
        "recurring_id": _recurring(stage, anna),
        "advice_id": _advice(stage, anna),
        **_statements(stage, anna),
        "secrets": [
            cafe.id,
            "her order",
            "shop.example",
            str(3 * DOLLAR),
            str(2 * DOLLAR),
            str(5 * DOLLAR),
            "BLUE DOOR",
        ],
    }


def _statements(stage: Stage, anna: Payer) -> Json:
    """Of hers: an import, what its columns mean, and a line that another has, too."""
    ask_for_insights(stage, anna.headers())
    return import_two(stage.client, anna.headers())


def _budget(stage: Stage, anna: Payer) -> str:
    ask_for_insights(stage, anna.headers())
    terms = {"scope": "all", "asset": "USD", "amount": "1"}
    return str(stage.client.put("/v1/insights/budgets", json=terms, headers=anna.headers()).json()["id"])


def _conversion(stage: Stage, anna: Payer) -> str:
    """One that waits for her permit."""
    gather(sign_rule(anna, to("savings", anna.address)), DOLLAR)
    (held,) = stage.get(f"/v1/channels/{anna.id}/jar/conversions", **anna.headers())["items"]
    return str(held["id"])


def _recurring(stage: Stage, anna: Payer) -> str:
    """A standing cost that a statement tells of."""
    ask_for_insights(stage, anna.headers())
    pays(stage, number_of(stage, anna.address), "film", [(date(2024, month, 7), 9_900) for month in range(1, 9)])
    (found,) = stage.get("/v1/insights/recurring", **anna.headers())["items"]
    return str(found["id"])


def _advice(stage: Stage, anna: Payer) -> str:
    """That a price has risen."""
    days = [stage.clock.now().date() - timedelta(days=1 + 7 * n) for n in range(9)]
    pays(stage, number_of(stage, anna.address), "bus", [(day, 1_500 + 400 * (day == days[0])) for day in days])
    (found,) = stage.get("/v1/insights/advice", **anna.headers())["items"]
    return str(found["id"])


def test_nobody_sees_or_changes_what_is_somebody_elses(stage: Stage, ids: Json) -> None:
    """Every route with an id that belongs to a wallet or a merchant, called by another wallet and another merchant."""
    eve = stage.merchant("Eve's")
    headers = {"wallet": stage.session_of(eve.wallet), "merchant": eve.headers}
    voucher = {"channel_id": ids["channel_id"], "max_claimable_amount": "1", "signature": "0x" + "ab" * 65}
    bodies = {
        "PUT /v1/channels/{channel_id}/jar": {"round_up_step": str(DOLLAR), "trigger_count": 1},
        "POST /v1/channels/{channel_id}/refunds": {},
        "POST /v1/channels/{channel_id}/rules": eve.wallet.rule(stage.facts, 1, "top-ups", "when I say so"),
        "POST /v1/channels/{channel_id}/rules/dry-run": {"gather": "top-ups", "fires": "when I say so"},
        "POST /v1/merchants/me/keys/{key_id}/rotate": {"overlap_s": 0},
        "PATCH /v1/webhooks/{webhook_id}": {"enabled": False},
        "POST /v1/webhooks/{webhook_id}/rotate": {"overlap_s": 0},
        "POST /v1/gateways/{gateway_id}/rotate": {"overlap_s": 0},
        "PUT /v1/gateways/{gateway_id}/funding": {"voucher": voucher},
        "PUT /v1/insights/statement-mappings/{fingerprint}": MAPPING,
    }
    before, tried = stage.row_counts(), 0
    for name, (who, _) in _table().items():
        method, path = name.split(" ")
        if who not in headers or "{" not in path:
            continue
        tried += 1
        told = headers[who] | key()
        answer = stage.client.request(method, path.format(**ids), headers=told, json=bodies.get(name))
        own_day = path.startswith("/v1/closings/")  # everybody has one
        assert answer.status_code == 200 if own_day else answer.status_code in (403, 404), name
        assert not [secret for secret in ids["secrets"] if secret in answer.text], name
    assert tried >= 8
    assert stage.row_counts() == before


def test_lists_hold_ones_own_alone(stage: Stage, ids: Json) -> None:
    eve = stage.merchant("Eve's")
    session = stage.session_of(eve.wallet)
    of_merchant = ("payments", "redemptions", "payouts", "invoices", "transfers", "refunds", "campaigns", "members")
    for path in (f"/v1/{name}" for name in of_merchant):
        assert stage.get(path, **eve.headers)["items"] == []
    assert stage.get("/v1/channels", **session)["items"] == []
    assert stage.get("/v1/webhooks", **eve.headers) == []
    assert len(stage.get("/v1/merchants/me/keys", **session)) == 1


def test_no_key_opens_what_is_a_wallets_and_no_strange_wallet_what_is_a_merchants(shared_stage: Stage) -> None:
    stage = shared_stage
    cafe = stage.merchant()
    tokens = {"wallet": cafe.headers, "merchant": stage.session_of(Wallet())}
    refused = {"wallet": ("unauthorized", 401), "merchant": ("not-a-merchant", 403)}
    closed = [(name, who) for name, (who, _) in _table().items() if who in tokens]
    assert len(closed) > 15
    for name, who in closed:
        method, path = name.split(" ")
        named = ("redemption_id", "payout_id", "key_id", "invoice_id", "refund_id", "webhook_id", "delivery_id")
        named += ("gateway_id", "transfer_id", "rule_id", "conversion_id", "campaign_id", "recurring_id", "budget_id")
        named += ("import_id", "fingerprint", "movement_id", "advice_id", "payment_id")
        ids = dict.fromkeys(named, "x")
        path = path.format(
            channel_id="0x" + "ab" * 32, address="0x" + "ab" * 20, day="2026-11-26", month="2026-11", **ids
        )
        for headers, problem in ((tokens[who], refused[who]), ({}, ("unauthorized", 401))):
            answer = stage.client.request(method, path, headers=headers | key(), json={"name": "x"})
            assert_problem(answer, *problem)


# -------------------------------------------------------------------- sign-in


@pytest.mark.parametrize(
    "uri",
    [
        EVIL,
        "http://127.0.0.1:8000.evil.example",
        "http://evil.example/127.0.0.1:8000",
        "http://127.0.0.1:8000@evil.example",
        "http://127.0.0.1",
        "https://127.0.0.1:8000",
        "http://127.0.0.1:8001",
    ],
)
def test_a_message_that_names_another_site_anywhere_is_refused(shared_stage: Stage, uri: str) -> None:
    stage, anna = shared_stage, Wallet()
    nonce = stage.client.post("/v1/auth/nonces").json()["nonce"]
    signed = anna.sign_in(nonce, stage.clock.now())["message"].replace("URI: http://127.0.0.1:8000", f"URI: {uri}")
    assert f"URI: {uri}" in signed
    body = {"message": signed, "signature": anna.sign_text(signed)}
    assert_problem(stage.client.post("/v1/auth/sessions", json=body), "invalid-sign-in", 401)


@pytest.mark.parametrize(("scheme", "status"), [("https", 401), ("http", 201)])
def test_a_message_that_names_its_scheme_names_ours(shared_stage: Stage, scheme: str, status: int) -> None:
    stage, anna = shared_stage, Wallet()
    nonce = stage.client.post("/v1/auth/nonces").json()["nonce"]
    signed = f"{scheme}://" + anna.sign_in(nonce, stage.clock.now())["message"]
    body = {"message": signed, "signature": anna.sign_text(signed)}
    assert stage.client.post("/v1/auth/sessions", json=body).status_code == status


@pytest.mark.parametrize(
    "change",
    [
        lambda m: "0" * 4_000,
        lambda m: "." * 4_000,
        lambda m: "a:" * 2_000,
        lambda m: "\n" * 4_000,
        lambda m: m.replace("Sign in to Taesan.", "x" * 3_000),
        lambda m: m.replace("127.0.0.1:8000 wants", "a." * 1_500 + " wants"),
        lambda m: m.replace("127.0.0.1:8000 wants", "%41" * 1_000 + " wants"),
        lambda m: m.replace("URI: http://127.0.0.1:8000", "URI: http://127.0.0.1:8000/" + "a" * 3_000),
        lambda m: m.replace("URI: http://127.0.0.1:8000", "URI: http://[" + "1:" * 1_000),
        lambda m: m + "\nResources:" + "\n- http://a.b" * 250 + "\n\0",
        lambda m: m + "\nRequest ID: " + "%41" * 1_000 + "%",
    ],
)
def test_no_message_takes_long_to_read(change: Callable[[str], str]) -> None:
    """Anybody may send one, and whoever reads it holds up the others."""
    anna, now = Wallet("slow"), datetime.now(UTC)
    message = change(siwe_message(anna.address, "a1b2c3d4e5f6g7h8", now))[:4_000]
    signature = anna.sign_text(message)
    started = time.process_time()
    with contextlib.suppress(Problem):
        auth.parse_message(message, signature, "http://127.0.0.1:8000", 31337, now)
    assert time.process_time() - started < 0.2


def test_a_session_that_is_signed_out_is_over_and_the_others_go_on(stage: Stage) -> None:
    anna, berta = Wallet(), Wallet()
    here, there, hers = stage.session_of(anna), stage.session_of(anna), stage.session_of(berta)
    assert stage.client.delete("/v1/auth/sessions/current", headers=here).status_code == 204
    assert_problem(stage.client.get("/v1/channels", headers=here), "unauthorized", 401)
    assert_problem(stage.client.delete("/v1/auth/sessions/current", headers=here), "unauthorized", 401)
    assert stage.client.get("/v1/channels", headers=there).status_code == 200
    another = stage.session_of(anna)
    assert stage.client.delete("/v1/auth/sessions", headers=there).status_code == 204
    for ended in (there, another):
        assert_problem(stage.client.get("/v1/channels", headers=ended), "unauthorized", 401)
    assert stage.client.get("/v1/channels", headers=hers).status_code == 200


def test_a_wallet_has_so_many_sessions_and_no_more(stage: Stage) -> None:
    anna, hers = Wallet(), stage.session_of(Wallet())
    sessions = []
    for _ in range(SESSIONS_MAX + 3):
        stage.later(1)
        sessions.append(stage.session_of(anna))
    alive = [stage.client.get("/v1/channels", headers=s).status_code == 200 for s in sessions]
    assert alive == [False] * 3 + [True] * SESSIONS_MAX
    assert stage.client.get("/v1/channels", headers=hers).status_code == 200


def test_no_token_or_key_is_in_the_database(stage: Stage) -> None:
    cafe = stage.merchant()
    secrets = [h["Authorization"].removeprefix("Bearer ") for h in (cafe.headers, stage.session_of(cafe.wallet))]
    kept = str(stage.rows("SELECT * FROM login_session")) + str(stage.rows("SELECT * FROM api_key"))
    assert cafe.id in kept
    assert not [secret for secret in secrets if secret in kept or secret[10:] in kept]


# ------------------------------------------------------------------- API keys


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_merchants_own_wallet_needs_no_key(stage: Stage, language: str) -> None:
    cafe, other = stage.merchant(), stage.merchant("Eve's")
    session = stage.session_of(cafe.wallet) | {"Accept-Language": language}
    assert stage.get("/v1/merchants/me", **session)["id"] == cafe.id
    amount = {"value": "450", "asset": "USD", "exponent": 2}
    asked = stage.client.post("/v1/invoices", json={"amount": amount, "description": "Tea"}, headers=session | key())
    assert (asked.status_code, asked.json()["merchant_id"]) == (201, cafe.id)
    (seen,) = stage.get("/v1/invoices", **cafe.headers)["items"]
    assert seen["id"] == asked.json()["id"]
    assert stage.get("/v1/invoices", **stage.session_of(other.wallet))["items"] == []
    assert stage.client.delete("/v1/auth/sessions/current", headers=session).status_code == 204
    assert_problem(stage.client.get("/v1/account", headers=session), "unauthorized", 401)


def test_a_key_that_is_revoked_opens_nothing_and_the_others_go_on(stage: Stage) -> None:
    cafe = stage.merchant()
    session = stage.session_of(cafe.wallet)
    stage.later(1)
    second = stage.client.post("/v1/merchants/me/keys", headers=session).json()["api_key"]
    listed = stage.get("/v1/merchants/me/keys", **session)
    assert [k["hint"] for k in listed] == [cafe.headers["Authorization"][7:20], second[:13]]
    first = f"/v1/merchants/me/keys/{listed[0]['id']}"
    assert stage.client.delete(first, headers=session).status_code == 204
    assert_problem(stage.client.get("/v1/account", headers=cafe.headers), "unauthorized", 401)
    assert stage.client.get("/v1/account", headers={"Authorization": f"Bearer {second}"}).status_code == 200
    assert_problem(stage.client.delete(first, headers=session | {"Accept-Language": "ko"}), "not-found", 404)


def test_a_merchant_has_so_many_keys_and_no_more(stage: Stage) -> None:
    cafe = stage.merchant()
    session = stage.session_of(cafe.wallet)
    made = [stage.client.post("/v1/merchants/me/keys", headers=session) for _ in range(KEYS_MAX)]
    assert [answer.status_code for answer in made] == [201] * (KEYS_MAX - 1) + [409]
    for language in ("ko", "en"):
        answer = stage.client.post("/v1/merchants/me/keys", headers=session | {"Accept-Language": language})
        assert_problem(answer, "too-many-keys", 409)
    listed = stage.get("/v1/merchants/me/keys", **session)
    stage.client.delete(f"/v1/merchants/me/keys/{listed[0]['id']}", headers=session)
    assert stage.client.post("/v1/merchants/me/keys", headers=session).status_code == 201


@pytest.mark.parametrize("language", ["ko", "en"])
def test_an_operator_can_bound_how_many_merchants_there_are(open_stage: StageFactory, language: str) -> None:
    stage = open_stage(merchants_max=1)
    cafe = stage.merchant()
    headers = stage.session_of(Wallet()) | {"Accept-Language": language}
    before = stage.row_counts()
    assert_problem(stage.client.post("/v1/merchants", json={"name": "B"}, headers=headers), "registration-closed", 403)
    assert stage.row_counts() == before
    assert stage.client.get("/v1/account", headers=cafe.headers).status_code == 200


# --------------------------------------------------------- what strangers can make


def test_a_payer_without_the_money_leaves_nothing_behind(stage: Stage) -> None:
    """Keys cost nothing to make: a channel for each would fill the database."""
    eve = Payer(stage, Wallet())
    stage.chain.give_dollars(eve.address, DOLLAR - 1)
    before = stage.row_counts()
    body = {"config": eve.config, "deposit": eve.wallet.deposit(stage.facts, eve.config, DOLLAR)}
    for language in ("ko", "en"):
        answer = stage.client.post("/v1/channels", json=body, headers=key() | {"Accept-Language": language})
        assert f"{DOLLAR - 1} minor units" in assert_problem(answer, "invalid-deposit", 422)["detail"]
    assert stage.row_counts() == before


def test_proofs_that_cost_a_tree_are_limited(open_stage: StageFactory) -> None:
    stage = open_stage(address_rate="2/hour")
    account = Wallet().address
    for path in (f"/v1/entitlements/{account}", "/v1/payments/pay_none/proof"):
        assert_problem(stage.client.get(path), "not-found", 404)
    assert_problem(stage.client.get(f"/v1/entitlements/{account}"), "rate-limited", 429)


def test_a_node_that_hangs_holds_up_one_reader_and_not_all() -> None:
    asked, answer = threading.Event(), threading.Event()

    class Hanging:
        def chain_id(self) -> int:
            asked.set()
            answer.wait(10)
            raise NodeUnavailable("gone")

    watch, node = NodeWatch(), Hanging()
    first: list[bool] = []
    thread = threading.Thread(target=lambda: first.append(watch.is_up(node)))  # type: ignore[arg-type]
    thread.start()
    asked.wait(10)
    assert watch.is_up(node), "what was known last, at once"  # type: ignore[arg-type]
    answer.set()
    thread.join()
    assert first == [False]
    assert not watch.is_up(node)  # type: ignore[arg-type]


# ------------------------------------------------------------------- browsers


def _answers(stage: Stage) -> Iterator[httpx.Response]:
    """One of each kind."""
    anna, cafe = Payer(stage, Wallet()), stage.merchant()
    anna.open_channel(DOLLAR)
    stage.confirm()
    session = anna.headers()
    yield stage.client.get("/v1/hub")
    yield stage.client.get("/v1/account", headers=cafe.headers)
    yield stage.client.get(f"/v1/channels/{anna.id}", headers=session)
    yield stage.client.get("/v1/nothing")
    yield stage.client.get("/v1/hub%00")
    yield stage.client.put("/v1/hub")
    yield stage.client.get("/")
    yield stage.client.get("/docs")
    yield stage.client.get("/openapi.json")
    yield stage.client.get("/static/overview.js")
    yield stage.client.post("/v1/auth/nonces")
    yield anna.try_to_pay(CENT, cafe)
    yield anna.try_to_pay(10 * DOLLAR, cafe)
    yield stage.client.post("/v1/payments", json={}, headers=key())


def test_no_answer_is_taken_for_what_it_is_not(shared_stage: Stage) -> None:
    for answer in _answers(shared_stage):
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert "set-cookie" not in answer.headers, "nothing for another site's request to ride on"
        if answer.status_code != 201 or answer.url.path != "/v1/payments":  # the quick route's, which no browser shows
            assert answer.headers["referrer-policy"] == "no-referrer", answer.url
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy or "default-src 'self'" in policy, answer.url
            assert "frame-ancestors 'none'" in policy, answer.url
            assert "script-src 'unsafe" not in policy, answer.url


def test_a_fault_of_ours_is_as_safe_to_show(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    from taesan.channels import router

    monkeypatch.setattr(router, "_domain", None)
    answer = stage.client.get("/v1/hub")
    assert_problem(answer, "internal-error", 500)
    assert {name: answer.headers[name] for name in SAFE_HEADERS} == SAFE_HEADERS


def test_what_is_somebodys_is_kept_by_no_cache(shared_stage: Stage) -> None:
    cafe = shared_stage.merchant()
    session = shared_stage.session_of(cafe.wallet)
    for answer in (
        shared_stage.client.get("/v1/account", headers=cafe.headers),
        shared_stage.client.get("/v1/channels", headers=session),
        shared_stage.client.post("/v1/merchants/me/keys", headers=session),
        shared_stage.client.post("/v1/auth/nonces"),
    ):
        assert answer.headers["cache-control"] == "no-store"


def test_no_other_site_may_read_anything(shared_stage: Stage) -> None:
    cafe = shared_stage.merchant()
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for name in _table():
        path = name.split(" ")[1]
        if path.startswith("/v1/") and "{" not in path:
            preflight = shared_stage.client.options(path, headers=asked)
            assert preflight.status_code == 405, path
            answer = shared_stage.client.get(path, headers={"Origin": EVIL} | cafe.headers)
            for headers in (preflight.headers, answer.headers):
                assert not [h for h in headers if h.startswith("access-control-")], path


@pytest.mark.parametrize("path", ["/", "/v1/hub", "/v1/hub/", "/docs/", "/static", "//evil.example/", "/v1/overview"])
def test_the_host_that_a_request_names_is_in_no_answer(shared_stage: Stage, path: str) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = shared_stage.client.get(path, headers=headers, follow_redirects=False)
    assert answer.status_code in (200, 404)
    assert "location" not in answer.headers
    if not path.startswith("//"):
        assert "evil.example" not in answer.text


# ------------------------------------------------------------------- what is told


@pytest.mark.parametrize(
    "path", ["/v1/payments", "/v1/payments/bulk", "/v1/channels", "/v1/auth/sessions", "/v1/merchants"]
)
@pytest.mark.parametrize(
    "content",
    [
        b'{"\\ud800": 1}',
        b'{"payments": [{"\\udfff": 1}]}',
        b'{"destination": {"type": "\\ud800"}}',
        b'{"message": "\\ud800", "signature": "\\ud800"}',
        b'{"name": "\\ud800"}',
        b'{"' + b"x" * 100_000 + b'": 1}',
        b'{"destination": {"type": "' + b"x" * 100_000 + b'"}}',
        b"[" * 100_000,
        b'{"a": ' * 50_000,
        b"\xff\xfe",
        b"\x00",
        b"1e999999",
        b"NaN",
    ],
    ids=lambda content: str(content[:40]),
)
def test_a_fault_is_told_in_few_words_whatever_was_sent(shared_stage: Stage, path: str, content: bytes) -> None:
    headers = key() | {"Content-Type": "application/json"} | shared_stage.session_of(Wallet())
    answer = shared_stage.client.post(path, content=content, headers=headers)
    assert 400 <= answer.status_code < 500 or path.endswith("bulk"), answer.text
    assert answer.status_code < 500
    assert len(answer.content) < 20 * MAX_SHOWN * 3
    answer.content.decode()


def test_an_error_of_the_database_does_not_tell_the_values(stage: Stage) -> None:
    row = {"token_hash": "s3cret", "address": "0x1", "expires_at": stage.clock.now()}
    with stage.hub.db.write() as session:
        session.execute(insert(LoginSession).values(**row))
    with pytest.raises(IntegrityError) as refused, stage.hub.db.write() as session:
        session.execute(insert(LoginSession).values(**row))
    assert col(LoginSession.token_hash).name in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_merchant_cannot_send_its_money_elsewhere(stage: Stage) -> None:
    """Its key is worth what it can order: a payout to the address that it signed in with."""
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR, cafe)
    stage.settle()
    body = {"amount": str(DOLLAR), "address": Wallet().address}
    refused = stage.client.post("/v1/payouts", json=body, headers=cafe.headers | key())
    assert_problem(refused, "unknown-field", 422)
    assert cafe.order_payout(DOLLAR).json()["address"] == cafe.address


def test_eve_as_merchant_redeems_nobody_elses_authorisation(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    anna.pay(DOLLAR)
    stage.settle()
    eve = Merchant(stage, Wallet(), "Eve's")
    signed = anna.wallet.redemption(stage.facts, cafe.address, DOLLAR)
    answer = stage.client.post("/v1/redemptions", json=signed, headers=eve.headers | key())
    assert_problem(answer, "invalid-redemption", 422)
