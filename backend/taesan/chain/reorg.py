"""The way back after a reorganisation that reaches below the depth at which events count.

`step_back`: the cursor goes to the last block that both chains share. Events of later blocks are orphaned, and our transactions
of those blocks are sent again, as no pool may have them any more. Until the chain is read again as far as it was, nothing is
accepted, signed or booked. `resolve`: events that have come back by then were booked once and stay so; those that have not
are un-posted, the last first, all in one transaction.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

import structlog
from sqlalchemy import Exists, delete, exists, select, update
from sqlmodel import Session, col

from taesan.chain import alarms, transfers
from taesan.chain.models import Alarm, ChainAttempt, ChainBlock, ChainCursor, ChainEvent, ChainTransaction
from taesan.chain.rpc import Node
from taesan.core import counters
from taesan.core.clock import Clock
from taesan.core.db import UNAVAILABLE, Database
from taesan.core.models import OutboxEvent
from taesan.core.outbox import Handler
from taesan.core.values import hex_of

log = structlog.get_logger()

KEPT_BLOCKS = 512
OUTBOX_PREFIX = "log:"


class DeepReorg(Exception):
    """A block that counted as final is no longer on the chain, and no earlier one that we know is; a person has to look."""


class CannotUndo(Exception):
    """What an event has led to cannot be taken back by the hub alone; a person has to look."""


def remember(session: Session, number: int, hash_: str) -> None:
    """Keeps the cursor's block, and forgets those, and their events, that no way leads back to any more."""
    session.merge(ChainBlock(number=number, hash=hash_))
    session.flush()
    numbers = select(col(ChainBlock.number)).order_by(col(ChainBlock.number).desc())
    oldest = session.scalar(numbers.offset(KEPT_BLOCKS - 1).limit(1))
    if oldest is not None:
        session.execute(delete(ChainBlock).where(col(ChainBlock.number) < oldest))
        session.execute(
            delete(ChainEvent).where(col(ChainEvent.block_number) <= oldest, ~col(ChainEvent.orphaned)),
        )


def step_back(db: Database, node: Node, clock: Clock, head: int) -> None:
    """The last block read is not on the chain any more: goes back to the newest that is.

    :raises DeepReorg: none of those that are kept is
    """
    with db.read() as session:
        cursor = session.get_one(ChainCursor, 1)
        blocks = session.scalars(select(ChainBlock).order_by(col(ChainBlock.number).desc())).all()
    # What is on the chain has only such before it: from the newest on, first those that are gone, then those that are there.
    at = bisect_left(blocks, True, key=lambda block: hex_of(node.block(block.number)["hash"]) == block.hash)
    detail = f"block {cursor.block_number} was {cursor.block_hash} and is no longer on the chain"
    if at == len(blocks):
        with db.write() as session:
            row = session.get_one(ChainCursor, 1)
            row.doubtful_until = max(row.doubtful_until or 0, row.block_number, head)
            alarms.raise_(session, alarms.DEEP_REORG, f"{detail}, nor is any earlier one that is kept", clock.now())
        raise DeepReorg(detail)
    fork = blocks[at]
    with db.write() as session:
        row = session.get_one(ChainCursor, 1)
        if row.block_hash != cursor.block_hash:
            return  # another worker was faster
        row.doubtful_until = max(row.doubtful_until or 0, row.block_number, head)
        row.block_number, row.block_hash, row.head_block = fork.number, fork.hash, head
        session.execute(delete(ChainBlock).where(col(ChainBlock.number) > fork.number))
        orphaned = session.execute(
            update(ChainEvent).where(col(ChainEvent.block_number) > fork.number).values(orphaned=True)
        )
        sent_again = _send_again(session, fork.number)
        detail += (
            f"; read again from block {fork.number}: {orphaned.rowcount} events in doubt, "  # type: ignore[attr-defined]
            f"{sent_again} transactions sent again"
        )
        alarms.raise_(session, alarms.DEEP_REORG, detail, clock.now())


def _send_again(session: Session, after: int) -> int:
    """Our transactions of later blocks count as sent and not mined, and all that wait are due; those that had failed there are
    done with."""
    rows = session.scalars(
        select(ChainTransaction).where(
            col(ChainTransaction.block_number) > after, col(ChainTransaction.state).in_(["mined", "confirmed"])
        )
    ).all()
    counted: Counter[str] = Counter()
    for row in rows:
        if row.state == "confirmed":
            counted["transactions"] -= 1
            counted[f"gas:{row.kind}"] -= row.gas_used or 0
        row.state, row.broadcast_at = "broadcast", None
        row.block_number = row.block_hash = row.gas_used = None
    session.flush()
    waiting = update(ChainTransaction).where(col(ChainTransaction.state) == "broadcast")
    session.execute(waiting.values(broadcast_at=None))
    counters.add(session, counted)
    return len(rows)


def orphaned_recipients(session: Session) -> list[str]:
    """Wallets to which transfers may come back: to be watched though nobody may wait for them any more."""
    orphans = (
        select(OutboxEvent)
        .join(ChainEvent, col(OutboxEvent.key) == OUTBOX_PREFIX + col(ChainEvent.key))
        .where(col(ChainEvent.orphaned), col(OutboxEvent.type) == transfers.EVENT)
    )
    return [event.payload["args"]["to"] for event in session.scalars(orphans)]


def resolve(db: Database, undo: Mapping[str, list[Handler]], clock: Clock, depth: int) -> bool:
    """Worker step: ends the doubt, once the chain has been read as far as it was before and our own transactions have come
    to an end; returns whether it did.

    :param undo: event type → what takes back its handlers' work; for each type that has handlers
    """
    with db.read() as session:
        cursor = session.get_one(ChainCursor, 1)
        if cursor.doubtful_until is None or cursor.block_number < max(cursor.doubtful_until, cursor.head_block - depth):
            return False
        if session.scalar(select(_waits_for_ours())):
            return False
    try:
        with db.write() as session:
            count = _undo_orphans(session, undo, clock)
            session.get_one(ChainCursor, 1).doubtful_until = None
            alarms.clear(session, alarms.DEEP_REORG)
    except UNAVAILABLE:
        raise
    except Exception as error:
        detail = f"what a reorganisation removed cannot be un-posted; a person has to look: {error!r}"[:500]
        with db.write() as session:
            told = session.get(Alarm, alarms.DEEP_REORG)
            if told is None or told.detail != detail:  # once, not at every tick
                log.exception("reorg.stuck")
            alarms.raise_(session, alarms.DEEP_REORG, detail, clock.now())
        return False
    log.warning("reorg.resolved", unposted=count)
    return True


def _undo_orphans(session: Session, undo: Mapping[str, list[Handler]], clock: Clock) -> int:
    orphans = session.execute(
        select(ChainEvent, OutboxEvent)
        .join(OutboxEvent, col(OutboxEvent.key) == OUTBOX_PREFIX + col(ChainEvent.key))
        .where(col(ChainEvent.orphaned))
        .order_by(col(OutboxEvent.id).desc())
    ).all()
    now = clock.now()
    for orphan, event in orphans:
        if event.handled_at is None:
            event.handled_at = now  # never to be booked
        else:
            log.error("event.unposted", type=event.type, key=orphan.key)
            for handler in undo[event.type]:
                handler(session, event.payload, now)
        session.delete(orphan)
        session.flush()
    return len(orphans)


def _waits_for_ours() -> Exists:
    """An orphaned event's transaction is ours and may still be mined."""
    return (
        exists()
        .where(col(ChainEvent.orphaned))
        .where(col(ChainAttempt.hash) == col(ChainEvent.transaction_hash))
        .where(col(ChainTransaction.id) == col(ChainAttempt.transaction_id))
        .where(col(ChainTransaction.state).in_(["signed", "broadcast", "mined"]))
    )
