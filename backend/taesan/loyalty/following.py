"""Follows the payments, and the refunds of them, in their order: what they earn is decided here, after they were accepted, never
in the intake. A page is one transaction with the cursor's move, so each counts once; and as no intake is at work meanwhile, none
with a lower number can come later."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.chain import view
from taesan.channels.models import Channel
from taesan.core import outbox
from taesan.core.pages import newest_id
from taesan.hub import Hub
from taesan.loyalty.judging import HUB, SKEW, GivenBack, Paid
from taesan.loyalty.keeping import Shelf
from taesan.loyalty.models import Followed, Follower, Member, Programme
from taesan.payments.invoices import Invoice
from taesan.payments.models import Payment
from taesan.settlement import rewards
from taesan.settlement.models import Refund
from taesan.settlement.reward_models import Campaign

PAGE = 500
ENDED = "loyalty.CampaignEnded"


def started(session: Session) -> Follower:
    """Where the following is; with the first programme or campaign it begins, behind all payments that there are."""
    found = session.get(Follower, 1)
    if found is not None:
        return found
    row = Follower(payment_id=newest_id(session, col(Payment.id)), refund_id=newest_id(session, col(Refund.id)))
    session.add(row)
    session.flush()
    return row


def follow_step(hub: Hub) -> bool:
    """Worker step: a page of what has come since; returns whether there may be more."""
    now = hub.clock.now()
    with hub.db.read() as session:
        if view.closed(session) or not _has_work(session, now):
            return False
    with hub.db.write() as session:
        return follow(session, hub, now)


def follow(session: Session, hub: Hub, now: datetime) -> bool:
    """In a transaction that is alone in writing."""
    at = session.get_one(Follower, 1)
    newest = newest_id(session, col(Payment.id))
    paid = _paid_after(session, at.payment_id)
    _judge(session, hub, paid, now)
    at.payment_id = paid[-1].id if len(paid) == PAGE else newest
    session.add(at)
    if len(paid) == PAGE:
        return True
    # From here on nothing is left that was paid before; so refunds find their payments counted.
    given_back = _refunds_after(session, at, at.refund_id)
    _judge_refunds(session, hub, given_back, at, now)
    judged = _advance(session, hub, now)
    _end_campaigns(session, hub, at, now)
    return PAGE in (len(given_back), judged)


def _has_work(session: Session, now: datetime) -> bool:
    at = session.get(Follower, 1)
    if at is None:
        return False
    if newest_id(session, col(Payment.id)) > at.payment_id or newest_id(session, col(Refund.id)) > at.refund_id:
        return True
    due = select(col(Member.id)).where(col(Member.look_at) <= now).limit(1)
    return session.scalar(due) is not None or bool(_ending(session, now))


# ------------------------------------------------------------------- payments


def paid_of(row: Payment, payer: str, category: str | None) -> Paid:
    assert row.id is not None
    assert row.merchant_id is not None
    return Paid(row.id, row.public_id, row.merchant_id, payer, row.amount, row.accepted_at, category)


def categories(session: Session, rows: Sequence[Payment]) -> dict[str, str]:
    """Payment's public id → the `category` that its invoice has in its metadata."""
    invoices = {row.reference: row.public_id for row in rows if row.destination == "invoice"}
    found = select(col(Invoice.public_id), col(Invoice.details)).where(col(Invoice.public_id).in_(invoices))
    named = {invoices[id_]: details.get("category") for id_, details in session.execute(found)} if invoices else {}
    return {id_: category for id_, category in named.items() if category is not None}


def _paid_after(session: Session, after: int) -> list[Paid]:
    rows = session.execute(
        select(Payment, col(Channel.payer))
        .join(Channel, col(Channel.id) == col(Payment.channel_id))
        .where(col(Payment.id) > after, col(Payment.merchant_id).is_not(None))
        .order_by(col(Payment.id))
        .limit(PAGE)
    ).all()
    of = categories(session, [row for row, _ in rows])
    return [paid_of(row, payer, of.get(row.public_id)) for row, payer in rows]


def _judge(session: Session, hub: Hub, paid: Sequence[Paid], now: datetime) -> None:
    if not paid:
        return
    shelf = Shelf(session)
    owners, payers = {p.merchant_id for p in paid} | {HUB}, {p.payer for p in paid}
    shelf.read_rules(owners)
    keys = {(owner, p.payer) for p in paid for owner in (p.merchant_id, HUB)}
    shelf.read_members(keys, since=min(p.at for p in paid))
    shelf.read_campaigns({p.merchant_id for p in paid}, payers)
    for payment in paid:
        shelf.book.pay(payment)
    shelf.write(hub, now)


# -------------------------------------------------------------------- refunds


def _refunds_after(session: Session, at: Follower, after: int) -> list[tuple[int, GivenBack | None]]:
    """Of gift tokens that were given back there is nothing to count: None."""
    rows = session.scalars(
        select(Refund).where(col(Refund.id) > after, ~col(Refund.is_reward)).order_by(col(Refund.id)).limit(PAGE)
    ).all()
    at.refund_id = (rows[-1].id or 0) if len(rows) == PAGE else newest_id(session, col(Refund.id))
    return [(row.id or 0, given_back(session, row)) for row in rows]


def given_back(session: Session, row: Refund) -> GivenBack | None:
    found = session.execute(
        select(Payment, col(Channel.payer))
        .join(Channel, col(Channel.id) == col(Payment.channel_id))
        .where(col(Payment.public_id) == row.source)
    ).first()
    if found is None:
        return None
    earlier = select(func.sum(col(Refund.amount) + col(Refund.taken_off)))
    before = session.scalar(earlier.where(col(Refund.source) == row.source, col(Refund.id) < row.id)) or 0
    payment, payer = found
    return GivenBack(paid_of(payment, payer, None), row.amount + row.taken_off, int(before), row.made_at)


def _judge_refunds(
    session: Session, hub: Hub, refunds: Sequence[tuple[int, GivenBack | None]], at: Follower, now: datetime
) -> None:
    known = [(id_, refund) for id_, refund in refunds if refund is not None]
    if not known:
        return
    shelf, paid = Shelf(session), [refund.paid for _, refund in known]
    keys = {(owner, p.payer) for p in paid for owner in (p.merchant_id, HUB)}
    shelf.read_rules({owner for owner, _ in keys})
    shelf.read_members(keys, since=min(p.at for p in paid))
    shelf.read_lots(((owner, p.payer), p.source) for p in paid for owner in (p.merchant_id, HUB))
    programme = newest_id(session, col(Programme.id))
    for id_, refund in known:
        shelf.book.give_back(refund, at.payment_id)
        session.add(Followed(refund_id=id_, after_payment=at.payment_id, after_programme=programme))
    shelf.write(hub, now)


# ----------------------------------------------------------------------- time


def _advance(session: Session, hub: Hub, now: datetime, owner: str | None = None) -> int:
    """Judges members whose period has ended; returns how many."""
    due = select(Member).where(col(Member.look_at) <= now).order_by(col(Member.look_at))
    rows = session.scalars(due.limit(PAGE) if owner is None else due.where(col(Member.owner) == owner)).all()
    if not rows:
        return 0
    shelf = Shelf(session)
    shelf.read_rules({row.owner for row in rows})
    shelf.take_up(rows)
    for (of, _), standing in shelf.book.standings.items():
        rules = shelf.book.rules[of][-1]
        standing.advance(rules.ladder, rules.period(now - SKEW))
    shelf.write(hub, now)
    return len(rows)


def advance_members(session: Session, hub: Hub, owner: str, now: datetime) -> None:
    """All of a programme that is about to change: what has ended is judged by what was known then."""
    _advance(session, hub, now, owner)


def _ending(session: Session, now: datetime) -> Sequence[Campaign]:
    ending = select(Campaign).where(col(Campaign.state) == "running", col(Campaign.ends_at) <= now - SKEW)
    return session.scalars(ending.order_by(col(Campaign.ends_at)).limit(PAGE)).all()


def _end_campaigns(session: Session, hub: Hub, at: Follower, now: datetime) -> None:
    for row in _ending(session, now):
        rewards.end(session, hub, row, at.payment_id, now)
        payload = {"merchant_id": row.merchant_id, "id": row.public_id}
        outbox.put(session, f"{ENDED}:{row.public_id}", ENDED, payload, now)
