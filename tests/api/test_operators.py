"""Who may act for the hub, and that what they do stays written down."""

from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from taesan.identity import operators
from taesan.settings import Settings
from tests.support import databases
from tests.support.problems import assert_problem
from tests.support.stage import Stage, StageFactory
from tests.support.wallet import Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")

ROUTES = [
    ("GET", "/v1/operator/quarantine"),
    ("GET", "/v1/operator/actions"),
    ("POST", "/v1/operator/quarantine/qua_1/retry"),
    ("POST", "/v1/operator/quarantine/qua_1/refund"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_operators_alone_see_and_do(stage: Stage, method: str, path: str) -> None:
    headers = {"Idempotency-Key": "1"}
    assert_problem(stage.client.request(method, path, headers=headers), "unauthorized", 401)
    stranger = stage.session_of(Wallet()) | headers
    assert_problem(stage.client.request(method, path, headers=stranger), "forbidden", 403)
    merchant = stage.merchant().headers | headers
    assert_problem(stage.client.request(method, path, headers=merchant), "unauthorized", 401)
    answer = stage.client.request(method, path, headers=stage.operator() | headers)
    assert answer.status_code == (200 if method == "GET" else 404)


def test_who_is_named_is_an_operator_and_the_hubs_key_no_longer(open_stage: StageFactory) -> None:
    anna, bora = Wallet(), Wallet()
    stage = open_stage(operators=f" {anna.address.lower()} ,{bora.address},")
    for wallet in (anna, bora):
        assert stage.get("/v1/operator/actions", **stage.session_of(wallet))["items"] == []
    answer = stage.client.get("/v1/operator/actions", headers=stage.operator())
    assert_problem(answer, "forbidden", 403)


def test_outside_a_local_hub_nobody_is_an_operator_unless_named() -> None:
    keystore: dict[str, Any] = {"operator_keystore": "key.json", "operator_keystore_password_file": "password"}
    settings = Settings(environment="production", **keystore)
    assert settings.operator_addresses == frozenset()
    with pytest.raises(ValidationError):
        Settings(operators="0x1234")


def _recorded(stage: Stage, count: int) -> None:
    with stage.hub.db.write() as session:
        for n in range(count):
            operators.record(session, operators.CLI, "test.done", f"ref {n}", "", stage.clock.now())


def test_actions_come_page_by_page(stage: Stage) -> None:
    _recorded(stage, 5)
    found, cursor = [], ""
    while cursor is not None:
        page = stage.get(f"/v1/operator/actions?limit=2{cursor and f'&cursor={cursor}'}", **stage.operator())
        found += [action["ref"] for action in page["items"]]
        cursor = page["next_cursor"]
    assert found == [f"ref {n}" for n in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE operator_action SET operator = 'nobody'",
        "DELETE FROM operator_action",
        "INSERT OR REPLACE INTO operator_action SELECT id, at, 'nobody', action, ref, detail FROM operator_action",
    ],
)
def test_the_database_keeps_what_was_done(stage: Stage, statement: str) -> None:
    _recorded(stage, 1)
    with pytest.raises(DBAPIError):
        databases.execute(stage.settings.database_url, statement)
    assert stage.rows("SELECT operator FROM operator_action") == [("cli",)]


def test_what_fails_is_not_recorded(stage: Stage) -> None:
    def act_and_fail() -> None:
        with stage.hub.db.write() as session:
            operators.record(session, operators.CLI, "test.done", "", "", stage.clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act_and_fail()
    assert stage.rows("SELECT * FROM operator_action") == []
