"""The way of a batch: frozen → signed → broadcast → mined → confirmed → posted. Each step is a function of stored state
and can be repeated: whoever holds the worker's lease may take it."""

import structlog
from sqlalchemy import select, update
from sqlmodel import Session, col

from taesan.chain import sender
from taesan.chain.models import ChainTransaction
from taesan.chain.rpc import CallReverted
from taesan.channels.models import Channel
from taesan.hub import Hub
from taesan.settlement import batcher, merkle
from taesan.settlement.models import Batch, BatchClaim, BatchCredit, BatchEntitlement

log = structlog.get_logger()

# What the transaction's state makes of the batch's. A failed transaction is simulated and signed anew.
_FOLLOWS = {
    "signed": "signed",
    "broadcast": "broadcast",
    "mined": "mined",
    "confirmed": "confirmed",
    "reverted": "frozen",
}


def freeze_step(hub: Hub) -> bool:
    """Freezes a batch if one is due."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if not batcher.is_due(session, hub, now):
            return False
    with hub.db.write() as session:
        batch = batcher.freeze(session, hub, now) if batcher.is_due(session, hub, now) else None
    if batch is not None:
        log.info("batch.frozen", batch_id=batch.id, payments=batch.payment_count)
    return batch is not None


def sign_step(hub: Hub) -> bool:
    """Simulates, signs and stores the transaction of the frozen batch."""
    with hub.db.read() as session:
        batch = session.scalar(select(Batch).where(col(Batch.state) == "frozen").order_by(col(Batch.id)).limit(1))
        if batch is None:
            return False
        data = _call_data(session, hub, batch)
    to = hub.contracts.deployment.settlement
    try:
        prepared = sender.prepare(hub.node, hub.signer.address, to, data, hub.fee_ceiling_wei)
    except CallReverted as refused:
        return _on_refused(hub, batch, hub.contracts.explain(refused.data))
    except sender.TooLarge as too_large:
        return _on_refused(hub, batch, str(too_large))
    with hub.db.write() as session:
        # First take the batch, then sign: of two workers (a lease can run out) only one gets past this line.
        taken = session.execute(
            update(Batch)
            .where(col(Batch.id) == batch.id, col(Batch.state) == "frozen")
            .values(state="signed", last_error=None)
        )
        if taken.rowcount == 0:  # type: ignore[attr-defined]
            return False
        transaction_id = sender.sign_and_store(
            session, hub.signer, hub.contracts.deployment.chain_id, prepared, "batch", str(batch.id), hub.clock.now()
        )
        session.execute(update(Batch).where(col(Batch.id) == batch.id).values(transaction_id=transaction_id))
    return True


def follow_step(hub: Hub) -> bool:
    """Lets batches follow their transactions."""
    with hub.db.read() as session:
        rows = session.execute(
            select(Batch, ChainTransaction)
            .join(ChainTransaction, col(ChainTransaction.id) == col(Batch.transaction_id))
            .where(col(Batch.state).not_in(["frozen", "posted"]))
        ).all()
    moved = False
    for batch, transaction in rows:
        state = _FOLLOWS[transaction.state]
        if state == batch.state:
            continue
        with hub.db.write() as session:
            session.execute(
                update(Batch).where(col(Batch.id) == batch.id, col(Batch.state) == batch.state).values(state=state)
            )
        log.info("batch.moved", batch_id=batch.id, state=state, transaction=transaction.hash)
        moved = True
    return moved


def _on_refused(hub: Hub, batch: Batch, reason: str) -> bool:
    """Already settled by an earlier attempt: the event will post it. Anything else stays frozen, visibly."""
    settled = reason.startswith("GiftSettlement_AlreadySettled")
    if settled:
        data = hub.node.call(
            hub.contracts.deployment.settlement, hub.contracts.encode("settlement", "batches", batch.id)
        )
        root, _ = hub.contracts.decode_result("settlement", "batches", data)
        settled = root.hex() == batch.payments_root.removeprefix("0x")
    if batch.last_error != reason:
        log.log(20 if settled else 40, "batch.refused", batch_id=batch.id, reason=reason)
    with hub.db.write() as session:
        values = {"state": "mined", "transaction_id": None, "last_error": None} if settled else {"last_error": reason}
        still = update(Batch).where(col(Batch.id) == batch.id, col(Batch.state) == "frozen")
        session.execute(still.values(**values))
    return settled


def _call_data(session: Session, hub: Hub, batch: Batch) -> str:
    """`settle`, and in the same transaction `claimMany` for the accounts whose jars have fired: their tokens arrive at once."""
    claims = session.execute(
        select(BatchClaim, Channel)
        .join(Channel, col(Channel.id) == col(BatchClaim.channel_id))
        .where(col(BatchClaim.batch_id) == batch.id)
        .order_by(col(BatchClaim.channel_id))
    ).all()
    owed = session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id)).all()
    settle = hub.contracts.encode(
        "settlement",
        "settle",
        (
            batch.id,
            batch.payment_count,
            batch.payments_root,
            batch.entitlement_root,
            batch.entitled,
            [(credit.address, credit.amount) for credit in owed],
        ),
        [((channel.config(), claim.max_claimable), claim.signature, claim.total_claimed) for claim, channel in claims],
    )
    if not batch.entitled:
        return settle
    return hub.contracts.encode("settlement", "multicall", [settle, _claim_many(session, hub, batch)])


def _claim_many(session: Session, hub: Hub, batch: Batch) -> str:
    entitled = session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id)).all()
    by_leaf = {merkle.entitlement_leaf(e.account, e.cumulative): e for e in entitled}
    proof = batcher.entitlements_tree(session, batch.id).multiproof(by_leaf)
    ordered = [by_leaf[leaf] for leaf in proof.leaves]
    return hub.contracts.encode(
        "settlement",
        "claimMany",
        batch.id,
        [e.account for e in ordered],
        [e.cumulative for e in ordered],
        proof.proof,
        proof.flags,
    )
