"""Freezes what is settled together: which payments, which claims, which roots. One database transaction, no chain."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, exists, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from taesan.channels.models import Channel, Charged
from taesan.core import counters
from taesan.core.clock import has_passed
from taesan.core.pages import newest_id
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.jars.models import JarFiring
from taesan.payments.models import Payment
from taesan.payments.queries import NEWEST_OF_CHANNEL
from taesan.settlement import loose, merkle, packing, refunds
from taesan.settlement.models import Batch, BatchClaim, BatchCredit, BatchEntitlement, Entitlement

UNMINED = ("frozen", "signed", "broadcast")


def is_due(session: Session, hub: Hub, now: datetime) -> bool:
    """Whether a batch should be frozen now: payments have waited long enough, are enough, or a payer is leaving or owes much.

    Never while an earlier batch is not mined: ids on chain run one by one.
    """
    if session.scalar(select(col(Batch.id)).where(col(Batch.state).in_(UNMINED)).limit(1)) is not None:
        return False
    oldest = session.scalar(select(col(Payment.accepted_at)).where(waiting()).order_by(col(Payment.id)).limit(1))
    since = [at for at in (oldest, loose.oldest(session)) if at is not None]
    if any(has_passed(timedelta(seconds=hub.settings.batch_interval_s), at, now) for at in since):
        return True
    if not since or loose.is_pressed(session):
        return bool(since)
    counted, most = counters.read(session), hub.settings.batch_max_payments
    if counted["payments"] - counted["payments_batched"] >= most:
        # Some of them may be a contract wallet's, which wait for their claim.
        enough = select(col(Payment.id)).where(waiting()).order_by(col(Payment.id)).offset(most - 1).limit(1)
        if session.scalar(enough) is not None:
            return True
    # Payments are taken in their order: if any of a channel's waits, its newest does. What of a contract wallet's is claimed
    # while its newest is not, is safe already.
    newest = (
        select(col(Payment.id))
        .join(Charged, NEWEST_OF_CHANNEL)
        .join(Channel, col(Channel.account_id) == col(Charged.account_id))
        .where(waiting())
        .limit(1)
    )
    if session.scalar(newest.where(col(Channel.state) == "withdrawing")) is not None:
        return True
    is_pressing = col(Channel.pressing).is_not(None)
    # First whether there is any: then the database need not choose where to begin the join.
    any_pressing = session.scalar(select(col(Channel.id)).where(is_pressing).limit(1)) is not None
    return any_pressing and session.scalar(newest.where(is_pressing)) is not None


def waiting() -> ColumnElement[bool]:
    """Payments that the next batch may take: of a contract wallet's only those that it cannot take back any more, and none
    of a channel in quarantine."""
    wallet, held = aliased(Channel), aliased(Channel)
    set_aside = select(col(held.id)).where(col(held.quarantine_id).is_not(None))  # few, as a rule none
    wallets = select(col(wallet.id)).where(col(wallet.secured).is_not(None))  # few; the others are not looked at
    not_secured = exists().where(
        col(wallet.id) == col(Payment.channel_id), col(Payment.cumulative) > col(wallet.secured)
    )
    could_be_taken_back = and_(col(Payment.channel_id).in_(wallets), not_secured)
    return and_(col(Payment.batch_id).is_(None), ~could_be_taken_back, col(Payment.channel_id).not_in(set_aside))


def freeze(session: Session, hub: Hub, now: datetime, most: int = packing.UNLIMITED) -> Batch | None:
    """Takes the oldest waiting payments, and firings without one, into a new batch; None if there are none.

    :param most: what a batch may newly owe on chain, minor units
    """
    room, inside, most_channels = packing.Room(most), packing.Inside(), hub.settings.batch_max_channels
    first = loose.take(loose.ready(session, loose.FIRST), room, inside, most_channels)
    payments = _next_payments(session, hub, room, inside)
    if not (payments or first):
        return None
    batch_id = newest_id(session, col(Batch.id)) + 1
    if payments:
        last = col(Payment.id) <= payments[-1].id
        session.execute(update(Payment).where(waiting(), last).values(batch_id=batch_id))
    then = [firing for firing in loose.ready(session) if firing not in first]
    firings = [*_firings_of(session, batch_id), *first, *loose.take(then, room, inside, most_channels)]
    for firing in firings:
        firing.batch_id = batch_id
        session.add(firing)
    claimed = _freeze_claims(session, batch_id, payments, firings)
    earned = _earned(payments)
    given_back = refunds.take_in(session, batch_id, earned)
    credited = _freeze_credits(session, batch_id, earned)
    fired = [(firing.account, firing.amount) for firing in firings]
    entitled = _freeze_entitlements(session, batch_id, [*fired, *given_back])
    batch = Batch(
        id=batch_id,
        state="frozen",
        payment_count=len(payments),
        payer_count=len({p.channel_id for p in payments} | {firing.channel_id for firing in firings}),
        payments_root=hex_of(payments_tree(payments).root),
        entitlement_root=hex_of(entitlements_tree(session, batch_id).root),
        claimed=claimed,
        credited=credited,
        entitled=entitled,
        frozen_at=now,
    )
    assert claimed == credited + entitled, f"batch {batch_id} claims {claimed} for {credited} + {entitled}"
    session.add(batch)
    counters.add(session, {"payments_batched": len(payments)})
    session.flush()
    return batch


def dissolve(session: Session, batch: Batch) -> None:
    """Undoes `freeze`, exactly: its payments wait again, and its number is the next batch's. Only for one that no
    transaction can settle any more."""
    session.execute(update(Payment).where(col(Payment.batch_id) == batch.id).values(batch_id=None))
    session.execute(update(JarFiring).where(col(JarFiring.batch_id) == batch.id).values(batch_id=None))
    refunds.release(session, batch.id)
    for claim in session.scalars(select(BatchClaim).where(col(BatchClaim.batch_id) == batch.id)):
        session.get_one(Channel, claim.channel_id).claim_total -= claim.amount
    for raised in session.scalars(select(BatchEntitlement).where(col(BatchEntitlement.batch_id) == batch.id)):
        row = session.get_one(Entitlement, raised.account)
        row.cumulative -= raised.amount
        if not row.cumulative:
            session.delete(row)
    session.flush()
    for table in (BatchClaim, BatchCredit, BatchEntitlement):
        session.execute(delete(table).where(col(table.batch_id) == batch.id))
    counters.add(session, {"payments_batched": -batch.payment_count})
    session.execute(delete(Batch).where(col(Batch.id) == batch.id))


def payments_of(session: Session, batch_id: int, limit: int | None = None) -> list[Payment]:
    """A batch's payments in their order, the first `limit` of them."""
    query = select(Payment).where(col(Payment.batch_id) == batch_id).order_by(col(Payment.id)).limit(limit)
    return list(session.scalars(query))


def claims_of(session: Session, batch_id: int) -> list[BatchClaim]:
    """A batch's claims in the order in which they go on chain; what was secured before it does not claim."""
    of_batch = select(BatchClaim).where(col(BatchClaim.batch_id) == batch_id, ~col(BatchClaim.secured))
    return list(session.scalars(of_batch.order_by(col(BatchClaim.channel_id))))


def payments_tree(payments: list[Payment]) -> merkle.MerkleTree:
    return merkle.MerkleTree(leaf_of(p) for p in payments)


def leaves_of(session: Session, batch_id: int) -> Iterable[bytes]:
    """The leaves of a batch's payments, without their rows: a batch may have 20,000."""
    rows = session.execute(
        select(
            col(Payment.public_id),
            col(Payment.channel_id),
            col(Payment.amount),
            col(Payment.cumulative),
            col(Payment.payee),
        ).where(col(Payment.batch_id) == batch_id)
    )
    return (merkle.payment_leaf(*row) for row in rows)


def leaf_of(payment: Payment) -> bytes:
    return merkle.payment_leaf(payment.public_id, payment.channel_id, payment.amount, payment.cumulative, payment.payee)


def entitlements_tree(session: Session, batch_id: int) -> merkle.MerkleTree:
    """Over the accounts that the batch raises, with what they are then entitled to in all."""
    rows = session.execute(
        select(col(BatchEntitlement.account), col(BatchEntitlement.cumulative)).where(
            col(BatchEntitlement.batch_id) == batch_id
        )
    )
    return merkle.MerkleTree(merkle.entitlement_leaf(account, cumulative) for account, cumulative in rows)


def _firings_of(session: Session, batch_id: int) -> Sequence[JarFiring]:
    """The firings of a batch's payments, but for what was given back."""
    fired = and_(col(Payment.batch_id) == batch_id, col(Payment.jar_fired).is_not(None))
    query = select(JarFiring).join(Payment, col(Payment.public_id) == col(JarFiring.payment_id))
    return session.scalars(query.where(fired, ~col(JarFiring.returned)).order_by(col(JarFiring.id))).all()


def _next_payments(session: Session, hub: Hub, room: packing.Room, inside: packing.Inside) -> list[Payment]:
    """The oldest waiting payments, as many as there is room for."""
    oldest = session.scalars(
        select(Payment).where(waiting()).order_by(col(Payment.id)).limit(hub.settings.batch_max_payments)
    )
    taken: list[Payment] = []
    refunded_accounts = refunds.accounts_to_raise(session)
    for payment in oldest:
        wanted: dict[packing.Cost, str] = {packing.CLAIM: payment.channel_id}
        if payment.merchant_id is not None:
            wanted[packing.CREDIT] = payment.payee
        elif payment.jar_fired is not None:
            wanted[packing.MINT] = payment.payee
        new = inside.new(wanted)
        if packing.CLAIM in new and inside.count(packing.CLAIM) >= hub.settings.batch_max_channels:
            break
        for_refunds = [packing.MINT] * refunded_accounts.get(payment.payee, 0) if packing.CREDIT in new else []
        if not room.take(
            *new,
            *for_refunds,
            value=(payment.jar_fired or 0) + (payment.amount if payment.merchant_id is not None else 0),
        ):
            break
        inside.add(new)
        taken.append(payment)
    return taken


def _freeze_claims(session: Session, batch_id: int, payments: list[Payment], firings: Sequence[JarFiring]) -> int:
    """Claims from each channel what went to merchants or out of its jar. What is still in the jar stays in escrow."""
    amounts: dict[str, int] = defaultdict(int)
    for payment in payments:
        if payment.merchant_id is not None:
            amounts[payment.channel_id] += payment.amount
    for firing in firings:
        amounts[firing.channel_id] += firing.amount
    vouchers = session.execute(
        select(Channel, col(Payment.cumulative), col(Payment.signature))
        .join(Charged, col(Charged.account_id) == col(Channel.account_id))
        .join(Payment, NEWEST_OF_CHANNEL)
        .where(col(Channel.id).in_(amounts))
    ).all()
    assert len(vouchers) == len(amounts), f"batch {batch_id} has claims without a voucher"
    for channel, charged, signature in vouchers:
        amount = amounts[channel.id]
        channel.claim_total += amount
        channel.pressing = None
        assert channel.claim_total <= charged, f"{channel.id} would be claimed beyond its voucher"
        session.add(channel)
        session.add(
            BatchClaim(
                batch_id=batch_id,
                channel_id=channel.id,
                amount=amount,
                total_claimed=channel.claim_total,
                max_claimable=charged,
                signature=signature,
                secured=channel.secured is not None,
            )
        )
    return sum(amounts.values())


def _earned(payments: list[Payment]) -> dict[str, int]:
    """Merchant's address → what it was paid."""
    amounts: dict[str, int] = defaultdict(int)
    for payment in payments:
        if payment.merchant_id is not None:
            amounts[payment.payee] += payment.amount
    return amounts


def _freeze_credits(session: Session, batch_id: int, amounts: dict[str, int]) -> int:
    for address, amount in sorted(amounts.items()):
        if amount:
            session.add(BatchCredit(batch_id=batch_id, address=address, amount=amount))
    return sum(amounts.values())


def _freeze_entitlements(session: Session, batch_id: int, raises: Iterable[tuple[str, int]]) -> int:
    amounts: dict[str, int] = defaultdict(int)
    for raised, by in raises:
        amounts[raised] += by
    for account, amount in sorted(amounts.items()):
        row = session.get(Entitlement, account) or Entitlement(account=account, cumulative=0)
        row.cumulative += amount
        session.add(row)
        session.add(BatchEntitlement(batch_id=batch_id, account=account, amount=amount, cumulative=row.cumulative))
    session.flush()
    return sum(amounts.values())
