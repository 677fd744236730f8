"""Conversions over HTTP: what became of a jar's gift tokens, for their payer."""

from fastapi import APIRouter

from taesan.channels import service as channels
from taesan.conversions import asking, permits, queries
from taesan.conversions.models import (
    AllowancePublic,
    ConversionPublic,
    ConversionsPublic,
    DestinationsPublic,
    PermitCreate,
)
from taesan.core.db import retried
from taesan.core.http import Language, problem_responses
from taesan.core.pages import Cursor, Limit
from taesan.core.values import Bytes32
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED

router = APIRouter(prefix="/v1", tags=["conversions"])


@router.get("/destinations", operation_id="getDestinations")
def get_destinations(hub: HubDep) -> DestinationsPublic:
    """What gift tokens can become here: whom rules are signed for, and what can be bought."""
    with hub.db.read() as session:
        return queries.destinations(session, hub)


@router.get(
    "/channels/{channel_id}/jar/conversions",
    operation_id="listConversions",
    responses=problem_responses(401, 403, 404, 422),
)
def list_conversions(
    hub: HubDep,
    wallet: CurrentWallet,
    channel_id: Bytes32,
    language: Language,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> ConversionsPublic:
    """What became of the jar's gift tokens, newest first, and what is held."""
    with hub.db.read() as session:
        channels.find_own_channel(session, channel_id, wallet)
        return queries.of_channel(session, channel_id, cursor, limit, language)


@router.get(
    "/conversions/{conversion_id}", operation_id="getConversion", responses=problem_responses(401, 403, 404, 422)
)
def get_conversion(hub: HubDep, wallet: CurrentWallet, conversion_id: str, language: Language) -> ConversionPublic:
    """How far a conversion has come, and why it is held if it is."""
    with hub.db.read() as session:
        return queries.public(session, queries.find(session, conversion_id, wallet), language)


@router.post(
    "/conversions/{conversion_id}/retry",
    operation_id="retryConversion",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def retry_conversion(hub: HubDep, wallet: CurrentWallet, conversion_id: str, language: Language) -> ConversionPublic:
    """Tries a conversion that is held, or was given up, again now. One that has failed on the chain is left to its time
    (`Retry-After`); after it was given up, that is a day."""
    with hub.db.write() as session:
        row = queries.find(session, conversion_id, wallet)
        asking.retry(session, row, hub.clock.now())
        return queries.public(session, row, language)


@router.post(
    "/conversions/{conversion_id}/keep",
    operation_id="keepGiftTokens",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def keep_gift_tokens(hub: HubDep, wallet: CurrentWallet, conversion_id: str, language: Language) -> ConversionPublic:
    """Leaves the gift tokens of a conversion that is held as they are, until its payer asks for another try."""
    with hub.db.write() as session:
        row = queries.find(session, conversion_id, wallet)
        asking.keep(session, row)
        return queries.public(session, row, language)


@router.get("/allowance", operation_id="getAllowance", responses=problem_responses(401, 403, 409, 503))
def get_allowance(hub: HubDep, wallet: CurrentWallet) -> AllowancePublic:
    """How much of the wallet's gift tokens rules may move, and what a permit for more has to be signed with."""
    with hub.db.read() as session:
        permit = permits.find(session, wallet)
    return permits.public(hub, wallet, permit, hub.clock.now())


@router.put(
    "/allowance",
    operation_id="permitConversions",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 409, 422, 429, 503),
)
@retried
def permit_conversions(hub: HubDep, wallet: CurrentWallet, body: PermitCreate) -> AllowancePublic:
    """Takes a signed permit (EIP-2612), which goes along with the next conversion that needs it: no gas for the payer."""
    now = hub.clock.now()
    permits.check(hub, wallet, body, now)
    with hub.db.write() as session:
        permit = permits.keep(session, wallet, body, now)
    return permits.public(hub, wallet, permit, now)
