"""The way of a delivery: due → claimed → tried → noted, and due again later if need be.

At least once: whoever dies between a try and its note leaves a claim that runs out, and the delivery is tried again, under the
same `webhook-id`. Each step is one short transaction; nothing is sent in any.
"""

import json
import secrets
from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import delete as sql_delete
from sqlalchemy import select, update
from sqlmodel import Session, col
from standardwebhooks.webhooks import Webhook

from taesan.core import signing_secrets
from taesan.core.clock import rfc3339
from taesan.core.meters import Counter
from taesan.core.pages import newest_first
from taesan.core.problems import Problem, not_found
from taesan.identity.models import Merchant
from taesan.webhooks import endpoints, events
from taesan.webhooks.models import (
    Reference,
    WebhookAttempt,
    WebhookAttemptPublic,
    WebhookDelivery,
    WebhookDeliveryDetails,
    WebhookDeliveryPublic,
    WebhookEndpoint,
)
from taesan.webhooks.schedule import DISABLED_AFTER, GONE, wait_after
from taesan.webhooks.sending import WHOLE_S, Try

log = structlog.get_logger()

ATTEMPTS = Counter("taesan_webhook_attempts", "Tries to deliver a webhook, by what became of them.", ("result",))
CLAIM = timedelta(seconds=4 * WHOLE_S)
"""After that a delivery counts as nobody's again: surely longer than a try and its note take."""
UNDER_WAY_MAX, OF_ENDPOINT_MAX = 32, 4
"""Tries at once, of all and of one endpoint: a slow one holds up itself."""
KEPT = timedelta(days=30)
FORGOTTEN_EACH = 500  # deliveries in one transaction
ATTEMPTS_SHOWN = 50


class Parcel(NamedTuple):
    """A claimed delivery, ready to be sent."""

    delivery_id: int
    endpoint_id: int
    claim: str
    url: str
    headers: dict[str, str]
    body: str


class Due(NamedTuple):
    """:ivar last: the endpoint to go on after, so that each has its turn"""

    ids: list[int]
    last: int


def find_due(session: Session, now: datetime, room: int, under_way: Tally[int], after: int) -> Due:
    """Deliveries that may be tried now, of each endpoint those first that are due longest.

    :param room: at most so many. :param under_way: endpoint → tries of it under way. :param after: endpoint
    """
    due = select(col(WebhookDelivery.id)).where(
        col(WebhookDelivery.endpoint_id) == col(WebhookEndpoint.id), col(WebhookDelivery.next_at) <= now
    )
    full = [endpoint for endpoint, count in under_way.items() if count >= OF_ENDPOINT_MAX]
    ready = (
        select(col(WebhookEndpoint.id))
        .where(col(WebhookEndpoint.disabled_at).is_(None), col(WebhookEndpoint.id).not_in(full), due.exists())
        .order_by(col(WebhookEndpoint.id))
        .limit(room)
    )
    in_turn = [
        *session.scalars(ready.where(col(WebhookEndpoint.id) > after)),
        *session.scalars(ready.where(col(WebhookEndpoint.id) <= after)),
    ]
    found: list[int] = []
    for endpoint in in_turn:
        if len(found) >= room:
            break
        after = endpoint
        of_endpoint = (
            select(col(WebhookDelivery.id))
            .where(col(WebhookDelivery.endpoint_id) == endpoint, col(WebhookDelivery.next_at) <= now)
            .order_by(col(WebhookDelivery.next_at))
            .limit(min(OF_ENDPOINT_MAX - under_way[endpoint], room - len(found)))
        )
        found += [id_ for id_ in session.scalars(of_endpoint) if id_ is not None]
    return Due(found, after)


def claim(session: Session, ids: Sequence[int], now: datetime) -> str:
    """Takes those that nobody else has taken meanwhile; returns by what they are known."""
    token = secrets.token_hex(8)
    session.execute(
        update(WebhookDelivery)
        .where(col(WebhookDelivery.id).in_(ids), col(WebhookDelivery.next_at) <= now)
        .values(claim=token, next_at=now + CLAIM)
    )
    return token


def parcels(session: Session, ids: Sequence[int], token: str, now: datetime) -> list[Parcel]:
    """Signs what the claim has got."""
    rows = session.execute(
        select(WebhookDelivery, WebhookEndpoint)
        .join(WebhookEndpoint, col(WebhookEndpoint.id) == col(WebhookDelivery.endpoint_id))
        .where(col(WebhookDelivery.id).in_(ids), col(WebhookDelivery.claim) == token)
        .order_by(col(WebhookDelivery.id))
    ).all()
    made = []
    for delivery, endpoint in rows:
        if endpoint.deleted_at is not None:
            continue
        body = events.body_of(session, delivery, endpoint.merchant_id)
        headers = signed(delivery.public_id, body, signing_secrets.good(endpoint, now), now)
        made.append(Parcel(delivery.id, endpoint.id, token, endpoint.url, headers, body))
    return made


def signed(id_: str, body: str, keys: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(id_, now, body) for secret in keys),
    }


def note(session: Session, parcel: Parcel, tried: Try, now: datetime, random: float) -> None:
    """What became of a try. If its claim has run out somebody else has the delivery: then it is logged and changes nothing.

    :param random: from 0 to 1
    """
    ATTEMPTS.values["delivered" if tried.is_success else "failed",] += 1
    delivery = session.get(WebhookDelivery, parcel.delivery_id)
    endpoint = session.get(WebhookEndpoint, parcel.endpoint_id)
    if delivery is None or endpoint is None:
        return  # forgotten
    session.add(
        WebhookAttempt(
            delivery_id=parcel.delivery_id,
            at=now,
            duration_ms=tried.duration_ms,
            status=tried.status,
            error=tried.error,
            answer=tried.answer,
        )
    )
    if delivery.claim == parcel.claim:
        delivery.claim = delivery.next_at = None
        if tried.is_success:
            delivery.state = "delivered"
        else:
            delivery.tries += 1
            wait = None if tried.status == GONE else wait_after(delivery.tries, random)
            delivery.state, delivery.next_at = ("waiting", now + wait) if wait else ("failed", None)
        session.add(delivery)
    _note_health(endpoint, tried, now)
    session.add(endpoint)


def _note_health(endpoint: WebhookEndpoint, tried: Try, now: datetime) -> None:
    if tried.is_success:
        endpoint.failing_since = None
        return
    endpoint.failing_since = min(endpoint.failing_since or now, now)
    if endpoint.disabled_at is not None:
        return
    if tried.status == GONE:
        endpoints.disable(endpoint, "its receiver said that it is gone (410)", now)
    elif now - endpoint.failing_since >= DISABLED_AFTER:
        last = tried.error or f"status {tried.status}"
        endpoints.disable(endpoint, f"nothing was delivered since {rfc3339(endpoint.failing_since)}; last: {last}", now)
    if endpoint.disabled_at is not None:
        log.warning("webhook.disabled", webhook_id=endpoint.public_id, reason=endpoint.disabled_reason)


def make_test(session: Session, endpoint: WebhookEndpoint, now: datetime) -> WebhookDelivery:
    """:raises Problem: `webhook-disabled`"""
    _require_enabled(endpoint)
    data = Reference(id=endpoint.public_id)
    id_ = events.tell_one(session, endpoint, "webhook.test", f"test:{secrets.token_hex(8)}", data, now)
    return find(session, endpoint, id_)


def redeliver(session: Session, endpoint: WebhookEndpoint, delivery: WebhookDelivery, now: datetime) -> None:
    """Due at once, with all tries before it.

    :raises Problem: `webhook-disabled`, `webhook-under-way`
    """
    _require_enabled(endpoint)
    if delivery.claim is not None and delivery.next_at is not None and delivery.next_at > now:
        raise Problem("webhook-under-way", 409, "This delivery is on its way already.", "Look again in a minute.")
    delivery.state, delivery.tries, delivery.next_at, delivery.claim = "waiting", 0, now, None
    session.add(delivery)


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise Problem(
            "webhook-disabled", 409, "This webhook is disabled.", f"{endpoint.disabled_reason}: enable it first."
        )


def forget(session: Session, now: datetime) -> bool:
    """Removes the oldest of what is kept no longer; tells whether there may be more."""
    oldest = session.execute(
        select(col(WebhookDelivery.id), col(WebhookDelivery.endpoint_id), col(WebhookDelivery.created_at))
        .order_by(col(WebhookDelivery.id))
        .limit(FORGOTTEN_EACH)
    ).all()
    old = {id_: endpoint for id_, endpoint, created_at in oldest if now - created_at >= KEPT}
    session.execute(sql_delete(WebhookAttempt).where(col(WebhookAttempt.delivery_id).in_(list(old))))
    session.execute(sql_delete(WebhookDelivery).where(col(WebhookDelivery.id).in_(list(old))))
    endpoints.forget(session, set(old.values()))
    return len(old) == FORGOTTEN_EACH


# ------------------------------------------------------------------- reading


def find(session: Session, endpoint: WebhookEndpoint, delivery_id: str) -> WebhookDelivery:
    """:param delivery_id: `msg_…`. :raises Problem: `not-found`"""
    row = session.scalar(
        select(WebhookDelivery).where(
            col(WebhookDelivery.public_id) == delivery_id, col(WebhookDelivery.endpoint_id) == endpoint.id
        )
    )
    if row is None:
        raise not_found("The delivery", delivery_id)
    return row


def of_endpoint(
    session: Session, endpoint: WebhookEndpoint, before: int | None, limit: int
) -> Sequence[WebhookDelivery]:
    query = select(WebhookDelivery).where(col(WebhookDelivery.endpoint_id) == endpoint.id)
    return newest_first(session, query, col(WebhookDelivery.id), before, limit)


def _attempts_of(session: Session, delivery: WebhookDelivery) -> Sequence[WebhookAttempt]:
    query = select(WebhookAttempt).where(col(WebhookAttempt.delivery_id) == delivery.id)
    return session.scalars(query.order_by(col(WebhookAttempt.id).desc()).limit(ATTEMPTS_SHOWN)).all()


def public(row: WebhookDelivery) -> WebhookDeliveryPublic:
    return WebhookDeliveryPublic(
        id=row.public_id,
        type=row.type,  # type: ignore[arg-type]
        state=row.state,
        created_at=rfc3339(row.created_at),
        next_try_at=rfc3339(row.next_at) if row.next_at else None,
    )


def details(session: Session, row: WebhookDelivery, merchant: Merchant) -> WebhookDeliveryDetails:
    return WebhookDeliveryDetails(
        **public(row).model_dump(),
        body=json.loads(events.body_of(session, row, merchant.id)),
        attempts=[_public_attempt(attempt) for attempt in _attempts_of(session, row)],
    )


def _public_attempt(row: WebhookAttempt) -> WebhookAttemptPublic:
    return WebhookAttemptPublic(
        at=rfc3339(row.at), duration_ms=row.duration_ms, status=row.status, error=row.error, answer=row.answer
    )
