"""A demo's folder, opened again: its chain running, its books caught up with it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlmodel import Session

from taesan.chain import watcher
from taesan.chain.models import ChainCursor
from taesan.core import outbox
from taesan.demo import devnet, folder
from taesan.demo.processes import DemoFailed, free_port
from taesan.hub import Hub
from taesan.settings import Settings
from taesan.work import event_handlers

PATIENCE_S = 30
POLL_S = 0.2


@dataclass(frozen=True)
class Revisit:
    """:ivar alone: we have started the chain for the while, and no worker reads it"""

    settings: Settings
    alone: bool

    def catch_up(self, hub: Hub) -> None:
        """Until all that the chain said is booked, or for a while; reads the chain ourselves if nobody else does.

        A chain that was started again knows its newest state only, so the books have to reach that block.
        """
        deadline = time.monotonic() + PATIENCE_S
        goal = int(hub.node.head()["number"]) if self.alone else 0
        handlers = event_handlers(hub)
        while time.monotonic() < deadline:
            if self.alone:
                watcher.index(hub.db, hub.node, hub.contracts, hub.clock, hub.settings.depth)
                outbox.deliver(hub.db, handlers, hub.clock)
            with hub.db.read() as session:
                if outbox.waiting_count(session) == 0 and _read_up_to(session) >= goal:
                    return
            time.sleep(POLL_S)


@contextmanager
def revisited(place: Path | None) -> Iterator[Revisit]:
    """A folder with its chain running: that of a run that is up, or one started for the while. Without a folder, what
    the environment's settings name.

    :raises DemoFailed: nothing was kept there, or its chain does not start
    """
    if place is None:
        yield Revisit(Settings(), alone=False)
        return
    if not place.is_dir():
        raise DemoFailed(f"there is no folder {place}: `make run` makes one")
    try:
        with folder.held(place):
            chain = devnet.saved_chain(place)
            if chain is None:
                raise DemoFailed(f"{place} keeps no chain: `make run` makes one")
            port = free_port(folder.chain_port(place))
            process = devnet.start(chain, port, place)
            try:
                yield Revisit(folder.settings(place, port), alone=True)
            finally:
                process.stop()
    except folder.FolderInUse:
        yield Revisit(folder.settings(place, folder.chain_port(place)), alone=False)


def _read_up_to(session: Session) -> int:
    return session.get_one(ChainCursor, 1).block_number
