"""Gateways: their making, their secret, and the voucher that lets the hub draw on what they have deposited.

A gateway's funding is an ordinary channel of its wallet. The standing voucher is x402's own, so nobody can take more than
was signed, and what is not drawn can be withdrawn like every payer's money; see docs/architecture.md, "Gateways".
"""

import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels import queries, vouchers
from taesan.channels import service as channels
from taesan.channels.models import Channel
from taesan.core.crypto import recover
from taesan.core.ids import new_id
from taesan.core.problems import Problem, not_found
from taesan.core.signing_secrets import new_secret
from taesan.core.values import bytes_of
from taesan.gateways.models import Gateway, GatewayCreate, GatewayPublic
from taesan.hub import Hub
from taesan.identity import operators
from taesan.ledger import posting
from taesan.payments.models import VoucherIn
from taesan.payments.requests import check_voucher

PEPPER_BYTES = 32


def register(session: Session, wanted: GatewayCreate, operator: str, now: datetime) -> Gateway:
    """:param operator: who does it. :raises Problem: `gateway-exists` if the wallet has one"""
    if session.scalar(select(col(Gateway.id)).where(col(Gateway.address) == wanted.address)) is not None:
        raise Problem(
            "gateway-exists", 409, "This wallet has a gateway already.", f"{wanted.address} funds one of this hub's."
        )
    row = Gateway(
        id=new_id("gw"),
        name=wanted.name,
        address=wanted.address,
        secret=new_secret(),
        pepper=secrets.token_hex(PEPPER_BYTES),
        created_at=now,
    )
    session.add(row)
    session.flush()
    operators.record(session, operator, "gateway.registered", row.id, f"{row.name}, funded by {row.address}", now)
    return row


def find(session: Session, gateway_id: str) -> Gateway:
    """:param gateway_id: `gw_…`. :raises Problem: `not-found`"""
    row = session.get(Gateway, gateway_id)
    if row is None:
        raise not_found("The gateway", gateway_id)
    return row


def find_own(session: Session, gateway_id: str, wallet: str) -> Gateway:
    """:raises Problem: `not-found`, also if it is another wallet's"""
    row = find(session, gateway_id)
    if row.address != wallet:
        raise not_found("The gateway", gateway_id)
    return row


def every(session: Session) -> Sequence[Gateway]:
    """Oldest first: those that operators have made."""
    return session.scalars(select(Gateway).order_by(col(Gateway.id))).all()


# --------------------------------------------------------------------- funding


def sign_funding(session: Session, hub: Hub, row: Gateway, voucher: VoucherIn) -> None:
    """Takes the gateway's voucher in place of its last one. The first ties the channel to the gateway, for ever.

    :raises Problem: `wrong-network`, `wrong-contract`, `unknown-channel`, `forbidden`, `invalid-signature`,
        `voucher-not-higher`, and as `_check_new`
    """
    check_voucher(hub, voucher)
    channel = channels.find_own_channel(session, voucher.channel_id, row.address)
    if row.channel_id is None:
        _check_new(session, hub, channel)
    elif row.channel_id != channel.id:
        raise _unsuitable(f"This gateway's channel is {row.channel_id}: deposit more to that one.")
    _check_signature(hub, channel, voucher)
    amount = voucher.max_claimable_amount
    if amount < row.signed:
        raise Problem(
            "voucher-not-higher",
            409,
            "A voucher for more was signed before.",
            f"It is for {row.signed} minor units: what was signed cannot be taken back.",
        )
    row.channel_id, row.signed, row.signature = channel.id, amount, voucher.signature
    if channel.gateway_id is None:
        channel.gateway_id, channel.secured = row.id, 0
    session.add_all([row, channel])
    session.flush()


def _check_new(session: Session, hub: Hub, channel: Channel) -> None:
    """:raises Problem: `channel-unsuitable`: it has paid before, or is not open"""
    if channel.state != "open" or channel.quarantine_id is not None:
        raise _unsuitable(f"The channel is {channel.state}: open one, and wait until its deposit is confirmed.")
    if channel.receiver_authorizer not in (hub.signer.address, vouchers.ZERO_ADDRESS):
        raise _unsuitable("Its receiver authoriser is a key that this hub does not use any more.")
    in_jar = posting.balance(session, hub.chart.jar(channel.id))
    if queries.charged(session, channel) or channel.claimed or in_jar or channel.secured is not None:
        raise _unsuitable("It has paid by itself before: open one for the gateway alone.")


def _check_signature(hub: Hub, channel: Channel, voucher: VoucherIn) -> None:
    """By a key: what a contract wallet says, it could take back."""
    domain = hub.contracts.voucher_domain
    is_payers = channel.payer_authorizer == vouchers.ZERO_ADDRESS
    signer = channel.payer if is_payers else channel.payer_authorizer
    digest = vouchers.voucher_digest(domain, channel.id, voucher.max_claimable_amount)
    if recover(digest, bytes_of(voucher.signature)) != signer:
        raise vouchers.invalid_signature(domain, signer)


def _unsuitable(detail: str) -> Problem:
    return Problem("channel-unsuitable", 409, "This channel cannot fund the gateway.", detail)


def public(session: Session, hub: Hub, row: Gateway) -> GatewayPublic:
    channel = session.get(Channel, row.channel_id) if row.channel_id else None
    left = posting.balance(session, hub.chart.channel(channel.id)) if channel else 0
    state = "unfunded"
    if channel is not None:
        state = "quarantined" if channel.quarantine_id is not None else channel.state
    return GatewayPublic(
        id=row.id,
        name=row.name,
        address=row.address,
        channel_id=row.channel_id,
        state=state,
        funded=row.drawn + left,
        signed=row.signed,
        drawn=row.drawn,
        claimed=channel.claimed if channel else 0,
        waiting_payments=row.waiting,
        waiting_amount=row.waiting_amount,
    )
