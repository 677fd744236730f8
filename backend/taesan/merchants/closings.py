"""The daily closing: what a merchant's day brought, in its own time zone."""

import csv
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlmodel import Session, col

from taesan.core import days
from taesan.core.clock import rfc3339
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.merchants import schedule
from taesan.merchants.models import Closing, Payout, Redemption, Sum
from taesan.payments.models import Payment
from taesan.payments.transfers import Transfer
from taesan.settlement.models import Refund

# Rows are stored nearly in the order of their times: several intakes, each with a clock, may differ by so much.
SKEW = timedelta(minutes=1)
LINES = ("payments", "of_invoices", "redemptions", "refunds", "rewards", "payouts", "paid_on_chain")


def close(session: Session, hub: Hub, merchant: Merchant, day: date, now: datetime) -> Closing:
    """The day's sums. What is counted belongs to the day by when the hub received it."""
    zone = ZoneInfo(schedule.settings_of(session, merchant).time_zone)
    begins, ends = days.begins_at(day, zone), days.begins_at(day + timedelta(days=1), zone)

    def total(model: Any, time: Any, *more: ColumnElement[bool]) -> Sum:
        rows = of_days(session, model, time, merchant.id, begins, ends)
        count, amount = session.execute(select(func.count(), func.sum(model.amount)).where(*rows, *more)).one()
        return Sum(count=count, amount=amount or 0)

    to_invoice = col(Payment.destination) == "invoice"
    sums = {
        "payments": total(Payment, col(Payment.accepted_at)),
        "of_invoices": total(Payment, col(Payment.accepted_at), to_invoice),
        "redemptions": total(Redemption, col(Redemption.received_at), col(Redemption.state) == "confirmed"),
        "paid_on_chain": total(Transfer, col(Transfer.seen_at), col(Transfer.state) == "paid"),
        "refunds": total(Refund, col(Refund.made_at), ~col(Refund.is_reward)),
        "rewards": total(Refund, col(Refund.made_at), col(Refund.is_reward).is_(True)),
        "payouts": total(Payout, col(Payout.received_at), col(Payout.state) != "failed"),
    }
    return Closing(
        day=day.isoformat(),
        time_zone=zone.key,
        begins_at=rfc3339(begins),
        ends_at=rfc3339(ends),
        is_over=now >= ends,
        asset=hub.asset.id,
        exponent=hub.asset.exponent,
        net=sum(sums[kind].amount for kind in ("payments", "redemptions"))
        - sum(sums[kind].amount for kind in ("refunds", "rewards")),
        **sums,
    )


def as_csv(closing: Closing) -> str:
    """A line for each sum, in minor units."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(["day", "time_zone", "kind", "count", "amount", "asset", "exponent"])
    for kind in LINES:
        total: Sum = getattr(closing, kind)
        writer.writerow(_line(closing, kind, total.count, total.amount))
    writer.writerow(_line(closing, "net", "", closing.net))
    return text.getvalue()


def _line(closing: Closing, kind: str, count: int | str, amount: int) -> list[object]:
    return [closing.day, closing.time_zone, kind, count, amount, closing.asset, closing.exponent]


def of_days(
    session: Session, model: Any, time: Any, merchant_id: str, begins: datetime, ends: datetime
) -> list[ColumnElement[bool]]:
    """What picks a merchant's rows of a time. An index by time would cost each payment; that by merchant and id leads there in
    some thirty steps, as ids grow with time."""
    first = _first_id(session, model, time, merchant_id, begins - SKEW)
    last = _first_id(session, model, time, merchant_id, ends + SKEW)
    return [model.merchant_id == merchant_id, model.id >= first, model.id < last, time >= begins, time < ends]


def _first_id(session: Session, model: Any, time: Any, merchant_id: str, at: datetime) -> int:
    """From which id on a merchant's rows are no older than `at`."""
    of_merchant = select(model.id, time).where(model.merchant_id == merchant_id)
    newest = session.scalar(select(model.id).where(model.merchant_id == merchant_id).order_by(model.id.desc()).limit(1))
    low, high = 0, (newest or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = session.execute(of_merchant.where(model.id >= middle).order_by(model.id).limit(1)).first()
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0] + 1
    return low
