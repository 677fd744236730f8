"""Gives back what is free in a channel, when its payer asks for it. Only that: what vouchers promise stays.

The operator's key is the channels' receiver authoriser, so its own call is enough and nothing is signed besides. While it is on
its way the channel takes no payments (`refunding`), so nobody spends the money a second time.
"""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import relay
from taesan.chain.models import transaction_of
from taesan.channels import queries
from taesan.channels.models import Channel, RefundRelay
from taesan.core import restoration
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.problems import Problem, too_small
from taesan.hub import Hub
from taesan.ledger import posting

ON_ITS_WAY = ("received", "sent")


def newest(session: Session, channel_id: str) -> RefundRelay | None:
    """The channel's last refund."""
    rows = select(RefundRelay).where(col(RefundRelay.channel_id) == channel_id)
    return session.scalar(rows.order_by(col(RefundRelay.id).desc()).limit(1))


def is_on_its_way(session: Session, channel_id: str) -> bool:
    """Whether the channel's last refund is."""
    row = newest(session, channel_id)
    return row is not None and row.state in ON_ITS_WAY


def check(session: Session, hub: Hub, channel: Channel, asked: int | None) -> int:
    """How much would be given back. :param asked: by the payer; None: all that is free

    :raises Problem: `channel-not-open`, `nothing-to-refund`, `amount-too-small`
    """
    # A contract wallet could take back what it has paid, too: it withdraws by itself.
    if channel.state != "open" or channel.quarantine_id is not None or channel.secured is not None:
        raise Problem("channel-not-open", 409, "The channel takes no payments now.", f"It is {channel.state}.")
    free = posting.balance(session, hub.chart.channel(channel.id))
    amount = free if asked is None else asked
    if not 0 < amount <= free:
        detail = f"{free} minor units are free, {amount} are asked for."
        raise Problem("nothing-to-refund", 409, "So much is not free in the channel.", detail)
    if amount < hub.settings.least_relayed:
        raise too_small(hub.settings.least_relayed)
    return amount


def require_pause(session: Session, hub: Hub, channel: Channel, now: datetime) -> None:
    """On chain there is no limit. :raises Problem: `refund-too-soon`: the last one was so lately that this would be gas for nothing"""
    last = newest(session, channel.id)
    if last is None or last.state != "confirmed":
        return
    until = last.requested_at + timedelta(seconds=hub.settings.refund_pause_s)
    if now < until:
        raise Problem(
            "refund-too-soon",
            409,
            "The channel's last refund was only lately.",
            f"The channel's next refund is from {rfc3339(until)} on.",
            headers={"retry-after": str(math.ceil((until - now).total_seconds()))},
        )


def request(session: Session, hub: Hub, channel: Channel, asked: int | None, now: datetime) -> RefundRelay:
    """Holds the money for the next relay. :raises Problem: see `check`"""
    row = RefundRelay(
        public_id=new_id("rfd"),
        channel_id=channel.id,
        charged=queries.charged(session, channel),
        asked=asked,
        amount=check(session, hub, channel, asked),
        state="received",
        requested_at=now,
    )
    channel.state = "refunding"
    session.add_all([channel, row])
    session.flush()
    return row


def relay_step(hub: Hub) -> bool:
    """Worker step: brings waiting refunds to the chain in one transaction; returns whether there were any."""
    with hub.db.read() as session:
        rows = session.execute(
            select(RefundRelay, Channel)
            .join(Channel, col(Channel.id) == col(RefundRelay.channel_id))
            .where(col(RefundRelay.state) == "received")
            .order_by(col(RefundRelay.attempts), col(RefundRelay.id))
            .limit(hub.settings.relay_max_items)
        ).all()
        stale = [row.id for row, channel in rows if not _is_still_free(session, hub, row, channel)]
    if not rows:
        return False
    if stale:
        _fail(hub, stale)
        return True
    configs = {row.id: channel.config() for row, channel in rows}
    calls = {
        row.id: hub.contracts.encode("channels", "refund", configs[row.id], row.amount)
        for row in relay.together([row for row, _ in rows])
    }
    hub.relayer.send(RefundRelay, "refunds", "channels", calls, _end)
    return True


def _is_still_free(session: Session, hub: Hub, row: RefundRelay, channel: Channel) -> bool:
    """The contract would give what merchants were promised as well: since this was asked for, the payer may have withdrawn."""
    return channel.state == "refunding" and row.amount <= posting.balance(session, hub.chart.channel(channel.id))


def _fail(hub: Hub, ids: list[int | None]) -> None:
    with hub.db.write() as session:
        waiting = select(RefundRelay).where(col(RefundRelay.id).in_(ids), col(RefundRelay.state) == "received")
        for row in session.scalars(waiting).all():
            row.state, row.reason = "failed", "its payer has withdrawn from the channel meanwhile"
            session.add(row)
            _reopen(session, session.get_one(Channel, row.channel_id))


def return_reverted_step(hub: Hub) -> bool:
    """Worker step: refunds of a failed transaction are tried one by one; after one that fails alone the channel goes on."""
    return hub.relayer.return_reverted(RefundRelay, "refunds", _end)


def _end(session: Session, id_: int) -> None:
    """The money is free again."""
    _reopen(session, session.get_one(Channel, session.get_one(RefundRelay, id_).channel_id))


def _reopen(session: Session, channel: Channel) -> None:
    if channel.state == "refunding":
        channel.state = "open"
        session.add(channel)


def handlers(hub: Hub) -> dict[str, Handler]:
    """After those of `service`, which book what has left."""

    def refunded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        rows = select(RefundRelay).where(col(RefundRelay.channel_id) == event["args"]["channelId"])
        ours = rows.where(
            col(RefundRelay.state) == "sent",
            col(RefundRelay.transaction_id).in_(transaction_of(event["transaction"])),
        )
        row = session.scalar(ours.limit(1))
        if row is None and restoration.is_reconciling(session):
            # Refunded after the backup: it must not be once more.
            row = session.scalar(rows.where(col(RefundRelay.state).in_(ON_ITS_WAY)).limit(1))
        if row is not None:
            row.state, row.amount = "confirmed", event["args"]["amount"]
            session.add(row)
            _reopen(session, session.get_one(Channel, row.channel_id))

    return {"channels.Refunded": refunded}


def undo(hub: Hub) -> dict[str, Handler]:
    """For a refund that a reorganisation has removed for good; its transaction has failed by then."""

    def refunded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = session.scalar(
            select(RefundRelay).where(
                col(RefundRelay.channel_id) == event["args"]["channelId"],
                col(RefundRelay.state) == "confirmed",
                col(RefundRelay.transaction_id).in_(transaction_of(event["transaction"])),
            )
        )
        if row is not None:
            row.state, row.reason = "failed", "removed by a reorganisation of the chain: ask again"
            session.add(row)

    return {"channels.Refunded": refunded}
