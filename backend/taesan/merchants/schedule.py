"""A merchant's settings: its time zone, and payouts that are ordered by themselves, once for each day or week."""

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import view
from taesan.core import days
from taesan.core.clock import rfc3339
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.merchants import payouts
from taesan.merchants.models import (
    AccountSettings,
    AccountSettingsPublic,
    MerchantSettings,
    Payout,
    PayoutSchedulePublic,
)

DUE_AT_ONCE = 100


def settings_of(session: Session, merchant: Merchant) -> MerchantSettings:
    """As the merchant has set them; the defaults, which are not stored, before that."""
    return session.get(MerchantSettings, merchant.id) or MerchantSettings(
        merchant_id=merchant.id, time_zone="UTC", every="never", at_least=0, takes_transfers=True
    )


def set_up(session: Session, merchant: Merchant, request: AccountSettings, now: datetime) -> MerchantSettings:
    row, schedule = settings_of(session, merchant), request.payouts
    row.time_zone, row.every = request.time_zone, schedule.every
    row.weekday, row.at_least = schedule.weekday, schedule.at_least
    row.takes_transfers = request.takes_transfers
    row.next_at = _next(row, now)
    session.add(row)
    return row


def public(row: MerchantSettings) -> AccountSettingsPublic:
    return AccountSettingsPublic(
        time_zone=row.time_zone,
        payouts=PayoutSchedulePublic(
            every=row.every,
            weekday=row.weekday,
            at_least=row.at_least,
            next_at=rfc3339(row.next_at) if row.next_at else None,
        ),
        takes_transfers=row.takes_transfers,
    )


def order_step(hub: Hub) -> bool:
    """Worker step: orders the payouts that are due; returns whether any were looked at."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if view.closed(session):
            return False
        due = session.scalars(
            select(col(MerchantSettings.merchant_id))
            .where(col(MerchantSettings.next_at) <= now)
            .order_by(col(MerchantSettings.next_at))
            .limit(DUE_AT_ONCE)
        ).all()
    for merchant_id in due:
        _order(hub, merchant_id, now)
    return bool(due)


def _order(hub: Hub, merchant_id: str, now: datetime) -> None:
    """In one transaction: the payout, and that this period has been looked at."""
    with hub.db.write() as session:
        row = session.get_one(MerchantSettings, merchant_id)
        if row.next_at is None or row.next_at > now:
            return  # another worker was faster, or the merchant has changed it
        merchant = session.get_one(Merchant, merchant_id)
        period = days.day_of(row.next_at, ZoneInfo(row.time_zone)).isoformat()
        credit = posting.balance(session, hub.chart.credit(merchant.address))
        least = max(row.at_least, hub.settings.least_relayed)
        if credit >= least and not _was_ordered(session, merchant_id, period):
            payouts.order(session, hub, merchant, None, now, period)
        row.next_at = _next(row, now)
        session.add(row)


def _was_ordered(session: Session, merchant_id: str, period: str) -> bool:
    """Whoever moves to another time zone may come to the same day twice."""
    ordered = select(col(Payout.id)).where(col(Payout.merchant_id) == merchant_id, col(Payout.period) == period)
    return session.scalar(ordered) is not None


def _next(row: MerchantSettings, now: datetime) -> datetime | None:
    return None if row.every == "never" else days.next_due(now, ZoneInfo(row.time_zone), row.weekday)
