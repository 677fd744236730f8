"""Redemptions, payouts and a merchant's account over HTTP. All need the merchant's API key."""

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction
from taesan.core import idempotency
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.problems import not_found
from taesan.hub import HubDep
from taesan.identity.access import CurrentMerchant
from taesan.ledger import posting
from taesan.merchants import payouts, redemption
from taesan.merchants.models import (
    AccountPublic,
    Payout,
    PayoutCreate,
    PayoutPublic,
    Redemption,
    RedemptionCreate,
    RedemptionPublic,
)

router = APIRouter(prefix="/v1", tags=["merchants"])


@router.get("/account", operation_id="getAccount", responses=problem_responses(401))
def get_account(hub: HubDep, merchant: CurrentMerchant) -> AccountPublic:
    """What the merchant is owed, and how far it is."""
    with hub.db.read() as session:
        return AccountPublic(
            merchant_id=merchant.id,
            pending=posting.balance(session, hub.chart.pending(merchant.address)),
            credit=posting.balance(session, hub.chart.credit(merchant.address)),
            paying_out=posting.balance(session, hub.chart.paying_out(merchant.address)),
        )


@router.post(
    "/redemptions",
    operation_id="redeemGiftTokens",
    status_code=202,
    response_model=RedemptionPublic,
    responses=problem_responses(401, 422, 503),
)
def redeem(
    hub: HubDep, merchant: CurrentMerchant, body: RedemptionCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Redeems a holder's gift tokens at face value: the holder signs, the hub pays the gas, the merchant is credited."""
    now = hub.clock.now()

    def check() -> None:
        redemption.check(hub, merchant, body, now)

    def effect(session: Session) -> RedemptionPublic:
        return _redemption(session, redemption.request(session, merchant, body, now))

    scope = f"redemption:{merchant.id}"
    return idempotency.once(hub.db, scope, idempotency_key, body, now, effect, check=check, status=202)


@router.get("/redemptions/{redemption_id}", operation_id="getRedemption", responses=problem_responses(401, 404))
def get_redemption(hub: HubDep, merchant: CurrentMerchant, redemption_id: str) -> RedemptionPublic:
    """How far a redemption has come."""
    with hub.db.read() as session:
        row = session.scalar(
            select(Redemption).where(
                col(Redemption.public_id) == redemption_id, col(Redemption.merchant_id) == merchant.id
            )
        )
        if row is None:
            raise not_found("The redemption", redemption_id)
        return _redemption(session, row)


@router.post(
    "/payouts",
    operation_id="orderPayout",
    status_code=202,
    response_model=PayoutPublic,
    responses=problem_responses(401, 422),
)
def order_payout(
    hub: HubDep, merchant: CurrentMerchant, body: PayoutCreate, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Orders the payout of credit to the merchant's own address."""
    now = hub.clock.now()

    def effect(session: Session) -> PayoutPublic:
        return _payout(session, payouts.order(session, hub, merchant, body.amount, now))

    return idempotency.once(hub.db, f"payout:{merchant.id}", idempotency_key, body, now, effect, status=202)


@router.get("/payouts/{payout_id}", operation_id="getPayout", responses=problem_responses(401, 404))
def get_payout(hub: HubDep, merchant: CurrentMerchant, payout_id: str) -> PayoutPublic:
    """How far a payout has come."""
    with hub.db.read() as session:
        row = session.scalar(
            select(Payout).where(col(Payout.public_id) == payout_id, col(Payout.merchant_id) == merchant.id)
        )
        if row is None:
            raise not_found("The payout", payout_id)
        return _payout(session, row)


def _redemption(session: Session, row: Redemption) -> RedemptionPublic:
    return RedemptionPublic(
        id=row.public_id,
        holder=row.holder,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        transaction=_hash(session, row.transaction_id),
    )


def _payout(session: Session, row: Payout) -> PayoutPublic:
    return PayoutPublic(
        id=row.public_id,
        address=row.address,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        transaction=_hash(session, row.transaction_id),
    )


def _hash(session: Session, transaction_id: int | None) -> str | None:
    transaction = session.get(ChainTransaction, transaction_id) if transaction_id else None
    return transaction.hash if transaction else None
