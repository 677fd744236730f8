"""Reading conversions."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.conversions.models import (
    BoughtToken,
    Conversion,
    ConversionPublic,
    ConversionsPublic,
    DestinationsPublic,
    OfferedCollectible,
)
from taesan.conversions.reasons import TITLES
from taesan.core.clock import rfc3339
from taesan.core.pages import newest_first, page
from taesan.core.problems import not_found
from taesan.core.reasons import told
from taesan.hub import Hub
from taesan.jars import prospects
from taesan.jars.market_models import ListedPool
from taesan.jars.rule_models import SignedRule


def find(session: Session, conversion_id: str, payer: str) -> Conversion:
    """:param conversion_id: `cnv_…`. :raises Problem: `not-found`, also for somebody else's"""
    row = session.scalar(select(Conversion).where(col(Conversion.public_id) == conversion_id))
    if row is None or row.payer != payer:
        raise not_found("The conversion", conversion_id)
    return row


def of_channel(session: Session, channel_id: str, before: int | None, limit: int, language: str) -> ConversionsPublic:
    by_state = (
        select(col(Conversion.state), func.sum(Conversion.amount))
        .where(col(Conversion.channel_id) == channel_id)
        .group_by(col(Conversion.state))
    )
    sums = {state: int(amount) for state, amount in session.execute(by_state)}
    query = select(Conversion).where(col(Conversion.channel_id) == channel_id)
    rows: Sequence[Conversion] = newest_first(session, query, col(Conversion.id), before, limit)
    shown = page(rows, limit, lambda row: row.id, lambda row: public(session, row, language))
    return ConversionsPublic(
        held=sums.get("held", 0),
        on_the_way=sums.get("waiting", 0) + sums.get("sent", 0),
        items=shown.items,
        next_cursor=shown.next_cursor,
    )


def public(session: Session, row: Conversion, language: str) -> ConversionPublic:
    rule = session.get_one(SignedRule, row.rule_id)
    to = rule.signed.destinations[row.destination]
    return ConversionPublic(
        id=row.public_id,
        rule_id=rule.public_id,
        batch_id=row.batch_id,
        kind=row.kind,
        recipient=to.recipient,
        token=to.token,
        amount=row.amount,
        state=row.state,
        reason=told(row.reason, TITLES, language) if row.reason else None,
        minimum=row.minimum,
        received=row.received,
        attempts=row.attempts,
        next_attempt_at=rfc3339(row.due_at) if row.due_at else None,
        created_at=rfc3339(row.created_at),
        transaction=row.transaction_hash,
    )


def destinations(session: Session, hub: Hub) -> DestinationsPublic:
    """Asks the node for what is not known yet. :raises Problem: `node-unavailable`"""
    deployment = hub.contracts.deployment
    listed = session.scalars(select(ListedPool).order_by(col(ListedPool.token))).all()
    return DestinationsPublic(
        standing_orders=deployment.standing_orders or None,
        vault=deployment.vault or None,
        badges=deployment.badges or None,
        bought=[
            BoughtToken(token=one.token, pool=one.pool, fee=prospects.fee_of(hub, one.pool))
            for one in listed
            if deployment.quoter
        ],
        offered=[
            OfferedCollectible(token=token, recipient=offer.beneficiary, price=offer.price)
            for token, offer in sorted(prospects.offers(session).items())
        ],
    )
