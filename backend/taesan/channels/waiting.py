"""Waiting for what is relayed, such as deposits and refunds, to come to an end."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import SQLModel

from taesan.core.waiting import SharedWatch
from taesan.hub import Hub

LOOK_S = timedelta(milliseconds=200).total_seconds()
ENDED = ("confirmed", "failed")


class RelayWatch:
    """For one event loop. :param table: whose rows are waited for; it has `id` and `state`"""

    def __init__(self, hub: Hub, table: type[SQLModel]) -> None:
        self._hub, self._table = hub, table
        self._watch = SharedWatch(self._ended, LOOK_S)

    async def wait(self, id_: int, timeout_s: int) -> None:
        """Until the row is confirmed or has failed, or the time is over.

        :raises Problem: `busy`. :raises UNAVAILABLE: the database is away
        """
        async with self._watch.listening(id_) as future:
            await asyncio.wait([future], timeout=timeout_s)
            if future.done():
                future.result()

    def _ended(self, ids: Collection[int]) -> list[int]:
        table: Any = self._table
        query = select(table.id).where(table.id.in_(ids), table.state.in_(ENDED))
        with self._hub.db.read() as session:
            return list(session.scalars(query))
