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
from taesan.loyalty.cashback import Pause
from taesan.loyalty.judging import SKEW
from taesan.loyalty.keeping import pauses_of, write_pauses
from taesan.loyalty.models import CampaignCreate, CampaignPublic, Follower, PausePublic
from taesan.settlement import rewards
from taesan.settlement.reward_models import Campaign

MOST_RUNNING = 10  # of a merchant: each of its payments is held against them all
MOST_PAUSES = 100  # of a campaign: likewise


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


def pause(session: Session, merchant: Merchant, campaign_id: str, now: datetime) -> Campaign:
    """No payment is rewarded that comes from a minute on, until it is resumed; the budget stays held. Nothing if it is paused.

    As with its end, by then each intake's clock has got there: the follower has judged no payment that the pause holds back, and
    the audit finds the same again by the payments' own times.

    :raises Problem: `not-found`, `campaign-ended`, `too-many-pauses`
    """
    row = find(session, merchant, campaign_id)
    _refuse_ended(row, now)
    pauses = pauses_of(row)
    if _is_paused(pauses):
        return row
    if len(pauses) == MOST_PAUSES:
        raise Problem(
            "too-many-pauses", 409, "This campaign was paused too often.", f"At most {MOST_PAUSES} times: end it."
        )
    before = pauses[-1].resumed_at if pauses else None
    _write(session, row, [*pauses, Pause(max(now + SKEW, before or now), None)])
    return row


def resume(session: Session, merchant: Merchant, campaign_id: str, now: datetime) -> Campaign:
    """Payments are rewarded again that come from a minute on. Nothing if it is not paused.

    :raises Problem: `not-found`, `campaign-ended`
    """
    row = find(session, merchant, campaign_id)
    _refuse_ended(row, now)
    pauses = pauses_of(row)
    if _is_paused(pauses):
        last = pauses.pop()
        _write(session, row, [*pauses, last._replace(resumed_at=max(now + SKEW, last.paused_at))])
    return row


def _is_paused(pauses: Sequence[Pause]) -> bool:
    return bool(pauses) and pauses[-1].resumed_at is None


def _write(session: Session, row: Campaign, pauses: Sequence[Pause]) -> None:
    write_pauses(row, pauses)
    session.add(row)


def _refuse_ended(row: Campaign, now: datetime) -> None:
    if row.state != "running" or row.ends_at <= now:
        raise Problem("campaign-ended", 409, "The campaign has ended.", f"It was good until {rfc3339(row.ends_at)}.")


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
        pauses=[
            PausePublic(
                paused_at=rfc3339(pause.paused_at),
                resumed_at=rfc3339(pause.resumed_at) if pause.resumed_at else None,
            )
            for pause in pauses_of(row)
        ],
    )


def _state(row: Campaign, now: datetime) -> str:
    if row.state != "running":
        return row.state
    if now >= row.ends_at:
        return "ending"
    if _is_paused(pauses_of(row)):
        return "paused"
    return "scheduled" if now < row.starts_at else "running"


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
