"""Sign-in and merchant accounts over HTTP."""

from datetime import timedelta

from fastapi import APIRouter
from sqlmodel import Session

from taesan.core.clock import rfc3339
from taesan.core.db import retried
from taesan.core.http import problem_responses
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.hub import HubDep
from taesan.identity import auth, keys, operators
from taesan.identity import plain_siwe as _no_request_waits_for_it  # noqa: F401
from taesan.identity.access import CurrentMerchant, CurrentWallet, SessionToken
from taesan.identity.models import (
    ApiKey,
    ApiKeyCreate,
    ApiKeyCreated,
    ApiKeyPublic,
    ApiKeyRotate,
    Merchant,
    MerchantCreate,
    MerchantCreated,
    MerchantPublic,
    NoncePublic,
    OperatorActionPublic,
    SessionPublic,
    SignIn,
)
from taesan.identity.operators import OperatorDep
from taesan.identity.rates import COUNTED

router = APIRouter(prefix="/v1")


@router.post(
    "/auth/nonces",
    tags=["sign-in"],
    operation_id="createNonce",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(429),
)
@retried
def create_nonce(hub: HubDep) -> NoncePublic:
    """A nonce for one EIP-4361 message."""
    with hub.db.write() as session:
        nonce = auth.new_nonce(session, hub.clock.now())
        return NoncePublic(nonce=nonce.nonce, expires_at=rfc3339(nonce.expires_at))


@router.post(
    "/auth/sessions",
    tags=["sign-in"],
    operation_id="signIn",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 422, 429),
)
@retried
def sign_in(hub: HubDep, body: SignIn) -> SessionPublic:
    """Exchanges a signed EIP-4361 message for a session token."""
    now = hub.clock.now()
    chain_id = hub.contracts.deployment.chain_id
    nonce, address = auth.parse_message(body.message, body.signature, hub.settings.public_url, chain_id, now)
    with hub.db.write() as session:
        token, login = auth.sign_in(session, nonce, address, now, hub.settings.session_hours)
        return SessionPublic(token=token, address=login.address, expires_at=rfc3339(login.expires_at))


@router.delete(
    "/auth/sessions/current",
    tags=["sign-in"],
    operation_id="signOut",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 429),
)
@retried
def sign_out(hub: HubDep, _wallet: CurrentWallet, token: SessionToken) -> None:
    """Ends this session; its token is worth nothing from now on."""
    with hub.db.write() as session:
        auth.sign_out(session, token)


@router.delete(
    "/auth/sessions",
    tags=["sign-in"],
    operation_id="signOutEverywhere",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 429),
)
@retried
def sign_out_everywhere(hub: HubDep, wallet: CurrentWallet) -> None:
    """Ends all sessions of the signed-in wallet, this one too, such as when a token may have been seen."""
    with hub.db.write() as session:
        auth.sign_out_everywhere(session, wallet)


@router.post(
    "/merchants",
    tags=["merchants"],
    operation_id="createMerchant",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 409, 422, 429),
)
@retried
def create_merchant(hub: HubDep, wallet: CurrentWallet, body: MerchantCreate) -> MerchantCreated:
    """Makes the signed-in wallet a merchant, paid out to that wallet."""
    with hub.db.write() as session:
        most = hub.settings.merchants_max
        merchant, key = keys.register(session, body.name, wallet, hub.clock.now(), hub.mode, most)
        return MerchantCreated(id=merchant.id, name=merchant.name, address=merchant.address, api_key=key)


@router.post(
    "/merchants/me/keys",
    tags=["merchants"],
    operation_id="createApiKey",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 409, 422, 429),
)
@retried
def create_api_key(hub: HubDep, wallet: CurrentWallet, body: ApiKeyCreate | None = None) -> ApiKeyCreated:
    """A further API key for the signed-in wallet's merchant: for another system, with what that needs."""
    body, now = body or ApiKeyCreate(), hub.clock.now()
    expires_at = now + timedelta(seconds=body.expires_in_s) if body.expires_in_s else None
    with hub.db.write() as session:
        merchant = keys.own_merchant(session, wallet)
        key = keys.add_key(
            session, merchant.id, now, hub.mode, name=body.name, scopes=body.scopes, expires_at=expires_at
        )
        return _created(session, merchant, key)


@router.post(
    "/merchants/me/keys/{key_id}/rotate",
    tags=["merchants"],
    operation_id="rotateApiKey",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 409, 422, 429),
)
@retried
def rotate_api_key(hub: HubDep, wallet: CurrentWallet, key_id: str, body: ApiKeyRotate) -> ApiKeyCreated:
    """A new API key in place of an old one, which is good for a while longer: until every system has the new one."""
    with hub.db.write() as session:
        merchant = keys.own_merchant(session, wallet)
        key = keys.rotate(session, merchant.id, key_id, body.overlap_s, hub.clock.now(), hub.mode)
        return _created(session, merchant, key)


def _created(session: Session, merchant: Merchant, key: str) -> ApiKeyCreated:
    row = keys.find(session, key)
    assert row is not None
    return ApiKeyCreated(
        id=merchant.id, name=merchant.name, address=merchant.address, api_key=key, key=_public_key(row)
    )


def _public_key(row: ApiKey) -> ApiKeyPublic:
    return ApiKeyPublic(
        id=keys.id_of(row),
        hint=row.hint,
        name=row.name,
        scopes=keys.scopes_of(row),
        created_at=rfc3339(row.created_at),
        expires_at=rfc3339(row.expires_at) if row.expires_at else None,
        last_used_at=rfc3339(row.last_used_at) if row.last_used_at else None,
    )


@router.get("/merchants/me/keys", tags=["merchants"], operation_id="listApiKeys", responses=problem_responses(401, 404))
def list_api_keys(hub: HubDep, wallet: CurrentWallet) -> list[ApiKeyPublic]:
    """The API keys of the signed-in wallet's merchant, oldest first; the keys themselves are not known here."""
    with hub.db.read() as session:
        found = keys.keys_of(session, keys.own_merchant(session, wallet).id, hub.clock.now())
        return [_public_key(key) for key in found]


@router.delete(
    "/merchants/me/keys/{key_id}",
    tags=["merchants"],
    operation_id="revokeApiKey",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def revoke_api_key(hub: HubDep, wallet: CurrentWallet, key_id: str) -> None:
    """Ends an API key of the signed-in wallet's merchant, such as when it may have been seen."""
    with hub.db.write() as session:
        keys.revoke(session, keys.own_merchant(session, wallet).id, key_id, hub.clock.now())


@router.get("/merchants/me", tags=["merchants"], operation_id="getOwnMerchant", responses=problem_responses(401, 403))
def get_own_merchant(merchant: CurrentMerchant) -> MerchantPublic:
    """The merchant that the API key, or the signed-in wallet, belongs to."""
    return MerchantPublic(id=merchant.id, name=merchant.name, address=merchant.address)


@router.get(
    "/merchants/{merchant_id}", tags=["merchants"], operation_id="getMerchant", responses=problem_responses(404, 422)
)
def get_merchant(hub: HubDep, merchant_id: str) -> MerchantPublic:
    """A merchant's public name and payout address."""
    with hub.db.read() as session:
        merchant = keys.find_merchant(session, merchant_id)
        return MerchantPublic(id=merchant.id, name=merchant.name, address=merchant.address)


@router.get(
    "/operator/actions",
    tags=["operator"],
    operation_id="listOperatorActions",
    responses=problem_responses(401, 403, 422),
)
def list_operator_actions(
    hub: HubDep, _operator: OperatorDep, cursor: Cursor = None, limit: Limit = 50
) -> Page[OperatorActionPublic]:
    """What operators have done, by API and command line, newest first. The database lets nobody change it."""
    with hub.db.read() as session:
        rows = operators.page(session, cursor, limit)
        return page(rows, limit, lambda row: row.id, operators.public)
