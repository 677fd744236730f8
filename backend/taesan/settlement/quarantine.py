"""Sets channels aside for which the contract refuses a batch, so that the others' payments are settled; and what an operator
can do about them: have them retried, or refunded at the hub's cost.

What is set aside stays booked as it was: `pending` is still owed to its merchants, `converting` and `jar` are still the
payer's. Nothing is lost, and nothing is settled.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.chain import view
from taesan.channels import queries, service
from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found
from taesan.hub import Hub
from taesan.identity import operators
from taesan.jars import rules
from taesan.jars.models import JarFiring
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.ledger.posting import Line, transfer
from taesan.payments.models import Payment
from taesan.settlement import batcher
from taesan.settlement.models import Batch, BatchClaim, Quarantine, QuarantinePublic

log = structlog.get_logger()


def set_aside(session: Session, hub: Hub, batch: Batch, reasons: Mapping[str, str], now: datetime, most: int) -> bool:
    """Takes channels out of a frozen batch and freezes the rest again, under the same number on chain.

    :param batch: as it was when the contract refused it. :param reasons: channel → why. :param most: see `batcher.freeze`
    :returns: False if another worker was faster, or a later batch is still on its way, which a reorg can bring about: it
        will be refused for its number
    """
    unsettled = session.scalars(select(Batch).where(col(Batch.id) >= batch.id).order_by(col(Batch.id).desc())).all()
    if not unsettled or unsettled[-1].root != batch.root or any(later.state != "frozen" for later in unsettled):
        return False
    for later in unsettled:
        batcher.dissolve(session, later)
    for channel_id, reason in sorted(reasons.items()):
        _hold(session, session.get_one(Channel, channel_id), batch.id, reason, now)
    for row in held(session):
        row.payments, row.amount = _waiting(session, session.get_one(Channel, row.channel_id))
    session.flush()
    rest = batcher.freeze(session, hub, now, most)
    log.error("batch.thinned", batch_id=batch.id, set_aside=len(reasons), payments=rest.payment_count if rest else 0)
    return True


def _hold(session: Session, channel: Channel, batch_id: int, reason: str, now: datetime) -> None:
    if channel.quarantine_id is not None:  # since a later batch
        return
    payments, amount = _waiting(session, channel)
    row = Quarantine(
        public_id=new_id("qua"),
        channel_id=channel.id,
        batch_id=batch_id,
        reason=reason,
        payments=payments,
        amount=amount,
        state="held",
        since=now,
    )
    session.add(row)
    session.flush()
    channel.quarantine_id, channel.pressing = row.id, None
    session.add(channel)
    log.error("channel.quarantined", channel_id=channel.id, amount=amount, payments=payments, reason=reason)


def _waiting(session: Session, channel: Channel) -> tuple[int, int]:
    """How many of its payments are in no batch, and what has to be settled of them."""
    count, to_merchants = _unbatched(session, channel)
    return count, to_merchants + sum(firing.amount for firing in _unbatched_firings(session, channel))


def _unbatched(session: Session, channel: Channel) -> tuple[int, int]:
    """How many of its payments are in no batch, and how much of them merchants are promised."""
    of_channel = (col(Payment.account_id) == channel.account_id, col(Payment.batch_id).is_(None))
    count = session.scalar(select(func.count()).select_from(Payment).where(*of_channel))
    amount = session.scalar(select(func.sum(Payment.amount)).where(*of_channel, col(Payment.merchant_id).is_not(None)))
    return count or 0, amount or 0


def _unbatched_firings(session: Session, channel: Channel) -> Sequence[JarFiring]:
    return session.scalars(
        select(JarFiring)
        .where(col(JarFiring.channel_id) == channel.id, col(JarFiring.batch_id).is_(None), ~col(JarFiring.returned))
        .order_by(col(JarFiring.id))
    ).all()


def end_as_settled(session: Session, channels: Sequence[str], now: datetime) -> None:
    """The chain has settled payments of these channels, after a backup that still knows them as set aside."""
    rows = select(Quarantine).where(col(Quarantine.state) == "held", col(Quarantine.channel_id).in_(channels))
    for row in session.scalars(rows).all():
        row.state, row.ended_at = "retried", now
        session.get_one(Channel, row.channel_id).quarantine_id = None
    session.flush()


# ------------------------------------------------------------ what operators do


def retry(session: Session, hub: Hub, quarantine_id: str, operator: str, now: datetime) -> QuarantinePublic:
    """Lets the channel's payments into the next batch. What the payer had taken back must be deposited again.

    :raises Problem: `not-found`, `quarantine-ended`, `deposit-missing`, and as `view.closed`
    """
    _refuse_if_closed(session)
    row, channel = _held(session, quarantine_id)
    if channel.missing:
        raise Problem(
            "deposit-missing",
            409,
            "The channel's payer has taken back what its payments need.",
            f"Have {channel.missing} minor units deposited on chain, to the same channel, or refund.",
            missing=str(channel.missing),
        )
    return _end(session, hub, row, channel, "retried", operator, now)


def refund(session: Session, hub: Hub, quarantine_id: str, operator: str, now: datetime) -> QuarantinePublic:
    """Gives the payer back what cannot be settled, and pays merchants out of the hub's surplus: their payments go into the
    next batch without a claim. The channel is closed for ever.

    :raises Problem: `not-found`, `quarantine-ended`, `gateway-channel`, `batch-on-its-way`, `surplus-too-small`, and as `view.closed`
    """
    _refuse_if_closed(session)
    row, channel = _held(session, quarantine_id)
    if channel.gateway_id is not None:
        raise Problem(
            "gateway-channel",
            409,
            "What a gateway's channel has paid is not refunded.",
            "It is the gateway's customers', and in the reserve: retry.",
        )
    if _is_on_its_way(session, channel):
        raise Problem(
            "batch-on-its-way",
            409,
            "An earlier batch with this channel's payments is not settled for good yet.",
            "Try again when it is posted: only then it is certain what is left to refund.",
            headers={"retry-after": "60"},
        )
    if channel.secured is None:
        _pay_for(session, hub, row, channel, now)
    else:
        service.stand_in(session, hub, channel, now)
    return _end(session, hub, row, channel, "refunded", operator, now)


def _refuse_if_closed(session: Session) -> None:
    """What the chain has settled already would be paid a second time."""
    if problem := view.closed(session):
        raise problem


def _pay_for(session: Session, hub: Hub, row: Quarantine, channel: Channel, now: datetime) -> None:
    """One entry: whatever was promised out of the channel is the payer's again, and covers first what is missing of it."""
    chart, own = hub.chart, hub.chart.channel(channel.id)
    _, to_merchants = _unbatched(session, channel)
    available = _surplus(session, hub)
    if to_merchants > available:
        raise Problem(
            "surplus-too-small",
            409,
            "The hub's surplus does not cover what this channel owes to merchants.",
            f"{to_merchants} minor units are owed, {available} are there: pay in {to_merchants - available} by "
            "`GiftSettlement.fund`.",
            missing=str(to_merchants - available),
        )
    firings = _unbatched_firings(session, channel)
    in_jar = posting.balance(session, chart.jar(channel.id))
    lines: list[Line] = [*transfer(chart.surplus, own, to_merchants), *transfer(chart.jar(channel.id), own, in_jar)]
    for firing in firings:
        lines += transfer(chart.converting(firing.account), own, firing.amount)
        firing.returned = True
        session.add(firing)
    returned = to_merchants + in_jar + sum(firing.amount for firing in firings)
    missing = min(channel.missing, posting.balance(session, own) + returned)
    lines += transfer(own, chart.shortfall, missing)
    if returned:
        posting.post(session, f"refunded:{row.public_id}", "refunded out of quarantine", now, lines)
    rules.fit(session, hub, channel, now)
    channel.missing -= missing
    channel.secured, channel.state = queries.charged(session, channel), "closed"


def _is_on_its_way(session: Session, channel: Channel) -> bool:
    claims = select(col(BatchClaim.batch_id)).join(Batch, col(Batch.id) == col(BatchClaim.batch_id))
    return (
        session.scalar(claims.where(col(Batch.state) != "posted", col(BatchClaim.channel_id) == channel.id).limit(1))
        is not None
    )


def _surplus(session: Session, hub: Hub) -> int:
    """What the hub's own money in the reserve can pay. A shortfall of channels in quarantine is in the escrow; any other
    the reserve may have paid already."""
    elsewhere = posting.balance(session, hub.chart.shortfall) - missing_in_quarantine(session)
    return max(0, posting.balance(session, hub.chart.surplus) - max(0, elsewhere))


def _held(session: Session, quarantine_id: str) -> tuple[Quarantine, Channel]:
    row = session.scalar(select(Quarantine).where(col(Quarantine.public_id) == quarantine_id))
    if row is None:
        raise not_found("The quarantine", quarantine_id)
    if row.state != "held":
        raise Problem(
            "quarantine-ended", 409, "This quarantine has ended already.", f"{row.public_id} was {row.state} before."
        )
    return row, session.get_one(Channel, row.channel_id)


def _end(
    session: Session, hub: Hub, row: Quarantine, channel: Channel, state: str, operator: str, now: datetime
) -> QuarantinePublic:
    row.state, row.ended_at, channel.quarantine_id = state, now, None
    session.add_all([row, channel])
    session.flush()
    detail = f"channel {channel.id}: {row.payments} payments, {row.amount} minor units"
    operators.record(session, operator, f"quarantine.{state}", row.public_id, detail, now)
    log.warning("channel.released", channel_id=channel.id, quarantine=row.public_id, state=state, operator=operator)
    return public(session, row)


# -------------------------------------------------------------------- reading


def page(session: Session, before: int | None, limit: int) -> Sequence[Quarantine]:
    return newest_first(session, select(Quarantine), col(Quarantine.id), before, limit)


def public(session: Session, row: Quarantine) -> QuarantinePublic:
    channel = session.get_one(Channel, row.channel_id)
    is_held = row.state == "held"
    return QuarantinePublic(
        id=row.public_id,
        channel_id=row.channel_id,
        payer=channel.payer,
        state=row.state,
        reason=row.reason,
        batch_id=row.batch_id,
        payments=row.payments,
        amount=row.amount,
        to_merchants=_unbatched(session, channel)[1] if is_held else 0,
        missing=channel.missing if is_held else 0,
        since=rfc3339(row.since),
        ended_at=rfc3339(row.ended_at) if row.ended_at else None,
    )


def held(session: Session) -> Sequence[Quarantine]:
    """Those that wait for an operator, oldest first."""
    return session.scalars(select(Quarantine).where(col(Quarantine.state) == "held").order_by(col(Quarantine.id))).all()


def missing_in_quarantine(session: Session) -> int:
    """What payers of channels in quarantine got back on chain though it was promised: the known part of `shortfall`."""
    total = session.scalar(select(func.sum(Channel.missing)).where(col(Channel.quarantine_id).is_not(None)))
    return int(total or 0)


def audit(session: Session, report: Report) -> int:
    """Each quarantine has just the payments that its channel has in no batch; returns how many all have together."""
    rows = {row.id: row for row in held(session)}
    channels = session.scalars(select(Channel).where(col(Channel.quarantine_id).is_not(None))).all()
    expected = {row.channel_id: row.id for row in rows.values()}
    report.check("channels in quarantine", expected, {channel.id: channel.quarantine_id for channel in channels})
    for channel in channels:
        row = rows.get(channel.quarantine_id)
        kept = (row.payments, row.amount) if row else None
        report.check(f"payments and amount in quarantine of channel {channel.id}", _waiting(session, channel), kept)
    if rows:
        report.counted |= {"in quarantine": sum(row.amount for row in rows.values())}
    if missing := missing_in_quarantine(session):
        report.counted |= {"missing of channels in quarantine": missing}
    return sum(row.payments for row in rows.values())
