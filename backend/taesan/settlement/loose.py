"""Firings without a payment: which of them a batch may take along.

Such a firing moves what payments have brought into the jar, so it comes after them: no batch takes it before it has, or an earlier
one, the channel's newest payment of that time, nor while the channel is set aside. (A contract wallet's payment is in a batch only
when it is secured, so what came before it is.)
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from taesan.channels.models import Channel, Charged
from taesan.jars.models import JarFiring
from taesan.payments.models import Payment
from taesan.payments.queries import NEWEST_OF_CHANNEL
from taesan.settlement import packing

MOST = 500  # that are looked at for a batch
FIRST = 100  # before its payments, so that these never crowd them out

WAITING = (col(JarFiring.payment_id).is_(None), col(JarFiring.batch_id).is_(None), ~col(JarFiring.returned))


def ready(session: Session, limit: int = MOST) -> Sequence[JarFiring]:
    """The oldest that wait for nothing but a batch."""
    return session.scalars(_ready(select(JarFiring)).order_by(col(JarFiring.id)).limit(limit)).all()


def oldest(session: Session) -> datetime | None:
    """When the oldest of those has fired."""
    found = ready(session, 1)
    return found[0].fired_at if found else None


def is_pressed(session: Session) -> bool:
    """Whether one of them should not wait: its payer is leaving, or much of its channel waits."""
    presses = or_(col(Channel.state) == "withdrawing", col(Channel.pressing).is_not(None))
    return session.scalar(_ready(select(col(JarFiring.id))).where(presses).limit(1)) is not None


def take(
    firings: Iterable[JarFiring], room: packing.Room, inside: packing.Inside, most_channels: int
) -> list[JarFiring]:
    """Those for which there is room. One that does not fit holds up no other."""
    taken = []
    for firing in firings:
        new = inside.new({packing.CLAIM: firing.channel_id, packing.MINT: firing.account})
        is_full = packing.CLAIM in new and inside.count(packing.CLAIM) >= most_channels
        if not is_full and room.take(*new, value=firing.amount):
            inside.add(new)
            taken.append(firing)
    return taken


def _ready(query: Select[Any]) -> Select[Any]:
    last = aliased(Payment)
    return (
        query.join(Channel, col(Channel.id) == col(JarFiring.channel_id))
        .join(last, col(last.id) == col(JarFiring.after_id))
        # What claims it is the channel's newest voucher, which a restored database may have lost.
        .join(Charged, col(Charged.account_id) == col(Channel.account_id))
        .join(Payment, NEWEST_OF_CHANNEL)
        .where(*WAITING, col(Channel.quarantine_id).is_(None), col(last.batch_id).is_not(None))
    )
