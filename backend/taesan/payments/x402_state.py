"""What the hub knows of an x402 payment's channel, of its deposit, and of the payment itself if it came before."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.channels import queries
from taesan.channels.models import Channel, DepositCreate, DepositRelay
from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.payments import store
from taesan.payments import x402_wire as wire
from taesan.payments.models import Payment
from taesan.payments.store import Accepted
from taesan.payments.x402_offers import Offered
from taesan.payments.x402_wire import NotAccepted


@dataclass(slots=True)
class Spending:
    """See `vouchers.Spending`."""

    channel_id: str
    state: str
    charged: int
    available: int


def spending(session: Session, hub: Hub, offered: Offered, channel: Channel | None) -> Spending:
    """What a channel's next voucher depends on, once the deposit that comes with it is confirmed."""
    coming = 0
    if offered.deposit is not None:
        relay = find_relay(session, offered)
        # With its relay booked, it is in the balance already.
        coming = 0 if relay is not None and relay.state == "confirmed" else offered.deposit.amount
    if channel is None:
        return Spending(offered.submission.channel_id, "open", 0, coming)
    state = "quarantined" if channel.quarantine_id is not None else channel.state
    if channel.gateway_id is not None:
        state = "gateway"
    if state == "pending" and offered.deposit is not None:
        state = "open"
    free = posting.balance(session, hub.chart.channel(channel.id))
    return Spending(channel.id, state, queries.charged(session, channel), free + coming)


def channel_state(session: Session, hub: Hub, channel: Channel | None, channel_id: str) -> dict[str, Any]:
    """As the contract tells it, for what the hub has booked."""
    balance = claimed = 0
    if channel is not None:
        balance = queries.charged(session, channel) + posting.balance(session, hub.chart.channel(channel.id))
        claimed = channel.claimed
    return {
        "channelId": channel_id,
        "balance": str(balance),
        "totalClaimed": str(claimed),
        "withdrawRequestedAt": 0,  # with one announced, nothing is accepted
        "refundNonce": "0",
    }


def corrective(session: Session, hub: Hub, channel: Channel) -> dict[str, Any]:
    """What both SDKs' clients resynchronise from: what was charged, and the voucher of their own that proves it."""
    charged = queries.charged(session, channel)
    state = channel_state(session, hub, channel, channel.id) | {"chargedCumulativeAmount": str(charged)}
    newest = session.scalar(
        select(col(Payment.signature)).where(
            col(Payment.account_id) == channel.account_id, col(Payment.cumulative) == charged
        )
    )
    if newest is None:
        return {"channelState": state}
    return {"channelState": state, "voucherState": {"signedMaxClaimable": str(charged), "signature": newest}}


def known_payment(session: Session, offered: Offered) -> Accepted | None:
    """The payment that was accepted with the same key."""
    submission = offered.submission
    channel = session.get(Channel, submission.channel_id)
    if channel is None:
        return None
    found = store.by_key(session, {channel.id: channel}, [submission])
    return found.get((channel.id, submission.idempotency_key))


def find_relay(session: Session, offered: Offered) -> DepositRelay | None:
    """This very deposit, if it was received before."""
    if offered.deposit is None:
        return None
    return session.scalar(
        select(DepositRelay).where(
            col(DepositRelay.channel_id) == offered.submission.channel_id,
            col(DepositRelay.salt) == offered.deposit.authorization.salt,
        )
    )


def require_same(relay: DepositRelay, deposit: DepositCreate) -> None:
    """:raises NotAccepted: another deposit came with this salt"""
    if (relay.amount, relay.signature) != (deposit.amount, deposit.authorization.signature):
        raise NotAccepted(wire.reason("deposit_payload"), "Another deposit has this salt.")


def pending(hub: Hub, transaction: str) -> Problem:
    """Also in x402's words, which npm's facilitator client understands and asks again by."""
    return Problem(
        "settlement-pending",
        503,
        "The transaction is on its way to the chain; whether it arrives is not known yet.",
        "Send the very same request again: nothing is deposited, paid or refunded twice.",
        headers={"retry-after": "3"},
        success=False,
        errorReason=wire.PENDING,
        transaction=transaction,
        network=hub.contracts.network,
    )
