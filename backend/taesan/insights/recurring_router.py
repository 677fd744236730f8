"""Standing costs, the forecast and what is unusual, over HTTP: a person's own."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from taesan.core.days import day_of, first_of
from taesan.core.db import retried
from taesan.core.http import KNOWN, problem_responses
from taesan.core.values import Month
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.insights import asked, keeping, outlook, persons
from taesan.insights.models import Person
from taesan.insights.movements import month_of
from taesan.insights.outlook import By
from taesan.insights.recurring_models import ForecastList, RecurringList, RecurringPublic, UnusualList, Verdict

router = APIRouter(prefix="/v1/insights", tags=["insights"], dependencies=KNOWN)

MonthOrThis = Annotated[Month | None, Query(description="Of the person's time zone; this one, if left out")]


def _today(hub: Hub, person: Person) -> date:
    return day_of(hub.clock.now(), persons.zone_of(person))


def _month(month: str | None, today: date) -> date:
    return month_of(today) if month is None else first_of(month)


@router.get("/recurring", operation_id="listRecurring", responses=problem_responses(401, 404))
def list_recurring(hub: HubDep, wallet: CurrentWallet) -> RecurringList:
    """What the person pays again and again, what it costs in a year, and what is hidden in it: prices that have risen, trials that went
    on, the same twice. Of each the payments that it rests on."""
    with hub.db.read() as session:
        person = persons.find(session, wallet)
        return keeping.public_list(keeping.of_person(session, persons.number_of(person)), _today(hub, person))


@router.post(
    "/recurring/{recurring_id}/confirm",
    operation_id="confirmRecurring",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def confirm_recurring(hub: HubDep, wallet: CurrentWallet, recurring_id: str) -> RecurringPublic:
    """It is a standing cost; it stays listed, whatever is found later."""
    return _judge(hub, wallet, recurring_id, "confirmed")


@router.post(
    "/recurring/{recurring_id}/dismiss",
    operation_id="dismissRecurring",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def dismiss_recurring(hub: HubDep, wallet: CurrentWallet, recurring_id: str) -> RecurringPublic:
    """It is none: it is in no sum, no forecast and no double any more, also when it goes on."""
    return _judge(hub, wallet, recurring_id, "dismissed")


def _judge(hub: Hub, wallet: str, recurring_id: str, verdict: Verdict) -> RecurringPublic:
    now = hub.clock.now()
    with hub.db.write() as session:
        person = persons.find(session, wallet)
        row = keeping.judge(session, persons.number_of(person), recurring_id, verdict, now)
        return keeping.public(row, _today(hub, person))


@router.get("/forecast", operation_id="forecastMonth", responses=problem_responses(401, 404, 422))
def forecast_month(hub: HubDep, wallet: CurrentWallet, month: MonthOrThis = None) -> ForecastList:
    """What the month will have cost at its end, by asset, and between what that lies in four cases of five."""
    with hub.db.read() as session:
        person = persons.find(session, wallet)
        today = _today(hub, person)
        return outlook.forecast(session, persons.number_of(person), _month(month, today), today)


@router.get(
    "/unusual", operation_id="listUnusual", dependencies=COUNTED, responses=problem_responses(401, 404, 409, 422, 429)
)
def list_unusual(hub: HubDep, wallet: CurrentWallet, month: MonthOrThis = None, by: By = "merchant") -> UnusualList:
    """Merchants or categories that cost more in a month than they usually do, and the payments that made it so."""
    with hub.db.read() as session:
        person = persons.find(session, wallet)
        today = _today(hub, person)
        first = _month(month, today)
        asked.begun(first, today, person.zone)
        return outlook.unusual_in(session, persons.number_of(person), first, by)
