"""A conversion as the contract takes it: the signed rule, the permit if one is needed, and for a swap the quote."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import dex
from taesan.chain.errors import CallReverted
from taesan.conversions import reasons
from taesan.conversions.models import Conversion
from taesan.core import authorizations
from taesan.core.crypto import recover
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.jars import bounds, signed
from taesan.jars.market_models import ListedPool
from taesan.jars.permit_models import GiftPermit
from taesan.jars.rule_models import SignedRule
from taesan.jars.signed import Destination

NO_PERMIT = (0, 0, 0, bytes(32), bytes(32))
WHOLE = 10_000
CONVERSION_GAS = 1_000_000
"""As much as the contract gives to one."""


@dataclass(frozen=True)
class Order:
    """What was read for a conversion in one look at the database."""

    row: Conversion
    rule: SignedRule
    permit: GiftPermit | None
    pool: str | None

    @property
    def destination(self) -> Destination:
        return self.rule.signed.destinations[self.row.destination]


class NotNow(Exception):
    """A conversion that the chain would not carry out now, and why (`reasons`)."""


def read(session: Session, rows: list[tuple[Conversion, SignedRule]]) -> list[Order]:
    payers = {row.payer for row, _ in rows}
    permits = session.scalars(select(GiftPermit).where(col(GiftPermit.payer).in_(payers)))
    by_payer = {permit.payer: permit for permit in permits}
    tokens = {rule.signed.destinations[row.destination].token for row, rule in rows if row.kind == "swap"}
    pools = session.scalars(select(ListedPool).where(col(ListedPool.token).in_(tokens)))
    by_token = {listed.token: listed.pool for listed in pools}
    return [
        Order(row, rule, by_payer.get(row.payer), by_token.get(rule.signed.destinations[row.destination].token))
        for row, rule in rows
    ]


def refuse_too_little(hub: Hub, order: Order) -> None:
    """:raises NotNow: it is not worth the gas, which the hub pays"""
    least = hub.settings.least_relayed
    if order.row.amount < least:
        raise NotNow(reasons.too_little(least))


def refuse_too_much(order: Order) -> None:
    """:raises NotNow: on no day does its rule let so much pass at once; of a collectible its price counts, whatever has gathered"""
    rule, to = order.rule, order.destination
    if to.kind != signed.COLLECTIBLE and not bounds.passes(order.row.amount, to.share, rule.per_day):
        raise NotNow(reasons.MORE_THAN_A_DAY)


def quote(hub: Hub, order: Order) -> int:
    """The least that a swap may bring: what the market gives now, less the slippage that the payer has signed; 0 for all else. The
    contract holds it against the mean price besides.

    :raises NotNow: nothing is to be had
    """
    if order.row.kind != "swap":
        return 0
    deployment, to = hub.contracts.deployment, order.destination
    if not deployment.quoter or order.pool is None:
        raise NotNow(reasons.NO_MARKET)
    fee = dex.pool_fee(hub.node, order.pool)
    try:
        received = dex.quote(hub.node, deployment.quoter, deployment.asset, to.token, order.row.amount, fee)
    except CallReverted as reverted:
        raise NotNow(reasons.of(hub.contracts.explain(reverted.data))) from None
    return received * max(WHOLE - to.slippage, 0) // WHOLE


def deadline(hub: Hub, now: datetime) -> int:
    """Until when what is sent now may be carried out, by the chain's clock, which on a local chain may be far ahead."""
    chains = int(hub.node.head()["timestamp"])
    return max(chains, int(now.timestamp())) + hub.settings.conversion_deadline_s


def terms(hub: Hub, order: Order, minimum: int, until: int) -> tuple[Any, ...]:
    """The contract's `Conversion`. :param minimum: as `quote` gives it; :param until: as `deadline` does"""
    row, rule = order.row, order.rule
    return (
        rule.signed.as_tuple(),
        bytes_of(rule.signature),
        _permit(hub, order),
        row.number,
        row.destination,
        row.amount,
        minimum,
        until,
    )


def try_alone(hub: Hub, conversion: tuple[Any, ...]) -> None:
    """As the contract calls itself for it. :raises NotNow: it would fail"""
    contract = hub.contracts.deployment.standing_orders
    data = hub.contracts.encode("standing_orders", "convertOne", conversion)
    try:
        hub.node.call(contract, data, sender=contract, gas=CONVERSION_GAS * 2)
    except CallReverted as reverted:
        raise NotNow(reasons.of(hub.contracts.explain(reverted.data))) from None


def allowance(hub: Hub, payer: str) -> int:
    deployment = hub.contracts.deployment
    data = hub.contracts.encode("gift_token", "allowance", payer, deployment.standing_orders)
    return int.from_bytes(hub.node.call(deployment.gift_token, data), "big")


def nonce_of(hub: Hub, payer: str) -> int:
    data = hub.contracts.encode("gift_token", "nonces", payer)
    return int.from_bytes(hub.node.call(hub.contracts.deployment.gift_token, data), "big")


def is_good(hub: Hub, permit: GiftPermit, nonce: int, now: datetime) -> bool:
    """Whether the gift token would still take it. :param nonce: the payer's next"""
    terms = permit.payer, hub.contracts.deployment.standing_orders, permit.value, nonce, permit.deadline
    digest = authorizations.permit_digest(hub.gift.domain, *terms)
    return permit.deadline > now.timestamp() and recover(digest, bytes_of(permit.signature)) == permit.payer


def _permit(hub: Hub, order: Order) -> tuple[Any, ...]:
    permit = order.permit
    if permit is None or allowance(hub, order.row.payer) >= order.row.amount:
        return NO_PERMIT
    signature = bytes_of(permit.signature)
    return permit.value, permit.deadline, signature[64], signature[:32], signature[32:64]
