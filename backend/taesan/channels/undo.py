"""Takes back what the chain had said of channels, when a reorganisation has removed it for good."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.models import transaction_of
from taesan.chain.reorg import CannotUndo
from taesan.channels import queries, service
from taesan.channels.models import Channel, DepositRelay
from taesan.core.outbox import Handler
from taesan.hub import Hub
from taesan.ledger import posting


def handlers(hub: Hub) -> dict[str, Handler]:
    """The opposites of `service.handlers`, for events that a reorganisation has removed for good."""

    def nothing(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """A channel without a deposit is no harm, and one that was closed to payments stays so."""

    def deposited(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        if not posting.is_posted(session, f"deposit:{event['key']}"):
            return
        channel = session.get_one(Channel, event["args"]["channelId"])
        amount = event["args"]["amount"]
        if amount > posting.balance(session, hub.chart.channel(channel.id)):
            service.stand_in(session, hub, channel, now)
        beyond_free = service.return_to_payer(session, hub, channel, amount, f"deposit:{event['key']}", now)
        if beyond_free:
            channel.state = "closed"
        elif channel.state == "open" and not _has_ever_held(session, hub, channel):
            channel.state = "pending"
        session.add(channel)
        relayed = session.scalar(
            select(DepositRelay).where(
                col(DepositRelay.channel_id) == channel.id,
                col(DepositRelay.amount) == amount,
                col(DepositRelay.state) == "confirmed",
                col(DepositRelay.transaction_id).in_(transaction_of(event["transaction"])),
            )
        )
        if relayed is not None:
            relayed.state = "sent"  # its transaction has failed or lost its nonce: it is tried again
            session.add(relayed)

    def claimed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        args = event["args"]
        channel = session.get(Channel, args["channelId"])
        deployment = hub.contracts.deployment
        if channel is None or (args["receiver"], channel.token) != (deployment.settlement, deployment.asset):
            return
        if channel.secured is not None:
            raise CannotUndo(f"a contract wallet's claim on channel {channel.id}")
        posting.undo(session, f"given:{event['key']}", now)
        channel.claimed = args["totalClaimed"] - args["amount"]
        session.add(channel)

    def returned(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        channel = session.get(Channel, event["args"]["channelId"])
        if channel is not None and channel.secured is not None:
            raise CannotUndo(f"what a contract wallet has taken back from channel {channel.id}")
        undone = posting.undo(session, f"return:{event['key']}", now)
        if channel is None:
            return
        channel.missing += sum(line.amount for line in undone if line.account == hub.chart.shortfall)
        if channel.missing < 0:
            raise CannotUndo(f"what was missing of channel {channel.id} has been made good since")
        if channel.state in ("open", "refunding"):
            channel.state = "withdrawing"  # its announcement may stand as it did before
        session.add(channel)

    return {
        "channels.ChannelOpened": nothing,
        "channels.Deposited": deposited,
        "channels.Claimed": claimed,
        "channels.WithdrawInitiated": nothing,
        "channels.WithdrawFinalized": returned,
        "channels.Refunded": returned,
    }


def _has_ever_held(session: Session, hub: Hub, channel: Channel) -> bool:
    """Whether a deposit is left, or has been paid out of."""
    return bool(posting.balance(session, hub.chart.channel(channel.id)) or queries.charged(session, channel))
