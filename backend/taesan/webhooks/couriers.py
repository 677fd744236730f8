"""Has deliveries tried beside everything else: a loop in a thread of its own sends, the worker's step claims and notes."""

import asyncio
import random
import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import timedelta

import structlog

from taesan.core import restoration
from taesan.core.clock import has_passed
from taesan.core.db import UNAVAILABLE, brief
from taesan.core.worker import NEVER, Worker
from taesan.hub import Hub
from taesan.webhooks import deliveries, sending
from taesan.webhooks.deliveries import UNDER_WAY_MAX, Parcel
from taesan.webhooks.events import tell_payments_step
from taesan.webhooks.sending import Pinned, Try

log = structlog.get_logger()

LEASE = "webhooks"
PATIENCE_S = 0.1  # how long a step waits for one of those that are under way
FAREWELL_S = 5  # how long those under way are waited for at the end
FORGET_EVERY = timedelta(hours=1)


class Couriers:
    """One thread calls `step` and `close`.

    :param chance: from 0 to 1, for the jitter
    """

    def __init__(self, hub: Hub, transport: Pinned | None = None, chance: Callable[[], float] = random.random) -> None:
        self._hub, self._chance = hub, chance
        self._transport = transport or Pinned(local_allowed=hub.settings.local_webhooks)
        self._served = 0  # the endpoint that had its turn last
        self._under_way: dict[int, int] = {}  # delivery → endpoint
        self._done: deque[tuple[Parcel, Try]] = deque()
        self._any_done = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forgot_at = NEVER

    def step(self) -> bool:
        """Worker step: notes what has come back, sends what is due; returns whether there is anything to do."""
        done = list(self._done)
        due = self._due(done)
        if done or due:
            self._note_and_send(done, due)
        elif self._under_way:
            self._any_done.wait(PATIENCE_S)
        self._any_done.clear()
        return bool(done or self._under_way)

    def forget_step(self) -> bool:
        """Worker step: what is older than is kept goes."""
        now = self._hub.clock.now()
        if not has_passed(FORGET_EVERY, self._forgot_at, now):
            return False
        with self._hub.db.write() as session:
            is_more = deliveries.forget(session, now)
        if not is_more:
            self._forgot_at = now
        return is_more

    def close(self) -> None:
        """Waits a little for what is under way. What is not noted by then is tried again by whoever comes next."""
        waited = 0.0
        while self._under_way and len(self._done) < len(self._under_way) and waited < FAREWELL_S:
            self._any_done.wait(PATIENCE_S)
            self._any_done.clear()
            waited += PATIENCE_S
        try:
            if done := list(self._done):
                self._note_and_send(done, [])
        except UNAVAILABLE as error:
            log.warning("webhooks.not_noted", reason=brief(error))
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._break_off(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None

    async def _break_off(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._transport.aclose()

    def _due(self, done: list[tuple[Parcel, Try]]) -> list[int]:
        over = {parcel.delivery_id for parcel, _ in done}
        busy = Counter(endpoint for id_, endpoint in self._under_way.items() if id_ not in over)
        room = UNDER_WAY_MAX - busy.total()
        if room <= 0:
            return []
        with self._hub.db.read() as session:
            if restoration.is_reconciling(session):
                return []  # what is told may be older than what was told before
            due = deliveries.find_due(session, self._hub.clock.now(), room, busy, self._served)
        self._served = due.last
        return due.ids

    def _note_and_send(self, done: list[tuple[Parcel, Try]], due: list[int]) -> None:
        now = self._hub.clock.now()
        with self._hub.db.write() as session:
            for parcel, tried in done:
                deliveries.note(session, parcel, tried, now, self._chance())
            token = deliveries.claim(session, due, now) if due else ""
        for parcel, _ in done:  # only now: what could not be noted stays to be
            self._done.popleft()
            self._under_way.pop(parcel.delivery_id, None)
        if not due:
            return
        with self._hub.db.read() as session:
            ready = deliveries.parcels(session, due, token, now)
        for parcel in ready:
            self._under_way[parcel.delivery_id] = parcel.endpoint_id
            asyncio.run_coroutine_threadsafe(self._carry(parcel), self._running_loop())

    async def _carry(self, parcel: Parcel) -> None:
        try:
            tried = await sending.post(self._transport, parcel.url, parcel.headers, parcel.body)
        except Exception as error:
            log.exception("webhook.not_sent", delivery_id=parcel.delivery_id)
            tried = Try(None, type(error).__name__, "", 0)
        self._done.append((parcel, tried))
        self._any_done.set()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._loop.run_forever, name="webhooks", daemon=True).start()
        return self._loop


class WebhookWorker(Worker):
    """Beside the pipeline's worker, with a lease of its own: neither waits for the other."""

    def __init__(self, hub: Hub, couriers: Couriers | None = None) -> None:
        self._couriers = couriers or Couriers(hub)
        steps = {
            "tell payments": lambda: tell_payments_step(hub),
            "send webhooks": self._couriers.step,
            "forget webhooks": self._couriers.forget_step,
        }
        super().__init__(hub.db, hub.clock, steps, hub.settings.worker_tick_s, hub.settings.worker_lease_s, LEASE)

    def run(self) -> None:
        super().run()
        self._couriers.close()
