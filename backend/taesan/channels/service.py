"""Opens channels, relays deposits, follows what the chain says of them."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import structlog
from eth_abi.abi import encode
from sqlalchemy import false, func, select
from sqlmodel import Session, col

from taesan.chain import erc1271, relay
from taesan.chain.models import transaction_of
from taesan.chain.rpc import NodeUnavailable
from taesan.channels import queries, refunds, vouchers
from taesan.channels.models import Channel, ChannelConfig, Charged, DepositCreate, DepositRelay
from taesan.core import authorizations
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.problems import Problem, too_small
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import Line, transfer

log = structlog.get_logger()

# --------------------------------------------------------------- registration


def why_unacceptable(hub: Hub, config: ChannelConfig) -> tuple[str, str] | None:
    """(problem type, detail) if payments over such a channel would not be safe for merchants, else None."""
    deployment = hub.contracts.deployment
    if config.receiver != deployment.settlement:
        return "wrong-receiver", f"The receiver must be the settlement contract {deployment.settlement}."
    if config.token != deployment.asset:
        return "wrong-token", f"The token must be the hub's reserve asset {deployment.asset}."
    if config.receiver_authorizer not in (hub.signer.address, vouchers.ZERO_ADDRESS):
        # A stranger's authorizer could refund the payer what merchants were promised.
        return "wrong-receiver-authorizer", f"The receiver authorizer must be {hub.signer.address} or zero."
    if config.withdraw_delay < hub.settings.withdraw_delay_s:
        return "withdraw-delay-too-short", f"The withdraw delay must be at least {hub.settings.withdraw_delay_s} s."
    return None


def register(session: Session, hub: Hub, config: ChannelConfig, now: datetime) -> Channel:
    """The channel of this configuration, made if it is new.

    :raises Problem: the hub cannot accept payments over such a channel, or not any more (`channel-not-open`)
    """
    _require_our_terms(hub, config)
    channel = _find_or_add(session, hub, config, "pending", now)
    if channel.state in ("closed", "rejected"):
        raise Problem("channel-not-open", 409, "The channel takes no payments now.", "Open a new one with a new salt.")
    return channel


def _require_our_terms(hub: Hub, config: ChannelConfig) -> None:
    unacceptable = why_unacceptable(hub, config)
    if unacceptable:
        raise Problem(unacceptable[0], 422, "The channel's terms are not this hub's.", unacceptable[1])


def id_of(hub: Hub, config: ChannelConfig) -> str:
    return vouchers.channel_id(
        hub.contracts.voucher_domain,
        (
            config.payer,
            config.payer_authorizer,
            config.receiver,
            config.receiver_authorizer,
            config.token,
            config.withdraw_delay,
            config.salt,
        ),
    )


def _find_or_add(session: Session, hub: Hub, config: ChannelConfig, state: str, now: datetime) -> Channel:
    id_ = id_of(hub, config)
    channel = session.get(Channel, id_)
    if channel is None:
        free, jar = hub.chart.channel(id_), hub.chart.jar(id_)
        accounts = posting.open_accounts(session, [free, jar])
        channel = Channel(
            id=id_,
            state=state,
            opened_at=now,
            account_id=accounts[free],
            jar_account_id=accounts[jar],
            **config.model_dump(),
        )
        session.add_all([channel, Charged(account_id=channel.account_id)])
        session.flush()
    return channel


def find_channel(session: Session, channel_id: str) -> Channel:
    """:raises Problem: `unknown-channel`"""
    channel = session.get(Channel, channel_id)
    if channel is None:
        raise vouchers.unknown_channel(channel_id)
    return channel


def find_own_channel(session: Session, channel_id: str, wallet: str) -> Channel:
    """:raises Problem: `unknown-channel`, or `forbidden` if the wallet is not its payer"""
    channel = find_channel(session, channel_id)
    if channel.payer != wallet:
        raise Problem("forbidden", 403, "This is not yours.", "Only the channel's payer may see and set this.")
    return channel


# ------------------------------------------------------------- relayed deposits


def check_deposit(hub: Hub, config: ChannelConfig, channel_id: str, deposit: DepositCreate, now: datetime) -> None:
    """:raises Problem: terms that are not ours, `invalid-deposit` for what the chain would refuse, `amount-too-small`"""
    _require_our_terms(hub, config)

    def invalid(detail: str) -> Problem:
        return Problem("invalid-deposit", 422, "The deposit's authorisation cannot be used.", detail)

    authorization = deposit.authorization
    if deposit.amount == 0:
        raise invalid("The amount is zero.")
    if deposit.amount < hub.settings.least_relayed:
        raise too_small(hub.settings.least_relayed)
    if not authorization.valid_after < now.timestamp() < authorization.valid_before:
        raise invalid("The authorisation is not valid now: look at valid_after and valid_before.")
    digest = authorizations.receive_digest(
        hub.asset.domain,
        config.payer,
        hub.contracts.deployment.collector,
        deposit.amount,
        authorization.valid_after,
        authorization.valid_before,
        vouchers.deposit_nonce(channel_id, authorization.salt),
    )
    signature = bytes_of(authorization.signature)
    if not erc1271.is_valid(hub.node, config.payer, digest, signature, asker=hub.contracts.deployment.asset):
        raise invalid("The signature is not the payer's for this channel, amount and time.")
    held = _held(hub, config.payer)
    if held is not None and held < deposit.amount:  # else anybody could fill the database with channels of nobody
        raise invalid(f"The payer has {held} minor units of the asset.")


def _held(hub: Hub, payer: str) -> int | None:
    """What the payer has of the asset; None while the node does not answer, as the deposit can wait for it."""
    try:
        answer = hub.node.call(hub.contracts.deployment.asset, hub.contracts.encode("asset", "balanceOf", payer))
    except NodeUnavailable:
        return None
    return int.from_bytes(answer, "big")


def request_deposit(session: Session, channel: Channel, deposit: DepositCreate, now: datetime) -> DepositRelay:
    """Stores a checked deposit for the next relay.

    :raises Problem: `invalid-deposit` if this authorisation came before
    """
    authorization = deposit.authorization
    known = session.scalar(
        select(col(DepositRelay.public_id)).where(
            col(DepositRelay.channel_id) == channel.id, col(DepositRelay.salt) == authorization.salt
        )
    )
    if known is not None:
        raise Problem(
            "invalid-deposit",
            422,
            "The deposit's authorisation cannot be used.",
            f"This authorisation was received before, as {known}.",
        )
    row = DepositRelay(
        public_id=new_id("dep"),
        channel_id=channel.id,
        amount=deposit.amount,
        valid_after=authorization.valid_after,
        valid_before=authorization.valid_before,
        salt=authorization.salt,
        signature=authorization.signature,
        state="received",
        received_at=now,
    )
    session.add(row)
    session.flush()
    return row


def relay_deposits(hub: Hub) -> bool:
    """Worker step: brings waiting deposits to the chain in one transaction; returns whether there were any."""
    with hub.db.read() as session:
        rows = session.execute(
            select(DepositRelay, Channel)
            .join(Channel, col(Channel.id) == col(DepositRelay.channel_id))
            .where(col(DepositRelay.state) == "received")
            .order_by(col(DepositRelay.attempts), col(DepositRelay.id))
            .limit(hub.settings.relay_max_items)
        ).all()
    if not rows:
        return False
    by_id = {row.id: channel for row, channel in rows}
    calls = {row.id: _deposit_call(hub, row, by_id[row.id]) for row in relay.together([row for row, _ in rows])}
    hub.relayer.send(DepositRelay, "deposits", "channels", calls)
    return True


def _deposit_call(hub: Hub, row: DepositRelay, channel: Channel) -> str:
    data = encode(
        ["uint256", "uint256", "uint256", "bytes"],
        [row.valid_after, row.valid_before, int(row.salt, 16), bytes_of(row.signature)],
    )
    collector = hub.contracts.deployment.collector
    return hub.contracts.encode("channels", "deposit", channel.config(), row.amount, collector, data)


# ---------------------------------------------------------- what the chain says


_Change = Callable[[Session, Channel, Mapping[str, Any], datetime], None]


def handlers(hub: Hub) -> dict[str, Handler]:
    """Chain events that change channels; all others of the channels contract are somebody else's."""
    deployment = hub.contracts.deployment

    def ours(handle: Handler) -> Handler:
        def guarded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
            if event["args"]["receiver"] == deployment.settlement:
                handle(session, event, now)

        return guarded

    def in_our_asset(change: _Change) -> Handler:
        """What happens in other tokens has no place in the books, and its amounts none in a column."""

        def guarded(session: Session, event: Mapping[str, Any], now: datetime) -> None:
            channel = session.get_one(Channel, event["args"]["channelId"])
            if channel.token == deployment.asset:
                change(session, channel, event, now)

        return ours(guarded)

    def opened(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        config = event["args"]["config"]
        shape = ChannelConfig(
            payer=config["payer"],
            payer_authorizer=config["payerAuthorizer"],
            receiver=config["receiver"],
            receiver_authorizer=config["receiverAuthorizer"],
            token=config["token"],
            withdraw_delay=config["withdrawDelay"],
            salt=config["salt"],
        )
        unacceptable = why_unacceptable(hub, shape)
        channel = _find_or_add(session, hub, shape, "rejected" if unacceptable else "pending", now)
        if unacceptable:
            log.warning("channel.rejected", channel_id=channel.id, reason=unacceptable[0])

    def deposited(session: Session, channel: Channel, event: Mapping[str, Any], now: datetime) -> None:
        amount = event["args"]["amount"]
        # What the payer took back though it was promised is promised again: old vouchers can claim it.
        covered = min(channel.missing, amount)
        channel.missing -= covered
        lines = [
            Line(hub.chart.escrow, amount),
            Line(hub.chart.channel(channel.id), covered - amount),
            Line(hub.chart.shortfall, -covered),
        ]
        posting.post(session, f"deposit:{event['key']}", "deposit", now, lines)
        if channel.state == "pending":
            channel.state = "open"
        # Somebody else may have relayed the same authorisation first: then it is ours by channel and amount.
        by_ours = col(DepositRelay.transaction_id).in_(transaction_of(event["transaction"]))
        mine = session.scalar(
            select(DepositRelay)
            .where(
                col(DepositRelay.channel_id) == channel.id,
                col(DepositRelay.amount) == amount,
                col(DepositRelay.state) != "confirmed",
            )
            .order_by(func.coalesce(by_ours, false()).desc(), col(DepositRelay.id))  # NULL: it is not sent yet
            .limit(1)
        )
        if mine is not None:
            mine.state, mine.reason = "confirmed", None

    def claimed(session: Session, channel: Channel, event: Mapping[str, Any], now: datetime) -> None:
        channel.claimed = event["args"]["totalClaimed"]
        if channel.state == "rejected":
            # No payment goes over it: whoever may claim from it has given the money to the reserve.
            lines = transfer(hub.chart.channel(channel.id), hub.chart.surplus, event["args"]["amount"])
            posting.post(session, f"given:{event['key']}", "given to the reserve", now, lines)

    def withdrawal_announced(session: Session, channel: Channel, event: Mapping[str, Any], now: datetime) -> None:
        if channel.state in ("open", "refunding"):
            channel.state = "withdrawing"

    def refunded(session: Session, channel: Channel, event: Mapping[str, Any], now: datetime) -> None:
        if event["args"]["amount"] > posting.balance(session, hub.chart.channel(channel.id)):
            stand_in(session, hub, channel, now)
        beyond_free = return_to_payer(session, hub, channel, event["args"]["amount"], event["key"], now)
        # Its vouchers promise more than is left: payments would have to go on from an amount that can never be claimed.
        if beyond_free:
            channel.state = "closed"

    def withdrawn(session: Session, channel: Channel, event: Mapping[str, Any], now: datetime) -> None:
        refunded(session, channel, event, now)
        # A refund does not lead back to open: the rest of what was announced may still be withdrawn at any moment.
        if channel.state == "withdrawing":
            channel.state = "refunding" if refunds.is_on_its_way(session, channel.id) else "open"

    return {
        "channels.ChannelOpened": ours(opened),
        "channels.Deposited": in_our_asset(deposited),
        "channels.Claimed": in_our_asset(claimed),
        "channels.WithdrawInitiated": in_our_asset(withdrawal_announced),
        "channels.WithdrawFinalized": in_our_asset(withdrawn),
        "channels.Refunded": in_our_asset(refunded),
    }


def stand_in(session: Session, hub: Hub, channel: Channel, now: datetime) -> None:
    """Pays what a contract wallet has taken back, out of what is held for it; what it signed is the payer's again. The
    channel takes no more payments. Nothing for channels of keys and of gateways, or if it was done."""
    if channel.secured is None or channel.gateway_id is not None:
        return
    charged = queries.charged(session, channel)
    at_stake = charged - channel.secured
    if not at_stake:
        return
    log.error("channel.taken_back", channel_id=channel.id, payer=channel.payer, amount=at_stake)
    lines = transfer(hub.chart.cover(channel.id), hub.chart.channel(channel.id), at_stake)
    posting.post(session, f"stood-in:{channel.id}:{charged}", "stood in for a contract wallet", now, lines)
    channel.secured, channel.state = charged, "closed"
    session.add(channel)


def return_to_payer(session: Session, hub: Hub, channel: Channel, amount: int, key: str, now: datetime) -> int:
    """Books what went back to the payer: first what was free, then what was gathered.

    Returns how much was more than free."""
    if amount == 0:
        return 0
    free = min(amount, posting.balance(session, hub.chart.channel(channel.id)))
    from_jar = min(amount - free, posting.balance(session, hub.chart.jar(channel.id)))
    missing = amount - free - from_jar
    if missing:
        log.error("channel.shortfall", channel_id=channel.id, amount=missing)
        channel.missing += missing
    lines = [
        *transfer(hub.chart.channel(channel.id), hub.chart.escrow, free),
        *transfer(hub.chart.jar(channel.id), hub.chart.escrow, from_jar),
        *transfer(hub.chart.shortfall, hub.chart.escrow, missing),
    ]
    posting.post(session, f"return:{key}", "return to payer", now, lines)
    return from_jar + missing
