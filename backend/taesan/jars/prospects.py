"""Whether what a rule names is to be had here at all: told before it is signed for nothing. What can change later, such as a price, is looked
at again when it fires."""

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import dex
from taesan.core import bulk
from taesan.hub import Hub
from taesan.jars import bounds, rules
from taesan.jars.market_models import CollectibleOffer, ListedPool
from taesan.jars.rule_models import DestinationIn, RuleCreate

MOST = 1_000


def check(session: Session, hub: Hub, payer: str, asked: RuleCreate) -> None:
    """Asks the node, if something is bought. A rule that is known already is left to its first answer.

    :raises Problem: `invalid-rule`, `node-unavailable`
    """
    if rules.known(session, payer, asked.id) is not None:
        return
    named = rules.read(hub, asked).only.merchants
    there = {row[0] for row in bulk.select_in(session.connection(), _MERCHANTS, named)} if named else set()
    for merchant in named:
        if merchant not in there:
            raise rules.invalid(f"The merchant {merchant} is not known here.")
    pools = pools_listed(session)
    for to in asked.destinations:
        if to.recipient in pools:
            raise rules.invalid(f"{to.kind} needs a recipient who can use it, not a pool of the market.")
        if to.kind == "swap":
            _check_swap(session, hub, to)
        elif to.kind == "collectible":
            _check_collectible(session, to, asked.per_day)


_MERCHANTS = "SELECT id FROM merchant WHERE id IN (:values)"


def _check_swap(session: Session, hub: Hub, to: DestinationIn) -> None:
    listed = session.get(ListedPool, to.token)
    if listed is None or not hub.contracts.deployment.quoter:
        raise rules.invalid(
            f"There is no market for {to.token} here: `bought` in GET /v1/destinations lists what there is."
        )
    fee = fee_of(hub, listed.pool)
    if to.slippage <= fee:
        raise rules.invalid(
            f"The market's fee is {fee} ten-thousandths: a `slippage` of {to.slippage} is never to be had."
        )


def pools_listed(session: Session) -> set[str]:
    """Where what is sent is the market's, and nobody's."""
    return {listed.pool for listed in session.scalars(select(ListedPool).order_by(col(ListedPool.token)))}


def fee_of(hub: Hub, pool: str) -> int:
    """Of a swap there, in ten-thousandths, rounded up. :raises Problem: `node-unavailable`"""
    return -(-dex.pool_fee(hub.node, pool) // 100)


def _check_collectible(session: Session, to: DestinationIn, per_day: int) -> None:
    offer = offers(session, to.token).get(to.token)
    if offer is None or offer.beneficiary != to.recipient:
        raise rules.invalid(
            f"{to.recipient} does not offer the collectible {to.token}: `offered` in GET /v1/destinations lists what there is."
        )
    if not bounds.passes(offer.price, to.share, per_day):
        raise rules.invalid(f"The collectible costs {offer.price}, and `per_day` lets less pass for its share.")


def offers(session: Session, token: str | None = None) -> dict[str, CollectibleOffer]:
    """What is offered now, by token: the newest offer of each, unless it takes it back. :param token: one; None: the newest thousand"""
    found = (
        select(CollectibleOffer)
        .where(col(CollectibleOffer.id) > 0)
        .order_by(col(CollectibleOffer.id).desc())
        .limit(MOST)
    )
    if token is not None:
        found = found.where(col(CollectibleOffer.token) == token).limit(1)
    newest: dict[str, CollectibleOffer] = {}
    for offer in session.scalars(found):
        newest.setdefault(offer.token, offer)
    return {of: offer for of, offer in newest.items() if offer.price}
