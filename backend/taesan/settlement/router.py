"""Batches and proofs over HTTP. All public: anyone can check."""

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction
from taesan.core.clock import rfc3339
from taesan.core.http import problem_responses
from taesan.core.problems import Problem, not_found
from taesan.core.values import Address, hex_of
from taesan.hub import HubDep
from taesan.payments import queries
from taesan.payments.models import Payment
from taesan.settlement import batcher, merkle
from taesan.settlement.models import (
    Batch,
    BatchPublic,
    Entitlement,
    EntitlementProof,
    LeafPublic,
    PaymentProof,
)

router = APIRouter(prefix="/v1", tags=["settlement"])


@router.get("/batches/{batch_id}", operation_id="getBatch", responses=problem_responses(404, 422))
def get_batch(hub: HubDep, batch_id: int) -> BatchPublic:
    """One batch: its roots, its transaction, how far it is."""
    with hub.db.read() as session:
        batch = session.get(Batch, batch_id)
        if batch is None:
            raise not_found("The batch", str(batch_id))
        return public_batch(session, batch)


@router.get("/payments/{payment_id}/proof", operation_id="getPaymentProof", responses=problem_responses(404, 409))
def get_payment_proof(hub: HubDep, payment_id: str) -> PaymentProof:
    """Proves that a payment is in its batch: hash the leaf, fold the proof, compare with the root on chain."""
    with hub.db.read() as session:
        payment = queries.find(session, payment_id)
        if payment.batch_id is None:
            raise Problem("not-batched", 409, "The payment is in no batch yet.", "It will be in the next one.")
        batch = session.get_one(Batch, payment.batch_id)
        tree = batcher.payments_tree(batcher.payments_of(session, batch.id))
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
            proof=[hex_of(node) for node in tree.proof(leaf)],
            payments_root=hex_of(tree.root),
            batch_id=batch.id,
            state=batch.state,
            settlement=hub.contracts.deployment.settlement,
            transaction=_transaction_hash(session, batch),
        )


@router.get("/entitlements/{account}", operation_id="getEntitlementProof", responses=problem_responses(404, 422))
def get_entitlement_proof(hub: HubDep, account: Address) -> EntitlementProof:
    """What an account may claim on chain, with the proof to do so without us."""
    with hub.db.read() as session:
        batch_id = session.scalar(
            select(func.max(Batch.id)).where(col(Batch.state).in_(["mined", "confirmed", "posted"]))
        )
        entitlements = batcher.entitlements_at(session, batch_id or 0)
        if batch_id is None or account not in entitlements:
            raise not_found("An entitlement of", account)
        tree = merkle.MerkleTree(merkle.entitlement_leaf(a, c) for a, c in entitlements.items())
        row = session.get_one(Entitlement, account)
        return EntitlementProof(
            account=account,
            batch_id=batch_id,
            cumulative=entitlements[account],
            claimed=row.claimed,
            proof=[hex_of(n) for n in tree.proof(merkle.entitlement_leaf(account, entitlements[account]))],
            entitlement_root=hex_of(tree.root),
            settlement=hub.contracts.deployment.settlement,
        )


def public_batch(session: Session, batch: Batch) -> BatchPublic:
    transaction = session.get(ChainTransaction, batch.transaction_id) if batch.transaction_id else None
    payers = session.scalar(
        select(func.count(func.distinct(Payment.channel_id))).where(col(Payment.batch_id) == batch.id)
    )
    gas = transaction.gas_used if transaction else None
    return BatchPublic(
        id=batch.id,
        state=batch.state,
        payments=batch.payment_count,
        payers=payers or 0,
        claimed=batch.claimed,
        credited=batch.credited,
        entitled=batch.entitled,
        payments_root=batch.payments_root,
        entitlement_root=batch.entitlement_root,
        transaction=transaction.hash if transaction else None,
        block_number=transaction.block_number if transaction else None,
        gas_used=gas,
        gas_per_payment=None if gas is None else gas // batch.payment_count,
        last_error=batch.last_error,
        frozen_at=rfc3339(batch.frozen_at),
        posted_at=rfc3339(batch.posted_at) if batch.posted_at else None,
    )


def _transaction_hash(session: Session, batch: Batch) -> str | None:
    transaction = session.get(ChainTransaction, batch.transaction_id) if batch.transaction_id else None
    return transaction.hash if transaction else None
