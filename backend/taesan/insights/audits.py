"""A person's month: asks for the sums, and what has become of what was gathered. Money's own tables are only read."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, func, or_, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.conversions.models import Conversion
from taesan.core.clock import rfc3339
from taesan.core.days import begins_at, day_of
from taesan.hub import Hub
from taesan.insights import asked, audit_month, budgeting, persons, streams
from taesan.insights.audit_models import Amounts, Became, Converted, Counted, MonthAudit, Span
from taesan.insights.audit_month import Compared, Days
from taesan.insights.models import Person
from taesan.jars.models import JarFiring
from taesan.ledger import posting
from taesan.loyalty.models import Member, PointsLot
from taesan.settlement.reward_models import Cashback, Reward

SOON = timedelta(days=31)
Times = Sequence[tuple[datetime, datetime]]
"""When spans begin and end."""
MOST_ASSETS = 20  # statements may name many currencies, and of each a report has lists and a chart


def month_audit(session: Session, hub: Hub, person: Person, month: date, now: datetime) -> MonthAudit:
    """:param month: its first day. :raises Problem: `month-to-come`"""
    owner, zone = persons.number_of(person), persons.zone_of(person)
    today = day_of(now, zone)
    asked.begun(month, today, zone.key)
    spans = audit_month.compared(month, today)
    of_month, before, year_before = (streams.sums(session, owner, *span, ("merchant", "category")) for span in spans)
    assets = audit_month.audited(of_month, before, year_before, streams.sums(session, owner, *spans.month, ("day",)))
    told, left_out = assets[:MOST_ASSETS], assets[MOST_ASSETS:]
    names = streams.names(session, owner, {place.key for asset in told for place in asset.merchants.items})
    return MonthAudit(
        person=person.public_id,
        month=month.isoformat()[:7],
        zone=zone.key,
        days=_span(spans.month),
        before=_span(spans.before),
        year_before=_span(spans.year_before),
        is_over=spans.month.end <= today,
        complete=persons.public(session, person).complete,
        made_at=rfc3339(now),
        assets=[audit_month.named(asset, names) for asset in told],
        assets_left_out=len(left_out),
        became=_became(session, hub, person, spans, now),
        budgets=[
            budgeting.public(session, person, row, now)
            for row in (() if spans.month.end <= today else budgeting.of_person(session, owner))
        ],
    )


def _span(days: Days) -> Span:
    return Span(since=days.first.isoformat(), until=days.end.isoformat())


# ---------------------------------------------------------- what it has become


def _became(session: Session, hub: Hub, person: Person, spans: Compared, now: datetime) -> Became:
    zone = persons.zone_of(person)
    wallets = [link.wallet for link in persons.wallets_of(session, person)]
    times = [(begins_at(days.first, zone), begins_at(days.end, zone)) for days in spans]
    of_wallets = (col(Channel.payer).in_(wallets), col(Channel.gateway_id).is_(None))
    channels = session.scalars(select(col(Channel.id)).where(*of_wallets)).all()
    # What is paid to other people is fired for them, and is on their statements.
    fired = _within(times, JarFiring.fired_at, JarFiring.amount)
    fired = fired.where(col(JarFiring.channel_id).in_(channels), col(JarFiring.account).in_(wallets))
    promised, taken_back = (
        _within(times, Reward.made_at, amount).where(col(Reward.payer).in_(wallets))
        for amount in (Reward.amount, Reward.reversed)
    )
    waiting = session.scalar(select(func.sum(Cashback.amount)).where(col(Cashback.payer).in_(wallets)))
    held = (col(Conversion.channel_id).in_(channels), col(Conversion.state) == "held")
    members = session.scalars(select(col(Member.id)).where(col(Member.payer).in_(wallets))).all()
    points, lapsing = _points(session, members, now)
    _, back = _figures(session.execute(taken_back).one())
    return Became(
        asset=hub.asset.id,
        exponent=hub.asset.exponent,
        fired=_counted(session.execute(fired).one()),
        returned=_counted(session.execute(fired.where(col(JarFiring.returned).is_(True))).one()),
        converted=_converted(session, channels, times),
        promised=_counted(session.execute(promised).one()),
        taken_back=Amounts(**audit_month.amounts(back)),
        waiting=int(waiting or 0),
        held=int(session.scalar(select(func.sum(Conversion.amount)).where(*held)) or 0),
        in_jars=sum(posting.balance(session, hub.chart.jar(channel)) for channel in channels),
        points_earned=Amounts(**audit_month.amounts([_earned(session, members, *span) for span in times])),
        points=points,
        points_lapsing=lapsing,
    )


def _within(times: Times, at: Any, amount: Any) -> Select[Any]:
    """Of each span how many, and their sum; one look for all of them."""
    spans = [and_(col(at) >= begins, col(at) < ends) for begins, ends in times]
    figures = (figure.filter(span) for span in spans for figure in (func.count(), func.sum(amount)))
    return select(*figures).where(or_(*spans))


def _figures(row: Sequence[Any]) -> tuple[list[int], list[int]]:
    """Counts and sums of what `_within` has found."""
    return [int(count) for count in row[0::2]], [int(amount or 0) for amount in row[1::2]]


def _counted(row: Sequence[Any]) -> Counted:
    counts, amounts = _figures(row)
    return Counted(**audit_month.counts(counts), **audit_month.amounts(amounts))


def _converted(session: Session, channels: Sequence[str], times: Times) -> list[Converted]:
    by = (col(Conversion.kind), col(Conversion.state))
    found = _within(times, Conversion.created_at, Conversion.amount).where(col(Conversion.channel_id).in_(channels))
    told = []
    for *figures, kind, state in session.execute(found.add_columns(*by).group_by(*by)):
        counts, amounts = _figures(figures)
        told.append(Converted(kind=kind, state=state, **audit_month.counts(counts), **audit_month.amounts(amounts)))
    return sorted(told, key=lambda row: (row.kind, row.state))


def _earned(session: Session, members: Sequence[int | None], begins: datetime, ends: datetime) -> int:
    """Points for payments of a span; whatever became of them. Each span is one stretch of an index."""
    within = (col(PointsLot.paid_at) >= begins, col(PointsLot.paid_at) < ends)
    earned = select(func.sum(PointsLot.points)).where(col(PointsLot.member_id).in_(members), *within)
    return int(session.scalar(earned) or 0)


def _points(session: Session, members: Sequence[int | None], now: datetime) -> tuple[int, int]:
    """All that there are, and of them those that lapse soon."""
    left = (col(PointsLot.remaining) > 0, col(PointsLot.expires_at) > now)
    points = func.sum(PointsLot.remaining)
    found = select(points, points.filter(col(PointsLot.expires_at) <= now + SOON))
    there_are, lapsing = session.execute(found.where(col(PointsLot.member_id).in_(members), *left)).one()
    return int(there_are or 0), int(lapsing or 0)
