"""Gift tokens back into money: burned by the holder's signature, credited to the merchant at face value."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import case, false, func, or_, select
from sqlmodel import Session, col

from taesan.chain import erc1271, relay
from taesan.chain.models import ChainTransaction, transaction_of
from taesan.channels.vouchers import redemption_nonce
from taesan.core import authorizations, outbox
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.problems import Problem, too_small
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.ledger.posting import Line, transfer
from taesan.merchants import invoices
from taesan.merchants.models import Redemption, RedemptionCreate

GONE, CAME_BACK = "merchants.RedemptionGone", "merchants.RedemptionCameBack"
"""A reorganisation has removed it, and it was confirmed all the same: as often as that happens. That it is confirmed is told once."""


def check(hub: Hub, merchant: Merchant, request: RedemptionCreate, now: datetime) -> None:
    """:raises Problem: `invalid-redemption` for what the chain would refuse, `amount-too-small`"""
    if request.amount == 0:
        raise invalid("The amount is zero.")
    if request.amount < hub.settings.least_relayed:
        raise too_small(hub.settings.least_relayed)
    if not request.valid_after < now.timestamp() < request.valid_before:
        raise invalid("The authorisation is not valid now: look at valid_after and valid_before.")
    digest = authorizations.receive_digest(
        hub.gift.domain,
        request.holder,
        hub.contracts.deployment.settlement,
        request.amount,
        request.valid_after,
        request.valid_before,
        redemption_nonce(merchant.address, request.salt),
    )
    gift_token = hub.contracts.deployment.gift_token
    if not erc1271.is_valid(hub.node, request.holder, digest, bytes_of(request.signature), asker=gift_token):
        raise invalid("The signature is not the holder's for this merchant, amount and time.")
    held = hub.node.call(gift_token, hub.contracts.encode("gift_token", "balanceOf", request.holder))
    if int.from_bytes(held, "big") < request.amount:
        raise invalid(f"The holder has {int.from_bytes(held, 'big')} minor units of gift tokens.")


def request(session: Session, merchant: Merchant, request: RedemptionCreate, now: datetime) -> Redemption:
    """Stores a checked redemption for the next relay.

    :raises Problem: `invalid-redemption` if this authorisation came before
    """
    known = session.scalar(
        select(col(Redemption.public_id)).where(
            col(Redemption.merchant_id) == merchant.id,
            col(Redemption.holder) == request.holder,
            col(Redemption.salt) == request.salt,
        )
    )
    if known is not None:
        raise invalid(f"This authorisation was received before, as {known}.")
    row = Redemption(
        public_id=new_id("red"), merchant_id=merchant.id, state="received", received_at=now, **request.model_dump()
    )
    session.add(row)
    session.flush()
    return row


def relay_step(hub: Hub) -> bool:
    """Worker step: brings waiting redemptions to the chain in one transaction; returns whether there were any."""
    with hub.db.read() as session:
        rows = session.execute(
            select(Redemption, col(Merchant.address))
            .join(Merchant, col(Merchant.id) == col(Redemption.merchant_id))
            .where(col(Redemption.state) == "received")
            .order_by(col(Redemption.attempts), col(Redemption.id))
            .limit(hub.settings.relay_max_items)
        ).all()
    if not rows:
        return False
    addresses = {row.id: address for row, address in rows}
    calls = {row.id: _call(hub, row, addresses[row.id]) for row in relay.together([row for row, _ in rows])}
    hub.relayer.send(Redemption, "redemptions", "settlement", calls, partial(_on_refused, hub))
    return True


def return_reverted_step(hub: Hub) -> bool:
    """Worker step: redemptions of a failed transaction are tried one by one; what they were to pay is open again if they
    fail alone."""
    return hub.relayer.return_reverted(Redemption, "redemptions", partial(_on_refused, hub))


def _on_refused(hub: Hub, session: Session, id_: int) -> None:
    row = session.get_one(Redemption, id_)
    invoices.reopen(session, row)
    _put(session, "merchants.RedemptionFailed", row, hub.clock.now())


def _put(session: Session, type_: str, row: Redemption, now: datetime) -> bool:
    """Once of each; returns whether it was the first time."""
    event = {"merchant_id": row.merchant_id, "id": row.public_id}
    return outbox.put(session, f"{type_}:{row.public_id}", type_, event, now)


def _put_again(session: Session, type_: str, row: Redemption, now: datetime) -> None:
    outbox.put(session, f"{type_}:{new_id('evt')}", type_, {"id": row.public_id}, now)


def handlers(hub: Hub) -> dict[str, Handler]:
    chart = hub.chart

    def redeemed_to_credit(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        args = event["args"]
        lines = transfer(chart.gift_supply, chart.credit(args["merchant"]), args["amount"])
        posting.post(session, f"redeemed:{event['key']}", "gift tokens redeemed", now, lines)
        merchant_id = session.scalar(select(col(Merchant.id)).where(col(Merchant.address) == args["merchant"]))
        # Somebody else may have relayed the same authorisation first: then it is ours by holder and amount. Rather one that
        # waits than one that has failed; of these the last, as what was relayed by others is refused to us.
        id_, has_failed = col(Redemption.id), col(Redemption.state) == "failed"
        by_ours = col(Redemption.transaction_id).in_(transaction_of(event["transaction"]))
        mine = session.scalar(
            select(Redemption)
            .where(
                col(Redemption.merchant_id) == merchant_id,
                col(Redemption.holder) == args["holder"],
                col(Redemption.amount) == args["amount"],
                col(Redemption.state).in_(["received", "sent", "failed"]),
            )
            .order_by(func.coalesce(by_ours, false()).desc(), has_failed, case((has_failed, -id_), else_=id_))
            .limit(1)
        )
        if mine is not None:
            mine.state, mine.reason = "confirmed", None
            session.add(mine)
            if not _put(session, "merchants.RedemptionConfirmed", mine, now):
                _put_again(session, CAME_BACK, mine, now)
            invoices.confirm(session, mine, now)

    def redeemed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """A holder took the money straight from the contract."""
        amount = event["args"]["amount"]
        lines = [Line(chart.gift_supply, amount), Line(chart.reserve, -amount)]
        posting.post(session, f"redeemed:{event['key']}", "gift tokens redeemed", now, lines)

    return {"settlement.RedeemedToCredit": redeemed_to_credit, "settlement.Redeemed": redeemed}


def undo(hub: Hub) -> dict[str, Handler]:
    """Takes back what `handlers` did, for events that a reorganisation has removed for good."""

    def redeemed_to_credit(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        args = event["args"]
        posting.undo(session, f"redeemed:{event['key']}", now)
        ours = session.scalar(transaction_of(event["transaction"]))
        # What somebody else had relayed did not come by a transaction of ours, so none of ours is there that it came by.
        there = select(col(ChainTransaction.id)).where(col(ChainTransaction.state) == "confirmed")
        by_others = or_(col(Redemption.transaction_id).is_(None), col(Redemption.transaction_id).not_in(there))
        mine = session.scalar(
            select(Redemption)
            .join(Merchant, col(Merchant.id) == col(Redemption.merchant_id))
            .where(
                col(Merchant.address) == args["merchant"],
                col(Redemption.holder) == args["holder"],
                col(Redemption.amount) == args["amount"],
                col(Redemption.state) == "confirmed",
                by_others if ours is None else col(Redemption.transaction_id) == ours,
            )
            .limit(1)
        )
        if mine is not None:
            mine.state = "received" if ours is None else "sent"
            session.add(mine)
            _put_again(session, GONE, mine, now)
            invoices.unconfirm(session, mine)

    def redeemed(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        posting.undo(session, f"redeemed:{event['key']}", now)

    return {"settlement.RedeemedToCredit": redeemed_to_credit, "settlement.Redeemed": redeemed}


def _call(hub: Hub, row: Redemption, merchant_address: str) -> str:
    return hub.contracts.encode(
        "settlement",
        "redeemWithAuthorization",
        row.holder,
        merchant_address,
        row.amount,
        row.valid_after,
        row.valid_before,
        row.salt,
        row.signature,
    )


def invalid(detail: str) -> Problem:
    return Problem("invalid-redemption", 422, "The redemption's authorisation cannot be used.", detail)
