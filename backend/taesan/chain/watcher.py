"""Reads our contracts' events once they are deep enough and puts each in the outbox, once, in order."""

from sqlalchemy import select
from sqlmodel import col

from taesan.chain.contracts import Contracts
from taesan.chain.models import ChainCursor
from taesan.chain.rpc import Node
from taesan.core import outbox
from taesan.core.clock import Clock
from taesan.core.db import Database
from taesan.core.values import hex_of

MAX_BLOCKS = 2_000


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
        if head != cursor.head_block:
            _move(db, cursor, head)
        return False
    now_there = hex_of(node.block(cursor.block_number)["hash"])
    if now_there != cursor.block_hash:
        raise DeepReorg(f"block {cursor.block_number} was {cursor.block_hash} and is {now_there}")
    addresses = [contracts.deployment.channels, contracts.deployment.settlement]
    logs = node.logs(addresses, cursor.block_number + 1, last)
    events = [event for event in map(contracts.decode_log, logs) if event is not None]
    last_hash = hex_of(node.block(last)["hash"])
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
        row.block_number, row.block_hash, row.head_block = last, last_hash, head
    return bool(events)


def _move(db: Database, cursor: ChainCursor, head: int) -> None:
    with db.write() as session:
        session.get_one(ChainCursor, 1).head_block = head
