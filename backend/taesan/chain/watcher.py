"""Reads our contracts' events once they are deep enough and puts each in the outbox, once, in order."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain.contracts import Contracts
from taesan.chain.models import ChainCursor
from taesan.chain.rpc import Node
from taesan.core import outbox
from taesan.core.clock import Clock
from taesan.core.crashpoints import reach
from taesan.core.db import Database
from taesan.core.values import hex_of

MAX_BLOCKS = 2_000
HEARD_EVERY = timedelta(seconds=10)


class DeepReorg(Exception):
    """A block that counted as final is no longer on the chain; a person has to look."""


def index(db: Database, node: Node, contracts: Contracts, clock: Clock, depth: int) -> bool:
    """Takes in the next blocks that have `depth` blocks on top; returns whether there were events.

    :raises DeepReorg: the last block read has another hash now
    """
    head = int(node.head()["number"])
    with db.read() as session:
        cursor = session.scalars(select(ChainCursor).where(col(ChainCursor.id) == 1)).one()
    last = min(head - depth, cursor.block_number + MAX_BLOCKS)
    if last <= cursor.block_number:
        if head != cursor.head_block or clock.now() - cursor.read_at > HEARD_EVERY:
            with db.write() as session:
                row = session.get_one(ChainCursor, 1)
                row.head_block, row.read_at = head, clock.now()
        return False
    now_there = hex_of(node.block(cursor.block_number)["hash"])
    if now_there != cursor.block_hash:
        raise DeepReorg(f"block {cursor.block_number} was {cursor.block_hash} and is {now_there}")
    logs = node.logs(contracts.watched, cursor.block_number + 1, last)
    events = [event for event in map(contracts.decode_log, logs) if event is not None]
    last_hash = hex_of(node.block(last)["hash"])
    reach("watcher.fetched")
    with db.write() as session:
        for event in sorted(events, key=lambda e: (e.block_number, e.log_index)):
            payload = {
                "args": event.args,
                "block_number": event.block_number,
                "transaction": event.transaction_hash,
                "key": event.key,
            }
            outbox.put(session, f"log:{event.key}", event.name, payload, clock.now())
        row = session.get_one(ChainCursor, 1)
        row.block_number, row.block_hash, row.head_block, row.read_at = last, last_hash, head, clock.now()
        reach("watcher.before_commit")
    reach("watcher.after_commit")
    return bool(events)


def known_since(session: Session) -> datetime:
    """Since when the books may lack something that the chain knows: when we last heard from it, or when the oldest
    event came that is not booked yet."""
    heard = session.get_one(ChainCursor, 1).read_at
    waiting = outbox.oldest_waiting(session)
    return min(heard, waiting) if waiting else heard
