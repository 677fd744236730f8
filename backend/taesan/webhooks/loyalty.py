"""What merchants are told of their members and campaigns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.outbox import Handler
from taesan.hub import Hub
from taesan.loyalty import campaigns, following, keeping, lapsing
from taesan.loyalty.models import Member, TierChange
from taesan.settlement.reward_models import Campaign
from taesan.webhooks.events import tell
from taesan.webhooks.models import PointsLapse, TierChanged
from taesan.webhooks.schedule import EventType


def handlers(hub: Hub) -> dict[str, Handler]:
    """Outbox event → what makes deliveries of it."""

    def campaign_ended(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = session.scalars(select(Campaign).where(col(Campaign.public_id) == event["id"])).one()
        data = campaigns.public(row, now)
        tell(session, row.merchant_id, "campaign.ended", f"campaign.ended:{row.public_id}", data, now)

    return {
        following.ENDED: campaign_ended,
        keeping.TIER_CHANGED: _tier_changed,
        lapsing.EXPIRING: _points("points.expiring"),
        lapsing.EXPIRED: _points("points.expired"),
    }


def _tier_changed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
    row = session.get_one(TierChange, event["id"])
    member = session.get_one(Member, row.member_id)
    type_: EventType = "member.tier_at_risk" if row.kind == "notice" else "member.tier_changed"
    data = TierChanged(payer=member.payer, reason=row.kind, before=row.before, after=row.after, at=rfc3339(row.at))
    tell(session, member.owner, type_, f"{type_}:{row.id}:{rfc3339(row.at)}", data, now)


def _points(type_: EventType) -> Handler:
    def handle(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        if event["merchant_id"] is None:
            return  # of the hub's own programme
        data = PointsLapse(payer=event["payer"], points=event["points"], at=event["at"])
        ref = f"{type_}:{event['payer']}:{event['at']}:{rfc3339(now)}"
        tell(session, event["merchant_id"], type_, ref, data, now)

    return handle
