"""The hub as an x402 facilitator: merchants' servers name `<hub>/x402` as theirs."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from taesan.core.http import problem_responses
from taesan.hub import Hub, HubDep
from taesan.identity.rates import Rates, RatesDep, count_call
from taesan.payments.x402 import Facilitator
from taesan.payments.x402_wire import SCHEME, FacilitatorRequest, Settled, Supported, Verified, is_free_to_check

router = APIRouter(prefix="/x402", tags=["x402"])


def _facilitator(request: Request) -> Facilitator:
    facilitator: Facilitator = request.app.state.facilitator
    return facilitator


FacilitatorDep = Annotated[Facilitator, Depends(_facilitator)]


@router.get("/supported", operation_id="getX402Supported", response_model_exclude_none=True)
def get_supported(facilitator: FacilitatorDep) -> Supported:
    """Schemes, networks, and in `extra` all that an offer to this hub's payers needs beside a price and `merchantId`."""
    return facilitator.supported()


@router.post(
    "/verify",
    operation_id="verifyX402Payment",
    response_model_exclude_none=True,
    responses=problem_responses(413, 422, 429, 503),
)
def verify(
    request: Request, hub: HubDep, facilitator: FacilitatorDep, rates: RatesDep, body: FacilitatorRequest
) -> Verified:
    """Whether a payment would be accepted; nothing is stored. `isValid` is false, with the SDKs' reasons, if not."""
    _count(request, hub, rates, body)
    return facilitator.verify(body)


@router.post(
    "/settle",
    operation_id="settleX402Payment",
    response_model_exclude_none=True,
    responses=problem_responses(409, 413, 422, 429, 503),
)
async def settle(
    request: Request, hub: HubDep, facilitator: FacilitatorDep, rates: RatesDep, body: FacilitatorRequest
) -> Settled:
    """Accepts a payment; success is durable. Safe to repeat: the same payment is accepted once and answered alike.

    A deposit is brought to the chain and waited for. If that takes too long the answer is 503 (`settlement-pending`):
    repeat the very same request.
    """
    await asyncio.to_thread(_count, request, hub, rates, body)
    return await facilitator.settle(body)


def _count(request: Request, hub: Hub, rates: Rates, body: FacilitatorRequest) -> None:
    """All but a voucher that a hot key has signed costs what calls cost: a question to the node, or gas."""
    rates.count_payments(dict(request.headers.raw), 1)
    if not (body.payment_requirements.scheme == SCHEME and is_free_to_check(body.payment_payload.payload)):
        count_call(request, hub, rates)
