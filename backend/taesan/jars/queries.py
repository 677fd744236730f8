"""Reading jars."""

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.hub import Hub
from taesan.jars import service
from taesan.jars.models import FiringPublic, Jar, JarCount, JarFiring, JarPublic
from taesan.ledger import posting


def find_jar(session: Session, hub: Hub, channel_id: str, now: datetime) -> Jar:
    """The channel's jar, by the default rule if it has no other."""
    return session.get(Jar, channel_id) or service.new_jar(hub, channel_id, now)


def public_jar(session: Session, hub: Hub, channel: Channel, jar: Jar) -> JarPublic:
    count = session.get(JarCount, channel.jar_account_id)
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
        payments=count.payments if count else 0,
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
