"""Waiting for what moves next, without a thread or a question for each who waits: one look at what is new, for all."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from taesan.core.problems import busy
from taesan.hub import Hub
from taesan.insights import streams
from taesan.insights.models import MovementRow

MOST, MOST_OF_ONE = 1_000, 10  # requests that may wait: in all, and of one person
LOOK_S = timedelta(milliseconds=500).total_seconds()


class NewsWatch:
    """For one event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._seen = hub, 0
        self._futures: dict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._count = 0
        self._looking: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @asynccontextmanager
    async def listening(self, owner: int) -> AsyncIterator[asyncio.Future[None]]:
        """A future that is done once something of the owner's has come, from now on: so listen first, then look at what is there.
        It is done at once for an owner who waits too often already: nobody takes the others' places.

        :raises Problem: `busy`. :raises UNAVAILABLE: the database is away
        """
        future = asyncio.get_running_loop().create_future()
        if len(self._futures.get(owner, ())) >= MOST_OF_ONE:
            future.set_result(None)
            yield future
            return
        if self._count >= MOST:
            raise busy()
        self._futures[owner].add(future)
        self._count += 1
        try:
            async with self._starting:
                if self._looking is None or self._looking.done():
                    self._seen = await asyncio.to_thread(self._newest)
                    self._looking = asyncio.create_task(self._look())
            yield future
        finally:
            future.cancel()
            self._count -= 1
            self._futures[owner].discard(future)
            if not self._futures[owner]:
                del self._futures[owner]

    async def _look(self) -> None:
        """As long as somebody waits."""
        while self._futures:
            try:
                for owner in await asyncio.to_thread(self._owners_of_new):
                    for future in self._futures.get(owner, ()):
                        if not future.done():
                            future.set_result(None)
            except Exception as error:
                for futures in self._futures.values():
                    for future in futures:
                        if not future.done():
                            future.set_exception(error)
                return
            await asyncio.sleep(LOOK_S)

    def _newest(self) -> int:
        with self._hub.db.read() as session:
            return streams.newest(session)

    def _owners_of_new(self) -> Collection[int]:
        with self._hub.db.read() as session:
            newest = streams.newest(session)
            new = (col(MovementRow.id) > self._seen, col(MovementRow.id) <= newest)
            owners = session.scalars(select(col(MovementRow.owner)).where(*new).distinct()).all()
        self._seen = newest
        return owners
