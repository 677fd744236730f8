"""Reading jars."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.core.clock import rfc3339
from taesan.core.pages import newest_first
from taesan.core.reasons import told
from taesan.hub import Hub
from taesan.jars import service
from taesan.jars.models import FiringPublic, Jar, JarCount, JarFiring, JarPublic
from taesan.jars.reasons import TITLES
from taesan.ledger import posting

SHOWN = 20


def find_jar(session: Session, hub: Hub, channel_id: str, now: datetime) -> Jar:
    """The channel's jar, by the default rule if it has no other."""
    return session.get(Jar, channel_id) or service.new_jar(hub, channel_id, now)


def public_jar(session: Session, hub: Hub, channel: Channel, jar: Jar, language: str) -> JarPublic:
    count = session.get(JarCount, channel.jar_account_id)
    firings = firings_of(session, channel, None, SHOWN)[:SHOWN]
    return JarPublic(
        channel_id=jar.channel_id,
        round_up_step=jar.round_up_step,
        trigger_count=jar.trigger_count,
        trigger_value=jar.trigger_value,
        gathered=posting.balance(session, hub.chart.jar(jar.channel_id)) - (count.ruled if count else 0),
        payments=count.payments if count else 0,
        firings=[public_firing(firing, language) for firing in firings],
    )


def firings_of(session: Session, channel: Channel, before: int | None, limit: int) -> Sequence[JarFiring]:
    """Of its payer's jar: what it pays to other people goes the same way, and is on its statement."""
    query = select(JarFiring).where(col(JarFiring.channel_id) == channel.id, col(JarFiring.account) == channel.payer)
    return newest_first(session, query, col(JarFiring.id), before, limit)


def public_firing(firing: JarFiring, language: str) -> FiringPublic:
    return FiringPublic(
        amount=firing.amount,
        payments=firing.payment_count,
        reason=told(firing.reason, TITLES, language),
        fired_at=rfc3339(firing.fired_at),
        batch_id=firing.batch_id,
    )
