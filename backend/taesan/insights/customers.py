"""What a merchant's custom is made of, read by its own index: the payments of the asked months, no matter how many there are besides."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.core.days import begins_at, day_of
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.insights import asked, custom
from taesan.insights.custom import Around, Sale, Sums
from taesan.insights.custom_models import (
    CampaignEffect,
    CohortMonth,
    CohortPublic,
    CustomAround,
    CustomForecast,
    CustomSums,
    MerchantInsights,
    RepeatPublic,
    TierCustom,
)
from taesan.insights.movements import month_of, next_month
from taesan.loyalty.models import Member
from taesan.merchants import closings, schedule
from taesan.payments.models import Payment
from taesan.settlement.reward_models import Campaign, Reward

MOST = 100_000  # payments that are looked at, the newest of the asked months
MOST_CAMPAIGNS = 10
PAGE = 500


def insights(
    session: Session, hub: Hub, merchant: Merchant, month: date | None, before: int, now: datetime
) -> MerchantInsights:
    """:param month: its first day; None: this one. :param before: how many months before it are looked at"""
    zone = ZoneInfo(schedule.settings_of(session, merchant).time_zone)
    today = day_of(now, zone)
    month = month or month_of(today)
    asked.begun(month, today, zone.key)
    since = month
    for _ in range(before):
        since = month_of(since - timedelta(days=1))
    sales, is_complete = _sales(session, merchant, zone, since, next_month(month))
    if not is_complete:
        # Of the month in which the oldest of them lie there are more.
        since = min(next_month(sales[0].day), month)
        sales = [sale for sale in sales if sale.day >= since]
    of_month = [sale for sale in sales if sale.day >= month]
    repeat, cohorts = custom.repeat(sales, month), custom.cohorts(sales, month)
    known_since, start, end = (begins_at(day, zone) for day in (since, month, next_month(month)))
    return MerchantInsights(
        month=f"{month:%Y-%m}",
        time_zone=zone.key,
        since=f"{since:%Y-%m}",
        complete=is_complete,
        asset=hub.asset.id,
        exponent=hub.asset.exponent,
        paid=_sums(custom.sums(of_month)),
        repeat=None if repeat is None else RepeatPublic(**repeat._asdict()),
        cohorts=[_cohort(cohort, since) for cohort in cohorts],
        campaigns=_campaigns(session, merchant, sales, known_since, start, min(now, end)),
        tiers=_tiers(session, merchant, sales, month),
        forecast=_forecast(sales, month, today),
    )


def _sales(session: Session, merchant: Merchant, zone: ZoneInfo, since: date, until: date) -> tuple[list[Sale], bool]:
    """Of the days in [since, until), in their order; and whether they are all."""
    rows = closings.of_days(
        session, Payment, col(Payment.accepted_at), merchant.id, begins_at(since, zone), begins_at(until, zone)
    )
    query = select(col(Channel.payer), col(Payment.accepted_at), col(Payment.amount))
    query = query.join(Channel, col(Channel.id) == col(Payment.channel_id)).where(*rows)
    found = session.execute(query.order_by(col(Payment.id).desc()).limit(MOST + 1)).all()
    sales = [Sale(payer, at, day_of(at, zone), amount) for payer, at, amount in reversed(found[:MOST])]
    return sales, len(found) <= MOST


def _cohort(cohort: custom.Cohort, since: date) -> CohortPublic:
    return CohortPublic(
        first=f"{cohort.first:%Y-%m}",
        last=f"{cohort.last:%Y-%m}",
        or_before=cohort.first == since,
        payers=cohort.payers,
        active=[CohortMonth(month=f"{month:%Y-%m}", payers=payers) for month, payers in cohort.active],
    )


def _campaigns(
    session: Session, merchant: Merchant, sales: Sequence[Sale], since: datetime, start: datetime, until: datetime
) -> list[CampaignEffect]:
    """:param since: what is known begins there. :param start, until: of the month, as far as it has come"""
    newest = select(Campaign).where(col(Campaign.merchant_id) == merchant.id, col(Campaign.starts_at) < until)
    running = newest.where(col(Campaign.ends_at) > start).order_by(col(Campaign.id).desc()).limit(MOST_CAMPAIGNS)
    return [_effect(session, campaign, sales, since, until) for campaign in session.scalars(running)]


def _effect(
    session: Session, campaign: Campaign, sales: Sequence[Sale], since: datetime, until: datetime
) -> CampaignEffect:
    start = campaign.starts_at
    weeks = custom.weeks_around(start, since, min(until, campaign.ends_at))
    both, all_ = None, None
    if weeks:
        of_campaign = select(col(Reward.payer)).where(col(Reward.campaign_id) == campaign.id).distinct()
        near = custom.near(sales, start, weeks)
        both = custom.apart(near, start, session.scalars(of_campaign.limit(MOST)).all())
        all_ = custom.around(near, start)
    return CampaignEffect(
        id=campaign.public_id,
        name=campaign.name,
        starts_at=rfc3339(start),
        spent=campaign.spent,
        weeks=weeks,
        all=all_ and _around(all_),
        rewarded=both and _around(both[0]),
        others=both and _around(both[1]),
    )


def _tiers(session: Session, merchant: Merchant, sales: Sequence[Sale], month: date) -> list[TierCustom]:
    tiers = _levels(session, merchant, {sale.payer for sale in sales if sale.day >= month})
    if not any(tiers.values()):
        return []
    return [TierCustom(levels=levels, paid=_around(paid)) for levels, paid in custom.by_tier(sales, month, tiers)]


def _levels(session: Session, merchant: Merchant, payers: Collection[str]) -> dict[str, int]:
    listed = sorted(payers)
    found: dict[str, int] = {}
    for n in range(0, len(listed), PAGE):
        members = select(col(Member.payer), col(Member.tier)).where(col(Member.owner) == merchant.id)
        found |= dict(session.execute(members.where(col(Member.payer).in_(listed[n : n + PAGE]))).all())
    return found


def _forecast(sales: Sequence[Sale], month: date, today: date) -> CustomForecast | None:
    found = custom.forecast(sales, month, today)
    if found is None:
        return None
    so_far = found.total - found.due - found.expected
    return CustomForecast(so_far=so_far, expected=found.expected, total=found.total, low=found.low, high=found.high)


def _around(paid: Around) -> CustomAround:
    return CustomAround(before=paid.before and _sums(paid.before), after=paid.after and _sums(paid.after))


def _sums(sums: Sums) -> CustomSums:
    return CustomSums(payers=sums.payers, payments=sums.payments, amount=sums.amount)
