"""The audit of rewards' money: what is held, what waits, what was paid, what refunds took back."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlmodel import Session, col

from taesan.channels.models import Channel
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.audit import Report
from taesan.payments.models import Payment
from taesan.settlement import rewards
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Campaign, Cashback, Reward


def audit_rewards(session: Session, hub: Hub, report: Report) -> None:
    """No campaign has promised more than its budget, each reward is its payment's, and all of them are held, waiting or paid."""
    _audit_budgets(session, hub, report)
    _audit_rewards(session, report)
    _audit_payouts(session, report)
    count = session.scalar(select(func.count()).select_from(Reward)) or 0
    report.counted |= {"rewards": count} if count else {}


def _sums(session: Session, owner: Any, amount: Any, *where: ColumnElement[bool]) -> dict[Any, int]:
    rows = session.execute(select(owner, func.sum(amount)).where(*where).group_by(owner))
    return {key: int(total) for key, total in rows}


def _audit_budgets(session: Session, hub: Hub, report: Report) -> None:
    spent = _sums(session, col(Reward.campaign_id), col(Reward.amount))
    counted = _sums(session, col(Reward.campaign_id), 1)
    for row in session.scalars(select(Campaign).order_by(col(Campaign.id))):
        promised = (spent.get(row.id, 0), counted.get(row.id, 0))
        report.check(f"spent and rewards of campaign {row.public_id}", promised, (row.spent, row.rewards))
        if row.spent > row.budget:
            report.differences.append(f"campaign {row.public_id} has promised {row.spent} of {row.budget}")
    addresses = set(session.scalars(select(col(Campaign.address)).distinct()))
    taken = set(session.scalars(select(col(Campaign.address)).where(col(Campaign.state) == "taken")))
    balances = posting.balances(session, "budget", hub.asset.id)
    report.check("budgets of merchants without a campaign", set(), balances.keys() - addresses)
    for address in addresses:
        # Where a merchant has taken it from the contract less is held than is due.
        held, needed = balances.get(address, 0), rewards.needed(session, address)
        if held > needed or (held < needed and address not in taken):
            report.differences.append(f"budget of {address}: expected {needed}, found {held}")


def _audit_rewards(session: Session, report: Report) -> None:
    wrong = (
        select(col(Reward.source))
        .join(Campaign, col(Campaign.id) == col(Reward.campaign_id))
        .outerjoin(Payment, col(Payment.public_id) == col(Reward.source))
        .outerjoin(Channel, col(Channel.id) == col(Payment.channel_id))
        .where(
            or_(
                col(Payment.id).is_(None),
                col(Payment.merchant_id) != col(Campaign.merchant_id),
                col(Payment.payee) != col(Reward.address),
                col(Payment.amount) != col(Reward.price),
                col(Channel.payer) != col(Reward.payer),
                col(Reward.amount) > col(Reward.price),
            )
        )
    )
    report.check("rewards that are not their payment's", [], list(session.scalars(wrong)))


def _given_back(session: Session) -> Mapping[str, int]:
    """Rewarded payment → what of it was refunded."""
    total = func.sum(col(Refund.amount) + col(Refund.taken_off))
    rows = select(col(Refund.source), total).join(Reward, col(Reward.source) == col(Refund.source))
    return {source: int(amount) for source, amount in session.execute(rows.group_by(col(Refund.source)))}


def _audit_payouts(session: Session, report: Report) -> None:
    unpaid: dict[tuple[str, str], int] = {}
    paid: dict[str, tuple[str, str, int]] = {}
    taken_off = _sums(session, col(Refund.source), col(Refund.taken_off), col(Refund.taken_off) > 0)
    given_back = _given_back(session)
    for row in session.scalars(select(Reward).execution_options(yield_per=5_000)):
        left = row.amount - row.reversed
        kept = row.amount * (row.price - given_back.get(row.source, 0)) // row.price
        report.check(f"what is left of the reward for {row.source}", kept, left)
        if row.payout_id is None:
            unpaid[row.address, row.payer] = unpaid.get((row.address, row.payer), 0) + left
        else:
            # What refunds took back since was taken off them.
            before = paid.get(row.payout_id, (row.address, row.payer, 0))[2]
            paid[row.payout_id] = (row.address, row.payer, before + left + taken_off.get(row.source, 0))
    waiting = {(row.address, row.payer): row.amount for row in session.scalars(select(Cashback)) if row.amount}
    report.check("cashback that waits", {key: amount for key, amount in unpaid.items() if amount}, waiting)
    orders = session.scalars(select(Refund).where(col(Refund.is_reward)))
    found = {row.public_id: (row.address, row.account, row.amount) for row in orders}
    report.check("payouts of cashback", paid, found)
