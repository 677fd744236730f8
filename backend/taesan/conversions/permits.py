"""How much the standing orders may move out of a wallet, and the permit that lets them (EIP-2612)."""

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.conversions import orders, reasons
from taesan.conversions.models import AllowancePublic, Conversion, PermitCreate
from taesan.core.problems import Problem
from taesan.core.values import MAX_AMOUNT
from taesan.hub import Hub
from taesan.jars.permit_models import GiftPermit

MOST_AHEAD = timedelta(days=100)
"""A permit that nobody has used can be used although its payer has set her allowance to zero meanwhile: so it is not good for ever."""


def check(hub: Hub, payer: str, asked: PermitCreate, now: datetime) -> None:
    """Asks the node for the permit's nonce.

    :raises Problem: `no-standing-orders`, `invalid-permit`
    """
    spender = require_orders(hub)
    if asked.deadline <= now.timestamp():
        raise _invalid("Its deadline is over.")
    if asked.deadline > (now + MOST_AHEAD).timestamp():
        raise _invalid(f"Its deadline may be at most {MOST_AHEAD.days} days from now.")
    if not orders.is_good(hub, _row(payer, asked, now), orders.nonce_of(hub, payer), now):
        raise _invalid(f"It has to be signed by {payer} for {spender}, with the gift token's next nonce of the wallet.")


def find(session: Session, payer: str) -> GiftPermit | None:
    """The newest, which may be over."""
    return session.get(GiftPermit, payer)


def keep(session: Session, payer: str, asked: PermitCreate, now: datetime) -> GiftPermit:
    """In place of the one before; what was held for want of it is tried now."""
    channels = select(col(Channel.id)).where(col(Channel.payer) == payer)
    waits = col(Conversion.state) == "held", col(Conversion.reason) == reasons.PERMIT_WANTED
    # What has failed on the chain, at the operator's cost, keeps its time.
    of_hers = col(Conversion.channel_id).in_(channels), col(Conversion.transaction_id).is_(None)
    session.execute(update(Conversion).where(*of_hers, *waits).values(due_at=now))
    return session.merge(_row(payer, asked, now))


def _row(payer: str, asked: PermitCreate, now: datetime) -> GiftPermit:
    return GiftPermit(
        payer=payer, value=asked.value, deadline=asked.deadline, signature=asked.signature, received_at=now
    )


def public(hub: Hub, payer: str, permit: GiftPermit | None, now: datetime) -> AllowancePublic:
    """Asks the node. :raises Problem: `no-standing-orders`"""
    spender = require_orders(hub)
    nonce = orders.nonce_of(hub, payer)
    good = permit if permit is not None and orders.is_good(hub, permit, nonce, now) else None
    return AllowancePublic(
        spender=spender,
        allowance=min(orders.allowance(hub, payer), MAX_AMOUNT),
        permitted=good.value if good else None,
        permit_deadline=good.deadline if good else None,
        nonce=nonce,
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
