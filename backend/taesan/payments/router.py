"""Payments over HTTP."""

from fastapi import APIRouter, Response
from sqlmodel import Session

from taesan.core import idempotency
from taesan.core.clock import rfc3339
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.hub import HubDep
from taesan.payments import intake, queries
from taesan.payments.models import PaymentAccepted, PaymentCreate, PaymentPublic

router = APIRouter(prefix="/v1", tags=["payments"])


@router.post(
    "/payments",
    operation_id="createPayment",
    status_code=201,
    response_model=PaymentAccepted,
    responses=problem_responses(400, 402, 403, 404, 409, 413, 422),
)
def create_payment(hub: HubDep, body: PaymentCreate, idempotency_key: IdempotencyKeyHeader) -> Response:
    """Accepts one off-chain micropayment. A 201 is durable: the payment is in the books and will be settled.

    Safe to repeat with the same `Idempotency-Key` after a lost answer: it is accepted once and answered alike.
    """
    now = hub.clock.now()

    def check() -> None:
        intake.check_request(hub, body)
        with hub.db.read() as session:
            intake.check_view(session, hub, now)
            intake.check_signature(session, hub, body)

    def effect(session: Session) -> PaymentAccepted:
        return intake.accept(session, hub, body, now)

    scope = f"payment:{body.voucher.channel_id}"
    return idempotency.once(hub.db, scope, idempotency_key, body, now, effect, check=check)


@router.get("/payments/{payment_id}", operation_id="getPayment", responses=problem_responses(404, 422))
def get_payment(hub: HubDep, payment_id: str) -> PaymentPublic:
    """One payment; `batch_id` tells which batch settles it."""
    with hub.db.read() as session:
        payment = queries.find(session, payment_id)
        return PaymentPublic(
            id=payment.public_id,
            channel_id=payment.channel_id,
            amount=payment.amount,
            charged_cumulative=payment.cumulative,
            destination=payment.destination,
            merchant_id=payment.merchant_id,
            reference=payment.reference,
            accepted_at=rfc3339(payment.accepted_at),
            batch_id=payment.batch_id,
        )
