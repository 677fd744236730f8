"""Whose fault it is that the contract refuses a batch: asks the node, changes nothing."""

from collections.abc import Sequence

import structlog
from sqlalchemy import select
from sqlmodel import col

from taesan.chain.errors import CallReverted
from taesan.hub import Hub
from taesan.jars.models import JarFiring
from taesan.payments.models import Payment
from taesan.settlement import batcher, bisection, calls
from taesan.settlement.models import Batch

log = structlog.get_logger()

MOST = 32
"""Channels of one batch that are set aside for a refusal that names none: more than that have something in common."""

# Of the whole contract, or of time: no payment is at fault.
_NOBODYS = (
    "EnforcedPause",
    "AccessControl",
    "GiftSettlement_AlreadySettled",
    "GiftSettlement_BatchOutOfOrder",
    "GiftSettlement_ExceedsBatchLimit",
    "GiftSettlement_ExceedsDayLimit",
)


def claims_without_effect(hub: Hub, batch: Batch) -> dict[str, str]:
    """Channel → why its claim would bring nothing, although nobody has claimed as much before. The contract skips such a
    claim, so that the surplus would pay for it, if there is enough."""
    with hub.db.read() as session:
        claims = batcher.claims_of(session, batch.id)
    if not claims:
        return {}
    deployment = hub.contracts.deployment
    data = hub.contracts.encode("channels", "claimPacked", deployment.asset, calls.packed(claims))
    answer = hub.node.call(deployment.channels, data, deployment.settlement)
    _, skipped = hub.contracts.decode_result("channels", "claimPacked", answer)
    found = {}
    for claim in (claims[number] for number in skipped):
        state = hub.node.call(deployment.channels, hub.contracts.encode("channels", "channels", claim.channel_id))
        balance, claimed = hub.contracts.decode_result("channels", "channels", state)
        if claimed < claim.total_claimed:
            found[claim.channel_id] = (
                f"channel {claim.channel_id} holds {balance}, of which {claimed} are claimed, not {claim.total_claimed}"
            )
    return found


def of_refusal(hub: Hub, batch: Batch, reason: str) -> dict[str, str]:
    """Channel → why, for those without which the batch would pass; none if no channel is at fault.

    :param reason: what the contract says to the whole batch
    """
    if reason.startswith(_NOBODYS) or not _would_pass(hub, batch, ()) or not _asset_moves(hub):
        return {}
    try:
        found = claims_without_effect(hub, batch)
    except CallReverted:
        found = {}  # so that one claim stops all others; which one, the parts will tell
    if found:
        return found
    with hub.db.read() as session:
        of_payments = select(col(Payment.channel_id)).where(col(Payment.batch_id) == batch.id)
        of_firings = select(col(JarFiring.channel_id)).where(col(JarFiring.batch_id) == batch.id)
        channels = session.scalars(of_payments.union(of_firings)).all()
    try:
        bad = bisection.culprits(sorted(channels), lambda part: _would_pass(hub, batch, part), MOST)
    except bisection.TooMany as error:
        log.error("batch.nobody_at_fault", batch_id=batch.id, reason=reason, channels=str(error))
        return {}
    return dict.fromkeys(bad, reason)


def _would_pass(hub: Hub, batch: Batch, channels: Sequence[str]) -> bool:
    with hub.db.read() as session:
        data = calls.settle_part(session, hub, batch, set(channels))
    try:
        hub.node.call(hub.contracts.deployment.settlement, data, hub.signer.address)
    except CallReverted:
        return False
    return True


def _asset_moves(hub: Hub) -> bool:
    """Whether the channels can pay the reserve at all: an issuer may have stopped everything, or have frozen the two."""
    deployment = hub.contracts.deployment
    nothing = hub.contracts.encode("asset", "transfer", deployment.settlement, 0)
    try:
        hub.node.call(deployment.asset, nothing, deployment.channels)
    except CallReverted:
        return False
    return True
