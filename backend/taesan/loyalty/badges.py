"""The tiers of the hub's own programme as badges on chain, which stay with their holder (`Badges.setTiers`).

They wait for each other, and go together: a few accounts in a call, since a contract that is asked whether it takes its badge may
use up as much gas as it is given, and many calls in a transaction.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import relay, view
from taesan.chain.models import ChainTransaction
from taesan.hub import Hub
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import BadgeUpdate, Member

KIND, ROLE = "badges", "badges"
ACCOUNTS_EACH = 8  # which fit into `relay.RELAYED_CALL_GAS` whatever their code does
AGAIN_AFTER = timedelta(hours=1)
UNDER_WAY = ("received", "sent")


def has_badges(hub: Hub) -> bool:
    """Whether this hub's deployment names the contract."""
    return bool(hub.contracts.deployment.badges)


def gather_step(hub: Hub) -> bool:
    """Worker step: makes updates of the tiers that wait, once one has waited long enough; none while others are on their way."""
    now = hub.clock.now()
    if not has_badges(hub):
        return False
    with hub.db.read() as session:
        if view.closed(session) or not _due(session, hub, now):
            return False
    with hub.db.write() as session:
        rows = _due(session, hub, now)
        for start in range(0, len(rows), ACCOUNTS_EACH):
            tiers = [[row.payer, row.tier] for row in rows[start : start + ACCOUNTS_EACH]]
            session.add(BadgeUpdate(tiers=tiers, state="received", made_at=now))
    return bool(rows)


def _due(session: Session, hub: Hub, now: datetime) -> Sequence[Member]:
    under_way = select(col(BadgeUpdate.id)).where(col(BadgeUpdate.state).in_(UNDER_WAY))
    waiting = select(Member).where(col(Member.badge_due) <= now).order_by(col(Member.badge_due))
    if session.scalar(under_way.limit(1)) is not None:
        return []
    rows = session.scalars(waiting.limit(hub.settings.relay_max_items * ACCOUNTS_EACH)).all()
    since = rows[0].badge_due if rows else None
    is_due = since is not None and since <= now - timedelta(seconds=hub.settings.badge_gather_s)
    return rows if is_due else []


def relay_step(hub: Hub) -> bool:
    """Worker step: brings them to the chain in one transaction; returns whether there were any."""
    with hub.db.read() as session:
        received = select(BadgeUpdate).where(col(BadgeUpdate.state) == "received")
        rows = session.scalars(
            received.order_by(col(BadgeUpdate.attempts), col(BadgeUpdate.id)).limit(hub.settings.relay_max_items)
        ).all()
    if not rows:
        return False
    rows = relay.together(rows)
    calls = {row.id: hub.contracts.encode(ROLE, "setTiers", *zip(*row.tiers, strict=True)) for row in rows}
    hub.relayer.send(BadgeUpdate, KIND, ROLE, calls, lambda session, id_: _failed(session, id_, hub.clock.now()))  # type: ignore[arg-type]
    return True


def follow_step(hub: Hub) -> bool:
    """Worker step: what has come to its end on chain."""
    sent = select(BadgeUpdate).join(ChainTransaction, col(ChainTransaction.id) == col(BadgeUpdate.transaction_id))
    sent = sent.where(col(BadgeUpdate.state) == "sent", col(ChainTransaction.state) == "confirmed")
    with hub.db.read() as session:
        if session.scalar(sent.limit(1)) is None:
            return False
    with hub.db.write() as session:
        for row in session.scalars(sent).all():
            row.state = "confirmed"
            session.add(row)
            for payer, tier in row.tiers:
                _note(session, payer, tier, hub.clock.now())
    return True


def return_reverted_step(hub: Hub) -> bool:
    """Worker step: those of a failed transaction are tried one by one; what fails alone waits for another time."""
    return hub.relayer.return_reverted(BadgeUpdate, KIND, lambda session, id_: _failed(session, id_, hub.clock.now()))


def _member(session: Session, payer: str) -> Member | None:
    return session.scalar(select(Member).where(col(Member.owner) == HUB, col(Member.payer) == payer))


def _note(session: Session, payer: str, tier: int, now: datetime) -> None:
    member = _member(session, payer)
    if member is not None:
        member.badge = tier
        member.badge_due = None if member.tier == tier else member.badge_due or now  # it has changed meanwhile
        session.add(member)


def _failed(session: Session, id_: int, now: datetime) -> None:
    for payer, _ in session.get_one(BadgeUpdate, id_).tiers:
        member = _member(session, payer)
        if member is not None and member.badge_due is not None:
            member.badge_due = now + AGAIN_AFTER
            session.add(member)
