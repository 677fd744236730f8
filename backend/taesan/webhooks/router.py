"""Webhooks over HTTP. All need the merchant's API key."""

from typing import Annotated

from fastapi import APIRouter, Depends

from taesan.core import signing_secrets
from taesan.core.db import retried
from taesan.core.http import problem_responses
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.hub import HubDep
from taesan.identity.access import Needs
from taesan.identity.models import Merchant
from taesan.identity.rates import COUNTED
from taesan.webhooks import deliveries, endpoints
from taesan.webhooks.models import (
    WebhookCreate,
    WebhookCreated,
    WebhookDeliveryDetails,
    WebhookDeliveryPublic,
    WebhookPublic,
    WebhookRotate,
    WebhookUpdate,
)

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

Reads = Annotated[Merchant, Depends(Needs("webhooks:read"))]
Writes = Annotated[Merchant, Depends(Needs("webhooks:write"))]


@router.post(
    "",
    operation_id="createWebhook",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 409, 422, 429),
)
@retried
def create_webhook(hub: HubDep, merchant: Writes, body: WebhookCreate) -> WebhookCreated:
    """Has a URL told of events, signed by the Standard Webhooks specification; verify with any of its libraries."""
    with hub.db.write() as session:
        row = endpoints.create(session, hub, merchant, body)
        return WebhookCreated(**endpoints.public(row).model_dump(), secret=row.secret)


@router.get("", operation_id="listWebhooks", responses=problem_responses(401, 403))
def list_webhooks(hub: HubDep, merchant: Reads) -> list[WebhookPublic]:
    """The merchant's webhooks, oldest first, without their secrets."""
    with hub.db.read() as session:
        return [endpoints.public(row) for row in endpoints.endpoints_of(session, merchant)]


@router.get("/{webhook_id}", operation_id="getWebhook", responses=problem_responses(401, 403, 404, 422))
def get_webhook(hub: HubDep, merchant: Reads, webhook_id: str) -> WebhookPublic:
    """One webhook, and whether its receiver is well."""
    with hub.db.read() as session:
        return endpoints.public(endpoints.find(session, merchant, webhook_id))


@router.patch(
    "/{webhook_id}",
    operation_id="updateWebhook",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 422, 429),
)
@retried
def update_webhook(hub: HubDep, merchant: Writes, webhook_id: str, body: WebhookUpdate) -> WebhookPublic:
    """Changes what is given; `enabled` turns it off, and on again after it was disabled."""
    with hub.db.write() as session:
        row = endpoints.find(session, merchant, webhook_id)
        endpoints.update(session, hub, row, body)
        return endpoints.public(row)


@router.delete(
    "/{webhook_id}",
    operation_id="deleteWebhook",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 422, 429),
)
@retried
def delete_webhook(hub: HubDep, merchant: Writes, webhook_id: str) -> None:
    """Nothing more is sent, not even what waits."""
    with hub.db.write() as session:
        endpoints.delete(session, endpoints.find(session, merchant, webhook_id), hub.clock.now())


@router.post(
    "/{webhook_id}/rotate",
    operation_id="rotateWebhookSecret",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 422, 429),
)
@retried
def rotate_webhook_secret(hub: HubDep, merchant: Writes, webhook_id: str, body: WebhookRotate) -> WebhookCreated:
    """A new secret. During the overlap deliveries bear a signature by each, so a receiver with either can verify them."""
    with hub.db.write() as session:
        row = endpoints.find(session, merchant, webhook_id)
        signing_secrets.rotate(row, body.overlap_s, hub.clock.now())
        return WebhookCreated(**endpoints.public(row).model_dump(), secret=row.secret)


@router.post(
    "/{webhook_id}/test",
    operation_id="testWebhook",
    status_code=202,
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def send_test(hub: HubDep, merchant: Writes, webhook_id: str) -> WebhookDeliveryPublic:
    """Sends a `webhook.test`, whatever is subscribed to; its attempts tell how it went."""
    with hub.db.write() as session:
        row = endpoints.find(session, merchant, webhook_id)
        return deliveries.public(deliveries.make_test(session, row, hub.clock.now()))


@router.get(
    "/{webhook_id}/deliveries", operation_id="listWebhookDeliveries", responses=problem_responses(401, 403, 404, 422)
)
def list_deliveries(
    hub: HubDep, merchant: Reads, webhook_id: str, cursor: Cursor = None, limit: Limit = 100
) -> Page[WebhookDeliveryPublic]:
    """What was sent or is to be, newest first, of the last 30 days."""
    with hub.db.read() as session:
        rows = deliveries.of_endpoint(session, endpoints.find(session, merchant, webhook_id), cursor, limit)
        return page(rows, limit, lambda row: row.id, deliveries.public)


@router.get(
    "/{webhook_id}/deliveries/{delivery_id}",
    operation_id="getWebhookDelivery",
    responses=problem_responses(401, 403, 404, 422),
)
def get_delivery(hub: HubDep, merchant: Reads, webhook_id: str, delivery_id: str) -> WebhookDeliveryDetails:
    """One delivery with what is sent, and each attempt with what came back."""
    with hub.db.read() as session:
        row = deliveries.find(session, endpoints.find(session, merchant, webhook_id), delivery_id)
        return deliveries.details(session, row, merchant)


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    operation_id="redeliverWebhook",
    status_code=202,
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def redeliver(hub: HubDep, merchant: Writes, webhook_id: str, delivery_id: str) -> WebhookDeliveryPublic:
    """Sends it again, now, under the same `webhook-id`, whether it was delivered, has failed, or waits for its next try."""
    with hub.db.write() as session:
        endpoint = endpoints.find(session, merchant, webhook_id)
        row = deliveries.find(session, endpoint, delivery_id)
        deliveries.redeliver(session, endpoint, row, hub.clock.now())
        return deliveries.public(row)
