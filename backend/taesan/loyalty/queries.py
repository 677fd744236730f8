"""Reading members, rewards and what waits."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.pages import newest_first
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.loyalty import programmes, tiers
from taesan.loyalty.judging import HUB
from taesan.loyalty.keeping import Shelf
from taesan.loyalty.models import CashbackPublic, Member, MembershipPublic, PointsLot, RewardPublic, TierPublic
from taesan.loyalty.tiers import Ladder
from taesan.settlement.models import Batch, Refund
from taesan.settlement.reward_models import Campaign, Cashback, Reward


def members_of(session: Session, owner: str, before: int | None, limit: int) -> Sequence[Member]:
    query = select(Member).where(col(Member.owner) == owner)
    return newest_first(session, query, col(Member.id), before, limit)


def memberships_of(session: Session, payer: str, before: int | None, limit: int) -> Sequence[Member]:
    query = select(Member).where(col(Member.payer) == payer)
    return newest_first(session, query, col(Member.id), before, limit)


def membership(session: Session, row: Member, now: datetime) -> MembershipPublic:
    """As it stands now: what has ended is judged, though it may not be written down yet."""
    shelf = Shelf(session)
    shelf.read_rules([row.owner])
    shelf.take_up([row])
    standing, rules = shelf.book.standings[row.owner, row.payer], shelf.book.rules[row.owner][-1]
    standing.advance(rules.ladder, rules.period(now))
    done = tiers.progress(rules.ladder, standing.measures, standing.looked)
    merchant = session.get(Merchant, row.owner) if row.owner != HUB else None
    points, lapsing, lapse_at = _points(session, row, now)
    return MembershipPublic(
        merchant_id=merchant.id if merchant else None,
        merchant_name=merchant.name if merchant else None,
        payer=row.payer,
        tier=_tier(rules.ladder, standing.tier),
        next_tier=_tier(rules.ladder, standing.tier + 1),
        count=done.count,
        value=done.value,
        streak=done.streak,
        at_risk=standing.noticed is not None,
        period_ends_at=rfc3339(rules.begins_at(standing.looked + 1)),
        points=points,
        points_lapsing=lapsing,
        points_lapse_at=rfc3339(lapse_at) if lapse_at else None,
        badge=row.badge if row.owner == HUB else None,
        since=rfc3339(row.since),
    )


def _tier(ladder: Ladder, level: int) -> TierPublic | None:
    return programmes.public_tier(level, ladder.at(level)) if 0 < level <= len(ladder.tiers) else None


def _points(session: Session, row: Member, now: datetime) -> tuple[int, int, datetime | None]:
    """How many, how many of them lapse next, and when."""
    of_member = (col(PointsLot.member_id) == row.id, col(PointsLot.remaining) > 0, col(PointsLot.expires_at) > now)
    first, total = session.execute(
        select(func.min(PointsLot.expires_at), func.sum(PointsLot.remaining)).where(*of_member)
    ).one()
    if first is None:
        return 0, 0, None
    lapsing = select(func.sum(PointsLot.remaining)).where(*of_member, col(PointsLot.expires_at) == first)
    return int(total), int(session.scalar(lapsing) or 0), first


# ------------------------------------------------------------------- rewards


def rewards_of_campaign(session: Session, row: Campaign, before: int | None, limit: int) -> Sequence[Reward]:
    query = select(Reward).where(col(Reward.campaign_id) == row.id)
    return newest_first(session, query, col(Reward.id), before, limit)


def rewards_of_payer(session: Session, payer: str, before: int | None, limit: int) -> Sequence[Reward]:
    query = select(Reward).where(col(Reward.payer) == payer)
    return newest_first(session, query, col(Reward.id), before, limit)


def public_reward(session: Session, row: Reward) -> RewardPublic:
    return RewardPublic(
        payment_id=row.source,
        campaign_id=session.get_one(Campaign, row.campaign_id).public_id,
        payer=row.payer,
        amount=row.amount,
        reversed=row.reversed,
        multiplier=row.multiplier,
        state=_state(session, row),
        made_at=rfc3339(row.made_at),
    )


def _state(session: Session, row: Reward) -> str:
    if row.reversed == row.amount:
        return "reversed"
    if row.payout_id is None:
        return "waiting"
    paid = session.scalars(select(Refund).where(col(Refund.public_id) == row.payout_id)).one()
    if paid.batch_id is None:
        return "ordered"
    return "done" if session.get_one(Batch, paid.batch_id).state == "posted" else "settling"


def cashback_of(session: Session, hub: Hub, payer: str) -> list[CashbackPublic]:
    """What waits for a payer, at each merchant."""
    rows = session.execute(
        select(Merchant, col(Cashback.amount))
        .join(Merchant, col(Merchant.address) == col(Cashback.address))
        .where(col(Cashback.payer) == payer, col(Cashback.amount) > 0)
        .order_by(col(Merchant.id))
    )
    least = hub.settings.least_reward
    return [
        CashbackPublic(merchant_id=merchant.id, merchant_name=merchant.name, amount=amount, least=least)
        for merchant, amount in rows
    ]
