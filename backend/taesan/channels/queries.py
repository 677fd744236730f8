"""Reading channels and deposits."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction
from taesan.channels.models import (
    Channel,
    ChannelPublic,
    ChannelRefundPublic,
    Charged,
    DepositPublic,
    DepositRelay,
    RefundRelay,
)
from taesan.core.clock import rfc3339
from taesan.core.pages import newest_first
from taesan.core.problems import not_found
from taesan.hub import Hub
from taesan.ledger import posting


def find_deposit(session: Session, deposit_id: str) -> DepositRelay:
    """:param deposit_id: `dep_…`. :raises Problem: `not-found`"""
    row = session.scalar(select(DepositRelay).where(col(DepositRelay.public_id) == deposit_id))
    if row is None:
        raise not_found("The deposit", deposit_id)
    return row


def channels_of(session: Session, payer: str, before: int | None, limit: int) -> Sequence[Channel]:
    """:param before: the account of the channel before the page"""
    query = select(Channel).where(col(Channel.payer) == payer)
    return newest_first(session, query, col(Channel.account_id), before, limit)


def public_channel(session: Session, hub: Hub, channel: Channel) -> ChannelPublic:
    return ChannelPublic(
        id=channel.id,
        state="quarantined" if channel.quarantine_id is not None else channel.state,
        payer=channel.payer,
        payer_authorizer=channel.payer_authorizer,
        receiver=channel.receiver,
        receiver_authorizer=channel.receiver_authorizer,
        token=channel.token,
        withdraw_delay=channel.withdraw_delay,
        salt=channel.salt,
        available=posting.balance(session, hub.chart.channel(channel.id)),
        in_jar=posting.balance(session, hub.chart.jar(channel.id)),
        charged_cumulative=charged(session, channel),
        claimed=channel.claimed,
    )


def charged(session: Session, channel: Channel) -> int:
    """What its accepted payments add up to, minor units."""
    return session.get_one(Charged, channel.account_id).amount


def public_deposit(session: Session, row: DepositRelay) -> DepositPublic:
    transaction = session.get(ChainTransaction, row.transaction_id) if row.transaction_id else None
    return DepositPublic(
        id=row.public_id,
        channel_id=row.channel_id,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        transaction=transaction.hash if transaction else None,
    )


def refunds_of(session: Session, channel: Channel, before: int | None, limit: int) -> Sequence[RefundRelay]:
    query = select(RefundRelay).where(col(RefundRelay.channel_id) == channel.id)
    return newest_first(session, query, col(RefundRelay.id), before, limit)


def public_refund(session: Session, row: RefundRelay) -> ChannelRefundPublic:
    transaction = session.get(ChainTransaction, row.transaction_id) if row.transaction_id else None
    return ChannelRefundPublic(
        id=row.public_id,
        channel_id=row.channel_id,
        amount=row.amount,
        state=row.state,
        reason=row.reason,
        requested_at=rfc3339(row.requested_at),
        transaction=transaction.hash if transaction else None,
    )
