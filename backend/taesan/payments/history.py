"""What a rule would have gathered of what its payer has bought."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from babel.numbers import get_currency_precision
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core import days
from taesan.core.clock import rfc3339
from taesan.core.reasons import told
from taesan.hub import Hub
from taesan.jars import accrual, perks, rules, sources
from taesan.jars.reasons import TITLES
from taesan.jars.rehearsal import Bought, rehearse
from taesan.jars.rule_models import DryRun, DryRunAsked, DryRunFiring
from taesan.payments.models import Payment

MOST = 20_000  # payments that are looked at
SHOWN = 100
SOON = timedelta(minutes=10)


def dry_run(session: Session, hub: Hub, channel: Channel, asked: DryRunAsked, now: datetime, language: str) -> DryRun:
    """:raises Problem: `invalid-rule`"""
    words = rules.read(hub, asked)
    zone, exponent = words.fires.time_zone, hub.asset.exponent
    first = asked.first_day or (days.day_of(now, zone).replace(day=1) - timedelta(days=1)).replace(day=1)
    start, end = days.begins_at(first, zone), days.begins_at(_next_month(first), zone)
    payments, is_complete = _payments(session, channel, start, end)
    found = rehearse(
        words,
        _bought(hub, payments),
        exponent,
        start,
        end,
        hub.settings.max_payment,
        perks.of_payer(session, channel.payer),
    )
    currency = hub.settings.asset_currency
    in_currency = sources.in_money(found.gathered, currency, exponent)
    never = [f.amount for f in found.firings if asked.per_day and f.amount > asked.per_day]
    text = f"In {first:%Y-%m} this would have gathered {in_currency}."
    if never:
        text += f" {len(never)} of {len(found.firings)} firings are more than `per_day` lets pass: they would stay in the wallet."
    return DryRun(
        month=f"{first:%Y-%m}",
        text=text,
        purchases=found.purchases,
        payments=found.payments,
        gathered=found.gathered,
        fired=sum(firing.amount for firing in found.firings),
        left=found.left,
        never_moved=sum(never),
        firings=[
            DryRunFiring(at=rfc3339(f.at), amount=f.amount, reason=told(f.reason, TITLES, language))
            for f in found.firings[:SHOWN]
        ],
        complete=is_complete,
    )


def _next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def _payments(session: Session, channel: Channel, start: datetime, end: datetime) -> tuple[list[Payment], bool]:
    """The channel's payments of that time in their order, and whether they are all."""
    of_channel = select(Payment).where(col(Payment.account_id) == channel.account_id)
    newest_first = of_channel.order_by(col(Payment.cumulative).desc()).limit(MOST)
    found: list[Payment] = []
    count = 0
    for payment in session.scalars(newest_first.execution_options(yield_per=500)):
        if payment.accepted_at < start:
            return found[::-1], True
        count += 1
        if payment.accepted_at < end:
            found.append(payment)
    return found[::-1], count < MOST


def _bought(hub: Hub, payments: list[Payment]) -> Iterator[Bought]:
    """What was paid over the channel, and what was paid elsewhere, of which only the round-up has come: a round-up that
    refers to a payment of the first kind is not another purchase."""
    paid = {payment.public_id for payment in payments if payment.merchant_id is not None}
    for payment in payments:
        if payment.merchant_id is not None:
            yield Bought(payment.accepted_at, payment.amount, payment.merchant_id, payment.purchase_category)
        elif payment.purchase_value is not None and payment.reference not in paid:
            exponent = get_currency_precision(payment.purchase_currency or hub.settings.asset_currency)
            price = accrual.rescale(payment.purchase_value, exponent, hub.asset.exponent)
            if price is not None:
                yield Bought(payment.accepted_at, price, payment.purchase_merchant, payment.purchase_category)


def purchases(
    session: Session, hub: Hub, channel: Channel, start: datetime, end: datetime
) -> tuple[list[tuple[Bought, bool]], bool]:
    """The channel's purchases of that time as a dry run takes them, each with whether its change was gathered, so far as that can
    be told; and whether they are all."""
    payments, is_complete = _payments(session, channel, start, end)
    paid = {payment.public_id for payment in payments if payment.merchant_id is not None}
    rounded = {payment.reference for payment in payments if payment.purchase_value is not None} & paid
    rounded |= _unnamed(hub, payments, paid)
    found = []
    for payment in payments:
        if payment.merchant_id is None and payment.reference in paid:
            continue
        is_gathered = payment.merchant_id is None or payment.public_id in rounded
        found += [(bought, is_gathered) for bought in _bought(hub, [payment])]
    return found, is_complete


def _unnamed(hub: Hub, payments: list[Payment], paid: set[str]) -> set[str]:
    """Of the payments here those of whose price, soon after, something was gathered whose client does not say of what; each once."""
    found: set[str] = set()
    waiting: dict[int, list[Payment]] = {}
    for payment in payments:
        if payment.merchant_id is not None:
            waiting.setdefault(payment.amount, []).append(payment)
        elif payment.reference not in paid:
            for bought in _bought(hub, [payment]):
                while candidates := waiting.get(bought.price):
                    if payment.accepted_at - (candidate := candidates.pop()).accepted_at <= SOON:
                        found.add(candidate.public_id)
                        break
    return found
