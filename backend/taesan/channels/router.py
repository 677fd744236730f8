"""Channels over HTTP."""

from fastapi import APIRouter, Response
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction
from taesan.channels import service
from taesan.channels.models import (
    Channel,
    ChannelCreate,
    ChannelCreated,
    ChannelPublic,
    DepositPublic,
    DepositRelay,
    HubPublic,
)
from taesan.core import idempotency
from taesan.core.crypto import Domain
from taesan.core.http import problem_responses
from taesan.core.idempotency import IdempotencyKeyHeader
from taesan.core.problems import not_found
from taesan.core.values import Bytes32
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet
from taesan.ledger import posting

router = APIRouter(prefix="/v1", tags=["channels"])


@router.get("/hub", tags=["hub"], operation_id="getHub")
def get_hub_facts(hub: HubDep) -> HubPublic:
    """Chain, contracts, domains and limits: all that a client needs to know before it signs."""
    deployment = hub.contracts.deployment
    return HubPublic(
        name="Taesan",
        network=hub.contracts.network,
        asset=hub.asset.id,
        asset_symbol=hub.asset.symbol,
        asset_exponent=hub.asset.exponent,
        asset_domain=_domain(hub.asset.domain),
        gift_token=hub.gift.id,
        gift_domain=_domain(hub.gift.domain),
        voucher_domain=_domain(hub.contracts.voucher_domain),
        settlement=deployment.settlement,
        receiver_authorizer=hub.signer.address,
        collector=deployment.collector,
        withdraw_delay=hub.settings.withdraw_delay_s,
        confirmation_depth_blocks=hub.settings.depth,
        max_payment=hub.settings.max_payment,
    )


@router.post(
    "/channels",
    operation_id="openChannel",
    status_code=202,
    response_model=ChannelCreated,
    responses=problem_responses(401, 422, 503),
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
        return ChannelCreated(channel=_channel(session, hub, channel), deposit=_deposit(session, deposit))

    return idempotency.once(
        hub.db, f"channel:{channel_id}", idempotency_key, body, now, effect, check=check, status=202
    )


@router.get("/channels/{channel_id}", operation_id="getChannel", responses=problem_responses(401, 403, 404, 422))
def get_channel(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32) -> ChannelPublic:
    """A channel's state: its payer's alone, for it tells more than the chain does."""
    with hub.db.read() as session:
        return _channel(session, hub, service.find_own_channel(session, channel_id, wallet))


@router.get("/deposits/{deposit_id}", operation_id="getDeposit", responses=problem_responses(404))
def get_deposit(hub: HubDep, deposit_id: str) -> DepositPublic:
    """How far a relayed deposit has come."""
    with hub.db.read() as session:
        row = session.scalar(select(DepositRelay).where(col(DepositRelay.public_id) == deposit_id))
        if row is None:
            raise not_found("The deposit", deposit_id)
        return _deposit(session, row)


def _channel(session: Session, hub: Hub, channel: Channel) -> ChannelPublic:
    return ChannelPublic(
        id=channel.id,
        state=channel.state,
        payer=channel.payer,
        payer_authorizer=channel.payer_authorizer,
        available=posting.balance(session, hub.chart.channel(channel.id)),
        in_jar=posting.balance(session, hub.chart.jar(channel.id)),
        charged_cumulative=channel.charged,
        claimed=channel.claimed,
    )


def _deposit(session: Session, row: DepositRelay) -> DepositPublic:
    transaction = session.get(ChainTransaction, row.transaction_id) if row.transaction_id else None
    return DepositPublic(
        id=row.public_id,
        channel_id=row.channel_id,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        transaction=transaction.hash if transaction else None,
    )


def _domain(domain: Domain) -> dict[str, str | int]:
    """As `eth_signTypedData_v4` takes it."""
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.verifying_contract,
    }
