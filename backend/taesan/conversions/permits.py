"""How much the standing orders may move out of a wallet, and the permit that lets them (EIP-2612)."""

from datetime import datetime

from sqlmodel import Session

from taesan.conversions import orders
from taesan.conversions.models import AllowancePublic, GiftPermit, PermitCreate
from taesan.core import authorizations
from taesan.core.crypto import recover
from taesan.core.problems import Problem
from taesan.core.values import MAX_AMOUNT, bytes_of
from taesan.hub import Hub


def check(hub: Hub, payer: str, asked: PermitCreate, now: datetime) -> None:
    """Asks the node for the permit's nonce.

    :raises Problem: `no-standing-orders`, `invalid-permit`
    """
    spender = require_orders(hub)
    if asked.deadline <= now.timestamp():
        raise _invalid("Its deadline is over.")
    digest = authorizations.permit_digest(
        hub.gift.domain, payer, spender, asked.value, nonce_of(hub, payer), asked.deadline
    )
    if recover(digest, bytes_of(asked.signature)) != payer:
        raise _invalid(f"It has to be signed by {payer} for {spender}, with the gift token's next nonce of the wallet.")


def find(session: Session, payer: str) -> GiftPermit | None:
    """The newest, which may be over."""
    return session.get(GiftPermit, payer)


def keep(session: Session, payer: str, asked: PermitCreate, now: datetime) -> GiftPermit:
    """In place of the one before."""
    return session.merge(
        GiftPermit(payer=payer, value=asked.value, deadline=asked.deadline, signature=asked.signature, received_at=now)
    )


def public(hub: Hub, payer: str, permit: GiftPermit | None, now: datetime) -> AllowancePublic:
    """Asks the node. :raises Problem: `no-standing-orders`"""
    spender = require_orders(hub)
    good = permit if permit is not None and permit.deadline > now.timestamp() else None
    return AllowancePublic(
        spender=spender,
        allowance=min(orders.allowance(hub, payer), MAX_AMOUNT),
        permitted=good.value if good else None,
        permit_deadline=good.deadline if good else None,
        nonce=nonce_of(hub, payer),
    )


def nonce_of(hub: Hub, payer: str) -> int:
    deployment = hub.contracts.deployment
    return int.from_bytes(
        hub.node.call(deployment.gift_token, hub.contracts.encode("gift_token", "nonces", payer)), "big"
    )


def require_orders(hub: Hub) -> str:
    """:raises Problem: `no-standing-orders`"""
    contract = hub.contracts.deployment.standing_orders
    if not contract:
        raise Problem(
            "no-standing-orders",
            409,
            "This hub takes no signed rules.",
            "Its deployment names no `StandingOrders` contract.",
        )
    return contract


def _invalid(detail: str) -> Problem:
    return Problem("invalid-permit", 422, "The permit cannot be used.", detail)
