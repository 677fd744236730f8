"""Payments over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import TypeAdapter, ValidationError

from taesan.channels import service as channels
from taesan.core.http import problem_of_faults, problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.core.problems import Problem
from taesan.core.values import Bytes32
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet, Needs
from taesan.identity.models import Merchant
from taesan.identity.rates import RatesDep
from taesan.payments import answers, direct, queries, requests
from taesan.payments.direct_models import DirectPaymentPublic
from taesan.payments.lanes import Lanes
from taesan.payments.messages import Refusal, Submission
from taesan.payments.models import (
    BulkItem,
    PaymentAccepted,
    PaymentBulk,
    PaymentBulkAnswer,
    PaymentCreate,
    PaymentPublic,
    PersonalPayment,
    ReceivedPayment,
)

router = APIRouter(prefix="/v1", tags=["payments"])


def _lanes(request: Request) -> Lanes:
    lanes: Lanes = request.app.state.lanes
    return lanes


LanesDep = Annotated[Lanes, Depends(_lanes)]
ReadsPayments = Annotated[Merchant, Depends(Needs("payments:read"))]


@router.post(
    "/payments",
    operation_id="createPayment",
    status_code=201,
    response_model=PaymentAccepted,
    responses=problem_responses(400, 402, 403, 404, 409, 413, 422, 429, 503),
)
async def create_payment(
    request: Request,
    hub: HubDep,
    lanes: LanesDep,
    rates: RatesDep,
    body: PaymentCreate,
    idempotency_key: IdempotencyKeyHeader,
) -> Response:
    """Accepts one off-chain micropayment. A 201 is durable: the payment is in the books and will be settled.

    Safe to repeat with the same `Idempotency-Key` after a lost answer: it is accepted once and answered alike.
    """
    submission = requests.submission_of(hub, body, idempotency_key)
    rates.count_payments(dict(request.headers.raw), 1)
    (result,) = await lanes.submit([submission])
    return answers.single(result).response()


@router.post(
    "/payments/bulk",
    operation_id="createPayments",
    response_model=PaymentBulkAnswer,
    responses=problem_responses(413, 422, 429, 503),
)
async def create_payments(
    request: Request, hub: HubDep, lanes: LanesDep, rates: RatesDep, body: PaymentBulk
) -> Response:
    """Accepts up to 1,000 payments, each for itself: what is wrong with one does not hold up the others.

    Each has its own `idempotency_key`; a whole request can be repeated safely.
    """
    rates.count_payments(dict(request.headers.raw), len(body.payments))
    read = [_submission(hub, item) for item in body.payments]
    results = iter(await lanes.submit([s for s in read if isinstance(s, Submission)]))
    every = [next(results) if isinstance(s, Submission) else s for s in read]
    return answers.bulk(every, request.headers.get("accept-language")).response()


def _submission(hub: Hub, item: BulkItem | object) -> Submission | Refusal:
    try:
        if not isinstance(item, BulkItem):
            item = _ITEM.validate_python(item)
        return requests.submission_of(hub, item, item.idempotency_key)
    except ValidationError as error:
        return Refusal.of(problem_of_faults(error.errors()))
    except Problem as problem:
        return Refusal.of(problem)


_ITEM = TypeAdapter(BulkItem)


@router.get("/payments/{payment_id}", operation_id="getPayment", responses=problem_responses(404, 422))
def get_payment(hub: HubDep, payment_id: str) -> PaymentPublic:
    """One payment; `batch_id` tells which batch settles it."""
    with hub.db.read() as session:
        return queries.public_payment(queries.find(session, payment_id))


@router.get("/payments", operation_id="listReceivedPayments", responses=problem_responses(401, 403, 422))
def list_received_payments(
    hub: HubDep, merchant: ReadsPayments, cursor: Cursor = None, limit: Limit = 100
) -> Page[ReceivedPayment]:
    """What the merchant was paid, newest first."""
    with hub.db.read() as session:
        rows = queries.of_merchant(session, merchant.id, cursor, limit)
        return page(rows, limit, lambda payment: payment.id, queries.received_payment)


@router.get("/personal-payments", operation_id="listPersonalPayments", responses=problem_responses(401, 422))
def list_personal_payments(
    hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100
) -> Page[PersonalPayment]:
    """What others have paid to the wallet out of their channels, newest first."""
    with hub.db.read() as session:
        rows = queries.to_person(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row[0].id, lambda row: queries.personal_payment(*row))


@router.get("/direct-payments", operation_id="listDirectPayments", responses=problem_responses(401, 403, 422))
def list_direct_payments(
    hub: HubDep, merchant: ReadsPayments, cursor: Cursor = None, limit: Limit = 100
) -> Page[DirectPaymentPublic]:
    """What payers have authorised for the merchant by x402's `exact`, newest first: settled or still pending."""
    with hub.db.read() as session:
        rows = direct.of_merchant(session, merchant.id, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: direct.public(hub, row))


@router.get(
    "/direct-payments/{direct_payment_id}", operation_id="getDirectPayment", responses=problem_responses(404, 422)
)
def get_direct_payment(hub: HubDep, direct_payment_id: str) -> DirectPaymentPublic:
    """How far a payment by x402's `exact` has come."""
    with hub.db.read() as session:
        return direct.public(hub, direct.find(session, direct_payment_id))


@router.get(
    "/channels/{channel_id}/payments",
    operation_id="listChannelPayments",
    responses=problem_responses(401, 403, 404, 422),
)
def list_channel_payments(
    hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, cursor: Cursor = None, limit: Limit = 100
) -> Page[PaymentPublic]:
    """A channel's statement, newest payment first: its payer's alone."""
    with hub.db.read() as session:
        channel = channels.find_own_channel(session, channel_id, wallet)
        rows = queries.of_channel(session, channel, cursor, limit)
        return page(rows, limit, lambda payment: payment.cumulative, queries.public_payment)
