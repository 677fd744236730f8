"""A person's month: asks for the sums, and what has become of what was gathered. Money's own tables are only read."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, ColumnElement, Text, column, func, literal, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.conversions.models import Conversion
from taesan.core import bulk
from taesan.core.clock import rfc3339
from taesan.core.days import begins_at, day_of
from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.insights import audit_month, budgeting, persons, streams
from taesan.insights.audit_models import Became, Converted, Counted, MonthAudit, Span
from taesan.insights.audit_month import Days
from taesan.insights.models import MovementRow, Person
from taesan.jars.models import JarFiring
from taesan.ledger import posting
from taesan.loyalty.models import Member, PointsLot
from taesan.settlement.reward_models import Cashback, Reward

SOON = timedelta(days=31)
MOST_ASSETS = 20  # statements may name many currencies, and of each a report has lists and a chart


def month_audit(session: Session, hub: Hub, person: Person, month: date, now: datetime) -> MonthAudit:
    """:param month: its first day. :raises Problem: `month-to-come`"""
    owner, zone = persons.number_of(person), persons.zone_of(person)
    today = day_of(now, zone)
    if month > today:
        raise Problem("month-to-come", 409, "This month has not begun.", f"Today is {today} in {zone.key}.")
    spans = audit_month.compared(month, today)
    of_month, before, year_before = (streams.sums(session, owner, *span, ("merchant", "category")) for span in spans)
    assets = audit_month.audited(of_month, before, year_before, streams.sums(session, owner, *spans.month, ("day",)))
    told, left_out = assets[:MOST_ASSETS], assets[MOST_ASSETS:]
    names = _names(session, owner, {place.key for asset in told for place in asset.merchants.items})
    begins, ends = (begins_at(day, zone) for day in spans.month)
    public = persons.public(session, person)
    wallets = [link.wallet for link in public.wallets]
    return MonthAudit(
        person=person.public_id,
        month=month.isoformat()[:7],
        zone=zone.key,
        days=_span(spans.month),
        before=_span(spans.before),
        year_before=_span(spans.year_before),
        is_over=spans.month.end <= today,
        complete=public.complete,
        made_at=rfc3339(now),
        assets=[audit_month.named(asset, names) for asset in told],
        assets_left_out=len(left_out),
        became=_became(session, hub, wallets, begins, ends, now),
        budgets=[
            budgeting.public(session, person, row, now)
            for row in (() if spans.month.end <= today else budgeting.of_person(session, owner))
        ],
    )


def _span(days: Days) -> Span:
    return Span(since=days.first.isoformat(), until=days.end.isoformat())


def _names(session: Session, owner: int, merchants: Iterable[str]) -> dict[str, str]:
    """As the newest line of each writes it: one question, in which each is looked up by the index."""
    of_list = func.json_each if bulk.is_sqlite(session.connection()) else func.json_array_elements_text
    asked = literal(sorted(filter(None, merchants)), JSON)
    merchant = of_list(asked).table_valued(column("value", Text), name="json_each").c.value
    of_merchant = (col(MovementRow.owner) == owner, col(MovementRow.merchant) == merchant)
    newest = select(col(MovementRow.name)).where(*of_merchant)
    newest = newest.order_by(col(MovementRow.day).desc(), col(MovementRow.id).desc()).limit(1)
    rows = session.execute(select(merchant, newest.correlate(merchant.table).scalar_subquery()))
    return {key: name for key, name in rows if name}


# ---------------------------------------------------------- what it has become


def _became(
    session: Session, hub: Hub, wallets: Sequence[str], begins: datetime, ends: datetime, now: datetime
) -> Became:
    of_wallets = (col(Channel.payer).in_(wallets), col(Channel.gateway_id).is_(None))
    channels = session.scalars(select(col(Channel.id)).where(*of_wallets)).all()
    # What is paid to other people is fired for them, and is on their statements.
    firings = (
        col(JarFiring.channel_id).in_(channels),
        col(JarFiring.account).in_(wallets),
        *_within(JarFiring.fired_at, begins, ends),
    )
    rewards = (col(Reward.payer).in_(wallets), *_within(Reward.made_at, begins, ends))
    taken_back = session.scalar(select(func.sum(Reward.reversed)).where(*rewards))
    waiting = session.scalar(select(func.sum(Cashback.amount)).where(col(Cashback.payer).in_(wallets)))
    held = (col(Conversion.channel_id).in_(channels), col(Conversion.state) == "held")
    points, lapsing = _points(session, wallets, now)
    return Became(
        asset=hub.asset.id,
        exponent=hub.asset.exponent,
        fired=_counted(session, JarFiring.amount, *firings),
        returned=_counted(session, JarFiring.amount, *firings, col(JarFiring.returned).is_(True)),
        converted=_converted(session, channels, begins, ends),
        promised=_counted(session, Reward.amount, *rewards),
        taken_back=int(taken_back or 0),
        waiting=int(waiting or 0),
        held=_counted(session, Conversion.amount, *held).amount,
        in_jars=sum(posting.balance(session, hub.chart.jar(channel)) for channel in channels),
        points=points,
        points_lapsing=lapsing,
    )


def _within(column: Any, begins: datetime, ends: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(column) >= begins, col(column) < ends


def _counted(session: Session, amount: Any, *conditions: ColumnElement[bool]) -> Counted:
    count, total = session.execute(select(func.count(), func.sum(amount)).where(*conditions)).one()
    return Counted(count=count, amount=int(total or 0))


def _converted(session: Session, channels: Sequence[str], begins: datetime, ends: datetime) -> list[Converted]:
    by = (col(Conversion.kind), col(Conversion.state))
    of_month = (col(Conversion.channel_id).in_(channels), *_within(Conversion.created_at, begins, ends))
    rows = session.execute(select(*by, func.count(), func.sum(Conversion.amount)).where(*of_month).group_by(*by))
    found = [Converted(kind=kind, state=state, count=count, amount=int(amount)) for kind, state, count, amount in rows]
    return sorted(found, key=lambda row: (row.kind, row.state))


def _points(session: Session, wallets: Sequence[str], now: datetime) -> tuple[int, int]:
    """All that there are, and of them those that lapse soon."""
    lots = (
        select(func.sum(PointsLot.remaining))
        .join(Member, col(Member.id) == col(PointsLot.member_id))
        .where(col(Member.payer).in_(wallets), col(PointsLot.remaining) > 0, col(PointsLot.expires_at) > now)
    )
    lapsing = lots.where(col(PointsLot.expires_at) <= now + SOON)
    return int(session.scalar(lots) or 0), int(session.scalar(lapsing) or 0)
