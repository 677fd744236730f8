"""Reading batches, and the proofs that they make possible."""

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction
from taesan.core.clock import rfc3339
from taesan.core.pages import cursor_of, newest_first
from taesan.core.problems import Problem, not_found
from taesan.core.values import MAX_AMOUNT, hex_of
from taesan.hub import Hub
from taesan.ledger import queries as ledger
from taesan.payments import queries as payments
from taesan.settlement import batcher, merkle
from taesan.settlement.models import (
    Batch,
    BatchEntitlement,
    BatchPublic,
    BatchRoot,
    Entitlement,
    EntitlementProof,
    LeafPublic,
    LedgerEntry,
    LedgerLine,
    LedgerPage,
    PaymentProof,
)


def find_batch(session: Session, batch_id: int) -> Batch:
    """:raises Problem: `not-found`"""
    # What no column holds is no batch's number either, and the database would not take the question.
    batch = session.get(Batch, batch_id) if 0 < batch_id <= MAX_AMOUNT else None
    if batch is None:
        raise not_found("The batch", str(batch_id))
    return batch


def batches_page(session: Session, before: int | None, limit: int) -> list[Batch]:
    return list(newest_first(session, select(Batch), col(Batch.id), before, limit))


def payment_proof(session: Session, hub: Hub, payment_id: str) -> PaymentProof:
    """:raises Problem: `not-found`, `not-batched` while no batch has taken the payment, or `proof-lost` in a restore"""
    payment = payments.find(session, payment_id)
    if payment.batch_id is None:
        raise Problem("not-batched", 409, "The payment is in no batch yet.", "It will be in the next one.")
    batch = session.get_one(Batch, payment.batch_id)
    if batch.recovered_root is not None:
        raise Problem(
            "proof-lost",
            409,
            "The batch was recovered from the chain, and its other payments are not known here.",
            "It is settled all the same; a proof that was given before holds.",
        )
    tree = merkle.MerkleTree(batcher.leaves_of(session, batch.id))
    leaf = batcher.leaf_of(payment)
    return PaymentProof(
        leaf=LeafPublic(
            payment_id=payment.public_id,
            channel_id=payment.channel_id,
            amount=payment.amount,
            cumulative=payment.cumulative,
            payee=payment.payee,
        ),
        leaf_hash=hex_of(leaf),
        proof=[*map(hex_of, tree.proof(leaf)), batch.entitlement_root],
        root=batch.root,
        batch_id=batch.id,
        state=batch.state,
        settlement=hub.contracts.deployment.settlement,
        transaction=_transaction_hash(session, batch),
    )


def entitlement_proof(session: Session, hub: Hub, account: str) -> EntitlementProof:
    """For the newest batch on chain that raised it. :raises Problem: `not-found` if none did"""
    found = session.execute(
        select(Batch, col(BatchEntitlement.cumulative))
        .join(BatchEntitlement, col(BatchEntitlement.batch_id) == col(Batch.id))
        .where(
            col(BatchEntitlement.account) == account,
            col(Batch.state).in_(["mined", "confirmed", "posted"]),
            col(Batch.recovered_root).is_(None),  # one branch of its tree is lost; it has minted what it entitled to
        )
        .order_by(col(Batch.id).desc())
        .limit(1)
    ).one_or_none()
    if found is None:
        raise not_found("An entitlement of", account)
    batch, cumulative = found
    tree = batcher.entitlements_tree(session, batch.id)
    return EntitlementProof(
        account=account,
        batch_id=batch.id,
        cumulative=cumulative,
        claimed=session.get_one(Entitlement, account).claimed,
        proof=[*map(hex_of, tree.proof(merkle.entitlement_leaf(account, cumulative))), batch.payments_root],
        root=batch.root,
        settlement=hub.contracts.deployment.settlement,
    )


def root_on_chain(hub: Hub, batch_id: int) -> BatchRoot:
    """At the newest block. :raises NodeUnavailable: nobody can tell now"""
    settlement = hub.contracts.deployment.settlement
    root = hex_of(hub.node.call(settlement, hub.contracts.encode("settlement", "batches", batch_id)))
    return BatchRoot(batch_id=batch_id, settlement=settlement, root=None if int(root, 16) == 0 else root)


def public_batch(session: Session, batch: Batch) -> BatchPublic:
    transaction = session.get(ChainTransaction, batch.transaction_id) if batch.transaction_id else None
    gas = transaction.gas_used if transaction else None
    return BatchPublic(
        id=batch.id,
        state=batch.state,
        payments=batch.payment_count,
        payers=batch.payer_count,
        claimed=batch.claimed,
        credited=batch.credited,
        entitled=batch.entitled,
        root=batch.root,
        payments_root=batch.payments_root or None,
        entitlement_root=batch.entitlement_root,
        transaction=transaction.hash if transaction else batch.recovered_in,
        block_number=transaction.block_number if transaction else None,
        gas_used=gas,
        gas_per_payment=None if gas is None else gas // batch.payment_count,
        last_error=batch.last_error,
        frozen_at=rfc3339(batch.frozen_at),
        posted_at=rfc3339(batch.posted_at) if batch.posted_at else None,
    )


def _transaction_hash(session: Session, batch: Batch) -> str | None:
    transaction = session.get(ChainTransaction, batch.transaction_id) if batch.transaction_id else None
    return transaction.hash if transaction else batch.recovered_in


def ledger_page(session: Session, hub: Hub, after: int, limit: int) -> LedgerPage:
    """Entries with their lines on a local hub; elsewhere only what shows that the chain of hashes is whole."""
    is_open = hub.settings.environment == "local"
    entries = ledger.entries_after(session, after, limit, with_lines=is_open)
    return LedgerPage(
        entries=[
            LedgerEntry(
                id=entry.id,
                kind=entry.kind,
                posted_at=rfc3339(entry.posted_at),
                hash=hex_of(entry.hash),
                ref=entry.ref if is_open else None,
                lines=[LedgerLine(account=name, amount=amount) for name, amount in entry.lines] if is_open else None,
            )
            for entry in entries
        ],
        next_cursor=cursor_of(entries[-1].id) if entries and ledger.is_entry_after(session, entries[-1].id) else None,
    )
