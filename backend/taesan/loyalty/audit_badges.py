"""The audit of badges: no member of the hub's programme holds another on chain than the books have told the chain."""

from collections import defaultdict

from sqlalchemy import or_, select
from sqlmodel import Session, col

from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.ledger.audit import Report
from taesan.loyalty.badges import UNDER_WAY, has_badges
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import BadgeUpdate, Member

STREAMED = 1_000


def audit_badges(session: Session, hub: Hub, report: Report) -> None:
    """Asks the chain as it is now. None instead of a badge is counted and no difference: its holder may have renounced it, or be a
    contract that refuses it."""
    if not has_badges(hub):
        return
    told: dict[str, set[int]] = defaultdict(set)
    for tiers in session.scalars(select(col(BadgeUpdate.tiers)).where(col(BadgeUpdate.state).in_(UNDER_WAY))):
        for payer, tier in tiers:
            told[payer].add(tier)
    have_one = or_(col(Member.badge) > 0, col(Member.tier) > 0)
    members = select(Member).where(col(Member.owner) == HUB, have_one).order_by(col(Member.id))
    held = without = 0
    for some in session.scalars(members.execution_options(yield_per=STREAMED)).partitions():
        for row, on_chain in zip(some, _tiers(hub, [row.payer for row in some]), strict=True):
            name = f"the badge of {row.payer}"
            if row.badge_due is None:
                report.check(f"{name} is told for its tier", row.tier, row.badge)
            may_be = {row.badge} | told[row.payer]
            if on_chain:
                report.check(f"{name} on chain", True, on_chain in may_be)
            held += on_chain > 0
            without += not on_chain and 0 not in may_be
    if held or without:
        report.counted |= {"badges": held} | ({"badges refused or renounced": without} if without else {})


def _tiers(hub: Hub, payers: list[str]) -> list[int]:
    calls = [(hub.contracts.deployment.badges, hub.contracts.encode("badges", "tierOf", payer)) for payer in payers]
    return [int(hex_of(answer), 16) for answer in hub.node.call_many(calls, int(hub.node.head()["number"]))]
