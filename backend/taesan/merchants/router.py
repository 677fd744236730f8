"""Redemptions, payouts and a merchant's account over HTTP. All need the merchant's API key."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlmodel import Session

from taesan.chain import watcher
from taesan.core import idempotency
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.hub import HubDep
from taesan.identity.access import Needs
from taesan.identity.models import Merchant
from taesan.identity.rates import COUNTED
from taesan.merchants import payouts, queries, redemption
from taesan.merchants.models import AccountPublic, PayoutCreate, PayoutPublic, RedemptionCreate, RedemptionPublic

router = APIRouter(prefix="/v1", tags=["merchants"])

OfAccount = Annotated[Merchant, Depends(Needs("account:read"))]
ReadsRedemptions = Annotated[Merchant, Depends(Needs("redemptions:read"))]
Redeems = Annotated[Merchant, Depends(Needs("redemptions:write"))]
ReadsPayouts = Annotated[Merchant, Depends(Needs("payouts:read"))]
OrdersPayouts = Annotated[Merchant, Depends(Needs("payouts:write"))]


@router.get("/account", operation_id="getAccount", responses=problem_responses(401, 403))
def get_account(hub: HubDep, merchant: OfAccount) -> AccountPublic:
    """What the merchant is owed, and how far it is."""
    with hub.db.read() as session:
        return queries.public_account(session, hub, merchant)


@router.post(
    "/redemptions",
    operation_id="redeemGiftTokens",
    status_code=202,
    response_model=RedemptionPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 422, 429, 503),
)
def redeem(hub: HubDep, merchant: Redeems, body: RedemptionCreate, idempotency_key: IdempotencyKeyHeader) -> Response:
    """Redeems a holder's gift tokens at face value: the holder signs, the hub pays the gas, the merchant is credited."""
    now = hub.clock.now()

    def check() -> None:
        redemption.check(hub, merchant, body, now)

    def effect(session: Session) -> RedemptionPublic:
        return queries.public_redemption(session, redemption.request(session, merchant, body, now))

    scope = f"redemption:{merchant.id}"
    return idempotency.once(
        hub.db, scope, idempotency_key, body, now, effect, closed=watcher.closed, check=check, status=202
    )


@router.get("/redemptions", operation_id="listRedemptions", responses=problem_responses(401, 403, 422))
def list_redemptions(
    hub: HubDep, merchant: ReadsRedemptions, cursor: Cursor = None, limit: Limit = 100
) -> Page[RedemptionPublic]:
    """The merchant's redemptions, newest first."""
    with hub.db.read() as session:
        rows = queries.redemptions_of(session, merchant, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public_redemption(session, row))


@router.get(
    "/redemptions/{redemption_id}", operation_id="getRedemption", responses=problem_responses(401, 403, 404, 422)
)
def get_redemption(hub: HubDep, merchant: ReadsRedemptions, redemption_id: str) -> RedemptionPublic:
    """How far a redemption has come."""
    with hub.db.read() as session:
        return queries.public_redemption(session, queries.find_redemption(session, merchant, redemption_id))


@router.post(
    "/payouts",
    operation_id="orderPayout",
    status_code=202,
    response_model=PayoutPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 422, 429, 503),
)
def order_payout(
    hub: HubDep, merchant: OrdersPayouts, body: PayoutCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Orders the payout of credit to the merchant's own address."""
    now = hub.clock.now()

    def effect(session: Session) -> PayoutPublic:
        return queries.public_payout(session, payouts.order(session, hub, merchant, body.amount, now))

    return idempotency.once(
        hub.db, f"payout:{merchant.id}", idempotency_key, body, now, effect, closed=watcher.closed, status=202
    )


@router.get("/payouts", operation_id="listPayouts", responses=problem_responses(401, 403, 422))
def list_payouts(hub: HubDep, merchant: ReadsPayouts, cursor: Cursor = None, limit: Limit = 100) -> Page[PayoutPublic]:
    """The merchant's payouts, newest first."""
    with hub.db.read() as session:
        rows = queries.payouts_of(session, merchant, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public_payout(session, row))


@router.get("/payouts/{payout_id}", operation_id="getPayout", responses=problem_responses(401, 403, 404, 422))
def get_payout(hub: HubDep, merchant: ReadsPayouts, payout_id: str) -> PayoutPublic:
    """How far a payout has come."""
    with hub.db.read() as session:
        return queries.public_payout(session, queries.find_payout(session, merchant, payout_id))
