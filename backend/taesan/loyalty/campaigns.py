"""Cashback campaigns, as their merchants run them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.core import outbox
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.loyalty import following
from taesan.loyalty.judging import SKEW
from taesan.loyalty.models import CampaignCreate, CampaignPublic, Follower
from taesan.settlement import rewards
from taesan.settlement.reward_models import Campaign

MOST_RUNNING = 10  # of a merchant: each of its payments is held against them all


def start(session: Session, hub: Hub, merchant: Merchant, request: CampaignCreate, now: datetime) -> Campaign:
    """Holds the budget. To be called in a transaction that is alone in writing.

    :raises Problem: `campaign-over`, `too-many-campaigns`, `budget-not-covered`
    """
    if request.ends_at <= now:
        raise Problem("campaign-over", 422, "This campaign would be over before it begins.", "`ends_at` lies behind.")
    _refuse_too_many(session, merchant)
    credit = posting.balance(session, hub.chart.credit(merchant.address))
    if request.budget > credit:
        raise Problem(
            "budget-not-covered",
            409,
            "The merchant's credit does not cover this budget.",
            f"{credit} minor units are credit; payments count once their batch is settled.",
            credit=str(credit),
        )
    row = Campaign(
        public_id=new_id("cam"),
        merchant_id=merchant.id,
        address=merchant.address,
        name=request.name,
        rate=request.rate,
        cap_payment=request.cap_payment,
        cap_payer=request.cap_payer,
        category=request.category,
        tiers_of=request.tiers_of,
        budget=request.budget,
        starts_at=max(now, request.starts_at or now),
        ends_at=request.ends_at,
        made_at=now,
        from_payment=following.started(session).payment_id,
    )
    rewards.hold_budget(session, hub, row, now)
    session.add(row)
    session.flush()
    return row


def _refuse_too_many(session: Session, merchant: Merchant) -> None:
    running = select(func.count()).where(col(Campaign.address) == merchant.address, col(Campaign.state) == "running")
    if (session.scalar(running) or 0) >= MOST_RUNNING:
        raise Problem(
            "too-many-campaigns", 409, "This merchant runs too many campaigns.", f"At most {MOST_RUNNING}: end one."
        )


def stop(session: Session, merchant: Merchant, campaign_id: str, now: datetime) -> Campaign:
    """No payment is rewarded that comes from a minute on; what nobody was promised is given back then. Safe to repeat.

    :raises Problem: `not-found`
    """
    row = find(session, merchant, campaign_id)
    # By then each intake's clock has got there: nobody who was promised a reward has paid too late.
    row.ends_at = min(row.ends_at, now + SKEW)
    session.add(row)
    return row


def find(session: Session, merchant: Merchant, campaign_id: str) -> Campaign:
    """One of the merchant's own. :param campaign_id: `cam_…`. :raises Problem: `not-found`"""
    of_merchant = select(Campaign).where(col(Campaign.merchant_id) == merchant.id)
    row = session.scalar(of_merchant.where(col(Campaign.public_id) == campaign_id))
    if row is None:
        raise not_found("The campaign", campaign_id)
    return row


def of_merchant(session: Session, merchant: Merchant, before: int | None, limit: int) -> Sequence[Campaign]:
    query = select(Campaign).where(col(Campaign.merchant_id) == merchant.id)
    return newest_first(session, query, col(Campaign.id), before, limit)


def public(row: Campaign, now: datetime) -> CampaignPublic:
    return CampaignPublic(
        id=row.public_id,
        name=row.name,
        state=_state(row, now),
        rate=row.rate,
        budget=row.budget,
        spent=row.spent,
        rewards=row.rewards,
        cap_payment=row.cap_payment,
        cap_payer=row.cap_payer,
        category=row.category,
        tiers_of=row.tiers_of,
        starts_at=rfc3339(row.starts_at),
        ends_at=rfc3339(row.ends_at),
    )


def _state(row: Campaign, now: datetime) -> str:
    if row.state == "running" and now < row.starts_at:
        return "scheduled"
    return "ending" if row.state == "running" and now >= row.ends_at else row.state


def handlers(hub: Hub) -> dict[str, Handler]:
    """After the entry that books it (`merchants.payouts`)."""

    def credit_withdrawn(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        at = session.get(Follower, 1)
        if at is not None and rewards.taken(session, hub, event["args"]["merchant"], at.payment_id, event["key"], now):
            _tell_taken(session, event["args"]["merchant"], now)

    return {"settlement.CreditWithdrawn": credit_withdrawn}


def undo(hub: Hub) -> dict[str, Handler]:
    """What the merchant has not taken after all is its credit again: its campaigns are over."""

    def credit_withdrawn(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        rewards.release(session, hub, event["args"]["merchant"], f"undone:{event['key']}", now)

    return {"settlement.CreditWithdrawn": credit_withdrawn}


def _tell_taken(session: Session, address: str, now: datetime) -> None:
    rows = select(Campaign).where(col(Campaign.address) == address, col(Campaign.state) == "taken")
    for row in session.scalars(rows).all():
        payload = {"merchant_id": row.merchant_id, "id": row.public_id}
        outbox.put(session, f"{following.ENDED}:{row.public_id}", following.ENDED, payload, now)
