"""Waiting for what moves next."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from taesan.core.waiting import SharedWatch
from taesan.hub import Hub
from taesan.insights import streams
from taesan.insights.models import MovementRow

MOST_OF_ONE = 10  # requests of one person that may wait
LOOK_S = timedelta(milliseconds=500).total_seconds()


class NewsWatch:
    """For one event loop."""

    def __init__(self, hub: Hub) -> None:
        self._hub, self._seen = hub, 0
        self._watch = SharedWatch(self._owners_of_new, LOOK_S, self._begin)

    @asynccontextmanager
    async def listening(self, owner: int) -> AsyncIterator[asyncio.Future[None]]:
        """A future that is done once something of the owner's has come, from now on: so listen first, then look at what is there.
        It is done at once for an owner who waits too often already: nobody takes the others' places.

        :raises Problem: `busy`. :raises UNAVAILABLE: the database is away
        """
        if self._watch.waiting(owner) >= MOST_OF_ONE:
            future = asyncio.get_running_loop().create_future()
            future.set_result(None)
            yield future
            return
        async with self._watch.listening(owner) as future:
            yield future

    def _begin(self) -> None:
        with self._hub.db.read() as session:
            self._seen = streams.newest(session)

    def _owners_of_new(self, _owners: Collection[int]) -> Collection[int]:
        with self._hub.db.read() as session:
            newest = streams.newest(session)
            new = (col(MovementRow.id) > self._seen, col(MovementRow.id) <= newest)
            owners = session.scalars(select(col(MovementRow.owner)).where(*new).distinct()).all()
        self._seen = newest
        return owners
