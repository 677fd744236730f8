"""A merchant's insights over HTTP, with its API key."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from taesan.core.days import first_of
from taesan.core.http import KNOWN, problem_responses
from taesan.core.values import Month
from taesan.hub import HubDep
from taesan.identity.access import Needs
from taesan.identity.models import Merchant
from taesan.identity.rates import COUNTED
from taesan.insights import customers
from taesan.insights.custom_models import MerchantInsights

router = APIRouter(prefix="/v1", tags=["insights"], dependencies=KNOWN)

Reads = Annotated[Merchant, Depends(Needs("insights:read"))]


@router.get(
    "/merchant-insights",
    operation_id="getMerchantInsights",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 409, 422, 429),
)
def get_merchant_insights(
    hub: HubDep,
    merchant: Reads,
    month: Annotated[Month | None, Query(description="Of the account's time zone; this one, if left out")] = None,
    before: Annotated[int, Query(ge=1, le=12, description="How many months before it are looked at")] = 6,
) -> MerchantInsights:
    """How many payers come back and since when they come, what was paid around the starts of campaigns and by members of tiers, and
    what the month will bring."""
    first = None if month is None else first_of(month)
    with hub.db.read() as session:
        return customers.insights(session, hub, merchant, first, before, hub.clock.now())
