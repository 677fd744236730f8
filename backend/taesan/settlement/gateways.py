"""Brings home what is drawn of gateways' channels, before a batch turns it into gift tokens: a gateway may withdraw what is
not claimed, and what it has drawn is its customers' by then.

By `gather`, as contract wallets' vouchers (`wallets`), of which the rows, transactions and retries are. What a gateway has signed
it cannot take back, so nothing is held for it.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlmodel import Session, col

from taesan.channels import queries, vouchers
from taesan.channels.models import Channel
from taesan.core import restoration
from taesan.core.clock import has_passed
from taesan.core.crypto import recover
from taesan.core.values import bytes_of
from taesan.gateways.models import Gateway, GatewayCustomer, GatewayPayment
from taesan.gateways.releases import DESTINATION
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.payments.models import Payment
from taesan.settlement import recovery
from taesan.settlement.audit_payments import STREAMED
from taesan.settlement.models import RecoveredCharge, WalletClaim


def collect_step(hub: Hub) -> bool:
    """Worker step: has claimed what was drawn a batch's interval ago, is half of what may be unclaimed, or whose gateway is
    leaving; returns whether there was any."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if not _due(session, hub, now):
            return False
    with hub.db.write() as session:
        due = _due(session, hub, now)
        for gateway in due:
            assert gateway.channel_id is not None
            claim = WalletClaim(
                channel_id=gateway.channel_id,
                cumulative=gateway.drawn,
                max_claimable=gateway.signed,
                signature=gateway.signature,
                state="received",
                made_at=now,
            )
            gateway.drawn_since = None
            session.add_all([claim, gateway])
    return bool(due)


def _due(session: Session, hub: Hub, now: datetime) -> list[Gateway]:
    under_way = exists().where(
        col(WalletClaim.channel_id) == col(Gateway.channel_id), col(WalletClaim.state).in_(["received", "sent"])
    )
    # What the chain has refused, such as when the gateway's channel is empty, it will refuse again for a while.
    refused = exists().where(
        col(WalletClaim.channel_id) == col(Gateway.channel_id),
        col(WalletClaim.state) == "failed",
        col(WalletClaim.made_at) > now - timedelta(seconds=hub.settings.withdraw_delay_s // 24),
    )
    rows = session.execute(
        select(Gateway, Channel)
        .join(Channel, col(Channel.id) == col(Gateway.channel_id))
        .where(col(Channel.secured).is_not(None), col(Gateway.drawn) > col(Channel.claimed), ~under_way, ~refused)
    )

    def is_due(gateway: Gateway, channel: Channel) -> bool:
        amount = gateway.drawn - channel.claimed
        if channel.state != "open" or amount * 2 >= hub.settings.channel_exposure:
            return True
        # A claim costs the operator gas: small amounts gather for longer.
        is_worth_it = amount >= hub.settings.least_relayed
        span_s = hub.settings.batch_interval_s if is_worth_it else hub.settings.withdraw_delay_s // 4
        # None after a claim that has failed.
        return gateway.drawn_since is None or has_passed(timedelta(seconds=span_s), gateway.drawn_since, now)

    return [gateway for gateway, channel in rows if is_due(gateway, channel)]


# ---------------------------------------------------------- what the chain says


def note_claimed(session: Session, hub: Hub, channel: Channel, event: Mapping[str, Any], now: datetime) -> None:
    """What is claimed cannot be withdrawn any more. Claimed for draws that a restored database does not know, it is kept
    until the batches on chain have told which of it is spent."""
    gateway, total = session.get_one(Gateway, channel.gateway_id), event["args"]["totalClaimed"]
    lost = total - gateway.drawn - gateway.lost
    if lost > 0 and restoration.is_reconciling(session):
        lines = posting.transfer(hub.chart.channel(channel.id), hub.chart.recovered, lost)
        posting.post(session, f"lost:{event['key']}", "recovered: drawn by a gateway unknown here", now, lines)
        gateway.lost += lost
        session.add(gateway)
    channel.secured = max(channel.secured or 0, total)
    session.add(channel)


def return_lost(session: Session, hub: Hub, now: datetime) -> None:
    """To be called when a restored database has caught up: what no batch has spent is the gateway's again, which reports its
    payments anew. What is spent is gone to wallets, as drawn."""
    for gateway in session.scalars(select(Gateway).where(col(Gateway.lost) > 0)).all():
        channel = session.get_one(Channel, gateway.channel_id)
        left = min(gateway.lost, posting.balance(session, hub.chart.recovered))
        if left:
            lines = posting.transfer(hub.chart.recovered, hub.chart.channel(channel.id), left)
            ref = f"not-lost:{gateway.id}:{channel.claimed}"
            posting.post(session, ref, "recovered: not spent of what a gateway had drawn", now, lines)
        spent, gateway.lost = gateway.lost - left, 0
        if spent:
            gateway.drawn += spent
            recovery.charge_unknown(session, channel, queries.charged(session, channel) + spent, spent)
        session.add(gateway)


# ------------------------------------------------------------------- the audit


def audit_gateways(session: Session, hub: Hub, report: Report) -> None:
    """No gateway is drawn on beyond what it has signed; all that is drawn is some customer's, to the unit; each customer has
    what its payments have converted."""
    gathered = posting.balances(session, "gathered", hub.asset.id)
    released = _sums(session, col(Payment.reference), col(Payment.amount), col(Payment.destination) == DESTINATION)
    of_payments = _sums(
        session, col(GatewayPayment.customer_id), col(GatewayPayment.amount), col(GatewayPayment.state) == "drawn"
    )
    customers: dict[str, int] = defaultdict(int)
    for customer in session.scalars(select(GatewayCustomer).execution_options(yield_per=STREAMED)):
        has = gathered.pop(customer.public_id, 0) + customer.released
        customers[customer.gateway_id] += has
        report.check(f"released to {customer.public_id}", released.pop(customer.public_id, 0), customer.released)
        report.check(f"conversions of {customer.public_id}", of_payments.pop(customer.id, 0), has - customer.owed)
    report.check("gathered for or released to nobody's customers", ({}, {}, {}), (gathered, released, of_payments))
    rows = session.scalars(select(Gateway)).all()
    for gateway in rows:
        _audit_gateway(session, hub, gateway, customers[gateway.id], report)
    if rows:
        report.counted["gateways"] = len(rows)


def _audit_gateway(session: Session, hub: Hub, gateway: Gateway, of_customers: int, report: Report) -> None:
    unknown = session.scalar(
        select(func.sum(RecoveredCharge.amount)).where(col(RecoveredCharge.channel_id) == gateway.channel_id)
    )
    report.check(f"drawn by {gateway.id}", of_customers + (unknown or 0), gateway.drawn)
    report.check(f"{gateway.id} is drawn on within what it has signed", True, gateway.drawn <= gateway.signed)
    waiting = session.execute(
        select(func.count(), func.coalesce(func.sum(GatewayPayment.amount), 0)).where(
            col(GatewayPayment.gateway_id) == gateway.id, col(GatewayPayment.state) == "waiting"
        )
    ).one()
    report.check(f"waiting for {gateway.id}", tuple(waiting), (gateway.waiting, gateway.waiting_amount))
    if gateway.channel_id is not None:
        channel = session.get_one(Channel, gateway.channel_id)
        key = channel.payer if channel.payer_authorizer == vouchers.ZERO_ADDRESS else channel.payer_authorizer
        digest = vouchers.voucher_digest(hub.contracts.voucher_domain, channel.id, gateway.signed)
        report.check(f"signer of {gateway.id}'s voucher", key, recover(digest, bytes_of(gateway.signature)))


def audit_claims(session: Session, channel: Channel, report: Report) -> int:
    """What is drawn of a gateway's channel and not claimed, minor units; negative if more was claimed, before a refund."""
    gateway = session.get_one(Gateway, channel.gateway_id)
    report.check(f"secured of channel {channel.id}", channel.claimed, channel.secured)
    return gateway.drawn - channel.claimed


def _sums(session: Session, owner: Any, amount: Any, condition: ColumnElement[bool]) -> dict[Any, int]:
    rows = session.execute(select(owner, func.sum(amount)).where(condition).group_by(owner))
    return {who: int(total) for who, total in rows}
