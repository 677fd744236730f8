"""When a restored hub may begin again: its books know all that its chain does, and no transaction of its key is on the way
of which they know nothing. Until then `core.restoration` holds back what sends, and what takes in."""

import structlog
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import alarms, nonces
from taesan.chain.models import ChainCursor, ChainTransaction
from taesan.core import outbox, restoration
from taesan.core.worker import TransientError
from taesan.hub import Hub
from taesan.settlement import gateways

log = structlog.get_logger()


class StillBehind(TransientError):
    """What is waited for; the worker tells it once."""


def reconcile_step(hub: Hub) -> bool:
    """Worker step, of a hub that is behind its chain: opens it when nothing is missing; returns whether it did.

    :raises StillBehind: with what is missing
    """
    with hub.db.read() as session:
        if not restoration.is_reconciling(session):
            return False
    missing = what_is_missing(hub)
    if missing:
        raise StillBehind(f"reconciling: {missing}")
    nonces.adopt(hub.db, hub.node, hub.signer.address, hub.clock.now())
    with hub.db.write() as session:
        if restoration.was_put_back(session):
            alarms.clear(session, alarms.NONCE_USED_ELSEWHERE)  # by the hub itself, after the backup
        gateways.return_lost(session, hub, hub.clock.now())
        restoration.finish(session, hub.clock.now())
    log.warning("restoration.reconciled")
    return True


def what_is_missing(hub: Hub) -> str | None:
    """Why the books may still lack something that the chain knows."""
    address, depth = hub.signer.address, hub.settings.depth
    # In this order: what is sent or mined meanwhile is rather seen twice than not at all.
    pending = hub.node.pending_nonce(address)
    mined = hub.node.next_nonce(address)
    head = int(hub.node.head()["number"])
    with hub.db.read() as session:
        cursor = session.get_one(ChainCursor, 1).block_number
        if cursor < head - depth:
            return f"blocks up to {head - depth} are to be read, {cursor} is"
        waiting = outbox.waiting_count(session)
        if waiting:
            return f"{waiting} events wait to be booked"
        read = hub.node.next_nonce(address, cursor)
        unknown = [n for n in range(read, max(mined, pending)) if not _is_ours(session, hub, n, is_mined=n < mined)]
    if unknown:
        return f"transactions of {address} with nonces {unknown} are not {depth} blocks deep and not known here"
    return None


def _is_ours(session: Session, hub: Hub, nonce: int, *, is_mined: bool) -> bool:
    """Whether we have the transaction with this nonce; of one that is mined, just this one and no other."""
    hashes = session.scalars(
        select(col(ChainTransaction.hash)).where(
            col(ChainTransaction.sender) == hub.signer.address, col(ChainTransaction.nonce) == nonce
        )
    ).all()
    return any(hub.node.receipt(hash_) for hash_ in hashes) if is_mined else bool(hashes)
