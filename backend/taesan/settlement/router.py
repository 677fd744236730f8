"""Batches and proofs over HTTP. All public: anyone can check."""

from fastapi import APIRouter

from taesan.core.http import problem_responses
from taesan.core.values import Address
from taesan.hub import HubDep
from taesan.settlement import queries
from taesan.settlement.models import BatchPublic, EntitlementProof, PaymentProof

router = APIRouter(prefix="/v1", tags=["settlement"])


@router.get("/batches/{batch_id}", operation_id="getBatch", responses=problem_responses(404, 422))
def get_batch(hub: HubDep, batch_id: int) -> BatchPublic:
    """One batch: its roots, its transaction, how far it is."""
    with hub.db.read() as session:
        return queries.public_batch(session, queries.find_batch(session, batch_id))


@router.get("/payments/{payment_id}/proof", operation_id="getPaymentProof", responses=problem_responses(404, 409, 422))
def get_payment_proof(hub: HubDep, payment_id: str) -> PaymentProof:
    """Proves that a payment is in its batch: hash the leaf, fold the proof, compare with the root on chain."""
    with hub.db.read() as session:
        return queries.payment_proof(session, hub, payment_id)


@router.get("/entitlements/{account}", operation_id="getEntitlementProof", responses=problem_responses(404, 422))
def get_entitlement_proof(hub: HubDep, account: Address) -> EntitlementProof:
    """What an account may claim on chain, with the proof to do so without us."""
    with hub.db.read() as session:
        return queries.entitlement_proof(session, hub, account)
