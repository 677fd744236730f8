"""Budgets are told of before they are broken, each warning once a month."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import delete, select, update
from sqlmodel import col

from taesan import glance
from taesan.app import create_app
from taesan.core.clock import FixedClock
from taesan.core.days import day_of
from taesan.hub import Hub
from taesan.identity.auth import hash_secret
from taesan.identity.models import LoginSession
from taesan.insights import budgeting, doubles, filling, persons, privacy, reading
from taesan.insights.models import MovementRow, Person, PersonTerms
from taesan.insights.movements import Kind, Movement
from tests.support.offline import offline_hub
from tests.support.problems import assert_problem
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")
PATH = "/v1/insights/budgets"


class Saver:
    """Somebody with budgets, in Seoul. It is the 3rd of November there, noon."""

    def __init__(self, hub: Hub, client: TestClient) -> None:
        self.hub, self.client, self.wallet, self._numbers = hub, client, Wallet().address, itertools.count()
        assert isinstance(hub.clock, FixedClock)
        self.clock = hub.clock
        self.clock.at = datetime(2026, 11, 3, 3, tzinfo=UTC)
        token, until = f"token of {self.wallet}", self.clock.at + timedelta(days=90)
        with hub.db.write() as session:
            self.person: Person = persons.ask(session, self.wallet, PersonTerms(zone="Asia/Seoul"), self.clock.at)
            session.add(LoginSession(token_hash=hash_secret(token), address=self.wallet, expires_at=until))
        self.headers: Json = {"Authorization": f"Bearer {token}"}

    def put(self, amount: int, **terms: Any) -> Any:
        body = {"scope": "all", "asset": "USD", "amount": str(amount)} | terms
        answer = self.client.put(PATH, json=body, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def move(
        self,
        amount: int,
        kind: Kind = "spent",
        merchant: str = "café",
        asset: str = "USD",
        category: str = "coffee",
        name: str | None = None,
    ) -> None:
        at = self.clock.at
        day = day_of(at, persons.zone_of(self.person))
        key = f"pay_{next(self._numbers)}"
        line = Movement(key, "hub", kind, at, day, merchant, name or merchant, category, asset, 2, amount)
        with self.hub.db.write() as session:
            reading.store(session, [(persons.number_of(self.person), line)])
        self.watched()

    def watched(self) -> None:
        while budgeting.watch_step(self.hub):
            pass

    def tells_twice(self, amount: int, before: timedelta) -> tuple[int, int]:
        """The ids of a payment so long ago, and of the statement's line of today that is the same."""
        at, owner = self.clock.at, persons.number_of(self.person)
        with self.hub.db.write() as session:
            ids = []
            for source, when, key in (("hub", at - before, "pay_twice"), ("statement", at, "card/twice")):
                told = {"owner": owner, "key": key, "kind": "spent", "merchant": "café", "name": "café", "category": ""}
                told |= {"asset": "USD", "exponent": 2, "amount": amount, "duplicate_of": ids[0] if ids else None}
                day = day_of(when, persons.zone_of(self.person))
                row = MovementRow(source=source, at=when, day=day, **told)
                session.add(row)
                session.flush()
                ids.append(row.id or 0)
        self.watched()
        return ids[0], ids[1]

    def told(self, n: int = 0) -> list[tuple[str, int]]:
        """(warning, spent then) of one budget this month."""
        budget = self.client.get(PATH, headers=self.headers).json()["items"][n]
        return [(alert["warning"], int(alert["spent"])) for alert in budget["alerts"]]


@pytest.fixture
def savers(tmp_path: Path) -> Iterator[tuple[Saver, Saver]]:
    hub = offline_hub(tmp_path)
    with TestClient(create_app(hub)) as client:
        yield Saver(hub, client), Saver(hub, client)
    hub.db.close()


def test_a_budget_is_told_of_before_it_is_broken_and_once(savers: tuple[Saver, Saver]) -> None:
    anna, ben = savers
    anna.move(100)  # before there is a budget
    budget = anna.put(1_000)
    assert (budget["spent"], budget["pace"], budget["alerts"]) == ("100", None, [])
    assert anna.put(2_000, scope="merchant", key="café")["spent"] == "100"
    anna.move(50, asset="KRW")
    anna.move(300, merchant="elsewhere")
    assert anna.told() == []
    anna.clock.at += timedelta(days=7)  # the 10th
    anna.move(1)
    assert anna.told() == [("pace", 401)]
    anna.move(500, "refunded")
    anna.move(200)
    assert anna.told() == [("pace", 401)]  # once, whatever happens
    anna.move(700)
    assert anna.told() == [("pace", 401), ("near", 801)]
    anna.move(198)
    anna.move(2)
    assert anna.told() == [("pace", 401), ("near", 801), ("over", 1_001)]
    assert anna.told(1) == [("pace", 699)]  # without what was bought elsewhere
    anna.clock.at += timedelta(days=20, hours=12)  # midnight has passed in Seoul, and not in UTC
    assert anna.told() == []
    anna.move(900)
    assert anna.told() == [("near", 900)]
    assert ben.client.get(PATH, headers=ben.headers).json() == {"items": []}


def test_what_is_told_is_counted_anew(savers: tuple[Saver, Saver]) -> None:
    """A line that turns out to be a duplicate was added up as it came."""
    anna, _ = savers
    anna.put(1_000)
    anna.move(700)
    with anna.hub.db.write() as session:
        session.execute(update(MovementRow).where(col(MovementRow.amount) == 700).values(duplicate_of=1))
    anna.move(200)
    assert anna.told() == []
    anna.move(600)
    assert anna.told() == [("near", 800)]


def test_what_comes_back_into_the_sums_is_told_of(savers: tuple[Saver, Saver]) -> None:
    """No new movement says so: a duplicate that is none, one whose original is gone, days of another time zone."""
    anna, ben = savers
    waits = glance.waits()["watch budgets"]
    for saver, before in ((anna, timedelta(0)), (ben, timedelta(days=3))):  # as the 31st of October is
        saver.put(1_000)
        payment, line = saver.tells_twice(450, before)
        assert saver.told() == []
        saver.move(400)
        with saver.hub.db.read() as session:
            assert session.scalar(select(waits)) is False
        with saver.hub.db.write() as session:
            if before:
                session.execute(delete(MovementRow).where(col(MovementRow.id) == payment))
                doubles.release(session, persons.number_of(saver.person), [payment])
            else:
                doubles.dismiss(session, session.get_one(MovementRow, line), saver.clock.at)
            assert session.scalar(select(waits)) is True
        saver.watched()
        saver.watched()
        with saver.hub.db.read() as session:
            assert session.scalar(select(waits)) is False
    assert anna.told() == [("near", 850), ("over", 1_300)]
    assert ben.told() == [("near", 850)]


def test_a_day_that_another_time_zone_puts_into_the_month_is_told_of(savers: tuple[Saver, Saver]) -> None:
    anna, _ = savers
    anna.put(1_000)
    anna.clock.at = datetime(2026, 11, 1, 3, tzinfo=UTC)
    with anna.hub.db.write() as session:
        persons.ask(session, anna.wallet, PersonTerms(zone="America/Los_Angeles"), anna.clock.at)
    anna.person.zone = "America/Los_Angeles"  # where it is October
    while filling.fill_step(anna.hub):
        pass
    anna.move(900)
    anna.clock.at += timedelta(days=1)
    anna.move(1)
    assert anna.told() == []
    with anna.hub.db.write() as session:
        persons.ask(session, anna.wallet, PersonTerms(zone="Asia/Seoul"), anna.clock.at)
    while filling.fill_step(anna.hub):
        pass
    anna.watched()
    assert anna.told() == [("near", 901)]


def test_another_amount_is_told_of_again(savers: tuple[Saver, Saver]) -> None:
    anna, ben = savers
    anna.move(900)
    first = anna.put(1_000)
    assert [alert["warning"] for alert in first["alerts"]] == ["near"]
    assert anna.put(1_000) == first
    second = anna.put(850)
    assert (second["id"], [alert["warning"] for alert in second["alerts"]]) == (first["id"], ["over"])
    path = f"{PATH}/{first['id']}"
    ben.put(1)
    assert_problem(anna.client.delete(path, headers=ben.headers), "not-found", 404)
    assert anna.client.delete(path, headers=anna.headers).status_code == 204
    assert anna.client.get(PATH, headers=anna.headers).json() == {"items": []}
    told = {line.split('"table": "')[1].split('"')[0] for line in privacy.export(anna.hub.db, ben.person)}
    assert "budget" in told


def test_budgets_that_mean_nothing_are_refused(savers: tuple[Saver, Saver], monkeypatch: pytest.MonkeyPatch) -> None:
    anna, _ = savers
    terms = {"scope": "all", "asset": "USD", "amount": "1"}
    for changes, type_ in (
        ({"key": "café"}, "invalid-request"),
        ({"scope": "merchant"}, "invalid-request"),
        ({"amount": "0"}, "invalid-request"),
        ({"asset": "dollars"}, "unknown-asset"),
        ({"asset": "XXX"}, "unknown-asset"),
    ):
        assert_problem(anna.client.put(PATH, json=terms | changes, headers=anna.headers), type_, 422)
    monkeypatch.setattr(budgeting, "MOST_BUDGETS", 1)
    anna.put(1, asset=anna.hub.asset.id)
    assert_problem(anna.client.put(PATH, json=terms, headers=anna.headers), "too-many-budgets", 409)


def test_a_budget_counts_what_a_person_calls_by_another_name(savers: tuple[Saver, Saver]) -> None:
    anna, ben = savers
    anna.move(1_700, merchant="netflix")
    anna.move(300, merchant="elsewhere", category="음식 · Food")
    anna.move(50, merchant=ben.wallet)
    for terms, spent in (
        ({"scope": "merchant", "key": "NETFLIX.COM"}, "1700"),
        ({"scope": "merchant", "key": ben.wallet.lower()}, "50"),
        ({"scope": "category", "key": "음식 · FOOD"}, "300"),
        ({"scope": "category", "key": " Coffee"}, "1750"),
    ):
        budget = anna.put(2_000, **terms)
        assert (budget["spent"], budget["count"]) == (spent, 2 if spent == "1750" else 1), terms
    anna.move(301, merchant="netflix")
    assert anna.told() == [("near", 1_700), ("over", 2_001)]
    anna.move(1_350, merchant="x", category="FOOD · 음식")
    anna.move(1_400, merchant="x", category="음식 · food")
    assert anna.told(2) == [("near", 1_700)]
    assert anna.put(5, scope="merchant", key="nobody")["count"] == 0
    for key in ("...", ben.wallet[:-1] + "é", ben.wallet.swapcase().replace("0X", "0x")):
        terms = {"scope": "merchant", "key": key, "asset": "USD", "amount": "1"}
        answer = anna.client.put(PATH, json=terms, headers=anna.headers)
        assert answer.status_code == (200 if key.endswith("é") else 422), key
    for asked, found in (("merchant=NETFLIX.COM", 2), (f"merchant={ben.wallet.lower()}", 1), ("category=COFFEE", 3)):
        lines = anna.client.get(f"/v1/insights/movements?{asked}", headers=anna.headers).json()["items"]
        assert len(lines) == found, asked


def test_a_budget_in_the_hubs_token_goes_by_its_symbol_and_tells_of_others(savers: tuple[Saver, Saver]) -> None:
    anna, _ = savers
    token = anna.hub.asset.id
    anna.move(4_000, asset=token)
    in_dollars = anna.put(1_000, scope="merchant", key="café")
    assert (in_dollars["spent"], in_dollars["count"], in_dollars["other_assets"]) == ("0", 0, [token])
    in_tokens = anna.put(10_000, scope="merchant", key="café", asset="TUSD")
    assert (in_tokens["asset"], in_tokens["spent"], in_tokens["other_assets"]) == (token, "4000", [])
    assert anna.put(10_000, scope="merchant", key="CAFÉ", asset=token)["id"] == in_tokens["id"]
