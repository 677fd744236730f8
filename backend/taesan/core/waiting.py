"""Waiting for what others write, without a thread, a transaction or a question for each who waits: one look for all."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

from taesan.core.problems import busy

MOST = 1_000  # requests that may wait


class SharedWatch:
    """For one event loop.

    :param look: of the keys that somebody waits for, those of which there is news; called in a thread, as long as anybody waits
    :param begin: called so before the first look of such a while
    """

    def __init__(
        self,
        look: Callable[[Collection[int]], Collection[int]],
        every_s: float,
        begin: Callable[[], None] | None = None,
    ) -> None:
        self._look_at, self._every_s, self._begin = look, every_s, begin
        self._futures: dict[int, set[asyncio.Future[None]]] = defaultdict(set)
        self._count = 0
        self._looking: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()

    def waiting(self, key: int) -> int:
        """How many wait for it."""
        return len(self._futures.get(key, ()))

    @asynccontextmanager
    async def listening(self, key: int) -> AsyncIterator[asyncio.Future[None]]:
        """A future that is done once there is news of it; its error is that of a look that has failed.

        :raises Problem: `busy`. :raises UNAVAILABLE: the database is away
        """
        if self._count >= MOST:
            raise busy()
        future = asyncio.get_running_loop().create_future()
        self._futures[key].add(future)
        self._count += 1
        try:
            async with self._beginning:
                if self._looking is None or self._looking.done():
                    if self._begin is not None:
                        await asyncio.to_thread(self._begin)
                    self._looking = asyncio.create_task(self._look())
            yield future
        finally:
            future.cancel()
            self._count -= 1
            self._futures[key].discard(future)
            if not self._futures[key]:
                del self._futures[key]

    async def _look(self) -> None:
        while self._futures:
            try:
                for key in await asyncio.to_thread(self._look_at, list(self._futures)):
                    for future in self._futures.get(key, ()):
                        if not future.done():
                            future.set_result(None)
            except Exception as error:
                for futures in self._futures.values():
                    for future in futures:
                        if not future.done():
                            future.set_exception(error)
                return
            await asyncio.sleep(self._every_s)
