"""Takes in what gateways report: payments made elsewhere, and their refunds. By its own id each is taken in once."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core import idempotency
from taesan.core.clock import rfc3339
from taesan.core.ids import new_ids
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found
from taesan.gateways import customers, funding, news
from taesan.gateways.drawing import Draw, give_back
from taesan.gateways.models import (
    FIRST_PAID,
    MAX_AHEAD,
    Gateway,
    GatewayCustomer,
    GatewayPayment,
    GatewayPaymentIn,
    GatewayPaymentPublic,
    GatewayRefundIn,
    PaymentsMade,
    PaymentsRefunded,
)
from taesan.hub import Hub
from taesan.identity import keys
from taesan.jars import accrual
from taesan.ledger import posting
from taesan.payments import store
from taesan.payments.requests import over_cap, quoted


class Outcome(NamedTuple):
    """What became of one report: its payment, or why it was refused. :ivar replayed: it was done before"""

    payment: GatewayPayment | None = None
    problem: Problem | None = None
    replayed: bool = False


def take(
    session: Session, hub: Hub, gateway: Gateway, message: PaymentsMade | PaymentsRefunded, now: datetime
) -> list[Outcome]:
    """Stores what is reported, each for itself, and draws what the funding covers; the caller's commit makes it durable."""
    if isinstance(message, PaymentsMade):
        made = message.data if isinstance(message.data, list) else [message.data]
        outcomes = _take_payments(session, hub, gateway, made, now)
    else:
        refunded = message.data if isinstance(message.data, list) else [message.data]
        outcomes = _take_refunds(session, hub, gateway, refunded, now)
    new = {outcome.payment.id for outcome in outcomes if outcome.payment is not None and not outcome.replayed}
    funding.draw(session, hub, gateway, now, new)
    return outcomes


def count(message: PaymentsMade | PaymentsRefunded) -> int:
    return len(message.data) if isinstance(message.data, list) else 1


# -------------------------------------------------------------------- payments


def _take_payments(
    session: Session, hub: Hub, gateway: Gateway, items: Sequence[GatewayPaymentIn], now: datetime
) -> list[Outcome]:
    known = _by_name(session, gateway, [item.id for item in items])
    merchants = store.payees(session.connection(), {item.merchant_id for item in items if item.merchant_id is not None})
    theirs = customers.of_names(session, gateway, {i.customer for i in items if i.id not in known}, now)
    ids = iter(new_ids("gpay", len(items)))
    outcomes = []
    for item in items:
        print_ = idempotency.fingerprint(item.model_dump(mode="json"))
        try:
            if item.id in known:
                outcomes.append(_again(known[item.id], print_))
                continue
            if item.merchant_id is not None and item.merchant_id not in merchants:
                raise keys.unknown_merchant(item.merchant_id)
            _check_time(item.paid_at, now)
            amount = _to_convert(hub, item)
        except Problem as problem:
            outcomes.append(Outcome(problem=problem))
            continue
        row = _row(next(ids), gateway, theirs[item.customer], item, amount, print_, now)
        known[item.id] = row
        gateway.waiting += 1
        gateway.waiting_amount += amount
        session.add(row)
        outcomes.append(Outcome(row))
    session.add(gateway)
    session.flush()
    return outcomes


def _check_time(paid_at: datetime, now: datetime) -> None:
    """:raises Problem: `impossible-time`"""
    if not FIRST_PAID <= paid_at <= now + MAX_AHEAD:
        raise Problem(
            "impossible-time",
            422,
            "Nothing can have been paid at this time.",
            "paid_at is before the year 2000, or more than a day ahead.",
        )


def _to_convert(hub: Hub, item: GatewayPaymentIn) -> int:
    """:raises Problem: `currency-not-quoted`, `wrong-exponent`, `amount-over-cap`"""
    price, _ = quoted(hub, item.purchase)
    if item.round_up_step is not None:
        amount = accrual.round_up(price, item.round_up_step)
    else:
        assert item.convert is not None
        amount = item.convert
    if amount > hub.settings.max_payment:
        raise over_cap(hub.settings.max_payment)
    return amount


def _row(
    public_id: str,
    gateway: Gateway,
    customer: GatewayCustomer,
    item: GatewayPaymentIn,
    amount: int,
    fingerprint: str,
    now: datetime,
) -> GatewayPayment:
    assert customer.id is not None
    return GatewayPayment(
        public_id=public_id,
        gateway_id=gateway.id,
        customer_id=customer.id,
        name=item.id,
        fingerprint=fingerprint,
        merchant_id=item.merchant_id,
        reference=item.reference,
        purchase_value=item.purchase.value,
        purchase_currency=item.purchase.asset,
        amount=amount,
        state="waiting",
        paid_at=item.paid_at,
        received_at=now,
    )


def _again(row: GatewayPayment, fingerprint: str) -> Outcome:
    if row.fingerprint != fingerprint:
        raise Problem(
            "gateway-payment-differs",
            409,
            "The gateway has reported another payment by this id.",
            f"{row.name} was reported as something else before: send what is new by a new id.",
        )
    return Outcome(row, replayed=True)


# --------------------------------------------------------------------- refunds


def _take_refunds(
    session: Session, hub: Hub, gateway: Gateway, items: Sequence[GatewayRefundIn], now: datetime
) -> list[Outcome]:
    known = _by_name(session, gateway, [item.id for item in items])
    outcomes = []
    for item in items:
        row = known.get(item.id)
        if row is None:
            outcomes.append(Outcome(problem=not_found("The payment", item.id)))
        elif row.refunded_at is not None:
            outcomes.append(Outcome(row, replayed=True))
        else:
            _refund(session, hub, gateway, row, now)
            outcomes.append(Outcome(row))
    session.flush()
    news.refunded(session, [outcome.payment for outcome in outcomes if outcome.payment and not outcome.replayed], now)
    return outcomes


def _refund(session: Session, hub: Hub, gateway: Gateway, row: GatewayPayment, now: datetime) -> None:
    """What still waits is never drawn. Of what was drawn, what is still gathered goes back to the funding; the rest is owed by
    the customer, whose next conversions pay it back."""
    row.refunded_at = now
    session.add_all([row, gateway])
    if row.state == "waiting":
        row.state = "cancelled"
        gateway.waiting -= 1
        gateway.waiting_amount -= row.amount
        return
    assert gateway.channel_id is not None
    customer = session.get_one(GatewayCustomer, row.customer_id)
    gathered = hub.chart.gathered(customer.public_id)
    back = give_back(Draw(row.amount - row.paid_back, row.paid_back), posting.balance(session, gathered))
    if back.returned:
        lines = posting.transfer(gathered, hub.chart.channel(gateway.channel_id), back.returned)
        posting.post(session, f"returned:{row.public_id}", "a gateway's payment refunded", now, lines)
    row.state, row.returned = "refunded", back.returned
    gateway.drawn -= back.returned
    customer.owed += back.owed
    session.add(customer)


# --------------------------------------------------------------------- reading


def _by_name(session: Session, gateway: Gateway, names: Sequence[str]) -> dict[str, GatewayPayment]:
    rows = session.scalars(
        select(GatewayPayment).where(
            col(GatewayPayment.gateway_id) == gateway.id, col(GatewayPayment.name).in_(set(names))
        )
    )
    return {row.name: row for row in rows}


def page(session: Session, gateway: Gateway, before: int | None, limit: int) -> Sequence[GatewayPayment]:
    query = select(GatewayPayment).where(col(GatewayPayment.gateway_id) == gateway.id)
    return newest_first(session, query, col(GatewayPayment.id), before, limit)


def public(row: GatewayPayment) -> GatewayPaymentPublic:
    return GatewayPaymentPublic(
        id=row.public_id,
        name=row.name,
        state=row.state,
        amount=row.amount,
        returned=row.returned,
        received_at=rfc3339(row.received_at),
    )
