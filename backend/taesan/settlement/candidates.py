"""What waits for a batch, as `attribution` takes it."""

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.jars.models import JarFiring
from taesan.payments.models import Payment
from taesan.settlement import batcher, loose
from taesan.settlement.attribution import WALLETS, Candidate


def waiting(session: Session) -> list[Candidate]:
    """The payments that wait, in their order, and firings without one after them. Of contract wallets' those that are secured, and
    of channels in quarantine none: others no batch takes."""
    rows = session.execute(
        select(Payment, col(Channel.secured))
        .join(Channel, col(Channel.id) == col(Payment.channel_id))
        .where(batcher.waiting())
        .order_by(col(Payment.id))
    )
    found = [
        Candidate(
            payment.id or 0,
            payment.channel_id,
            payment.channel_id if secured is None else WALLETS,
            payment.payee,
            0 if payment.merchant_id is None else payment.amount,
            payment.jar_fired or 0,
        )
        for payment, secured in rows
    ]
    firings = session.execute(
        select(JarFiring, col(Channel.secured))
        .join(Channel, col(Channel.id) == col(JarFiring.channel_id))
        .where(*loose.WAITING, col(Channel.quarantine_id).is_(None))
    )
    found += [
        Candidate(
            firing.after_id or 0,
            firing.channel_id,
            firing.channel_id if secured is None else WALLETS,
            firing.account,
            0,
            firing.amount,
            firing.id,
        )
        for firing, secured in firings
    ]
    return sorted(found, key=lambda candidate: (candidate.id, candidate.firing or 0))
