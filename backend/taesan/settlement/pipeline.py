"""The way of a batch: frozen → signed → broadcast → mined → confirmed → posted. Each step is a function of stored state
and can be repeated: whoever holds the worker's lease may take it."""

from collections.abc import Iterable

import structlog
from sqlalchemy import select, update
from sqlmodel import Session, col

from taesan.chain import sender
from taesan.chain.errors import CallReverted
from taesan.chain.models import ChainTransaction
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.settlement import batcher, packing
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

IN_FLIGHT = ("signed", "broadcast", "mined", "confirmed")


def freeze_step(hub: Hub) -> bool:
    """Freezes a batch if one is due."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if not batcher.is_due(session, hub, now):
            return False
    most = min(_limit(hub, "perBatchLimit"), _limit(hub, "perDayLimit"))
    with hub.db.write() as session:
        batch = batcher.freeze(session, hub, now, most) if batcher.is_due(session, hub, now) else None
    if batch is not None:
        log.info("batch.frozen", batch_id=batch.id, payments=batch.payment_count)
    return batch is not None


def sign_step(hub: Hub) -> bool:
    """Simulates, signs and stores the transaction of the frozen batch."""
    with hub.db.read() as session:
        batch = session.scalar(select(Batch).where(col(Batch.state) == "frozen").order_by(col(Batch.id)).limit(1))
        if batch is None:
            return False
        sender.refuse_if_paused(session)
        data = _call_data(session, hub, batch)
    to = hub.contracts.deployment.settlement
    try:
        prepared = sender.prepare(hub.node, hub.signer.address, to, data, hub.fee_ceiling_wei)
        missing = _missing_claim(hub, batch)
    except CallReverted as refused:
        return _on_refused(hub, batch, hub.contracts.explain(refused.data))
    except sender.TooLarge as too_large:
        return _on_refused(hub, batch, str(too_large))
    if missing is not None:
        return _on_refused(hub, batch, missing)
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
            .where(col(Batch.state).in_(IN_FLIGHT))
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
        (root,) = hub.contracts.decode_result("settlement", "batches", data)
        settled = hex_of(root) == batch.root
    if batch.last_error != reason:
        (log.info if settled else log.error)("batch.refused", batch_id=batch.id, reason=reason)
    with hub.db.write() as session:
        values = {"state": "mined", "transaction_id": None, "last_error": None} if settled else {"last_error": reason}
        still = update(Batch).where(col(Batch.id) == batch.id, col(Batch.state) == "frozen")
        session.execute(still.values(**values))
    return settled


def _call_data(session: Session, hub: Hub, batch: Batch) -> str:
    """`settle`, with the tokens of the accounts whose jars have fired."""
    owed = session.scalars(select(BatchCredit).where(col(BatchCredit.batch_id) == batch.id))
    mints = session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id))
    return hub.contracts.encode(
        "settlement",
        "settle",
        (
            batch.id,
            batch.root,
            batch.payment_count,
            batch.entitled,
            [packing.word(credit.address, credit.amount) for credit in owed],
        ),
        _packed(batcher.claims_of(session, batch.id)),
        [packing.word(entitlement.account, entitlement.cumulative) for entitlement in mints],
    )


def _limit(hub: Hub, which: str) -> int:
    answer = hub.node.call(hub.contracts.deployment.settlement, hub.contracts.encode("settlement", which))
    return int(hub.contracts.decode_result("settlement", which, answer)[0])


def _packed(claims: Iterable[BatchClaim]) -> bytes:
    return packing.packed_claims(
        packing.Claim(claim.channel_id, claim.signature, claim.max_claimable, claim.total_claimed) for claim in claims
    )


def _missing_claim(hub: Hub, batch: Batch) -> str | None:
    """Why the batch must not be sent: a claim that would bring nothing, although nobody has claimed as much before."""
    with hub.db.read() as session:
        claims = batcher.claims_of(session, batch.id)
    if not claims:
        return None
    deployment = hub.contracts.deployment
    data = hub.contracts.encode("channels", "claimPacked", deployment.asset, _packed(claims))
    answer = hub.node.call(deployment.channels, data, deployment.settlement)
    _, skipped = hub.contracts.decode_result("channels", "claimPacked", answer)
    for claim in (claims[number] for number in skipped):
        state = hub.node.call(deployment.channels, hub.contracts.encode("channels", "channels", claim.channel_id))
        balance, claimed = hub.contracts.decode_result("channels", "channels", state)
        if claimed < claim.total_claimed:
            return (
                f"channel {claim.channel_id} holds {balance}, of which {claimed} are claimed, not {claim.total_claimed}"
            )
    return None
