"""Channels over HTTP."""

from fastapi import APIRouter, Response
from sqlmodel import Session

from taesan.chain import view
from taesan.channels import holdings, queries, refunds, service
from taesan.channels.models import (
    ChannelCreate,
    ChannelCreated,
    ChannelPublic,
    ChannelRefundCreate,
    ChannelRefundPublic,
    DepositPublic,
    HoldingsPublic,
    HubPublic,
    TestDollarsPublic,
)
from taesan.core import idempotency
from taesan.core.clock import rfc3339
from taesan.core.crypto import Domain
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.core.values import Bytes32
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED

router = APIRouter(prefix="/v1")


@router.get("/hub", tags=["hub"], operation_id="getHub")
def get_hub_facts(hub: HubDep) -> HubPublic:
    """Chain, contracts, domains and limits: all that a client needs to know before it signs."""
    deployment = hub.contracts.deployment
    return HubPublic(
        name="Taesan",
        network=hub.contracts.network,
        mode=hub.mode,
        asset=hub.asset.id,
        asset_symbol=hub.asset.symbol,
        asset_exponent=hub.asset.exponent,
        asset_currency=hub.settings.asset_currency,
        asset_domain=_domain(hub.asset.domain),
        gift_token=hub.gift.id,
        gift_domain=_domain(hub.gift.domain),
        voucher_domain=_domain(hub.contracts.voucher_domain),
        standing_orders_domain=_domain(orders) if (orders := hub.contracts.standing_orders_domain) else None,
        settlement=deployment.settlement,
        receiver_authorizer=hub.signer.address,
        collector=deployment.collector,
        withdraw_delay=hub.settings.withdraw_delay_s,
        confirmation_depth_blocks=hub.settings.depth,
        max_payment=hub.settings.max_payment,
        chain_time=rfc3339(hub.put_forward.now()) if hub.put_forward else None,
        min_relayed=hub.settings.least_relayed,
    )


@router.post(
    "/channels",
    tags=["channels"],
    operation_id="openChannel",
    status_code=202,
    response_model=ChannelCreated,
    dependencies=COUNTED,
    responses=problem_responses(400, 409, 422, 429, 503),
)
def open_channel(hub: HubDep, body: ChannelCreate, idempotency_key: IdempotencyKeyHeader) -> Response:
    """Opens a channel, or adds to it: the hub brings the signed deposit to the chain, without gas for the payer.

    The answer comes before the chain's; the deposit counts when it is confirmed (`GET /v1/deposits/{id}`).
    """
    now = hub.clock.now()
    channel_id = service.id_of(hub, body.config)

    def check() -> None:
        service.check_deposit(hub, body.config, channel_id, body.deposit, now)

    def effect(session: Session) -> ChannelCreated:
        channel = service.register(session, hub, body.config, now)
        deposit = service.request_deposit(session, channel, body.deposit, now)
        return ChannelCreated(
            channel=queries.public_channel(session, hub, channel), deposit=queries.public_deposit(session, deposit)
        )

    return idempotency.once(
        hub.db,
        f"channel:{channel_id}",
        idempotency_key,
        body,
        now,
        effect,
        closed=view.closed,
        check=check,
        status=202,
    )


@router.get("/channels", tags=["channels"], operation_id="listChannels", responses=problem_responses(401, 422))
def list_channels(hub: HubDep, wallet: CurrentWallet, cursor: Cursor = None, limit: Limit = 100) -> Page[ChannelPublic]:
    """The signed-in wallet's channels, newest first."""
    with hub.db.read() as session:
        rows = queries.channels_of(session, wallet, cursor, limit)
        return page(rows, limit, lambda row: row.account_id, lambda row: queries.public_channel(session, hub, row))


@router.get(
    "/channels/{channel_id}",
    tags=["channels"],
    operation_id="getChannel",
    responses=problem_responses(401, 403, 404, 422),
)
def get_channel(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32) -> ChannelPublic:
    """A channel's state: its payer's alone, for it tells more than the chain does."""
    with hub.db.read() as session:
        return queries.public_channel(session, hub, service.find_own_channel(session, channel_id, wallet))


@router.post(
    "/channels/{channel_id}/refunds",
    tags=["channels"],
    operation_id="refundChannel",
    status_code=202,
    response_model=ChannelRefundPublic,
    dependencies=COUNTED,
    responses=problem_responses(400, 401, 403, 404, 409, 422, 429, 503),
)
def refund_channel(
    hub: HubDep,
    wallet: CurrentWallet,
    channel_id: Bytes32,
    body: ChannelRefundCreate,
    idempotency_key: IdempotencyKeyHeader,
) -> Response:
    """Gives back to the payer what is free in a channel, without gas. What was promised, and what is in the jar, stays. Meanwhile
    the channel takes no payments (`GET /v1/channels/{id}/refunds`)."""
    now = hub.clock.now()
    with hub.db.read() as session:
        service.find_own_channel(session, channel_id, wallet)

    def effect(session: Session) -> ChannelRefundPublic:
        channel = service.find_own_channel(session, channel_id, wallet)
        refunds.require_pause(session, hub, channel, now)
        return queries.public_refund(session, refunds.request(session, hub, channel, body.amount, now))

    scope = f"channel-refund:{channel_id}"
    return idempotency.once(hub.db, scope, idempotency_key, body, now, effect, closed=view.closed, status=202)


@router.get(
    "/channels/{channel_id}/refunds",
    tags=["channels"],
    operation_id="listChannelRefunds",
    responses=problem_responses(401, 403, 404, 422),
)
def list_channel_refunds(
    hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, cursor: Cursor = None, limit: Limit = 100
) -> Page[ChannelRefundPublic]:
    """What was given back out of a channel, newest first, and how far it is."""
    with hub.db.read() as session:
        channel = service.find_own_channel(session, channel_id, wallet)
        rows = queries.refunds_of(session, channel, cursor, limit)
        return page(rows, limit, lambda row: row.id, lambda row: queries.public_refund(session, row))


@router.get(
    "/holdings",
    tags=["channels"],
    operation_id="getHoldings",
    dependencies=COUNTED,
    responses=problem_responses(401, 429),
)
def get_holdings(hub: HubDep, wallet: CurrentWallet) -> HoldingsPublic:
    """What the signed-in wallet holds on the chain besides its channels: the asset, gift tokens, savings."""
    return holdings.of(hub, wallet)


@router.post(
    "/test-dollars",
    tags=["channels"],
    operation_id="giveTestDollars",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 429),
)
def give_test_dollars(hub: HubDep, wallet: CurrentWallet) -> TestDollarsPublic:
    """Some of a local chain's money without value, to try the hub with. No other chain's hub gives any."""
    return holdings.give(hub, wallet)


@router.get(
    "/deposits/{deposit_id}", tags=["channels"], operation_id="getDeposit", responses=problem_responses(404, 422)
)
def get_deposit(hub: HubDep, deposit_id: str) -> DepositPublic:
    """How far a relayed deposit has come."""
    with hub.db.read() as session:
        return queries.public_deposit(session, queries.find_deposit(session, deposit_id))


def _domain(domain: Domain) -> dict[str, str | int]:
    """As `eth_signTypedData_v4` takes it."""
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.verifying_contract,
    }
