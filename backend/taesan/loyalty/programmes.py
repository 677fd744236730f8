"""What merchants, and the hub, ask of their members and give them."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.jars import perks, sources
from taesan.loyalty import following
from taesan.loyalty.cashback import WHOLE
from taesan.loyalty.models import (
    PointsPublic,
    Programme,
    ProgrammePublic,
    ProgrammeTerms,
    TierPublic,
)
from taesan.loyalty.tiers import Tier

NONE = ProgrammeTerms(tiers=[])


def newest(session: Session, owner: str) -> Programme | None:
    """:param owner: a merchant's id, or empty: the hub's"""
    of_owner = select(Programme).where(col(Programme.owner) == owner).order_by(col(Programme.id).desc())
    return session.scalar(of_owner.limit(1))


def define(session: Session, hub: Hub, owner: str, terms: ProgrammeTerms, now: datetime) -> Programme:
    """For payments to come. To be called in a transaction that is alone in writing.

    :raises Problem: `programme-periods-fixed`
    """
    at, before = following.started(session), newest(session, owner)
    if before is not None:
        if (before.unit, before.time_zone) != (terms.period, terms.time_zone):
            raise Problem(
                "programme-periods-fixed",
                409,
                "A programme's periods cannot be changed.",
                f"They are by the {before.unit} in {before.time_zone}: what was counted so is not counted anew.",
            )
        following.advance_members(session, hub, owner, now)
    row = Programme(
        owner=owner,
        unit=terms.period,
        time_zone=terms.time_zone,
        definition=_definition(terms),
        from_payment=at.payment_id,
        made_at=now,
    )
    session.add(row)
    session.flush()
    multipliers = [tier.round_up for tier in row.ladder.tiers] or [WHOLE]
    perks.redefine(session, owner or sources.HUB, multipliers)
    return row


def _definition(terms: ProgrammeTerms) -> dict[str, object]:
    """As `Programme` reads it."""
    tiers = [
        asdict(Tier(t.name, t.count, t.value, t.streak, t.cashback_multiplier, t.round_up_multiplier))
        for t in terms.tiers
    ]
    return {"window": terms.window, "tiers": tiers, "points": terms.points and terms.points.model_dump()}


def public(row: Programme | None) -> ProgrammePublic:
    """:param row: None: there is none yet, which is one that asks and gives nothing"""
    if row is None:
        return ProgrammePublic(period=NONE.period, time_zone=NONE.time_zone, window=NONE.window, tiers=[], points=None)
    return ProgrammePublic(
        period=row.unit,
        time_zone=row.time_zone,
        window=row.ladder.window,
        tiers=[public_tier(n, tier) for n, tier in enumerate(row.ladder.tiers, start=1)],
        points=PointsPublic(**row.points._asdict()) if row.points else None,
    )


def public_tier(level: int, tier: Tier) -> TierPublic:
    return TierPublic(
        level=level,
        name=tier.name,
        count=tier.count,
        value=tier.value,
        streak=tier.streak,
        cashback_multiplier=tier.cashback,
        round_up_multiplier=tier.round_up,
    )
