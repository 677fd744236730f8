"""What gateways' payments tell the floors above when it comes later than the payments themselves."""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from taesan.core import outbox
from taesan.gateways.models import GatewayCustomer, GatewayPayment

PAYMENTS_CHANGED = "gateways.PaymentsChanged"
CUSTOMER_LINKED = "gateways.CustomerLinked"


def drawn(session: Session, rows: Sequence[GatewayPayment], now: datetime) -> None:
    """Of payments that had waited for funding."""
    _changed(session, "drawn", rows, now)


def refunded(session: Session, rows: Sequence[GatewayPayment], now: datetime) -> None:
    _changed(session, "refunded", rows, now)


def linked(session: Session, customer: GatewayCustomer, now: datetime) -> None:
    outbox.put(session, f"gateway-linked:{customer.public_id}", CUSTOMER_LINKED, {"id": customer.id}, now)


def _changed(session: Session, how: str, rows: Sequence[GatewayPayment], now: datetime) -> None:
    """Each is drawn once and refunded once, so the first names the event."""
    if rows:
        ids = [row.id for row in rows]
        outbox.put(session, f"gateway-{how}:{rows[0].public_id}", PAYMENTS_CHANGED, {"ids": ids}, now)
