"""Reads our contracts' events once they are deep enough and puts each in the outbox, once, in order.

"Once" holds over reorganisations too (`chain.reorg`): an event is known by its transaction and its place in it, not by its block.
"""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import alarms, reorg, transfers
from taesan.chain.contracts import Contracts, Event
from taesan.chain.models import ChainCursor, ChainEvent
from taesan.chain.rpc import Node, NodesDisagree
from taesan.core import outbox
from taesan.core.clock import Clock
from taesan.core.crashpoints import reach
from taesan.core.db import Database
from taesan.core.models import OutboxEvent
from taesan.core.values import hex_of

MAX_BLOCKS = 2_000
HEARD_EVERY = timedelta(seconds=10)


def index(
    db: Database,
    node: Node,
    contracts: Contracts,
    clock: Clock,
    depth: int,
    *,
    may_stand_still: bool = True,
    wallets: Callable[[Session], Collection[str]] = lambda _: (),
    least_transfer: int = 1,
) -> bool:
    """Takes in the next blocks that have `depth` blocks on top; returns whether there were events.

    :param may_stand_still: the chain makes blocks only when there is something to put in; otherwise a node that tells of no new
        block is one that has lost the chain, and counts as not heard from
    :param wallets: to which transfers of the reserve asset, of so much at least, are events as well. A wallet that is named only after the newest
        block was asked for misses nothing: what it waits for lies ahead

    After a reorganisation that reaches below that it steps back to where the chains part, to read on from there.

    :raises DeepReorg: it began before the blocks that are kept; a person has to look
    :raises NodesDisagree: our nodes know different blocks there; nothing is taken in
    """
    head = int(node.head()["number"])
    with db.read() as session:
        cursor = session.scalars(select(ChainCursor).where(col(ChainCursor.id) == 1)).one()
    last = min(head - depth, cursor.block_number + MAX_BLOCKS)
    if last <= cursor.block_number:
        is_alive = head != cursor.head_block
        if is_alive or (may_stand_still and clock.now() - cursor.read_at > HEARD_EVERY):
            with db.write() as session:
                row = session.get_one(ChainCursor, 1)
                row.head_block, row.read_at = head, clock.now()
        return False
    _require_agreement(db, node, clock, last)
    if hex_of(node.block(cursor.block_number)["hash"]) != cursor.block_hash:
        reorg.step_back(db, node, clock, head)
        return True
    first = cursor.block_number + 1
    with db.read() as session:
        paid = {*wallets(session), *reorg.orphaned_recipients(session)}
    events = contracts.decode_logs(node.logs(contracts.watched, first, last))
    events += transfers.to_wallets(node, contracts, paid, first, last, least_transfer)
    last_hash = hex_of(node.block(last)["hash"])
    reach("watcher.fetched")
    with db.write() as session:
        row = session.get_one(ChainCursor, 1)
        if row.block_hash != cursor.block_hash:
            return False  # our lease ran out while the node thought about it, and another worker was faster
        _take_in(session, events, clock.now())
        row.block_number, row.block_hash, row.head_block = last, last_hash, head
        if last == head - depth:  # or a payer's withdrawal may stand in what is still to be read
            row.read_at = clock.now()
        reorg.remember(session, last, last_hash)
        reach("watcher.before_commit")
    reach("watcher.after_commit")
    return bool(events)


def _require_agreement(db: Database, node: Node, clock: Clock, block: int) -> None:
    try:
        node.require_agreement(block)
    except NodesDisagree as error:
        with db.write() as session:
            alarms.raise_(session, alarms.NODES_DISAGREE, str(error), clock.now())
        raise
    with db.read() as session:
        is_over = alarms.is_on(session, alarms.NODES_DISAGREE)
    if is_over:
        with db.write() as session:
            alarms.clear(session, alarms.NODES_DISAGREE)


def _take_in(session: Session, events: Iterable[Event], now: datetime) -> None:
    """Puts new events in the outbox. Those that a reorganisation had removed and that came back unchanged are there."""
    for event in events:
        payload = event.payload
        known = session.execute(
            select(ChainEvent, OutboxEvent)
            .join(OutboxEvent, col(OutboxEvent.key) == reorg.OUTBOX_PREFIX + col(ChainEvent.key))
            .where(col(ChainEvent.event_key) == event.key)
        ).all()
        same = [row for row, put in known if (put.type, put.payload["args"]) == (event.name, event.args)]
        if same:
            same[0].orphaned, same[0].block_number = False, event.block_number
            continue
        key = event.key
        if not outbox.put(session, f"log:{key}", event.name, payload, now):
            # It was un-posted, or looks different now: it is booked anew, under a name of its own.
            payload["key"] = key = f"{key}@{event.block_hash[2:14]}"
            outbox.put(session, f"log:{key}", event.name, payload, now)
        session.add(
            ChainEvent(
                key=key,
                event_key=event.key,
                block_number=event.block_number,
                transaction_hash=event.transaction_hash,
            )
        )
        session.flush()
