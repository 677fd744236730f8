"""Insights over HTTP: a person's own, by the session of any wallet that is linked."""

import asyncio
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator

from taesan.core.days import day_of
from taesan.core.db import retried
from taesan.core.http import KNOWN, Language, problem_responses
from taesan.core.pages import After, Cursor, Limit, Page, cursor_of, page
from taesan.core.values import Address, Text
from taesan.hub import Hub, HubDep
from taesan.identity import auth
from taesan.identity.access import CurrentWallet
from taesan.identity.models import SignIn
from taesan.identity.rates import COUNTED
from taesan.insights import asked, persons, privacy, streams
from taesan.insights.live import NewsWatch
from taesan.insights.merchants import key_of
from taesan.insights.models import MovementNews, MovementPublic, MovementRow, PersonPublic, PersonTerms, SumsPublic
from taesan.insights.movements import Source, month_of
from taesan.insights.streams import By

router = APIRouter(prefix="/v1/insights", tags=["insights"], dependencies=KNOWN)

_LINES = "application/x-ndjson"
MOST_S = 25  # that a request for news may wait
_FIRST, _LAST = date(1, 1, 2), date(9999, 12, 30)
Since = Annotated[
    date | None, Query(alias="from", ge=_FIRST, le=_LAST, description="The first day; in the person's time zone")
]
Until = Annotated[date | None, Query(alias="to", ge=_FIRST, le=_LAST, description="The day after the last")]
Merchant = Annotated[
    Text | None,
    AfterValidator(lambda name: name and key_of(name)),
    Query(max_length=200, description="By any of its names; empty: nobody knows"),
]
Category = Annotated[Text | None, Query(max_length=200, description="In capitals or not; empty: nobody knows")]


# ------------------------------------------------------------------- persons


@router.put("/me", operation_id="askForInsights", dependencies=COUNTED, responses=problem_responses(401, 422, 429))
@retried
def ask_for_insights(hub: HubDep, wallet: CurrentWallet, body: PersonTerms, language: Language) -> PersonPublic:
    """Has the hub gather what moves in the signed-in wallet's small money, from the first payment on; or changes the time zone and
    the language. Nothing is gathered of who never asked."""
    with hub.db.write() as session:
        return persons.public(session, persons.ask(session, wallet, body, hub.clock.now(), language))


@router.get("/me", operation_id="getPerson", responses=problem_responses(401, 404))
def get_person(hub: HubDep, wallet: CurrentWallet) -> PersonPublic:
    """What the person has said, its wallets, and whether all is read that there is."""
    with hub.db.read() as session:
        return persons.public(session, persons.find(session, wallet))


@router.post(
    "/me/wallets",
    operation_id="linkPersonsWallet",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 409, 422, 429),
)
@retried
def link_wallet(hub: HubDep, wallet: CurrentWallet, body: SignIn) -> PersonPublic:
    """Makes another wallet the same person's: with a message that this one has signed, as it would sign in. It gives no right over
    its money."""
    now = hub.clock.now()
    chain_id = hub.contracts.deployment.chain_id
    nonce, address = auth.parse_message(body.message, body.signature, hub.settings.public_url, chain_id, now)
    with hub.db.write() as session:
        auth.use_nonce(session, nonce, now)
        person = persons.find(session, wallet)
        persons.link(session, person, address, now)
        return persons.public(session, person)


@router.delete(
    "/me/wallets/{address}",
    operation_id="unlinkPersonsWallet",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 409, 422, 429),
)
@retried
def unlink_wallet(hub: HubDep, wallet: CurrentWallet, address: Address) -> PersonPublic:
    """The wallet is the person's no more, and what moved there is removed."""
    with hub.db.write() as session:
        person = persons.find(session, wallet)
        persons.unlink(session, person, address, hub.clock.now())
        return persons.public(session, person)


@router.get(
    "/me/export",
    operation_id="exportPerson",
    dependencies=COUNTED,
    response_class=StreamingResponse,
    responses=problem_responses(401, 404, 429) | {200: {"content": {_LINES: {"schema": {"type": "string"}}}}},
)
def export_person(hub: HubDep, wallet: CurrentWallet) -> StreamingResponse:
    """All that insights keep of the person, as lines of JSON. What the books have of its wallets stands in their own routes."""
    with hub.db.read() as session:
        person = persons.find(session, wallet)
    told = {"content-disposition": f'attachment; filename="{person.public_id}.jsonl"'}
    return StreamingResponse(privacy.export(hub.db, person), media_type=_LINES, headers=told)


@router.delete(
    "/me",
    operation_id="erasePerson",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 429),
)
@retried
def erase_person(hub: HubDep, wallet: CurrentWallet) -> None:
    """Removes all that insights keep of the person: nobody reaches it from now on, and in some minutes it is gone. Payments stay in
    the books, by the wallets' addresses."""
    with hub.db.write() as session:
        persons.erase(session, persons.find(session, wallet), hub.clock.now())


# ------------------------------------------------------------------- streams


@router.get("/movements", operation_id="listMovements", responses=problem_responses(401, 404, 422))
def list_movements(
    hub: HubDep,
    wallet: CurrentWallet,
    since: Since = None,
    until: Until = None,
    merchant: Merchant = None,
    category: Category = None,
    source: Source | None = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[MovementPublic]:
    """What moved, the newest days first, duplicates too."""
    asked.in_order(since, until)
    with hub.db.read() as session:
        owner = persons.number_of(persons.find(session, wallet))
        rows = streams.page(
            session,
            owner,
            cursor,
            limit,
            since=since,
            until=until,
            merchant=merchant,
            category=category,
            source=source,
        )
        return page(rows, limit, streams.position, streams.public)


@router.get(
    "/movements/news",
    operation_id="waitForMovements",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429, 503),
)
async def wait_for_movements(
    hub: HubDep,
    request: Request,
    wallet: CurrentWallet,
    after: After = None,
    wait_s: Annotated[int, Query(ge=0, le=MOST_S, description="Seconds to wait if there is nothing yet")] = 0,
    limit: Limit = 100,
) -> MovementNews:
    """What came after `cursor` of the answer before, as soon as there is something. Without `after`, where to begin. Ten requests of a
    person may wait: more are answered at once."""
    if after is None:
        return await asyncio.to_thread(_beginning, hub, wallet)
    watch: NewsWatch = request.app.state.movement_news
    owner = await asyncio.to_thread(_owner, hub, wallet)
    async with watch.listening(owner) as future:
        rows = await asyncio.to_thread(_news, hub, owner, after, limit)
        if not rows and wait_s:
            await asyncio.wait([future], timeout=wait_s)
            if future.done():
                future.result()
                rows = await asyncio.to_thread(_news, hub, owner, after, limit)
    last = rows[-1].id if rows else after
    return MovementNews(items=[streams.public(row) for row in rows], cursor=cursor_of(last or 0))


def _beginning(hub: Hub, wallet: str) -> MovementNews:
    with hub.db.read() as session:
        owner = persons.number_of(persons.find(session, wallet))
        return MovementNews(items=[], cursor=cursor_of(streams.newest(session, owner)))


def _owner(hub: Hub, wallet: str) -> int:
    with hub.db.read() as session:
        return persons.number_of(persons.find(session, wallet))


def _news(hub: Hub, owner: int, after: int, limit: int) -> list[MovementRow]:
    with hub.db.read() as session:
        return list(streams.news(session, owner, after, limit))


@router.get("/sums", operation_id="sumMovements", dependencies=COUNTED, responses=problem_responses(401, 404, 422, 429))
def sum_movements(
    hub: HubDep,
    wallet: CurrentWallet,
    by: By = "merchant",
    since: Since = None,
    until: Until = None,
    source: Source | None = None,
) -> SumsPublic:
    """What moved in some days, this month so far if none are named: for each kind and asset, by merchant, category, day, month
    or source. Duplicates are in no sum."""
    asked.in_order(since, until)
    with hub.db.read() as session:
        person = persons.find(session, wallet)
        end = until or day_of(hub.clock.now(), persons.zone_of(person)) + timedelta(days=1)
        first = since or month_of(end - timedelta(days=1))
        owner = persons.number_of(person)
        found = streams.sums(session, owner, first, end, (by,), source=source)
        return streams.public_sums(session, owner, found, by, first, end)
