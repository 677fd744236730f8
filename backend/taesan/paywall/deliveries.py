"""What was paid for and delivered lately, so that whoever lost the answer gets the same one, and is not charged again."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

MOST = 1_000  # deliveries kept
MOST_BYTES = 64 * 1024 * 1024  # of their bodies
KEPT_FOR_S = 600


@dataclass(frozen=True)
class Delivery:
    """An answer, whole. :ivar is_kept: it was charged, so whoever has lost it gets it again"""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    is_kept: bool = False


class Deliveries:
    """Of one process, and for one event loop. Requests for the same thing at the same time share one delivery."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[Delivery]] = {}
        self._kept: OrderedDict[str, tuple[float, Delivery]] = OrderedDict()
        self._bytes = 0

    async def once(self, identity: str, deliver: Callable[[], Awaitable[Delivery]]) -> Delivery:
        """What was delivered under this identity, or is now. A caller that is gone does not end it: others may wait."""
        kept = self._kept.get(identity)
        if kept is not None and time.monotonic() - kept[0] <= KEPT_FOR_S:
            return kept[1]
        task = self._running.get(identity)
        if task is None:
            task = asyncio.ensure_future(self._deliver(identity, deliver))
            self._running[identity] = task
        return await asyncio.shield(task)

    async def _deliver(self, identity: str, deliver: Callable[[], Awaitable[Delivery]]) -> Delivery:
        try:
            delivery = await deliver()
            if delivery.is_kept:
                self._keep(identity, delivery)
            return delivery
        finally:
            del self._running[identity]

    def _keep(self, identity: str, delivery: Delivery) -> None:
        self._forget(identity)
        self._kept[identity] = (time.monotonic(), delivery)
        self._bytes += len(delivery.body)
        while len(self._kept) > MOST or self._bytes > MOST_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, identity: str) -> None:
        kept = self._kept.pop(identity, None)
        if kept is not None:
            self._bytes -= len(kept[1].body)
