"""Gift links, and gift tokens to somebody's address, over HTTP. The signatures say who may; the hub relays."""

from fastapi import APIRouter, Response
from sqlmodel import Session

from taesan.chain import view
from taesan.chain.erc3009 import SignedTransfer
from taesan.core import idempotency
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.gifts import queries, service
from taesan.gifts.models import GiftClaim, GiftCreate, GiftPublic
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.payments import token_transfers
from taesan.payments.token_models import TokenTransferCreate, TokenTransferPublic

router = APIRouter(prefix="/v1", tags=["gifts"])


@router.post(
    "/gifts",
    operation_id="createGift",
    status_code=201,
    response_model=GiftPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 409, 422, 429, 503),
)
def create_gift(hub: HubDep, body: GiftCreate, idempotency_key: IdempotencyKeyHeader) -> Response:
    """Gift tokens for whoever has a link. The sender signs them over to a new key, which stands in the link's fragment; that key
    signs that they go back to the sender after the link's end. The hub pays the gas and never knows the key."""
    now = hub.chain_clock.now()
    balance = 0

    def check() -> None:
        nonlocal balance
        balance = service.check(hub, body, now)

    def effect(session: Session) -> GiftPublic:
        return queries.public(session, hub, service.make(session, hub, body, balance, now), now)

    scope = f"gift:{body.sender}"
    return idempotency.once(hub.db, scope, idempotency_key, body, now, effect, closed=view.closed, check=check)


@router.get("/gifts", operation_id="listGifts", responses=problem_responses(401, 422))
def list_gifts(hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100) -> Page[GiftPublic]:
    """The links that the wallet has made, newest first."""
    now = hub.chain_clock.now()
    with hub.db.read() as session:
        rows = queries.sent_by(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public(session, hub, row, now))


@router.get("/gifts/{gift_id}", operation_id="getGift", responses=problem_responses(404, 422))
def get_gift(hub: HubDep, gift_id: str) -> GiftPublic:
    """A gift as whoever has its link sees it."""
    with hub.db.read() as session:
        return queries.public(session, hub, service.find(session, gift_id), hub.chain_clock.now())


@router.post(
    "/gifts/{gift_id}/claim",
    operation_id="claimGift",
    status_code=202,
    response_model=GiftPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 404, 409, 422, 429, 503),
)
def claim_gift(hub: HubDep, gift_id: str, body: GiftClaim, idempotency_key: IdempotencyKeyHeader) -> Response:
    """Sends the gift's tokens to an address, by the signature of the link's key: once."""
    now = hub.chain_clock.now()

    def check() -> None:
        service.check_claim(hub, gift_id, body, now)

    def effect(session: Session) -> GiftPublic:
        return queries.public(session, hub, service.claim(session, hub, gift_id, body, now), now)

    scope = f"gift-claim:{gift_id}"[:120]
    return idempotency.once(
        hub.db, scope, idempotency_key, body, now, effect, closed=view.closed, check=check, status=202
    )


@router.post(
    "/gifts/{gift_id}/return",
    operation_id="returnGift",
    status_code=202,
    dependencies=COUNTED,
    responses=problem_responses(404, 409, 422, 429, 503),
)
def return_gift(hub: HubDep, gift_id: str) -> GiftPublic:
    """Sends what nobody has taken in time back to who gave it; asked again, it is the same. Anybody may ask: it can go nowhere
    else. After some days it goes back without being asked."""
    now = hub.chain_clock.now()
    service.check_return(hub, gift_id, now)
    with idempotency.taking(hub.db) as session:
        if problem := view.closed(session):
            raise problem
        return queries.public(session, hub, service.take_back(session, hub, gift_id, now), now)


# ----------------------------------------------------- to somebody's address


@router.post(
    "/token-transfers",
    operation_id="sendTokens",
    status_code=202,
    response_model=TokenTransferPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 409, 422, 429, 503),
)
def send_tokens(hub: HubDep, body: TokenTransferCreate, idempotency_key: IdempotencyKeyHeader) -> Response:
    """Gift tokens from wallet to wallet: the holder signs, the hub pays the gas."""
    now = hub.chain_clock.now()
    values = body.valid_after, body.valid_before, body.nonce, body.signature
    transfer = SignedTransfer(hub.gift.address, body.sender, body.recipient, body.amount, *values)
    balance = 0

    def check() -> None:
        nonlocal balance
        balance = token_transfers.check(hub, transfer, now)

    def effect(session: Session) -> TokenTransferPublic:
        row = service.store(session, hub, transfer, token_transfers.PERSON, now, balance)
        return token_transfers.public(row)

    scope = f"token-transfer:{body.sender}"
    return idempotency.once(
        hub.db, scope, idempotency_key, body, now, effect, closed=view.closed, check=check, status=202
    )


@router.get("/token-transfers", operation_id="listTokenTransfers", responses=problem_responses(401, 422))
def list_token_transfers(
    hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100
) -> Page[TokenTransferPublic]:
    """What the wallet has sent to other people, newest first."""
    with hub.db.read() as session:
        rows = token_transfers.sent_by(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row.id, token_transfers.public)


@router.get(
    "/token-transfers/{token_transfer_id}", operation_id="getTokenTransfer", responses=problem_responses(404, 422)
)
def get_token_transfer(hub: HubDep, token_transfer_id: str) -> TokenTransferPublic:
    """How far a transfer has come."""
    with hub.db.read() as session:
        return token_transfers.public(token_transfers.find(session, token_transfer_id))
