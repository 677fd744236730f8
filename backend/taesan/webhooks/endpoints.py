"""A merchant's endpoints."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.pages import newest_id
from taesan.core.problems import Problem, not_found
from taesan.core.signing_secrets import new_secret
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.payments.models import Payment
from taesan.webhooks.addresses import fault_of_url
from taesan.webhooks.models import WebhookCreate, WebhookDelivery, WebhookEndpoint, WebhookPublic, WebhookUpdate
from taesan.webhooks.schedule import EventType

ENDPOINTS_MAX = 10  # of one merchant
BY_MERCHANT = "disabled by its merchant"
TELLS_PAYMENTS: EventType = "payment.received"


def create(session: Session, hub: Hub, merchant: Merchant, wanted: WebhookCreate) -> WebhookEndpoint:
    """:raises Problem: `webhook-url-refused`, `too-many-webhooks`"""
    check_url(hub, wanted.url)
    if len(endpoints_of(session, merchant)) >= ENDPOINTS_MAX:
        raise Problem(
            "too-many-webhooks", 409, "This merchant has too many webhooks.", f"At most {ENDPOINTS_MAX}: delete one."
        )
    row = WebhookEndpoint(
        public_id=new_id("wh"),
        merchant_id=merchant.id,
        url=wanted.url,
        description=wanted.description or None,
        event_types=_joined(wanted.event_types),
        secret=new_secret(),
        created_at=hub.clock.now(),
    )
    _follow_payments(session, row)
    session.add(row)
    session.flush()
    return row


def update(session: Session, hub: Hub, row: WebhookEndpoint, wanted: WebhookUpdate) -> None:
    """:raises Problem: `webhook-url-refused`"""
    was_enabled = row.disabled_at is None
    if wanted.url is not None:
        check_url(hub, wanted.url)
        row.url = wanted.url
    if wanted.description is not None:
        row.description = wanted.description or None
    if wanted.event_types is not None:
        row.event_types = _joined(wanted.event_types)
    if wanted.enabled is False and was_enabled:
        disable(row, BY_MERCHANT, hub.clock.now())
    if wanted.enabled and not was_enabled:
        row.disabled_at = row.disabled_reason = row.failing_since = row.payment_cursor = None
    _follow_payments(session, row)
    session.add(row)


def disable(row: WebhookEndpoint, reason: str, now: datetime) -> None:
    row.disabled_at, row.disabled_reason = now, reason


def delete(session: Session, row: WebhookEndpoint, now: datetime) -> None:
    """Nothing more is sent; what was sent is forgotten with time, and the endpoint with it."""
    disable(row, "deleted", now)
    row.secret, row.previous_secret, row.deleted_at = "", None, now
    session.add(row)
    session.flush()
    assert row.id is not None
    forget(session, {row.id})


def forget(session: Session, ids: Collection[int]) -> None:
    """Of these the ones that are deleted and of which nothing is kept any more."""
    theirs = select(col(WebhookDelivery.id)).where(col(WebhookDelivery.endpoint_id) == col(WebhookEndpoint.id))
    session.execute(
        sql_delete(WebhookEndpoint)
        .where(col(WebhookEndpoint.id).in_(ids), col(WebhookEndpoint.deleted_at).is_not(None), ~theirs.exists())
        .execution_options(synchronize_session=False)
    )


def endpoints_of(session: Session, merchant: Merchant) -> Sequence[WebhookEndpoint]:
    """Oldest first; at most `ENDPOINTS_MAX`."""
    return session.scalars(
        select(WebhookEndpoint)
        .where(col(WebhookEndpoint.merchant_id) == merchant.id, col(WebhookEndpoint.deleted_at).is_(None))
        .order_by(col(WebhookEndpoint.id))
    ).all()


def find(session: Session, merchant: Merchant, webhook_id: str) -> WebhookEndpoint:
    """One of the merchant's own. :param webhook_id: `wh_…`. :raises Problem: `not-found`"""
    row = session.scalar(
        select(WebhookEndpoint).where(
            col(WebhookEndpoint.public_id) == webhook_id,
            col(WebhookEndpoint.merchant_id) == merchant.id,
            col(WebhookEndpoint.deleted_at).is_(None),
        )
    )
    if row is None:
        raise not_found("The webhook", webhook_id)
    return row


def types_of(row: WebhookEndpoint) -> list[EventType]:
    return row.event_types.split()  # type: ignore[return-value]


def public(row: WebhookEndpoint) -> WebhookPublic:
    return WebhookPublic(
        id=row.public_id,
        url=row.url,
        description=row.description or "",
        event_types=types_of(row),
        enabled=row.disabled_at is None,
        disabled_reason=row.disabled_reason,
        failing_since=rfc3339(row.failing_since) if row.failing_since else None,
        created_at=rfc3339(row.created_at),
    )


def _joined(event_types: Sequence[str]) -> str:
    return " ".join(sorted(set(event_types)))


def check_url(hub: Hub, url: str) -> None:
    """:raises Problem: `webhook-url-refused`"""
    fault = fault_of_url(url, local_allowed=hub.settings.local_webhooks)
    if fault:
        raise Problem("webhook-url-refused", 422, "Webhooks cannot be sent to this URL.", fault)


def _follow_payments(session: Session, row: WebhookEndpoint) -> None:
    """Who wants payments is told from now on. The writer's lock keeps all intakes away, so none is on its way below this."""
    if TELLS_PAYMENTS not in types_of(row):
        row.payment_cursor = None
    elif row.payment_cursor is None:
        row.payment_cursor = newest_id(session, col(Payment.id))
