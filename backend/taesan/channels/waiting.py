"""Waiting for what is relayed, such as deposits and refunds, to come to an end, without a thread or a transaction for each who waits."""

import asyncio
from collections import defaultdict
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel

from taesan.core.problems import busy
from taesan.hub import Hub

MOST = 1_000  # requests that may wait
LOOK_S = timedelta(milliseconds=200).total_seconds()
ENDED = ("confirmed", "failed")


class RelayWatch:
    """One look at the database for all who wait. For one event loop. :param table: whose rows are waited for; it has `id` and `state`"""

    def __init__(self, hub: Hub, table: type[SQLModel]) -> None:
        self._hub, self._table = hub, table
        self._futures: dict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._count = 0
        self._looking: asyncio.Task[None] | None = None

    async def wait(self, id_: int, timeout_s: int) -> None:
        """Until the row is confirmed or has failed, or the time is over.

        :raises Problem: `busy`. :raises UNAVAILABLE: the database is away
        """
        if self._count >= MOST:
            raise busy()
        future = asyncio.get_running_loop().create_future()
        self._futures[id_].add(future)
        self._count += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            await asyncio.wait([future], timeout=timeout_s)
            if future.done():
                future.result()
        finally:
            future.cancel()
            self._count -= 1
            self._futures[id_].discard(future)
            if not self._futures[id_]:
                del self._futures[id_]

    async def _look(self) -> None:
        """As long as somebody waits."""
        while self._futures:
            try:
                for id_ in await asyncio.to_thread(self._ended, list(self._futures)):
                    for future in self._futures.get(id_, ()):
                        if not future.done():
                            future.set_result(None)
            except Exception as error:
                for futures in self._futures.values():
                    for future in futures:
                        if not future.done():
                            future.set_exception(error)
                return
            await asyncio.sleep(LOOK_S)

    def _ended(self, ids: Collection[int]) -> list[int]:
        table: Any = self._table
        query = select(table.id).where(table.id.in_(ids), table.state.in_(ENDED))
        with self._hub.db.read() as session:
            return list(session.scalars(query))
