"""Refunds on their way: what a merchant gives back becomes the payer's gift tokens.

A voucher's amount cannot go down, and a credit on chain leaves the reserve towards its merchant alone. But until a batch is
frozen, it is the hub that says who gets what the batch claims. So a refund comes out of what its merchant is paid by the batch
that takes it along: the claims stay as they are, the merchant is credited less, and the payer entitled to more. A batch that
pays a merchant gives back as much of its refunds as that is, and credits it the rest: so what is left of `pending` is always
enough for what is left of them.

If less than that waits for a batch, the rest of the refund waits, and holds the merchant's credit meanwhile. With the next payments the
two change places (`cover`), as far as they go: they go to the payer, and the merchant has so much of its credit back.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import transfer
from taesan.settlement.models import Batch, BatchCredit, BatchRefund, Refund

UNPOSTED = ("frozen", "signed", "broadcast", "mined", "confirmed")
MOST_WAITING = 100  # of a merchant: a batch that pays it takes them all along, and needs room for their accounts

_WAITING = (col(Refund.left_over) > 0,)
_COVERED = (*_WAITING, col(Refund.left_over) + col(Refund.covered) > col(Refund.amount))
_UNCOVERED = (*_WAITING, col(Refund.covered) < col(Refund.amount))


def refunded(session: Session, source: str) -> int:
    """Of a payment or redemption, minor units. :param source: its public id"""
    given = select(func.sum(col(Refund.amount) + col(Refund.taken_off)))
    return int(session.scalar(given.where(col(Refund.source) == source)) or 0)


def accept(session: Session, hub: Hub, row: Refund, now: datetime) -> None:
    """Books a new refund and stores it.

    :raises Problem: `refund-not-covered`, `too-many-refunds`
    """
    _refuse_too_many(session, row.address)
    chart, free = hub.chart, _unfrozen(session, hub, row.address)
    row.covered = min(free, row.amount)
    held = row.amount - row.covered
    credit = posting.balance(session, chart.credit(row.address)) if held else 0
    if held > credit:
        raise Problem(
            "refund-not-covered",
            409,
            "The merchant's money here does not cover this refund.",
            f"{free} minor units wait for settlement, {credit} are credit. What a payout has taken is not here any more.",
            available=str(free + credit),
        )
    lines = transfer(chart.pending(row.address), chart.converting(row.account), row.covered)
    lines += transfer(chart.credit(row.address), chart.refunding(row.address), held)
    posting.post(session, f"refund:{row.public_id}", "refund held" if held else "refund", now, lines)
    session.add(row)
    session.flush()


def take_off(session: Session, hub: Hub, row: Refund, amount: int, now: datetime) -> None:
    """Makes a new refund smaller by what of the payment's reward was paid out before: its merchant has so much back at once."""
    chart = hub.chart
    held = min(amount, row.amount - row.covered)
    row.taken_off, row.amount, row.left_over = amount, row.amount - amount, row.left_over - amount
    row.covered -= amount - held
    lines = transfer(chart.refunding(row.address), chart.credit(row.address), held)
    lines += transfer(chart.converting(row.account), chart.pending(row.address), amount - held)
    posting.post(session, f"reward-taken-back:{row.public_id}", "reward taken back", now, lines)
    session.add(row)
    session.flush()


def _refuse_too_many(session: Session, address: str) -> None:
    ids = select(col(Refund.id)).where(*_WAITING, col(Refund.address) == address)
    if len(session.scalars(ids.limit(MOST_WAITING)).all()) == MOST_WAITING:
        raise Problem(
            "too-many-refunds",
            409,
            "Too many of this merchant's refunds wait to be settled.",
            f"At most {MOST_WAITING} may.",
            headers={"retry-after": "60"},
        )


def covered(session: Session) -> Sequence[Refund]:
    """Those of which the next batches take something along, oldest first."""
    return session.scalars(select(Refund).where(*_COVERED).order_by(col(Refund.id))).all()


def accounts_to_raise(session: Session) -> dict[str, int]:
    """Merchant's address → how many accounts a batch that pays it may have to raise for its refunds."""
    counted = select(col(Refund.address), func.count(func.distinct(Refund.account))).where(*_COVERED)
    return dict(session.execute(counted.group_by(col(Refund.address))).all())


def cover(session: Session, hub: Hub, now: datetime) -> None:
    """New payments take the place of credit that is held for refunds, oldest first and as far as they go: to be called before a
    batch is frozen."""
    for address in session.scalars(select(col(Refund.address)).where(*_UNCOVERED).distinct()).all():
        free = _unfrozen(session, hub, address)
        of_merchant = select(Refund).where(*_UNCOVERED, col(Refund.address) == address).order_by(col(Refund.id))
        for row in session.scalars(of_merchant).all():
            if part := min(row.amount - row.covered, free):
                _cover(session, hub, row, part, now)
                free -= part


def _cover(session: Session, hub: Hub, row: Refund, part: int, now: datetime) -> None:
    chart = hub.chart
    row.covered += part
    session.add(row)
    session.flush()
    # The merchant may have taken it from the contract directly, held or not.
    held = posting.balance(session, chart.refunding(row.address))
    lines = transfer(chart.pending(row.address), chart.converting(row.account), part)
    back = max(0, held - _uncovered(session, row.address))
    lines += transfer(chart.refunding(row.address), chart.credit(row.address), back)
    posting.post(session, f"refund-covered:{row.public_id}:{row.covered}", "refund covered", now, lines)


def _uncovered(session: Session, address: str) -> int:
    """What a merchant still owes, out of its next payments."""
    owed = select(func.sum(col(Refund.amount) - col(Refund.covered))).where(*_UNCOVERED, col(Refund.address) == address)
    return int(session.scalar(owed) or 0)


def hold(session: Session, hub: Hub, addresses: Iterable[str], key: str, now: datetime) -> None:
    """Holds merchants' new credit for what they owe and took from the contract directly. :param key: of what brought it"""
    chart = hub.chart
    for address in addresses:
        missing = _uncovered(session, address) - posting.balance(session, chart.refunding(address))
        if (part := min(missing, posting.balance(session, chart.credit(address)))) > 0:
            lines = transfer(chart.credit(address), chart.refunding(address), part)
            posting.post(session, f"refund-held:{key}:{address}", "refund held", now, lines)


def let_go(session: Session, hub: Hub, amounts: Mapping[str, int], key: str, now: datetime) -> None:
    """Gives back so much of what is held as merchants' credit lacks, before it is lowered. :param key: of what lowers it"""
    chart = hub.chart
    for address, amount in amounts.items():
        lacking = amount - posting.balance(session, chart.credit(address))
        if (part := min(lacking, posting.balance(session, chart.refunding(address)))) > 0:
            lines = transfer(chart.refunding(address), chart.credit(address), part)
            posting.post(session, f"refund-let-go:{key}:{address}", "refund let go", now, lines)


def ready(row: Refund) -> int:
    """What batches may take along of it."""
    return row.left_over + row.covered - row.amount


def take_in(session: Session, batch_id: int, earned: dict[str, int]) -> Sequence[tuple[str, int]]:
    """Has a new batch take along what its payments bring their merchants and these give back, oldest first; returns
    (account, amount) of each.

    :param earned: merchant's address → what the batch's payments bring it; lowered by what is given back
    """
    rows = session.scalars(select(Refund).where(*_COVERED, col(Refund.address).in_(earned)).order_by(col(Refund.id)))
    taken = []
    for row in rows.all():
        if part := min(ready(row), earned[row.address]):
            earned[row.address] -= part
            take_part(session, batch_id, row, part)
            taken.append((row.account, part))
    session.flush()
    return taken


def take_part(session: Session, batch_id: int, row: Refund, amount: int) -> None:
    assert row.id is not None
    row.left_over -= amount
    row.batch_id = None if row.left_over else batch_id
    session.add_all([row, BatchRefund(batch_id=batch_id, refund_id=row.id, amount=amount)])


def parts_of(session: Session, batch_id: int) -> Sequence[tuple[BatchRefund, Refund]]:
    of_batch = select(BatchRefund, Refund).join(Refund, col(Refund.id) == col(BatchRefund.refund_id))
    return [(part, row) for part, row in session.execute(of_batch.where(col(BatchRefund.batch_id) == batch_id))]


def release(session: Session, batch_id: int) -> None:
    """The batch is dissolved: its refunds wait for another."""
    for part, row in parts_of(session, batch_id):
        row.left_over += part.amount
        row.batch_id = None
        session.add(row)
    session.flush()
    session.execute(delete(BatchRefund).where(col(BatchRefund.batch_id) == batch_id))


def _unfrozen(session: Session, hub: Hub, address: str) -> int:
    """What a merchant was paid that no batch has promised to credit, and no refund has taken."""
    under_way = session.scalars(select(col(Batch.id)).where(col(Batch.state).in_(UNPOSTED))).all()
    promised = select(func.sum(BatchCredit.amount)).where(
        col(BatchCredit.batch_id).in_(under_way), col(BatchCredit.address) == address
    )
    return posting.balance(session, hub.chart.pending(address)) - int(session.scalar(promised) or 0)
