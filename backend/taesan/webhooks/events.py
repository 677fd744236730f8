"""What merchants are told of: a delivery for each endpoint that wants it, made once, with the change or in its handling."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session, col

from taesan.core.bulk import insert_missing
from taesan.core.clock import rfc3339
from taesan.core.outbox import Handler
from taesan.core.values import Shape
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.merchants import invoices, refunds
from taesan.merchants import queries as merchants
from taesan.merchants.models import Payout, Redemption
from taesan.payments import queries as payments
from taesan.payments.invoices import EXPIRED, PAID, Invoice
from taesan.payments.models import Payment
from taesan.reminders import matters
from taesan.reminders.models import Reminder
from taesan.settlement.models import BatchCredit, Refund
from taesan.webhooks.endpoints import TELLS_PAYMENTS, types_of
from taesan.webhooks.models import (
    PaymentsReceived,
    PaymentsSettled,
    WebhookDelivery,
    WebhookEndpoint,
)
from taesan.webhooks.schedule import EventType

PAYMENTS_EACH = 100
DELIVERIES_EACH, ENDPOINTS_EACH = 10, 50
"""Of one endpoint, and endpoints, in one transaction: it holds up the intake."""


def handlers(hub: Hub) -> dict[str, Handler]:
    """Outbox event → what makes deliveries of it. Of what is not subscribed to, nothing is made."""
    return {
        "settlement.BatchSettled": _batch_settled,
        "merchants.PayoutPaid": _about_payout("payout.paid"),
        "merchants.PayoutFailed": _about_payout("payout.failed"),
        "merchants.RedemptionConfirmed": _about_redemption("redemption.confirmed"),
        "merchants.RedemptionFailed": _about_redemption("redemption.failed"),
        PAID: _about_invoice(hub, "invoice.paid"),
        EXPIRED: _about_invoice(hub, "invoice.expired"),
        refunds.REFUNDED: _refunded,
        matters.TOLD: _reminded(hub),
    }


def tell(session: Session, merchant_id: str, type_: EventType, ref: str, data: Shape, now: datetime) -> None:
    """:param ref: names the news; with the same one it is the same, and told once"""
    for endpoint in _enabled(session, merchant_id):
        if type_ in types_of(endpoint):
            tell_one(session, endpoint, type_, ref, data, now)


def tell_one(
    session: Session, endpoint: WebhookEndpoint, type_: EventType, ref: str, data: Shape, now: datetime
) -> str:
    """Whether it wants it or not; returns the delivery's id."""
    id_ = _message_id(endpoint.public_id, ref)
    _add(session, [_delivery(endpoint, id_, type_, now) | {"body": body_for(type_, now, data)}])
    return id_


def body_for(type_: str, at: datetime, data: Shape) -> str:
    """As the Standard Webhooks specification has it."""
    told = {"type": type_, "timestamp": rfc3339(at), "data": data.model_dump(mode="json")}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def body_of(session: Session, delivery: WebhookDelivery, merchant_id: str) -> str:
    """The same with each try."""
    if delivery.body is not None:
        return delivery.body
    rows = session.scalars(
        select(Payment)
        .where(
            col(Payment.merchant_id) == merchant_id,
            col(Payment.merchant_id).is_not(None),
            col(Payment.id).between(delivery.first_payment, delivery.last_payment),
        )
        .order_by(col(Payment.id))
    )
    as_accepted = [payments.received_payment(row).model_copy(update={"batch_id": None}) for row in rows]
    return body_for(delivery.type, delivery.created_at, PaymentsReceived(payments=as_accepted))


def tell_payments_step(hub: Hub) -> bool:
    """Worker step: gathers payments that were accepted since, for who wants them; returns whether there were any."""
    with hub.db.read() as session:
        waiting = _waiting_for_payments(session)
    if not waiting:
        return False
    newest = payments.newest_of_now(hub.db)
    now = hub.clock.now()
    with hub.db.read() as session:
        made = {endpoint.id: _gathered(session, endpoint, newest, now) for endpoint in waiting}
    with hub.db.write() as session:
        for endpoint in waiting:
            rows = made[endpoint.id]
            if rows and _move_cursor(session, endpoint, rows[-1]["last_payment"]):
                _add(session, rows)
    return any(made.values())


def _waiting_for_payments(session: Session) -> list[WebhookEndpoint]:
    """Those furthest behind first."""
    newer = select(col(Payment.id)).where(
        col(Payment.merchant_id) == col(WebhookEndpoint.merchant_id),
        col(Payment.merchant_id).is_not(None),
        col(Payment.id) > col(WebhookEndpoint.payment_cursor),
    )
    return list(
        session.scalars(
            select(WebhookEndpoint)
            .where(
                col(WebhookEndpoint.disabled_at).is_(None),
                col(WebhookEndpoint.payment_cursor).is_not(None),
                newer.exists(),
            )
            .order_by(col(WebhookEndpoint.payment_cursor))
            .limit(ENDPOINTS_EACH)
        )
    )


def _gathered(session: Session, endpoint: WebhookEndpoint, newest: int, now: datetime) -> list[dict[str, Any]]:
    found = session.execute(
        select(col(Payment.id), col(Payment.public_id))
        .where(
            col(Payment.merchant_id) == endpoint.merchant_id,
            col(Payment.merchant_id).is_not(None),
            col(Payment.id) > endpoint.payment_cursor,
            col(Payment.id) <= newest,
        )
        .order_by(col(Payment.id))
        .limit(PAYMENTS_EACH * DELIVERIES_EACH)
    ).all()
    rows = []
    for start in range(0, len(found), PAYMENTS_EACH):
        part = found[start : start + PAYMENTS_EACH]
        # By its public id: after a restore a row's number may be another payment's.
        id_ = _message_id(endpoint.public_id, f"payments:{part[0].public_id}")
        row = _delivery(endpoint, id_, TELLS_PAYMENTS, now)
        rows.append(row | {"first_payment": part[0].id, "last_payment": part[-1].id})
    return rows


def _move_cursor(session: Session, endpoint: WebhookEndpoint, to: int) -> bool:
    """False if somebody else has moved it: another worker, or its merchant."""
    moved = session.execute(
        update(WebhookEndpoint)
        .where(
            col(WebhookEndpoint.id) == endpoint.id,
            col(WebhookEndpoint.payment_cursor) == endpoint.payment_cursor,
            col(WebhookEndpoint.disabled_at).is_(None),
        )
        .values(payment_cursor=to)
    )
    return bool(moved.rowcount)  # type: ignore[attr-defined]


def _batch_settled(session: Session, event: Mapping[str, Any], now: datetime) -> None:
    """For each merchant that is credited, in the transaction that books it."""
    batch_id = event["args"]["batchId"]
    wanting = select(col(WebhookEndpoint.merchant_id)).where(col(WebhookEndpoint.disabled_at).is_(None))
    credited = session.execute(
        select(col(Merchant.id), col(BatchCredit.amount))
        .join(Merchant, col(Merchant.address) == col(BatchCredit.address))
        .where(col(BatchCredit.batch_id) == batch_id, col(Merchant.id).in_(wanting))
    ).all()
    for merchant_id, amount in credited:
        data = PaymentsSettled(batch_id=batch_id, amount=amount, transaction=event["transaction"])
        tell(session, merchant_id, "payment.settled", f"batch:{batch_id}", data, now)


def _about_payout(type_: EventType) -> Handler:
    def handle(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = session.scalar(select(Payout).where(col(Payout.public_id) == event["id"]))
        if row is not None:
            data = merchants.public_payout(session, row)
            tell(session, row.merchant_id, type_, f"{type_}:{row.public_id}", data, now)

    return handle


def _about_redemption(type_: EventType) -> Handler:
    def handle(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = session.scalar(select(Redemption).where(col(Redemption.public_id) == event["id"]))
        if row is not None:
            data = merchants.public_redemption(session, row)
            tell(session, row.merchant_id, type_, f"{type_}:{row.public_id}", data, now)

    return handle


def _about_invoice(hub: Hub, type_: EventType) -> Handler:
    def handle(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = session.scalar(select(Invoice).where(col(Invoice.public_id) == event["id"]))
        if row is not None:
            data = invoices.record(session, hub, row)
            tell(session, row.merchant_id, type_, f"{type_}:{row.public_id}", data, now)

    return handle


def _refunded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
    row = session.scalar(select(Refund).where(col(Refund.public_id) == event["id"]))
    if row is not None:
        tell(session, row.merchant_id, "refund.accepted", f"refund:{row.public_id}", refunds.public(session, row), now)


def _reminded(hub: Hub) -> Handler:
    def handle(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """Of a wallet that is a merchant's; others look at their lists."""
        row = session.get(Reminder, event["id"])
        merchant_id = row and session.scalar(select(col(Merchant.id)).where(col(Merchant.address) == row.wallet))
        if row and merchant_id:
            ref = f"reminder:{row.kind}:{row.subject}:{rfc3339(row.since)}"
            tell(session, merchant_id, "reminder.due", ref, matters.public(session, hub, row, now), now)

    return handle


def _enabled(session: Session, merchant_id: str) -> list[WebhookEndpoint]:
    of_merchant = select(WebhookEndpoint).where(
        col(WebhookEndpoint.merchant_id) == merchant_id, col(WebhookEndpoint.disabled_at).is_(None)
    )
    return list(session.scalars(of_merchant.order_by(col(WebhookEndpoint.id))))


def _message_id(endpoint_id: str, ref: str) -> str:
    return "msg_" + hashlib.sha256(f"{endpoint_id} {ref}".encode()).hexdigest()[:28]


def _delivery(endpoint: WebhookEndpoint, id_: str, type_: str, now: datetime) -> dict[str, Any]:
    return {
        "public_id": id_,
        "endpoint_id": endpoint.id,
        "type": type_,
        "state": "waiting",
        "tries": 0,
        "next_at": now,
        "created_at": now,
    }


def _add(session: Session, rows: list[dict[str, Any]]) -> None:
    insert_missing(session.connection(), WebhookDelivery, rows)
