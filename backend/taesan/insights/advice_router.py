"""Advice over HTTP: a person's own, by the session of any wallet that is linked."""

from fastapi import APIRouter, Request

from taesan.core.db import retried
from taesan.core.http import KNOWN, problem_responses
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.insights import advising, persons
from taesan.insights.advice_models import AdviceList
from taesan.insights.phrasing import Phraser

router = APIRouter(prefix="/v1/insights/advice", tags=["insights"], dependencies=KNOWN)


@router.get("", operation_id="listAdvice", dependencies=COUNTED, responses=problem_responses(401, 404, 429))
def list_advice(hub: HubDep, request: Request, wallet: CurrentWallet) -> AdviceList:
    """What the person could do, each piece with the figures that it rests on and the rule that it would set, of the channel that the
    signed-in wallet uses. Nothing is set by asking: send `rule` to `dry_run`, and sign it if you like what it says."""
    now = hub.clock.now()
    with hub.db.read() as session:
        person = persons.find(session, wallet)
        items = advising.told(session, hub, person, wallet, now)
        month, language = advising.month_of_advice(person, now), person.language
    phraser: Phraser = request.app.state.phraser
    phrases = phraser.phrased([item.title for item in items], advising.names_in(items), language)
    told = [item.model_copy(update={"phrased": text}) for item, text in zip(items, phrases, strict=True)]
    return AdviceList(month=f"{month:%Y-%m}", items=told)


@router.post(
    "/{advice_id}/dismiss",
    operation_id="dismissAdvice",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def dismiss_advice(hub: HubDep, wallet: CurrentWallet, advice_id: str) -> None:
    """It is not told any more. The same about something else, or another rise of a price, is other advice."""
    now = hub.clock.now()
    with hub.db.read() as session:
        advising.check(session, hub, persons.find(session, wallet), wallet, advice_id, now)
    with hub.db.write() as session:
        advising.dismiss(session, persons.find(session, wallet), advice_id, now)
