"""What else there was in those months: purchases, cashback, tiers, presents, what was spent; from books and chain."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlmodel import Session, col

from taesan.chain.models import ChainTransaction
from taesan.demo.year.scene import Scene
from taesan.gifts import service as gifts
from taesan.gifts.models import Gift
from taesan.ledger.audit import Report
from taesan.loyalty.judging import HUB
from taesan.loyalty.models import Member, PointsLot
from taesan.merchants.models import Payout, Redemption
from taesan.payments.models import Payment
from taesan.payments.token_models import TokenTransfer
from taesan.reminders.models import Reminder
from taesan.settlement.models import Batch, Refund
from taesan.settlement.reward_models import Campaign, Cashback, Reward


@dataclass
class Dealings:
    """Amounts in minor units.

    :ivar bought: of purchases, what was paid by channel. :ivar promised: cashback, without what refunds took back; `cashback` of it is
        in wallets. :ivar tiers: the hub's, level → members. :ivar links: state → gift links. :ivar presents: channel credit
        to other people, and gift tokens, how many
    """

    payments: int
    bought: int
    batches: int
    transactions: int
    budgets: int
    promised: int
    cashback: int
    points: int
    lapsed: int
    tiers: Counter[int]
    links: Counter[str]
    presents: tuple[int, int]
    spent: int
    paid_out: int
    refunded: int
    reminders: int


def recompute(story: Scene, report: Report) -> Dealings:
    """Adds to the report what does not fit."""
    with story.world.hub.db.read() as session:
        links = _links(session, story, report)
        dealings = Dealings(
            payments=_number(session, select(func.count()).select_from(Payment)),
            bought=_number(session, select(func.sum(Payment.amount)).where(col(Payment.destination) == "merchant")),
            batches=_number(session, select(func.count()).select_from(Batch)),
            transactions=_number(session, select(func.count()).where(col(ChainTransaction.state) == "confirmed")),
            budgets=_number(session, select(func.sum(Campaign.budget))),
            promised=_number(session, select(func.sum(col(Reward.amount) - col(Reward.reversed)))),
            cashback=_number(session, _rewards(is_paid=True)),
            points=_number(session, select(func.sum(PointsLot.remaining))),
            lapsed=_number(session, select(func.sum(PointsLot.points)).where(col(PointsLot.lapsed))),
            tiers=_tiers(session, story, report),
            links=links,
            presents=_presents(session),
            spent=_number(session, select(func.sum(Redemption.amount)).where(col(Redemption.state) == "confirmed")),
            paid_out=_number(session, select(func.sum(Payout.amount)).where(col(Payout.state) == "paid")),
            refunded=_number(session, select(func.sum(Refund.amount)).where(~col(Refund.is_reward))),
            reminders=_number(session, select(func.count()).select_from(Reminder)),
        )
        _check_campaigns(session, report)
        waiting = _number(session, select(func.sum(Cashback.amount))) + _number(session, _rewards(is_paid=False))
    sold = sum(amount for shop in story.shops for _, amount in shop.sold)
    report.check("purchases, as customers counted them", sold, dealings.bought)
    report.check("cashback that was promised: paid, or on its way", dealings.promised, dealings.cashback + waiting)
    _check_events(story, dealings, report)
    return dealings


def _number(session: Session, query: Select[Any]) -> int:
    return int(session.scalar(query) or 0)


def _rewards(*, is_paid: bool) -> Select[Any]:
    """What is on its way to payers, or has got there: without what refunds of the payments took back."""
    ordered = select(func.sum(col(Reward.amount) - col(Reward.reversed)))
    ordered = ordered.join(Refund, col(Refund.public_id) == col(Reward.payout_id))
    return ordered.where(col(Refund.batch_id).is_not(None) if is_paid else col(Refund.batch_id).is_(None))


def _check_campaigns(session: Session, report: Report) -> None:
    of_campaign = select(col(Reward.campaign_id), func.sum(Reward.amount)).group_by(col(Reward.campaign_id))
    promised: dict[int, int] = dict(session.execute(of_campaign).all())
    for campaign in session.scalars(select(Campaign)):
        report.check(f"what {campaign.name} promised", promised.get(campaign.id or 0, 0), campaign.spent)
        report.check(f"{campaign.name} within its budget", True, campaign.spent <= campaign.budget)


def _tiers(session: Session, story: Scene, report: Report) -> Counter[int]:
    """The hub's own, which are badges on chain."""
    tiers: Counter[int] = Counter()
    for member in session.scalars(select(Member).where(col(Member.owner) == HUB).order_by(col(Member.id))):
        tiers[member.tier] += 1
        report.check(f"badge of {member.payer}", member.tier, story.world.read("badges", "tierOf", member.payer))
    return tiers


def _links(session: Session, story: Scene, report: Report) -> Counter[str]:
    """Nothing is left at the keys of links that have come to their end."""
    links: Counter[str] = Counter()
    for gift in session.scalars(select(Gift).order_by(col(Gift.id))):
        state = gifts.state(session, gift, story.world.now())
        links[state] += 1
        left = gift.amount if state in ("open", "expired") else 0
        report.check(f"gift tokens in {gift.public_id}", left, story.tokens_of(gift.key_address))
    return links


def _presents(session: Session) -> tuple[int, int]:
    credit = _number(session, select(func.count()).where(col(Payment.destination) == "person"))
    sent = select(func.count()).where(col(TokenTransfer.purpose) == "person", col(TokenTransfer.state) == "confirmed")
    return credit, _number(session, sent)


def _check_events(story: Scene, dealings: Dealings, report: Report) -> None:
    """What the settlement contract tells, from its first block on."""
    world, contracts = story.world, story.world.contracts
    last = int(world.node.head()["number"])
    told: Counter[str] = Counter()
    for event in contracts.decode_logs(
        world.node.logs([contracts.deployment.settlement], contracts.deployment.block_number, last)
    ):
        told[event.name] += event.args.get("amount", 0)
        told["payments"] += event.args.get("paymentCount", 0)
        told["batches"] += event.name == "settlement.BatchSettled"
    for what, expected, name in (
        ("payments settled", dealings.payments, "payments"),
        ("batches", dealings.batches, "batches"),
        ("gift tokens spent at shops", dealings.spent, "settlement.RedeemedToCredit"),
        ("paid out", dealings.paid_out, "settlement.CreditWithdrawn"),
    ):
        report.check(f"{what}, on chain", expected, told[name])
