"""Claims contract wallets' vouchers before a batch takes their payments: such a voucher is only as good as the wallet's word
at the moment of its claim, and no batch may depend on that.

Sent by `gather`, in transactions of their own, one bad wallet failing alone (`chain.relay`). What is claimed at depth is
secured; for what is refused the hub stands in with what it held back. Either way the payments go into the next batch.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import exists, func, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from taesan.chain import relay
from taesan.channels import queries
from taesan.channels import service as channels
from taesan.channels.models import Channel, Charged
from taesan.core import restoration
from taesan.core.clock import has_passed
from taesan.core.crashpoints import reach
from taesan.core.outbox import Handler
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import transfer
from taesan.payments.models import Payment
from taesan.payments.queries import NEWEST_OF_CHANNEL
from taesan.settlement import gateways, recovery
from taesan.settlement.models import WalletClaim

log = structlog.get_logger()

_KIND = "wallet claims"
_OUR_FAULT = ("EnforcedPause", "AccessControl")  # then the wallet was not even asked


def collect_step(hub: Hub) -> bool:
    """Worker step: takes the newest vouchers of wallets whose payments have waited long enough, or are near the limit, or
    who are leaving; returns whether there were any."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if not _due(session, hub, now):
            return False
    with hub.db.write() as session:
        due = _due(session, hub, now)
        for channel_id, charged, signature in due:
            row = WalletClaim(
                channel_id=channel_id, cumulative=charged, signature=signature, state="received", made_at=now
            )
            session.add(row)
        reach("collect.before_commit")
    reach("collect.after_commit")
    return bool(due)


def _due(session: Session, hub: Hub, now: datetime) -> list[tuple[str, int, str]]:
    """Channel, cumulative amount and signature of the vouchers to claim now."""
    at_stake = col(Charged.amount) - col(Channel.secured)
    under_way = exists().where(
        col(WalletClaim.channel_id) == col(Channel.id), col(WalletClaim.state).in_(["received", "sent"])
    )
    waiting = aliased(Payment)
    oldest = (
        select(func.min(waiting.accepted_at))
        .where(col(waiting.account_id) == col(Channel.account_id), col(waiting.cumulative) > col(Channel.secured))
        .scalar_subquery()
    )
    rows = session.execute(
        select(col(Channel.id), col(Charged.amount), col(Payment.signature), col(Channel.state), at_stake, oldest)
        .join(Charged, col(Charged.account_id) == col(Channel.account_id))
        .join(Payment, NEWEST_OF_CHANNEL)
        .where(col(Channel.secured).is_not(None), col(Channel.gateway_id).is_(None), at_stake > 0, ~under_way)
    )

    def is_due(state: str, amount: int, since: datetime) -> bool:
        if state != "open" or amount * 2 >= hub.settings.wallet_exposure:
            return True
        # A claim costs the operator gas, and what waits is covered: small amounts gather for longer.
        is_worth_it = amount >= hub.settings.least_relayed
        span_s = hub.settings.batch_interval_s if is_worth_it else hub.settings.withdraw_delay_s // 4
        return has_passed(timedelta(seconds=span_s), since, now)

    return [(id_, charged, signature) for id_, charged, signature, *rest in rows if is_due(*rest)]


def send_step(hub: Hub) -> bool:
    """Worker step: brings waiting claims to the chain in one transaction; returns whether there were any."""
    with hub.db.read() as session:
        found = session.execute(
            select(WalletClaim, Channel)
            .join(Channel, col(Channel.id) == col(WalletClaim.channel_id))
            .where(col(WalletClaim.state) == "received")
            .order_by(col(WalletClaim.attempts), col(WalletClaim.id))
            .limit(hub.settings.relay_max_items)
        ).all()
    if not found:
        return False
    of_row = {row.id: channel for row, channel in found}
    calls = {row.id: _call(hub, row, of_row[row.id]) for row in relay.together([row for row, _ in found])}
    hub.relayer.send(WalletClaim, _KIND, "settlement", calls, partial(_refused, hub))
    return True


def return_reverted_step(hub: Hub) -> bool:
    """Worker step: claims of a failed transaction are tried one by one."""
    return hub.relayer.return_reverted(WalletClaim, _KIND, partial(_refused, hub))


def handlers(hub: Hub) -> dict[str, Handler]:
    chart = hub.chart

    def claimed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """What is claimed, by whomever, need not be held any more. What the hub had stood in for comes back to it."""
        args = event["args"]
        if args["receiver"] != hub.contracts.deployment.settlement:
            return
        channel = session.get_one(Channel, args["channelId"])
        if channel.gateway_id is not None:
            gateways.note_claimed(session, hub, channel, event, now)
            _confirm(session, channel, args["totalClaimed"])
            return
        lost = 0
        if restoration.is_reconciling(session):
            lost = max(0, args["totalClaimed"] - queries.charged(session, channel))
            channel.secured = channel.secured or 0 if lost else channel.secured
        if channel.secured is None:
            return
        released = max(0, args["totalClaimed"] - lost - channel.secured)
        lines = transfer(chart.cover(channel.id), chart.surplus, released)
        lines += transfer(chart.channel(channel.id), chart.surplus, args["amount"] - lost - released)
        if lost:  # paid after the backup: the batch that it was claimed for tells to whom
            lines += transfer(chart.channel(channel.id), chart.recovered, lost)
            recovery.charge_unknown(session, channel, args["totalClaimed"], lost)
        posting.post(session, f"released:{event['key']}", "released: a contract wallet's claim", now, lines)
        channel.secured = max(channel.secured, args["totalClaimed"])
        session.add(channel)
        _confirm(session, channel, args["totalClaimed"])

    return {"channels.Claimed": claimed}


def _confirm(session: Session, channel: Channel, claimed: int) -> None:
    for row in session.scalars(
        select(WalletClaim).where(col(WalletClaim.channel_id) == channel.id, col(WalletClaim.cumulative) <= claimed)
    ):
        row.state, row.reason = "confirmed", None
        session.add(row)


def _call(hub: Hub, row: WalletClaim, channel: Channel) -> str:
    """`gather` of one voucher: a wallet's is claimed whole, a gateway's as far as it is drawn on."""
    most = row.cumulative if row.max_claimable is None else row.max_claimable
    voucher = ((channel.config(), most), bytes_of(row.signature), row.cumulative)
    return hub.contracts.encode("settlement", "gather", [voucher])


def _refused(hub: Hub, session: Session, id_: int) -> None:
    row = session.get_one(WalletClaim, id_)
    if row.reason and row.reason.startswith(_OUR_FAULT):
        row.state = "received"
        session.add(row)
        return
    log.error("wallet_claim.refused", channel_id=row.channel_id, amount=row.cumulative, reason=row.reason)
    channels.stand_in(session, hub, session.get_one(Channel, row.channel_id), hub.clock.now())
