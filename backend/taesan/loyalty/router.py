"""Campaigns, programmes and members over HTTP: merchants' own, payers' own, and the hub's programme for its operators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlmodel import Session

from taesan.chain import view
from taesan.core import idempotency
from taesan.core.db import retried
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.hub import HubDep
from taesan.identity import operators
from taesan.identity.access import CurrentWallet, Needs
from taesan.identity.models import Merchant
from taesan.identity.operators import OperatorDep
from taesan.identity.rates import COUNTED
from taesan.loyalty import campaigns, programmes, queries
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import (
    CampaignCreate,
    CampaignPublic,
    CashbackPublic,
    MembershipPublic,
    ProgrammePublic,
    ProgrammeTerms,
    RewardPublic,
)

router = APIRouter(prefix="/v1", tags=["loyalty"])

Reads = Annotated[Merchant, Depends(Needs("loyalty:read"))]
Writes = Annotated[Merchant, Depends(Needs("loyalty:write"))]


# ---------------------------------------------------------------- campaigns


@router.post(
    "/campaigns",
    operation_id="startCampaign",
    status_code=201,
    response_model=CampaignPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 409, 422, 429, 503),
)
def start_campaign(
    hub: HubDep, merchant: Writes, body: CampaignCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Promises payers cashback. Its budget is held out of the merchant's credit, and is never gone beyond; what is promised
    becomes gift tokens of who has paid, out of what the merchant is paid next."""
    now = hub.clock.now()

    def effect(session: Session) -> CampaignPublic:
        return campaigns.public(campaigns.start(session, hub, merchant, body, now), now)

    return idempotency.once(
        hub.db, f"campaign:{merchant.id}", idempotency_key, body, now, effect, closed=view.closed, status=201
    )


@router.get("/campaigns", operation_id="listCampaigns", responses=problem_responses(401, 403, 422))
def list_campaigns(hub: HubDep, merchant: Reads, cursor: Cursor = None, limit: Limit = 100) -> Page[CampaignPublic]:
    """The merchant's campaigns, newest first."""
    now = hub.clock.now()
    with hub.db.read() as session:
        rows = campaigns.of_merchant(session, merchant, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: campaigns.public(row, now))


@router.get("/campaigns/{campaign_id}", operation_id="getCampaign", responses=problem_responses(401, 403, 404, 422))
def get_campaign(hub: HubDep, merchant: Reads, campaign_id: str) -> CampaignPublic:
    """How far a campaign is."""
    with hub.db.read() as session:
        return campaigns.public(campaigns.find(session, merchant, campaign_id), hub.clock.now())


@router.post(
    "/campaigns/{campaign_id}/end",
    operation_id="endCampaign",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 422, 429),
)
@retried
def end_campaign(hub: HubDep, merchant: Writes, campaign_id: str) -> CampaignPublic:
    """Ends it in a minute, if it does not end before; then what of its budget nobody was promised is credit again. Safe to
    repeat."""
    now = hub.clock.now()
    with hub.db.write() as session:
        return campaigns.public(campaigns.stop(session, merchant, campaign_id, now), now)


@router.post(
    "/campaigns/{campaign_id}/pause",
    operation_id="pauseCampaign",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def pause_campaign(hub: HubDep, merchant: Writes, campaign_id: str) -> CampaignPublic:
    """What is paid from a minute on earns nothing, until it is resumed; its budget stays held, and its end stays as it is. Safe to
    repeat."""
    with hub.db.write() as session:
        now = hub.clock.now()
        return campaigns.public(campaigns.pause(session, merchant, campaign_id, now), now)


@router.post(
    "/campaigns/{campaign_id}/resume",
    operation_id="resumeCampaign",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def resume_campaign(hub: HubDep, merchant: Writes, campaign_id: str) -> CampaignPublic:
    """What is paid from a minute on is rewarded again. Safe to repeat."""
    with hub.db.write() as session:
        now = hub.clock.now()
        return campaigns.public(campaigns.resume(session, merchant, campaign_id, now), now)


@router.get(
    "/campaigns/{campaign_id}/rewards",
    operation_id="listCampaignRewards",
    responses=problem_responses(401, 403, 404, 422),
)
def list_campaign_rewards(
    hub: HubDep, merchant: Reads, campaign_id: str, cursor: Cursor = None, limit: Limit = 100
) -> Page[RewardPublic]:
    """Who was promised what, newest first."""
    with hub.db.read() as session:
        campaign = campaigns.find(session, merchant, campaign_id)
        rows = queries.rewards_of_campaign(session, campaign, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public_reward(session, row))


# ---------------------------------------------------------------- programmes


@router.get("/programme", operation_id="getProgramme", responses=problem_responses(401, 403))
def get_programme(hub: HubDep, merchant: Reads) -> ProgrammePublic:
    """The merchant's tiers and points."""
    with hub.db.read() as session:
        return programmes.public(programmes.newest(session, merchant.id))


@router.put(
    "/programme",
    operation_id="setProgramme",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 409, 422, 429),
)
@retried
def set_programme(hub: HubDep, merchant: Writes, body: ProgrammeTerms) -> ProgrammePublic:
    """Sets them for the payments to come. Who has a tier keeps it until what it asks for now is looked at."""
    with hub.db.write() as session:
        return programmes.public(programmes.define(session, hub, merchant.id, body, hub.clock.now()))


@router.get("/members", operation_id="listMembers", responses=problem_responses(401, 403, 422))
def list_members(hub: HubDep, merchant: Reads, cursor: Cursor = None, limit: Limit = 100) -> Page[MembershipPublic]:
    """Who has paid the merchant since it has a programme, the newest first."""
    now = hub.clock.now()
    with hub.db.read() as session:
        rows = queries.members_of(session, merchant.id, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.membership(session, row, now))


@router.get(
    "/operator/programme", tags=["operator"], operation_id="getHubProgramme", responses=problem_responses(401, 403)
)
def get_hub_programme(hub: HubDep, _operator: OperatorDep) -> ProgrammePublic:
    """The hub's own tiers and points."""
    with hub.db.read() as session:
        return programmes.public(programmes.newest(session, HUB))


@router.put(
    "/operator/programme",
    tags=["operator"],
    operation_id="setHubProgramme",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 409, 422, 429),
)
@retried
def set_hub_programme(hub: HubDep, operator: OperatorDep, body: ProgrammeTerms) -> ProgrammePublic:
    """Sets the hub's own, by what payers do at all merchants together. Its tiers are badges on chain."""
    now = hub.clock.now()
    with hub.db.write() as session:
        row = programmes.define(session, hub, HUB, body, now)
        detail = f"{len(body.tiers)} tiers, {'with' if body.points else 'no'} points"
        operators.record(session, operator, "programme.set", f"programme {row.id}", detail, now)
        return programmes.public(row)


# ------------------------------------------------------------------- payers


@router.get("/memberships", operation_id="listMemberships", responses=problem_responses(401, 422))
def list_memberships(
    hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100
) -> Page[MembershipPublic]:
    """The wallet's tiers and points, at each merchant that it has paid and at the hub, the newest first."""
    now = hub.clock.now()
    with hub.db.read() as session:
        rows = queries.memberships_of(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.membership(session, row, now))


@router.get("/rewards", operation_id="listRewards", responses=problem_responses(401, 422))
def list_rewards(hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100) -> Page[RewardPublic]:
    """What payments of the wallet have earned, newest first."""
    with hub.db.read() as session:
        rows = queries.rewards_of_payer(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public_reward(session, row))


@router.get("/cashback", operation_id="getCashback", responses=problem_responses(401))
def get_cashback(hub: HubDep, wallet: CurrentWallet) -> list[CashbackPublic]:
    """What waits for the wallet, at each merchant."""
    with hub.db.read() as session:
        return queries.cashback_of(session, hub, wallet)
