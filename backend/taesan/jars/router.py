"""Jars over HTTP: their payer's alone."""

from fastapi import APIRouter
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels import service as channels
from taesan.core.clock import rfc3339
from taesan.core.http import problem_responses
from taesan.core.values import Bytes32
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet
from taesan.jars import service
from taesan.jars.models import FiringPublic, Jar, JarFiring, JarPublic, JarRule
from taesan.ledger import posting

router = APIRouter(prefix="/v1/channels/{channel_id}/jar", tags=["jars"])


@router.get("", operation_id="getJar", responses=problem_responses(401, 403, 404, 422))
def get_jar(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32) -> JarPublic:
    """What is in the jar, its rule, and when it fired."""
    with hub.db.read() as session:
        channels.find_own_channel(session, channel_id, wallet)
        return _public(session, hub, service.jar_of(session, hub, channel_id, hub.clock.now()))


@router.put("", operation_id="setJarRule", responses=problem_responses(401, 403, 404, 422))
def set_jar_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule: JarRule) -> JarPublic:
    """Sets the rule for the payments to come."""
    with hub.db.write() as session:
        channels.find_own_channel(session, channel_id, wallet)
        return _public(session, hub, service.set_rule(session, hub, channel_id, rule, hub.clock.now()))


def _public(session: Session, hub: Hub, jar: Jar) -> JarPublic:
    firings = session.scalars(
        select(JarFiring)
        .where(col(JarFiring.channel_id) == jar.channel_id)
        .order_by(col(JarFiring.id).desc())
        .limit(20)
    )
    return JarPublic(
        channel_id=jar.channel_id,
        round_up_step=jar.round_up_step,
        trigger_count=jar.trigger_count,
        trigger_value=jar.trigger_value,
        gathered=posting.balance(session, hub.chart.jar(jar.channel_id)),
        payments=jar.payment_count,
        firings=[
            FiringPublic(
                amount=f.amount,
                payments=f.payment_count,
                reason=f.reason,
                fired_at=rfc3339(f.fired_at),
                batch_id=f.batch_id,
            )
            for f in firings
        ],
    )
