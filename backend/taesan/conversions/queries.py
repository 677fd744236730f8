"""Reading conversions, and what their payer may do about one that is held."""

from collections.abc import Sequence
from datetime import datetime
from math import ceil

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.conversions import reasons
from taesan.conversions.models import (
    BoughtToken,
    Conversion,
    ConversionPublic,
    ConversionsPublic,
    DestinationsPublic,
    OfferedCollectible,
)
from taesan.conversions.sending import KEPT, TO_DO
from taesan.core.clock import rfc3339
from taesan.core.pages import cursor_of, newest_first
from taesan.core.problems import Problem, not_found
from taesan.hub import Hub
from taesan.jars import prospects, rules
from taesan.jars.market_models import ListedPool
from taesan.jars.rule_models import SignedRule

KEPT_BY_PAYER = "Its payer keeps the gift tokens"


def find(session: Session, conversion_id: str, payer: str) -> Conversion:
    """:param conversion_id: `cnv_…`. :raises Problem: `not-found`, also for somebody else's"""
    row = session.scalar(select(Conversion).where(col(Conversion.public_id) == conversion_id))
    if row is None or row.payer != payer:
        raise not_found("The conversion", conversion_id)
    return row


def retry(session: Session, row: Conversion, now: datetime) -> None:
    """Tries it again now; what has failed on the chain, where that costs gas, not before its time.

    :raises Problem: `conversion-not-held`, `conversion-rests`, `rule-ended`
    """
    _refuse_unless(row, *TO_DO, KEPT)
    rules.refuse_ended(session.get_one(SignedRule, row.rule_id), now)
    has_failed_on_chain = row.transaction_id is not None
    if row.state == KEPT:
        row.state, row.due_at = "held", now + reasons.AT_MOST if has_failed_on_chain else now
    elif has_failed_on_chain and row.due_at is not None and row.due_at > now:
        wait_s = ceil((row.due_at - now).total_seconds())
        raise Problem(
            "conversion-rests",
            409,
            "The conversion has failed on the chain and is not due again yet.",
            f"That has cost gas. It is tried again at {rfc3339(row.due_at)}.",
            headers={"retry-after": str(wait_s)},
        )
    else:
        row.due_at = now
    session.add(row)


def keep(session: Session, row: Conversion) -> None:
    """The gift tokens stay what they are, unless she asks for another try. :raises Problem: `conversion-not-held`"""
    _refuse_unless(row, *TO_DO, KEPT)
    row.state, row.reason, row.due_at = KEPT, KEPT_BY_PAYER, None
    session.add(row)


def _refuse_unless(row: Conversion, *states: str) -> None:
    if row.state not in states:
        raise Problem("conversion-not-held", 409, "The conversion does not wait any more.", f"It is {row.state}.")


def of_channel(session: Session, channel_id: str, before: int | None, limit: int) -> ConversionsPublic:
    by_state = (
        select(col(Conversion.state), func.sum(Conversion.amount))
        .where(col(Conversion.channel_id) == channel_id)
        .group_by(col(Conversion.state))
    )
    sums = {state: int(amount) for state, amount in session.execute(by_state)}
    query = select(Conversion).where(col(Conversion.channel_id) == channel_id)
    rows: Sequence[Conversion] = newest_first(session, query, col(Conversion.id), before, limit)
    more = len(rows) > limit
    return ConversionsPublic(
        held=sums.get("held", 0),
        on_the_way=sums.get("waiting", 0) + sums.get("sent", 0),
        items=[public(session, row) for row in rows[:limit]],
        next_cursor=cursor_of(rows[limit - 1].id or 0) if more else None,
    )


def public(session: Session, row: Conversion) -> ConversionPublic:
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
        reason=row.reason,
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
