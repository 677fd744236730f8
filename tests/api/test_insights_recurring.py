"""Standing costs of a person: found as payments come, judged once, and told with what is hidden in them."""

from collections import Counter
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import select

from taesan import glance
from taesan.insights import doubles, following, keeping
from taesan.insights.cadence import Calendar
from taesan.insights.models import Erasure
from taesan.insights.reading import Owned
from taesan.insights.recurring import Charge, Stream
from tests.support.insights import ask_for_insights, look_for_standing_costs, number_of, pays
from tests.support.problems import assert_problem
from tests.support.stage import Stage
from tests.support.wallet import Json, Wallet

pytestmark = pytest.mark.database("sqlite", "postgresql")
DAY = timedelta(days=1)
PAID = (("a", 700), ("b", 800))


def _person(stage: Stage) -> tuple[int, Json]:
    wallet = Wallet()
    headers = stage.session_of(wallet)
    ask_for_insights(stage, headers, zone="UTC")
    return number_of(stage, wallet.address), headers


def _today(stage: Stage) -> date:
    return stage.clock.now().date()


def _weekly(stage: Stage, count: int, price: int, until: int = 0) -> list[tuple[date, int]]:
    """:param until: how many weeks ago the last was"""
    return [(_today(stage) - (2 + 7 * (until + n)) * DAY, price) for n in reversed(range(count))]


def _listed(stage: Stage, headers: Json) -> Json:
    answer: Json = stage.get("/v1/insights/recurring", **headers)
    return answer


def test_a_standing_cost_is_found_grows_and_keeps_its_name_and_verdict(shared_stage: Stage) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    stranger, theirs = _person(stage)
    pays(stage, owner, "film", [(_weekly(stage, 12, 0)[0][0], 100), *_weekly(stage, 8, 9_900, 3)])
    pays(stage, owner, "kiosk", [(_today(stage) - n * n * DAY, 4_500) for n in (1, 3, 4, 6, 9, 11)])
    told = _listed(stage, headers)
    (film,) = told["items"]
    first = _weekly(stage, 8, 0, 3)[0][0]
    assert (film["name"], film["cadence"], film["price"], film["yearly"]) == ("FILM", "weekly", "9900", "514800")
    assert film["trial"] == {"day": str(first - 7 * DAY), "amount": "100", "full_since": str(first)}
    assert [charge["day"] for charge in film["charges"]] == [str(day) for day, _ in _weekly(stage, 8, 0, 3)]
    assert (film["rise"], film["over"], film["verdict"]) == (None, True, None)
    assert told["totals"] == []

    pays(stage, owner, "film", _weekly(stage, 2, 11_900))
    told = _listed(stage, headers)
    (film_now,) = told["items"]
    assert film_now["id"] == film["id"]
    rise = {"was": "9900", "day": str(_weekly(stage, 2, 0)[0][0]), "more_a_year": str(52 * 2_000)}
    assert (film_now["rise"], film_now["over"]) == (rise, False)
    assert told["totals"] == [{"asset": "KRW", "exponent": 0, "yearly": str(52 * 11_900)}]

    path = f"/v1/insights/recurring/{film['id']}"
    assert_problem(stage.client.post(f"{path}/dismiss", headers=theirs), "not-found", 404)
    assert stage.client.post(f"{path}/dismiss", headers=headers).json()["verdict"] == "dismissed"
    pays(stage, owner, "film", [(_today(stage) + 5 * DAY, 11_900)])
    told = _listed(stage, headers)
    assert [(item["id"], item["verdict"], len(item["charges"])) for item in told["items"]] == [
        (film["id"], "dismissed", 11)
    ]
    assert told["totals"] == []
    assert stage.client.post(f"{path}/confirm", headers=headers).json()["verdict"] == "confirmed"
    assert _listed(stage, headers)["totals"] != []
    assert _listed(stage, theirs)["items"] == []
    assert stranger != owner


def test_what_is_paid_twice_at_once_is_told(shared_stage: Stage) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    pays(stage, owner, "tunes", _weekly(stage, 8, 2_000), category="music")
    pays(stage, owner, "songs", [(day - 2 * DAY, 3_000) for day, _ in _weekly(stage, 9, 0)], category="music")
    told = _listed(stage, headers)
    ids = {item["merchant"]: item["id"] for item in told["items"]}
    assert told["doubles"] == [{"ids": [ids["songs"], ids["tunes"]], "why": "category", "yearly": "104000"}]
    stage.client.post(f"/v1/insights/recurring/{ids['tunes']}/dismiss", headers=headers)
    assert _listed(stage, headers)["doubles"] == []


def test_a_merchant_is_looked_at_again_only_when_something_was_paid_there(
    shared_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = shared_stage
    owner, _ = _person(stage)
    pays(stage, owner, "film", _weekly(stage, 8, 9_900))
    looked: list[tuple[int, str]] = []
    find = keeping._find
    monkeypatch.setattr(keeping, "_find", lambda db, of, at: looked.append((of, at)) or find(db, of, at))
    keeping.look_step(stage.hub)
    assert looked == []
    pays(stage, owner, "kiosk", [(_today(stage), 100), (_today(stage), 200)])
    assert looked == [(owner, "kiosk")]


def test_what_was_found_goes_with_the_person(shared_stage: Stage) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    pays(stage, owner, "film", _weekly(stage, 8, 9_900))
    lines = stage.client.get("/v1/insights/me/export", headers=headers).text.splitlines()
    assert sum('"table": "recurring"' in line for line in lines) == 1
    assert stage.client.delete("/v1/insights/me", headers=headers).status_code == 204
    with stage.hub.db.write() as session:  # it is not found again while it goes
        keeping.note(session, owner, ["film"])
    stage.tick(5)
    assert stage.rows("SELECT count(*) FROM recurring WHERE owner = :owner", owner=owner) == [(0,)]


@pytest.mark.parametrize("is_judged", [False, True])
def test_what_another_source_tells_too_costs_once(shared_stage: Stage, is_judged: bool) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    with stage.hub.db.write() as session:
        doubles.started(session)
    pays(stage, owner, "film box", _weekly(stage, 8, 9_900))
    if is_judged:
        (box,) = _listed(stage, headers)["items"]
        assert stage.client.post(f"/v1/insights/recurring/{box['id']}/confirm", headers=headers).status_code == 200
    pays(stage, owner, "film", _weekly(stage, 8, 9_900), source="hub")
    assert _listed(stage, headers)["totals"][0]["yearly"] == str(2 * 52 * 9_900)
    while doubles.look_step(stage.hub):
        pass
    look_for_standing_costs(stage)
    told = _listed(stage, headers)
    assert [cost["merchant"] for cost in told["items"]] == ["film"]
    assert told["totals"][0]["yearly"] == str(52 * 9_900)


def test_what_a_reorganisation_removes_is_no_standing_cost(shared_stage: Stage) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    pays(stage, owner, "film", _weekly(stage, 3, 9_900), source="hub")
    assert len(_listed(stage, headers)["items"]) == 1
    key = f"film:{_today(stage) - 2 * DAY}:9900"
    with stage.hub.db.write() as session:
        following._remove(session, [Owned(SimpleNamespace(public_id=key), "", owner, "UTC")])
    look_for_standing_costs(stage)
    assert _listed(stage, headers)["items"] == []


def test_who_writes_while_it_is_looked_for_waits_for_nobody(
    shared_stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, looks, waits = shared_stage, list[int](), glance.waits()["look for standing costs"]
    owner, _ = _person(stage)
    pays(stage, owner, "film", _weekly(stage, 8, 9_900))
    streams = keeping.streams

    def slowly(charges: list[Charge], calendar: Calendar) -> list[Stream]:
        looks.append(len(charges))
        if len(looks) == 1:
            with stage.hub.db.write() as session:
                keeping.note(session, owner, ["film", ""])
        return streams(charges, calendar)

    monkeypatch.setattr(keeping, "streams", slowly)
    with stage.hub.db.write() as session:
        assert session.scalar(select(waits)) is False
        keeping.note(session, owner, ["film"])
        assert session.scalar(select(waits)) is True
    look_for_standing_costs(stage)
    assert looks == [8, 8]  # what was noted meanwhile is not lost


def test_the_newest_are_listed(shared_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    for merchant in ("first", "last"):
        pays(stage, owner, merchant, _weekly(stage, 8, 9_900))
    monkeypatch.setattr(keeping, "LISTED", 1)
    assert [cost["merchant"] for cost in _listed(stage, headers)["items"]] == ["last"]


def test_of_one_amount_and_day_so_many_are_compared(shared_stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = shared_stage
    owner, _ = _person(stage)
    today = _today(stage)
    for n in range(5):
        pays(stage, owner, f"film {n}", [(today, 700), (today - DAY, 700), (today - 9 * DAY, 700), (today, 800)])
    monkeypatch.setattr(doubles, "MOST_OF_A_DAY", 3)
    monkeypatch.setattr(doubles, "CHUNK", 1)
    new = [doubles.known(2**62, "hub", "spent", key, "KRW", amount, today, "film").entry for key, amount in PAID]
    with stage.hub.db.read() as session:
        found = Counter((one.entry.day, one.entry.amount) for one in doubles._candidates(session, owner, new))
    assert found == {(today, 700): 3, (today - DAY, 700): 3, (today, 800): 3}


def test_what_is_being_erased_of_others_hides_nothing(shared_stage: Stage) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    with stage.hub.db.write() as session:  # whose number is this person's
        other = Erasure(id=owner, owner=owner + 1, wallet=Wallet().address, until=0, asked_at=stage.clock.now())
        session.add(other)
    pays(stage, owner, "film", _weekly(stage, 8, 9_900))
    assert [item["merchant"] for item in _listed(stage, headers)["items"]] == ["film"]
    stage.tick()


# --------------------------------------------------------------------- outlook


def test_a_month_is_forecast_by_what_is_due_and_what_is_usual(shared_stage: Stage) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    assert stage.get("/v1/insights/forecast", **headers)["items"] == []
    today = _today(stage)
    pays(stage, owner, "kiosk", [(today - n * DAY, 700) for n in range(80)])
    pays(stage, owner, "film", _weekly(stage, 10, 9_900))
    answer = stage.get("/v1/insights/forecast", **headers)
    (told,) = answer["items"]
    end = (today.replace(day=28) + 4 * DAY).replace(day=1)
    left = (end - today).days
    dues = sum(1 for n in range(5, 40, 7) if today + n * DAY < end)
    spent = 700 * today.day + sum(price for day, price in _weekly(stage, 10, 9_900) if day >= today.replace(day=1))
    assert answer["month"] == today.isoformat()[:7]
    assert (told["spent"], told["due"], told["expected"]) == (str(spent), str(9_900 * dues), str(700 * (left - 1)))
    assert told["low"] == told["total"] == told["high"] == str(spent + 9_900 * dues + 700 * (left - 1))
    for month, status in (("2020-01", "no-forecast"), ("2020-13", "invalid-request")):
        assert_problem(stage.client.get(f"/v1/insights/forecast?month={month}", headers=headers), status, 422)


def test_what_is_unusual_is_told_with_the_payments_that_made_it_so(shared_stage: Stage) -> None:
    stage = shared_stage
    owner, headers = _person(stage)
    months = [date(2024, month, 7) for month in range(1, 7)]
    pays(stage, owner, "kiosk", [(at + n * DAY, 4_500) for at in months for n in range(4)], category="coffee")
    pays(stage, owner, "kiosk", [(date(2024, 6, 20), 98_000)], category="coffee")
    pays(stage, owner, "boat", [(date(2024, 6, 21), 250_000)])
    for by, key in (("merchant", "kiosk"), ("category", "coffee")):
        told = {u["key"]: u for u in stage.get(f"/v1/insights/unusual?month=2024-06&by={by}", **headers)["items"]}
        kiosk = told[key]
        assert (kiosk["why"], kiosk["total"], kiosk["usual"], kiosk["most"]) == ("dearer", "116000", "18000", "27000")
        assert [(c["name"], c["day"], c["amount"]) for c in kiosk["causes"]] == [("KIOSK", "2024-06-20", "98000")]
        assert {k: u["why"] for k, u in told.items() if k != key} == ({"boat": "new"} if by == "merchant" else {})
    assert stage.get("/v1/insights/unusual?month=2024-05", **headers)["items"] == []
    pays(stage, owner, "boat", [(date(2024, 7, 2), 250_000)], kind="refunded")
    assert [u["key"] for u in stage.get("/v1/insights/unusual?month=2024-06", **headers)["items"]] == ["kiosk"]
    # A paper each week, which some months have five of, and has begun of late.
    pays(stage, owner, "paper", [(date(2024, 5, 11) + 7 * n * DAY, 2_000) for n in range(8)])
    assert [u["key"] for u in stage.get("/v1/insights/unusual?month=2024-06", **headers)["items"]] == ["kiosk"]
