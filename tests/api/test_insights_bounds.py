"""What one person can make the hub work for has its bounds."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from taesan.app import create_app
from taesan.insights import audits
from taesan.insights.live import MOST_OF_ONE, NewsWatch
from tests.api.test_insights_budgets import Saver
from tests.support.offline import offline_hub
from tests.support.problems import assert_problem

pytestmark = pytest.mark.database("sqlite", "postgresql")
CURRENCIES = [f"{a}{b}X" for a in "ABCDE" for b in "ABCDE"]


@pytest.fixture
def anna(tmp_path: Path) -> Iterator[Saver]:
    hub = offline_hub(tmp_path, session_rate="2/minute")
    with TestClient(create_app(hub)) as client:
        yield Saver(hub, client)
    hub.db.close()


def test_a_report_has_the_currencies_in_which_most_moved_and_asks_once_for_its_names(anna: Saver) -> None:
    for n, currency in enumerate(CURRENCIES):
        anna.move(100, merchant="café", asset=currency)
        if n < audits.MOST_ASSETS:
            anna.move(100, merchant=f'shop "{n}" 서점', asset=currency)
    anna.move(100, merchant="", asset=CURRENCIES[0])
    asked: list[str] = []
    event.listen(anna.hub.db.engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    audit = anna.client.get("/v1/insights/months/2026-11", headers=anna.headers).json()
    assert [asset["asset"] for asset in audit["assets"]] == CURRENCIES[: audits.MOST_ASSETS]
    assert audit["assets_left_out"] == len(CURRENCIES) - audits.MOST_ASSETS
    places = audit["assets"][0]["merchants"]["items"]
    assert {(place["key"], place["name"]) for place in places} == {
        (name, name) for name in ("café", 'shop "0" 서점', "")
    }
    assert sum("movement.name" in statement for statement in asked) == 1


@pytest.mark.parametrize("path", ["months/2026-11", "unusual", "sums", "budgets", "movements/news"])
def test_what_costs_work_is_counted(anna: Saver, path: str) -> None:
    for _ in range(2):
        assert anna.client.get(f"/v1/insights/{path}", headers=anna.headers).status_code == 200
    assert_problem(anna.client.get(f"/v1/insights/{path}", headers=anna.headers), "rate-limited", 429)


async def _wait(watch: NewsWatch) -> list[bool]:
    """Whether each of one person's, and one of another's, is answered at once."""
    async with AsyncExitStack() as waiting:
        owners = [1] * (MOST_OF_ONE + 1) + [2]
        futures = [await waiting.enter_async_context(watch.listening(owner)) for owner in owners]
        return [future.done() for future in futures]


def test_who_waits_too_often_is_answered_at_once_and_takes_nobodys_place(anna: Saver) -> None:
    watch = NewsWatch(anna.hub)
    assert asyncio.run(_wait(watch)) == [False] * MOST_OF_ONE + [True, False]
    assert watch._watch.waiting(1) == 0
