"""Refunds on their way: what a merchant gives back becomes the payer's gift tokens.

A voucher's amount cannot go down, and a credit on chain leaves the reserve towards its merchant alone. But until a batch is
frozen, it is the hub that says who gets what the batch claims. So a refund comes out of what its merchant is paid by the batch
that takes it along: the claims stay as they are, the merchant is credited less, and the payer entitled to more.

If less than that waits for a batch, the refund waits, and holds the merchant's credit meanwhile. With the next payments the two
change places (`cover`): they go to the payer, and the merchant has its credit back.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import transfer
from taesan.settlement.models import Batch, BatchCredit, Refund

UNPOSTED = ("frozen", "signed", "broadcast", "mined", "confirmed")
MOST_WAITING = 1_000  # of a merchant
MOST_AT_ONCE = 100  # in a batch: room for so many is kept free


def refunded(session: Session, source: str) -> int:
    """Of a payment or redemption, minor units. :param source: its public id"""
    return int(session.scalar(select(func.sum(Refund.amount)).where(col(Refund.source) == source)) or 0)


def accept(session: Session, hub: Hub, row: Refund, now: datetime) -> None:
    """Books a new refund and stores it.

    :raises Problem: `refund-not-covered`, `too-many-refunds`
    """
    _refuse_too_many(session, row.address)
    chart, free = hub.chart, _unfrozen(session, hub, row.address)
    if free >= row.amount:
        row.is_covered = True
        lines = transfer(chart.pending(row.address), chart.converting(row.account), row.amount)
        posting.post(session, f"refund:{row.public_id}", "refund", now, lines)
    else:
        credit = posting.balance(session, chart.credit(row.address))
        if free + credit < row.amount:
            raise Problem(
                "refund-not-covered",
                409,
                "The merchant's money here does not cover this refund.",
                f"{free} minor units wait for settlement, {credit} are credit. What a payout has taken is not here any more.",
                available=str(free + credit),
            )
        row.is_covered, row.held = False, min(credit, row.amount)
        lines = transfer(chart.credit(row.address), chart.refunding(row.address), row.held)
        if row.held:
            posting.post(session, f"refund:{row.public_id}", "refund held", now, lines)
    session.add(row)
    session.flush()


def _refuse_too_many(session: Session, address: str) -> None:
    ids = select(col(Refund.id)).where(col(Refund.batch_id).is_(None), col(Refund.address) == address)
    if len(session.scalars(ids.limit(MOST_WAITING)).all()) == MOST_WAITING:
        raise Problem(
            "too-many-refunds",
            409,
            "Too many of this merchant's refunds wait to be settled.",
            f"At most {MOST_WAITING} may.",
            headers={"retry-after": "60"},
        )


def waiting_count(session: Session) -> int:
    """How many the next batch may have to find room for."""
    ids = select(col(Refund.id)).where(col(Refund.batch_id).is_(None)).limit(MOST_AT_ONCE)
    return len(session.scalars(ids).all())


def cover(session: Session, hub: Hub, now: datetime) -> None:
    """New payments take the place of credit that is held for refunds, oldest first: to be called before a batch is frozen."""
    waiting = (col(Refund.batch_id).is_(None), ~col(Refund.is_covered))
    for address in session.scalars(select(col(Refund.address)).where(*waiting).distinct()).all():
        free = _unfrozen(session, hub, address)
        if not free:
            continue
        of_merchant = select(Refund).where(*waiting, col(Refund.address) == address).order_by(col(Refund.id))
        for row in session.scalars(of_merchant).all():
            if row.amount <= free:
                _cover(session, hub, row, now)
                free -= row.amount


def _cover(session: Session, hub: Hub, row: Refund, now: datetime) -> None:
    chart = hub.chart
    # The merchant may have taken it from the contract directly, held or not.
    held = min(row.held, posting.balance(session, chart.refunding(row.address)))
    lines = transfer(chart.pending(row.address), chart.converting(row.account), row.amount)
    lines += transfer(chart.refunding(row.address), chart.credit(row.address), held)
    posting.post(session, f"refund-covered:{row.public_id}", "refund covered", now, lines)
    row.is_covered = True
    session.add(row)


def covered(session: Session) -> Sequence[Refund]:
    """Those that the next batch may take along, oldest first."""
    rows = select(Refund).where(col(Refund.batch_id).is_(None), col(Refund.is_covered))
    return session.scalars(rows.order_by(col(Refund.id))).all()


def take_in(session: Session, batch_id: int, earned: dict[str, int]) -> Sequence[Refund]:
    """Has a new batch take along what its payments bring their merchants and these give back, oldest first.

    :param earned: merchant's address → what the batch's payments bring it; lowered by what is given back
    """
    covered = (
        select(Refund)
        .where(col(Refund.batch_id).is_(None), col(Refund.is_covered), col(Refund.address).in_(earned))
        .order_by(col(Refund.id))
        .limit(MOST_AT_ONCE)
    )
    taken = []
    for row in session.scalars(covered).all():
        if row.amount <= earned[row.address]:
            earned[row.address] -= row.amount
            row.batch_id = batch_id
            session.add(row)
            taken.append(row)
    session.flush()
    return taken


def release(session: Session, batch_id: int) -> None:
    """Its batch is dissolved: they wait for another."""
    session.execute(update(Refund).where(col(Refund.batch_id) == batch_id).values(batch_id=None))


def _unfrozen(session: Session, hub: Hub, address: str) -> int:
    """What a merchant was paid that no batch has promised to credit, and no refund has taken."""
    under_way = session.scalars(select(col(Batch.id)).where(col(Batch.state).in_(UNPOSTED))).all()
    promised = select(func.sum(BatchCredit.amount)).where(
        col(BatchCredit.batch_id).in_(under_way), col(BatchCredit.address) == address
    )
    return posting.balance(session, hub.chart.pending(address)) - int(session.scalar(promised) or 0)
