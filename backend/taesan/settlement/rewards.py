"""Rewards on their way: what a campaign has promised a payer becomes her gift tokens.

A budget is the merchant's credit, held in an account of its own. What has gathered for a payer is paid by the mechanism of refunds
(`settlement.refunds`): what the budget held for it is held for a refund, and the row rides in a batch that pays this merchant. So
there is no further way for money. A refund of a rewarded payment takes its part of the reward back: out of what waits
while it waits, and off the refund itself once it was paid.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from taesan.chain import view
from taesan.core.ids import new_id
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.ledger import posting
from taesan.ledger.posting import transfer
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Campaign, Cashback, Reward

MOST_WAITING = 50  # of a merchant, half of what `refunds` lets wait: rewards leave room for refunds
PAYERS_AT_ONCE = 200


# ------------------------------------------------------------------- budgets


def hold_budget(session: Session, hub: Hub, row: Campaign, now: datetime) -> None:
    """Takes the budget out of the merchant's credit, which has it."""
    lines = transfer(hub.chart.credit(row.address), hub.chart.budget(row.address), row.budget)
    posting.post(session, f"campaign:{row.public_id}", "campaign budget held", now, lines)


def end(session: Session, hub: Hub, row: Campaign, until_payment: int, now: datetime) -> None:
    """Gives back what of the budget was promised to nobody."""
    row.state, row.until_payment = "ended", until_payment
    session.add(row)
    session.flush()
    _give_back(session, hub, row.address, row.budget - row.spent, f"campaign-ended:{row.public_id}", now)


def taken(session: Session, hub: Hub, address: str, until_payment: int, key: str, now: datetime) -> bool:
    """The merchant may have taken budgets from the contract directly: then its campaigns are over; what they have promised
    stays due, out of its next payments. Tells whether they are. :param key: of what told of it"""
    if posting.balance(session, hub.chart.budget(address)) >= needed(session, address):
        return False
    of_merchant = select(Campaign).where(col(Campaign.address) == address, col(Campaign.state) == "running")
    for row in session.scalars(of_merchant.order_by(col(Campaign.id))).all():
        row.state, row.until_payment = "taken", until_payment
        session.add(row)
    session.flush()
    release(session, hub, address, key, now)
    return True


def release(session: Session, hub: Hub, address: str, key: str, now: datetime) -> None:
    """Gives back what is held and nobody needs. :param key: of what led to it"""
    over = posting.balance(session, hub.chart.budget(address)) - needed(session, address)
    _give_back(session, hub, address, over, f"budget-released:{key}:{address}", now)


def needed(session: Session, address: str) -> int:
    """What a merchant's campaigns may still promise, and what waits to be paid."""
    unspent = select(func.sum(col(Campaign.budget) - col(Campaign.spent)))
    unspent = unspent.where(col(Campaign.address) == address, col(Campaign.state) == "running")
    waiting = select(func.sum(Cashback.amount)).where(col(Cashback.address) == address)
    return int(session.scalar(unspent) or 0) + int(session.scalar(waiting) or 0)


def _give_back(session: Session, hub: Hub, address: str, amount: int, ref: str, now: datetime) -> None:
    if (part := min(amount, posting.balance(session, hub.chart.budget(address)))) > 0:
        lines = transfer(hub.chart.budget(address), hub.chart.credit(address), part)
        posting.post(session, ref, "campaign budget given back", now, lines)


# ------------------------------------------------------------------- rewards


def add_waiting(session: Session, address: str, payer: str, amount: int) -> None:
    row = session.get(Cashback, (address, payer)) or Cashback(address=address, payer=payer)
    row.amount += amount
    session.add(row)


def take_back(session: Session, hub: Hub, source: str, paid: int, refunded: int, cause: str, now: datetime) -> int:
    """Takes back of a payment's reward what goes with its refunds. Returns what of that was paid out already, and so has to be taken
    off the refund.

    :param paid: the payment's amount. :param refunded: of it, in all. :param cause: what this is for, in the books
    """
    row = session.scalar(select(Reward).where(col(Reward.source) == source))
    if row is None:
        return 0
    part = row.amount - row.amount * (paid - refunded) // paid - row.reversed
    row.reversed += part
    session.add(row)
    if row.payout_id is not None:
        return part
    if part:
        add_waiting(session, row.address, row.payer, -part)
        held = posting.balance(session, hub.chart.budget(row.address))
        if back := min(part, held):
            lines = transfer(hub.chart.budget(row.address), hub.chart.credit(row.address), back)
            posting.post(session, f"reward-reversed:{cause}", "reward reversed", now, lines)
    return 0


# ------------------------------------------------------------------- payouts


def pay_out_step(hub: Hub) -> bool:
    """Worker step: orders the payment of what has gathered enough; returns whether there was any."""
    with hub.db.read() as session:
        due = {} if view.closed(session) else _due(session, hub.settings.least_reward)
    for address, payers in due.items():
        with hub.db.write() as session:
            room = MOST_WAITING - _on_their_way(session).get(address, 0)
            for payer in payers[: max(0, room)]:
                _pay_out(session, hub, address, payer, hub.clock.now())
    return bool(due)


def _due(session: Session, least: int) -> dict[str, list[str]]:
    """Merchant's address → payers, those with most first; of merchants that have room for more."""
    full = [address for address, count in _on_their_way(session).items() if count >= MOST_WAITING]
    rows = session.execute(
        select(col(Cashback.address), col(Cashback.payer))
        .where(col(Cashback.amount) > 0, col(Cashback.amount) >= least, col(Cashback.address).not_in(full))
        .order_by(col(Cashback.amount).desc())
        .limit(PAYERS_AT_ONCE)
    )
    due: dict[str, list[str]] = {}
    for address, payer in rows:
        due.setdefault(address, []).append(payer)
    return due


def _on_their_way(session: Session) -> dict[str, int]:
    """Merchant's address → how many of its rewards wait for a batch."""
    waiting = select(col(Refund.address), func.count()).where(col(Refund.left_over) > 0, col(Refund.is_reward))
    return dict(session.execute(waiting.group_by(col(Refund.address))).all())


def _pay_out(session: Session, hub: Hub, address: str, payer: str, now: datetime) -> None:
    """What waits for one payer becomes a row that batches take along, as they do refunds."""
    waiting = session.get_one(Cashback, (address, payer), with_for_update=True)
    if waiting.amount < max(1, hub.settings.least_reward):
        return  # another worker was faster, or a refund
    id_ = new_id("cbk")
    rows = _unpaid(session, address, payer)
    assert sum(row.amount - row.reversed for row in rows) == waiting.amount, f"cashback of {payer} does not add up"
    merchant_id = session.scalars(select(col(Merchant.id)).where(col(Merchant.address) == address)).one()
    session.execute(update(Reward).where(col(Reward.id).in_([row.id for row in rows])).values(payout_id=id_))
    session.add(
        Refund(
            public_id=id_,
            merchant_id=merchant_id,
            address=address,
            source=id_,
            account=payer,
            amount=waiting.amount,
            left_over=waiting.amount,
            is_reward=True,
            made_at=now,
        )
    )
    # Less is held if the merchant has taken it from the contract: then its new credit will be held, as for refunds.
    if held := min(waiting.amount, posting.balance(session, hub.chart.budget(address))):
        lines = transfer(hub.chart.budget(address), hub.chart.refunding(address), held)
        posting.post(session, f"reward:{id_}", "rewards ordered to be paid", now, lines)
    waiting.amount = 0
    session.add(waiting)
    session.flush()


def _unpaid(session: Session, address: str, payer: str) -> Sequence[Reward]:
    of_payer = select(Reward).where(col(Reward.address) == address, col(Reward.payer) == payer)
    return session.scalars(of_payer.where(col(Reward.payout_id).is_(None))).all()
