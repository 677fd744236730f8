"""Batches and proofs over HTTP. All public: anyone can check."""

from fastapi import APIRouter

from taesan.core.http import problem_responses
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.core.values import Address
from taesan.hub import HubDep
from taesan.identity.rates import COUNTED
from taesan.ledger import queries as ledger
from taesan.settlement import queries
from taesan.settlement.models import BatchPublic, EntitlementProof, LedgerPage, LedgerTotal, PaymentProof

router = APIRouter(prefix="/v1")


@router.get("/batches", tags=["settlement"], operation_id="listBatches", responses=problem_responses(422))
def list_batches(hub: HubDep, cursor: Cursor = None, limit: Limit = 50) -> Page[BatchPublic]:
    """Batches, newest first."""
    with hub.db.read() as session:
        rows = queries.batches_page(session, cursor, limit)
        return page(rows, limit, lambda batch: batch.id, lambda batch: queries.public_batch(session, batch))


@router.get("/batches/{batch_id}", tags=["settlement"], operation_id="getBatch", responses=problem_responses(404, 422))
def get_batch(hub: HubDep, batch_id: int) -> BatchPublic:
    """One batch: its roots, its transaction, how far it is."""
    with hub.db.read() as session:
        return queries.public_batch(session, queries.find_batch(session, batch_id))


@router.get(
    "/payments/{payment_id}/proof",
    tags=["settlement"],
    operation_id="getPaymentProof",
    dependencies=COUNTED,  # a tree of all payments of a batch is made for it
    responses=problem_responses(404, 409, 422, 429),
)
def get_payment_proof(hub: HubDep, payment_id: str) -> PaymentProof:
    """Proves that a payment is in its batch: hash the leaf, fold the proof, compare with the root on chain."""
    with hub.db.read() as session:
        return queries.payment_proof(session, hub, payment_id)


@router.get("/ledger/entries", tags=["ledger"], operation_id="listLedgerEntries", responses=problem_responses(422))
def list_ledger_entries(
    hub: HubDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> LedgerPage:
    """The journal, oldest first, with its chain of hashes: recompute it to see that nothing was changed."""
    with hub.db.read() as session:
        return queries.ledger_page(session, hub, cursor or 0, limit)


@router.get("/ledger/totals", tags=["ledger"], operation_id="getLedgerTotals")
def get_ledger_totals(hub: HubDep) -> list[LedgerTotal]:
    """The trial balance: what all accounts of a kind hold together."""
    with hub.db.read() as session:
        totals = ledger.totals(session)
        return [LedgerTotal(kind=kind, asset=asset, amount=amount) for (kind, asset), amount in totals.items()]


@router.get(
    "/entitlements/{account}",
    tags=["settlement"],
    operation_id="getEntitlementProof",
    dependencies=COUNTED,
    responses=problem_responses(404, 422, 429),
)
def get_entitlement_proof(hub: HubDep, account: Address) -> EntitlementProof:
    """What an account may claim on chain, with the proof to do so without us."""
    with hub.db.read() as session:
        return queries.entitlement_proof(session, hub, account)
