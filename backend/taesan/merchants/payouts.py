"""A merchant's credit out of the reserve, in one transfer."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import relay
from taesan.chain.models import ChainTransaction, transaction_of
from taesan.core import outbox, restoration
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.problems import Problem, too_small
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.ledger.posting import Line, transfer
from taesan.merchants.models import Payout


def order(
    session: Session, hub: Hub, merchant: Merchant, amount: int | None, now: datetime, period: str | None = None
) -> Payout:
    """Sets part (or all) of the credit aside and orders its payout.

    :param period: see `Payout`
    :raises Problem: `insufficient-credit`, `amount-too-small`
    """
    credit = posting.balance(session, hub.chart.credit(merchant.address))
    amount = credit if amount is None else amount
    if amount == 0 or amount > credit:
        raise Problem(
            "insufficient-credit",
            422,
            "The merchant's credit does not cover this payout.",
            f"{credit} minor units can be paid out; payments count once their batch is settled.",
            credit=str(credit),
        )
    if amount < hub.settings.least_relayed:
        raise too_small(hub.settings.least_relayed)
    row = Payout(
        public_id=new_id("out"),
        merchant_id=merchant.id,
        address=merchant.address,
        amount=amount,
        state="received",
        received_at=now,
        period=period,
    )
    lines = transfer(hub.chart.credit(merchant.address), hub.chart.paying_out(merchant.address), amount)
    posting.post(session, f"payout:{row.public_id}", "payout ordered", now, lines)
    session.add(row)
    session.flush()
    return row


def relay_step(hub: Hub) -> bool:
    """Worker step: brings ordered payouts to the chain in one transaction; returns whether there were any."""
    with hub.db.read() as session:
        rows = session.scalars(
            select(Payout)
            .where(col(Payout.state) == "received")
            .order_by(col(Payout.attempts), col(Payout.id))
            .limit(hub.settings.relay_max_items)
        ).all()
    if not rows:
        return False
    rows = relay.together(rows)
    calls = {row.id: hub.contracts.encode("settlement", "withdrawCredit", row.address, row.amount) for row in rows}
    hub.relayer.send(Payout, "payouts", "settlement", calls, partial(_give_back, hub))  # type: ignore[arg-type]
    return True


def return_reverted_step(hub: Hub) -> bool:
    """Worker step: payouts of a failed transaction are tried one by one; those that fail alone go back to the credit."""
    return hub.relayer.return_reverted(Payout, "payouts", partial(_give_back, hub))


def _give_back(hub: Hub, session: Session, id_: int) -> None:
    row = session.get_one(Payout, id_)
    paying_out = hub.chart.paying_out(row.address)
    left = min(row.amount, posting.balance(session, paying_out))  # the merchant may have taken it directly
    if left:
        lines = transfer(paying_out, hub.chart.credit(row.address), left)
        posting.post(session, f"payout-failed:{row.public_id}", "payout failed", hub.clock.now(), lines)
    _put(session, "merchants.PayoutFailed", row, hub.clock.now())


def _put(session: Session, type_: str, row: Payout, now: datetime) -> None:
    event = {"merchant_id": row.merchant_id, "id": row.public_id}
    outbox.put(session, f"{type_}:{row.public_id}", type_, event, now)


def _order_behind(session: Session, address: str, amount: int, transaction: str) -> Payout | None:
    """The order that a transaction has paid; None if the merchant has taken it from the contract directly."""
    orders = select(Payout).where(col(Payout.address) == address, col(Payout.amount) == amount)
    ours = select(col(ChainTransaction.id)).where(
        col(ChainTransaction.id).in_(transaction_of(transaction)), col(ChainTransaction.kind) == "payouts"
    )
    sent = orders.where(col(Payout.state) == "sent", col(Payout.transaction_id).in_(ours))
    row = session.scalar(sent.order_by(col(Payout.id)).limit(1))
    if row is None and restoration.is_reconciling(session):
        # Paid after the backup: it must not be paid once more.
        waiting = orders.where(col(Payout.state).in_(["received", "sent"]))
        row = session.scalar(waiting.order_by(col(Payout.id)).limit(1))
    return row


def handlers(hub: Hub) -> dict[str, Handler]:
    def paid(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        address, amount = event["args"]["merchant"], event["args"]["amount"]
        row = _order_behind(session, address, amount, event["transaction"])
        # Without an order of ours the merchant has taken it from the contract directly. It knows one credit only, and may
        # by then have paid out what we had set aside for an order or a refund, or the other way round: the sum is what must agree.
        paying_out, credit = hub.chart.paying_out(address), hub.chart.credit(address)
        first, second = (paying_out, credit) if row else (credit, paying_out)
        from_first = min(amount, posting.balance(session, first))
        from_second = min(amount - from_first, posting.balance(session, second))
        # What nobody was promised yet goes before what is owed.
        budget = hub.chart.budget(address)
        from_budget = min(amount - from_first - from_second, posting.balance(session, budget))
        rest = amount - from_first - from_second - from_budget
        lines = [Line(first, from_first), Line(second, from_second), Line(budget, from_budget)]
        lines.append(Line(hub.chart.refunding(address), rest))
        lines.append(Line(hub.chart.reserve, -amount))
        posting.post(session, f"paid:{event['key']}", "credit paid out", now, lines)
        if row is not None:
            row.state = "paid"
            session.add(row)
            _put(session, "merchants.PayoutPaid", row, now)

    return {"settlement.CreditWithdrawn": paid}


def undo(hub: Hub) -> dict[str, Handler]:
    """Takes back what `handlers` did, for events that a reorganisation has removed for good."""

    def paid(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        posting.undo(session, f"paid:{event['key']}", now)
        row = session.scalar(
            select(Payout).where(
                col(Payout.address) == event["args"]["merchant"],
                col(Payout.amount) == event["args"]["amount"],
                col(Payout.state) == "paid",
                col(Payout.transaction_id).in_(transaction_of(event["transaction"])),
            )
        )
        if row is not None:
            # Not tried again: the credit that it is for may itself be in doubt.
            row.state, row.reason = "failed", "removed by a reorganisation of the chain: order it again"
            session.add(row)
            assert row.id is not None
            _give_back(hub, session, row.id)

    return {"settlement.CreditWithdrawn": paid}
