"""Batches and proofs over HTTP, public: anyone can check. And the quarantine, for operators alone."""

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, Response
from sqlmodel import Session

from taesan.chain import view
from taesan.core import idempotency
from taesan.core.http import Language, problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.core.values import Address
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.operators import OperatorDep
from taesan.identity.rates import COUNTED
from taesan.ledger import queries as ledger
from taesan.settlement import quarantine, queries, records
from taesan.settlement.models import (
    BatchPublic,
    BatchRoot,
    EntitlementProof,
    LedgerPage,
    LedgerTotal,
    PaymentProof,
    PaymentRecord,
    QuarantineAct,
    QuarantinePublic,
)

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
    "/batches/{batch_id}/root",
    tags=["settlement"],
    operation_id="getBatchRoot",
    dependencies=COUNTED,
    responses=problem_responses(404, 422, 429, 503),
)
def get_batch_root(hub: HubDep, batch_id: int) -> BatchRoot:
    """The batch's root as the settlement contract has it, which this hub asks its own node. To rely on nobody, ask another one:
    `batches(uint64)`."""
    with hub.db.read() as session:
        queries.find_batch(session, batch_id)
    return queries.root_on_chain(hub, batch_id)


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


@router.get(
    "/payments/{payment_id}/record",
    tags=["settlement"],
    operation_id="getPaymentRecord",
    responses=problem_responses(401, 403, 404, 422),
)
def get_payment_record(hub: HubDep, wallet: CurrentWallet, payment_id: str, language: Language) -> PaymentRecord:
    """A payment's voucher and its place in the books: all of it to its payer, without the voucher to its merchant."""
    with hub.db.read() as session:
        return records.of_payment(session, hub, payment_id, wallet, language)


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


# ------------------------------------------------------------------ operators


_Act = Callable[[Session, Hub, str, str, datetime], QuarantinePublic]


@router.get(
    "/operator/quarantine", tags=["operator"], operation_id="listQuarantine", responses=problem_responses(401, 403, 422)
)
def list_quarantine(
    hub: HubDep, _operator: OperatorDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[QuarantinePublic]:
    """Channels that were set aside because the contract refused a batch for them, newest first."""
    with hub.db.read() as session:
        rows = quarantine.page(session, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: quarantine.public(session, row))


@router.post(
    "/operator/quarantine/{quarantine_id}/retry",
    tags=["operator"],
    operation_id="retryQuarantine",
    response_model=QuarantinePublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 404, 409, 422, 429),
)
def retry_quarantine(
    hub: HubDep, operator: OperatorDep, quarantine_id: str, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Lets the channel's payments into the next batch again, such as when the deposit has come back."""
    return _act(hub, operator, quarantine_id, idempotency_key, "retry", quarantine.retry)


@router.post(
    "/operator/quarantine/{quarantine_id}/refund",
    tags=["operator"],
    operation_id="refundQuarantine",
    response_model=QuarantinePublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 404, 409, 422, 429),
)
def refund_quarantine(
    hub: HubDep, operator: OperatorDep, quarantine_id: str, idempotency_key: IdempotencyKeyHeader
) -> Response:
    """Gives the payer back what cannot be settled and pays the merchants out of the hub's surplus; closes the channel."""
    return _act(hub, operator, quarantine_id, idempotency_key, "refund", quarantine.refund)


def _act(hub: Hub, operator: str, quarantine_id: str, key: str, name: str, act: _Act) -> Response:
    now = hub.clock.now()
    return idempotency.once(
        hub.db,
        f"quarantine:{quarantine_id}",
        key,
        QuarantineAct(act=name),
        now,
        lambda session: act(session, hub, quarantine_id, operator, now),
        closed=view.closed,
        status=200,
    )
