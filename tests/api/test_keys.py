"""API keys: what they may do, how long, and that somebody can tell which are in use."""

from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from taesan.identity import keys
from taesan.identity.auth import hash_secret
from taesan.identity.scopes import SCOPES, allows
from tests.support.problems import assert_problem
from tests.support.stage import Merchant, Stage, StageFactory, key
from tests.support.wallet import Json

pytestmark = pytest.mark.database("sqlite", "postgresql")

DAY = 86_400


def _bearer(secret: str) -> Json:
    return {"Authorization": f"Bearer {secret}"}


def _make(stage: Stage, cafe: Merchant, **wanted: Any) -> Any:
    answer = stage.client.post("/v1/merchants/me/keys", json=wanted, headers=stage.session_of(cafe.wallet))
    assert answer.status_code == 201, answer.text
    return answer.json()


def _rotate(stage: Stage, cafe: Merchant, id_: str, overlap_s: int) -> Any:
    path, headers = f"/v1/merchants/me/keys/{id_}/rotate", stage.session_of(cafe.wallet)
    answer = stage.client.post(path, json={"overlap_s": overlap_s}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


def _listed(stage: Stage, cafe: Merchant) -> Any:
    return stage.get("/v1/merchants/me/keys", **stage.session_of(cafe.wallet))


def _works(stage: Stage, secret: str) -> bool:
    answer = stage.client.get("/v1/merchants/me", headers=_bearer(secret))
    if answer.status_code != 200:
        assert_problem(answer, "unauthorized", 401)
    return bool(answer.status_code == 200)


# -------------------------------------------------------------------- scopes


CALLS = {
    "account:read": ("GET", "/v1/account"),
    "payments:read": ("GET", "/v1/payments"),
    "redemptions:read": ("GET", "/v1/redemptions"),
    "redemptions:write": ("POST", "/v1/redemptions"),
    "payouts:read": ("GET", "/v1/payouts"),
    "payouts:write": ("POST", "/v1/payouts"),
    "invoices:read": ("GET", "/v1/invoices"),
    "invoices:write": ("POST", "/v1/invoices"),
    "refunds:read": ("GET", "/v1/refunds"),
    "refunds:write": ("POST", "/v1/refunds"),
}


@pytest.mark.parametrize("scope", CALLS)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_key_may_do_what_its_scope_says_and_nothing_else(shared_stage: Stage, scope: str, language: str) -> None:
    stage, cafe = shared_stage, shared_stage.merchant()
    headers = _bearer(_make(stage, cafe, scopes=[scope])["api_key"]) | key() | {"Accept-Language": language}
    for other, (method, path) in CALLS.items():
        answer = stage.client.request(method, path, headers=headers, json={})
        if allows([scope], other):  # type: ignore[arg-type]
            assert answer.status_code in (200, 422), path
        else:
            assert assert_problem(answer, "missing-scope", 403)["scope"] == other
    assert stage.client.get("/v1/merchants/me", headers=headers).status_code == 200


def test_a_refused_order_leaves_nothing_behind(shared_stage: Stage) -> None:
    stage, cafe = shared_stage, shared_stage.merchant()
    headers = _bearer(_make(stage, cafe, scopes=["payouts:read"])["api_key"]) | key()
    before = stage.row_counts()
    assert_problem(stage.client.post("/v1/payouts", json={}, headers=headers), "missing-scope", 403)
    assert stage.row_counts() == before


def test_who_may_write_may_read_and_not_the_other_way_round() -> None:
    assert allows(["payouts:write"], "payouts:read")
    assert not allows(["payouts:read"], "payouts:write")
    assert not allows(["payouts:write"], "redemptions:read")
    assert not allows([], "account:read")
    assert all(allows(None, scope) for scope in SCOPES)


@pytest.mark.parametrize(
    "wanted",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "payouts:write"},
        {"expires_in_s": 59},
        {"expires_in_s": 10**9},
        {"name": ""},
        {"name": "a\0b"},
    ],
    ids=str,
)
def test_nonsense_makes_no_key(shared_stage: Stage, wanted: Json) -> None:
    cafe = shared_stage.merchant()
    session = shared_stage.session_of(cafe.wallet)
    answer = shared_stage.client.post("/v1/merchants/me/keys", json=wanted, headers=session)
    assert_problem(answer, "invalid-request", 422)
    assert len(_listed(shared_stage, cafe)) == 1


# ----------------------------------------------------------------- until when


def test_a_key_ends_when_it_was_said_to(stage: Stage) -> None:
    cafe = stage.merchant()
    made = _make(stage, cafe, name="Till 2", scopes=["payments:read", "account:read"], expires_in_s=60)
    told = made["key"]
    assert (told["name"], told["scopes"]) == ("Till 2", ["account:read", "payments:read"])
    assert told in _listed(stage, cafe)
    stage.later(59)
    assert _works(stage, made["api_key"])
    stage.later(1)
    assert not _works(stage, made["api_key"])
    assert told["id"] not in [k["id"] for k in _listed(stage, cafe)]
    _make(stage, cafe)
    assert stage.rows("SELECT count(*) FROM api_key WHERE name = 'Till 2'") == [(0,)], "it goes when there is a next"


def test_a_key_is_rotated_while_both_are_good(stage: Stage) -> None:
    cafe = stage.merchant()
    old = _make(stage, cafe, name="Till", scopes=["account:read"], expires_in_s=30 * DAY)
    new = _rotate(stage, cafe, old["key"]["id"], DAY)
    for field in ("name", "scopes", "expires_at"):
        assert new["key"][field] == old["key"][field]
    assert new["api_key"] != old["api_key"]
    stage.later(DAY - 1)
    assert _works(stage, old["api_key"])
    assert _works(stage, new["api_key"])
    stage.later(1)
    assert not _works(stage, old["api_key"])
    assert _works(stage, new["api_key"])


def test_an_overlap_makes_no_key_live_longer(stage: Stage) -> None:
    cafe = stage.merchant()
    old = _make(stage, cafe, expires_in_s=60)
    _rotate(stage, cafe, old["key"]["id"], DAY)
    stage.later(60)
    assert not _works(stage, old["api_key"])


def test_without_an_overlap_the_old_key_ends_at_once(stage: Stage) -> None:
    cafe = stage.merchant()
    (first,) = _listed(stage, cafe)
    new = _rotate(stage, cafe, first["id"], 0)
    assert_problem(stage.client.get("/v1/account", headers=cafe.headers), "unauthorized", 401)
    assert _works(stage, new["api_key"])
    assert [k["id"] for k in _listed(stage, cafe)] == [new["key"]["id"]]


@pytest.mark.parametrize("overlap_s", [-1, 7 * DAY + 1, None])
def test_an_overlap_has_bounds(shared_stage: Stage, overlap_s: int | None) -> None:
    cafe = shared_stage.merchant()
    (first,) = _listed(shared_stage, cafe)
    path, session = f"/v1/merchants/me/keys/{first['id']}/rotate", shared_stage.session_of(cafe.wallet)
    answer = shared_stage.client.post(path, json={"overlap_s": overlap_s}, headers=session)
    assert_problem(answer, "invalid-request", 422)


def test_of_so_many_keys_none_is_rotated_with_an_overlap(stage: Stage) -> None:
    cafe = stage.merchant()
    for _ in range(keys.KEYS_MAX - 1):
        last = _make(stage, cafe)
    path, session = f"/v1/merchants/me/keys/{last['key']['id']}/rotate", stage.session_of(cafe.wallet)
    assert_problem(stage.client.post(path, json={"overlap_s": 1}, headers=session), "too-many-keys", 409)
    assert _works(stage, last["api_key"])
    stage.later(2)
    assert _works(stage, last["api_key"]), "nothing of what was refused is kept"
    _rotate(stage, cafe, last["key"]["id"], 0)


# ------------------------------------------------------------------- last use


def test_a_use_is_noted_once_a_minute(stage: Stage) -> None:
    cafe = stage.merchant()
    (unused,) = _listed(stage, cafe)
    assert unused["last_used_at"] is None
    cafe.account()
    (first,) = _listed(stage, cafe)
    assert first["last_used_at"] is not None
    stage.later(59)
    cafe.account()
    assert _listed(stage, cafe) == [first]
    stage.later(1)
    assert_problem(stage.client.get("/v1/payouts/none", headers=cafe.headers), "not-found", 404)
    (second,) = _listed(stage, cafe)
    assert second["last_used_at"] > first["last_used_at"], "what was refused was a use as well"


def test_payments_write_nothing_about_the_key_that_came_along(stage: Stage) -> None:
    anna, cafe = stage.payer(), stage.merchant()
    body = anna.payment(1, cafe)
    assert stage.client.post("/v1/payments", json=body, headers=cafe.headers | key()).status_code == 201
    assert stage.rows("SELECT last_used_at FROM api_key") == [(None,)]


def test_a_database_that_takes_no_writes_is_read_all_the_same(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    cafe = stage.merchant()

    def full() -> None:
        raise OperationalError("UPDATE", {}, Exception("disk full"))

    monkeypatch.setattr(stage.hub.db, "write", full)
    assert cafe.account()["credit"] == "0"


# ------------------------------------------------------------- test and live


def test_a_hub_gives_and_takes_keys_of_its_own_kind(open_stage: StageFactory) -> None:
    for mode, other in (("test", "live"), ("live", "test")):
        stage = open_stage(chain_mode=mode)
        assert stage.facts["mode"] == mode
        cafe = stage.merchant()
        for secret in (cafe.headers["Authorization"], _make(stage, cafe)["api_key"]):
            assert secret.removeprefix("Bearer ").startswith(f"tsk_{mode}_")
        secret = _make(stage, cafe)["api_key"].replace(mode, other)
        stage.write("UPDATE api_key SET key_hash = :hash WHERE name IS NULL AND key_hash = :old",
                    hash=hash_secret(secret), old=hash_secret(secret.replace(other, mode)))  # fmt: skip
        answer = stage.client.get("/v1/account", headers=_bearer(secret))
        assert other in assert_problem(answer, "unauthorized", 401)["detail"], "even one that the database knows"


def test_a_key_of_before_goes_on_and_its_successor_is_of_the_new_kind(stage: Stage) -> None:
    cafe = stage.merchant()
    before = "tsk_1W9K83JvWg3rXoV0a9Zq5t7Yd2hPf4uLb6cN8mQ1sEk"
    stage.write("UPDATE api_key SET key_hash = :hash, hint = 'tsk_1W9K83'", hash=hash_secret(before))
    assert _works(stage, before)
    assert stage.client.get("/v1/payouts", headers=_bearer(before)).status_code == 200
    (listed,) = _listed(stage, cafe)
    assert listed["scopes"] is None
    assert _rotate(stage, cafe, listed["id"], 0)["api_key"].startswith("tsk_test_")
