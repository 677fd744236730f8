"""The way of a batch: frozen → signed → broadcast → mined → confirmed → posted. Each step is a function of stored state
and can be repeated: whoever holds the worker's lease may take it."""

from collections.abc import Mapping

import structlog
from sqlalchemy import ColumnElement, select, update
from sqlmodel import col

from taesan.chain import sender
from taesan.chain.errors import CallReverted
from taesan.chain.models import ChainTransaction
from taesan.core.crashpoints import reach
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.settlement import batcher, calls, quarantine, refunds, suspects
from taesan.settlement.models import Batch

log = structlog.get_logger()

# What the transaction's state makes of the batch's. A failed transaction is simulated and signed anew.
_FOLLOWS = {
    "signed": "signed",
    "broadcast": "broadcast",
    "mined": "mined",
    "confirmed": "confirmed",
    "reverted": "frozen",
}

IN_FLIGHT = ("signed", "broadcast", "mined", "confirmed")


def freeze_step(hub: Hub) -> bool:
    """Freezes a batch if one is due."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if not batcher.is_due(session, hub, now):
            return False
    most = _most(hub)
    with hub.db.write() as session:
        batch = None
        if batcher.is_due(session, hub, now):
            refunds.cover(session, hub, now)
            batch = batcher.freeze(session, hub, now, most)
        reach("freeze.before_commit")
    reach("freeze.after_commit")
    if batch is not None:
        log.info("batch.frozen", batch_id=batch.id, payments=batch.payment_count)
    return batch is not None


def sign_step(hub: Hub) -> bool:
    """Simulates, signs and stores the transaction of the frozen batch. Channels for which it is refused are set aside."""
    with hub.db.read() as session:
        batch = session.scalar(select(Batch).where(col(Batch.state) == "frozen").order_by(col(Batch.id)).limit(1))
        if batch is None:
            return False
        sender.refuse_if_paused(session)
        data = calls.settle(session, hub, batch)
    to = hub.contracts.deployment.settlement
    try:
        prepared = sender.prepare(hub.node, hub.signer.address, to, data, hub.fee_ceiling_wei)
        without_effect = suspects.claims_without_effect(hub, batch)
    except CallReverted as refused:
        return _on_refused(hub, batch, hub.contracts.explain(refused.data))
    except sender.TooLarge as too_large:
        _keep_frozen(hub, batch, str(too_large))
        return False
    if without_effect:
        return _set_aside(hub, batch, without_effect)
    with hub.db.write() as session:
        # First take the batch, then sign: of two workers (a lease can run out) only one gets past this line.
        taken = session.execute(update(Batch).where(*_still_frozen(batch)).values(state="signed", last_error=None))
        if taken.rowcount == 0:  # type: ignore[attr-defined]
            return False
        transaction_id = sender.sign_and_store(
            session, hub.signer, hub.contracts.deployment.chain_id, prepared, "batch", str(batch.id), hub.clock.now()
        )
        session.execute(update(Batch).where(col(Batch.id) == batch.id).values(transaction_id=transaction_id))
        hash_ = session.get_one(ChainTransaction, transaction_id).hash
    reach("sign.after_commit", "batch")
    log.info("batch.signed", batch_id=batch.id, payments=batch.payment_count, transaction=hash_)
    return True


def follow_step(hub: Hub) -> bool:
    """Lets batches follow their transactions."""
    with hub.db.read() as session:
        rows = session.execute(
            select(Batch, ChainTransaction)
            .join(ChainTransaction, col(ChainTransaction.id) == col(Batch.transaction_id))
            .where(col(Batch.state).in_(IN_FLIGHT))
        ).all()
    moved = False
    for batch, transaction in rows:
        state = _FOLLOWS[transaction.state]
        if state == batch.state:
            continue
        with hub.db.write() as session:
            session.execute(
                update(Batch)
                .where(
                    col(Batch.id) == batch.id,
                    col(Batch.state) == batch.state,
                    col(Batch.transaction_id) == transaction.id,  # another worker may have signed it anew
                )
                .values(state=state)
            )
            reach("follow.before_commit", state)
        reach("follow.after_commit", state)
        log.info(
            "batch.moved",
            batch_id=batch.id,
            payments=batch.payment_count,
            state=state,
            transaction=transaction.hash,
        )
        moved = True
    return moved


def _on_refused(hub: Hub, batch: Batch, reason: str) -> bool:
    """Already settled by an earlier attempt: the event will post it. Channels that are at fault are set aside, once for each
    new reason. Anything else stays frozen, visibly."""
    if reason.startswith("GiftSettlement_AlreadySettled") and _is_settled(hub, batch, 0):
        if not _is_settled(hub, batch, hub.settings.depth):
            return False  # a reorganisation may still take it away, and nobody would send it again
        log.info("batch.settled_before", batch_id=batch.id, reason=reason)
        with hub.db.write() as session:
            values = {"state": "mined", "transaction_id": None, "last_error": None}
            session.execute(update(Batch).where(*_still_frozen(batch)).values(**values))
        return True
    if batch.last_error != reason and (culprits := suspects.of_refusal(hub, batch, reason)):
        return _set_aside(hub, batch, culprits)
    _keep_frozen(hub, batch, reason)
    return False


def _is_settled(hub: Hub, batch: Batch, depth: int) -> bool:
    """Whether it is, with so many blocks on top."""
    block = max(int(hub.node.head()["number"]) - depth, 0)
    call = hub.contracts.encode("settlement", "batches", batch.id)
    data = hub.node.call(hub.contracts.deployment.settlement, call, block=block)
    (root,) = hub.contracts.decode_result("settlement", "batches", data)
    return hex_of(root) == batch.root


def _keep_frozen(hub: Hub, batch: Batch, reason: str) -> None:
    if batch.last_error == reason:
        return  # told, and kept
    log.error("batch.refused", batch_id=batch.id, reason=reason)
    with hub.db.write() as session:
        session.execute(update(Batch).where(*_still_frozen(batch)).values(last_error=reason))


def _set_aside(hub: Hub, batch: Batch, reasons: Mapping[str, str]) -> bool:
    most = _most(hub)
    with hub.db.write() as session:
        return quarantine.set_aside(session, hub, batch, reasons, hub.clock.now(), most)


def _still_frozen(batch: Batch) -> tuple[ColumnElement[bool], ...]:
    """That it is the batch that was read: another worker may have signed it, or have made another one of its number."""
    return (
        col(Batch.id) == batch.id,
        col(Batch.state) == "frozen",
        col(Batch.payments_root) == batch.payments_root,
        col(Batch.entitlement_root) == batch.entitlement_root,
    )


def _most(hub: Hub) -> int:
    """What a batch may newly owe on chain, minor units."""
    return min(_limit(hub, "perBatchLimit"), _limit(hub, "perDayLimit"))


def _limit(hub: Hub, which: str) -> int:
    answer = hub.node.call(hub.contracts.deployment.settlement, hub.contracts.encode("settlement", which))
    return int(hub.contracts.decode_result("settlement", which, answer)[0])
