"""Route dependency that tells which gateway has signed a request, by the Standard Webhooks specification."""

from typing import Annotated, NamedTuple

from fastapi import Depends, Header, Request
from standardwebhooks import Webhook, WebhookVerificationError

from taesan.core import idempotency, signing_secrets
from taesan.core.problems import Problem
from taesan.gateways import service
from taesan.hub import HubDep
from taesan.identity.rates import RatesDep


class Signed(NamedTuple):
    """:ivar message_id: the `webhook-id`: a message that is sent again has the same"""

    gateway_id: str
    message_id: str


async def _raw(request: Request) -> bytes:
    """The body as it came: another form of the same JSON has another signature."""
    return await request.body()


_Told = Annotated[str, Header(max_length=4_096)]


def _signed(
    hub: HubDep,
    _rates: RatesDep,
    gateway_id: str,
    body: Annotated[bytes, Depends(_raw)],
    webhook_id: _Told = "",
    webhook_timestamp: _Told = "",
    webhook_signature: _Told = "",
) -> Signed:
    """:raises Problem: `not-found`, `webhook-not-verified`"""
    with hub.db.read() as session:
        gateway = service.find(session, gateway_id)
    told = {
        "webhook-id": webhook_id,
        "webhook-timestamp": webhook_timestamp,
        "webhook-signature": webhook_signature,
    }
    for secret in signing_secrets.good(gateway, hub.clock.now()):
        try:
            Webhook(secret).verify(body, told, json_parse=False)
        except (WebhookVerificationError, ValueError):  # a signature that is none is no base64, and has no comma
            continue
        if len(webhook_id) <= idempotency.MAX_KEY:
            return Signed(gateway.id, webhook_id)
    raise Problem(
        "webhook-not-verified",
        401,
        "The webhook's signature is not the gateway's.",
        "Sign `webhook-id`, `webhook-timestamp` and the body as it is sent; the time may be five minutes off at most.",
    )


SignedBy = Annotated[Signed, Depends(_signed)]
"""401 without a good signature."""
