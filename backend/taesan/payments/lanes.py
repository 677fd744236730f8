"""The ways from the event loop to the intake: in a thread beside it, or in a process of its own.

The process is for the rate: Python runs one thread at a time, and HTTP alone keeps one busy. Requests that arrive while the
process is at work wait together and become its next group; no timer is needed.

    event loop → pipe → intake's process (verifiers' processes, one committer) → pipe → event loop
"""

import asyncio
import multiprocessing
import socket
import threading
from collections import deque
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from taesan.core import tracing
from taesan.core.logs import logs_of
from taesan.core.meters import Timer
from taesan.core.problems import busy
from taesan.hub import Hub
from taesan.payments import meters
from taesan.payments.engine import Engine, unavailable
from taesan.payments.intake_process import LENGTH, WINDOW, work
from taesan.payments.messages import Refusal, Result, Submission
from taesan.payments.terms import terms_of

log = structlog.get_logger()

GROUP = 2_000  # payments in one transaction: what it writes grows with its channels more than with its payments
AHEAD = 100  # payments that are worth a group of their own while another is on its way

_encode_group = msgspec.msgpack.Encoder().encode
_decode_results = msgspec.msgpack.Decoder(list[Result]).decode


class Lanes(Protocol):
    async def open(self) -> None:
        """Gets ready before the first payment comes."""
        ...

    async def submit(self, submissions: Sequence[Submission]) -> list[Result]:
        """Accepts what can be accepted; one result for each, in order. What is accepted is durable.

        :raises Problem: `busy` if too many wait already; nothing is stored then
        """
        ...

    def is_up(self) -> bool:
        """Whether payments are taken in at this moment; if not, it is tried again, so ask later. In the event loop."""
        ...

    @property
    def waiting(self) -> int:
        """Payments that are in the house and not answered yet."""
        ...

    async def close(self) -> None:
        """Ends what was opened; to be called when nobody waits for an answer any more."""
        ...


class LocalLanes:
    """The intake in this process: each request is a group of its own."""

    def __init__(self, hub: Hub) -> None:
        self._engine = Engine(hub.db, terms_of(hub), hub.clock)
        self._lock = threading.Lock()
        self.waiting = 0

    async def open(self) -> None: ...

    async def submit(self, submissions: Sequence[Submission]) -> list[Result]:
        self.waiting += len(submissions)
        meters.GROUP_PAYMENTS.observe(len(submissions))
        timer = Timer()
        try:
            return await asyncio.to_thread(self._run, submissions)
        finally:
            self.waiting -= len(submissions)
            timer.observed(meters.GROUP_SECONDS)

    def is_up(self) -> bool:
        return True

    def _run(self, submissions: Sequence[Submission]) -> list[Result]:
        with self._lock:
            return self._engine.run(submissions)

    async def close(self) -> None: ...


# -------------------------------------------------------------- the other process


class _Ticket:
    """A request's submissions, and which of them are still to be sent and to be answered. :ivar span: the request's"""

    __slots__ = ("future", "results", "span", "submissions")

    def __init__(self, submissions: Sequence[Submission], future: asyncio.Future[list[Result]]) -> None:
        self.submissions, self.future = submissions, future
        self.results: list[Result] = []
        self.span = tracing.current()


class _Group(NamedTuple):
    """What was sent together. :ivar parts: whose it is, and how many of each"""

    parts: Sequence[tuple[_Ticket, int]]
    timer: Timer
    span: Any


class ProcessLanes(asyncio.Protocol):
    """The intake in a process of its own, started again if it dies. For one event loop."""

    def __init__(self, hub: Hub) -> None:
        self._terms, self._url, self._most = terms_of(hub), hub.settings.database_url, hub.settings.intake_queue_max
        self._verifiers, self._cache_mib = hub.settings.intake_verifiers, hub.settings.intake_cache_mib
        self._logs = logs_of(hub.settings, ["database_url"])
        self._waiting: deque[tuple[_Ticket, Sequence[Submission]]] = deque()
        self._sent: deque[_Group] = deque()
        self._in_house = self._waiting_count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: BaseProcess | None = None
        self._transport: asyncio.Transport | None = None
        self._starting: asyncio.Task[None] | None = None
        self._buffer = bytearray()
        self._ready = asyncio.Event()
        self._is_closing = False

    async def submit(self, submissions: Sequence[Submission]) -> list[Result]:
        if not submissions:
            return []
        if self._in_house + len(submissions) > self._most:
            raise busy()
        self._loop = self._loop or asyncio.get_running_loop()  # asked once: Python asks the system for it
        ticket = _Ticket(submissions, self._loop.create_future())
        self._in_house += len(submissions)
        for start in range(0, len(submissions), GROUP):
            self._waiting.append((ticket, submissions[start : start + GROUP]))
        self._waiting_count += len(submissions)
        if self._transport is not None and self._ready.is_set():
            self._send()
        elif self._starting is None:
            self._starting = asyncio.create_task(self._start())
        return await ticket.future

    async def open(self) -> None:
        self._starting = asyncio.create_task(self._start())
        await self._starting

    def is_up(self) -> bool:
        is_up = self._transport is not None and self._ready.is_set()
        if not is_up and self._starting is None:
            # Whoever is told so may send no payment, which would be what starts it.
            self._starting = asyncio.create_task(self._start())
        return is_up

    @property
    def waiting(self) -> int:
        return self._in_house

    async def close(self) -> None:
        self._is_closing = True
        if self._transport is not None:
            self._transport.close()  # the process ends when nobody is at the other end
        if self._process is not None:
            await asyncio.to_thread(self._process.join, 10)

    async def _start(self) -> None:
        """Until the process is ready, which takes a second or two."""
        ready = self._ready
        try:
            await self._start_process()
            await ready.wait()
        except Exception as error:
            log.exception("intake.not_started")
            self.connection_lost(error)
        finally:
            self._starting = None
        if self._transport is not None:
            self._send()
        elif self._waiting:  # it came while the process was dying
            self._starting = asyncio.create_task(self._start())

    async def _start_process(self) -> None:
        ours, theirs = socket.socketpair()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(
            target=work,
            args=(theirs, self._url, self._terms, self._verifiers, self._cache_mib, self._logs),
            name="taesan-intake",
        )
        await asyncio.to_thread(self._process.start)
        theirs.close()
        self._transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)

    def _send(self) -> None:
        """Sends what waits, in groups, as long as there is room in the window."""
        assert self._transport is not None
        while self._waiting and len(self._sent) < (WINDOW if self._waiting_count >= AHEAD else 1):
            parts: list[tuple[_Ticket, int]] = []
            group: list[Submission] = []
            while self._waiting and len(group) + len(self._waiting[0][1]) <= GROUP:
                ticket, part = self._waiting.popleft()
                self._waiting_count -= len(part)
                parts.append((ticket, len(part)))
                group.extend(part)
            span = _begin_span(parts, len(group)) if tracing.is_on() else None
            message = _encode_group((tracing.carried(span), group))
            self._transport.write(len(message).to_bytes(LENGTH, "big") + message)
            self._sent.append(_Group(parts, Timer(), span))
            meters.GROUP_PAYMENTS.observe(len(group))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= LENGTH:
            end = LENGTH + int.from_bytes(self._buffer[:LENGTH], "big")
            if len(self._buffer) < end:
                return
            if end == LENGTH:
                del self._buffer[:end]
                self._ready.set()
                continue
            results = _decode_results(self._buffer[LENGTH:end])
            del self._buffer[:end]
            group = self._sent.popleft()
            group.timer.observed(meters.GROUP_SECONDS)
            if group.span is not None:
                group.span.end()
            self._answer(group.parts, results)
            self._send()

    def _answer(self, parts: Sequence[tuple[_Ticket, int]], results: Sequence[Result]) -> None:
        self._in_house -= len(results)
        at = 0
        for ticket, count in parts:
            ticket.results += results[at : at + count]
            at += count
            if len(ticket.results) == len(ticket.submissions) and not ticket.future.done():
                ticket.future.set_result(ticket.results)

    def connection_lost(self, exc: Exception | None) -> None:
        """The process is gone. What it had is answered so that clients ask again: whether it was accepted is unknown."""
        self._transport = None
        self._ready.set()  # whoever waits for it need not any more
        self._ready = asyncio.Event()
        self._buffer.clear()
        for group in self._sent:
            if group.span is not None:
                group.span.end()
        lost = [*(group.parts for group in self._sent), [(ticket, len(part)) for ticket, part in self._waiting]]
        self._sent.clear()
        self._waiting.clear()
        self._waiting_count = 0
        refusal = Refusal.of(unavailable())
        count = sum(size for parts in lost for _, size in parts)
        if not self._is_closing:
            meters.LOST.values[()] += 1
            log.error("intake.lost", payments=count)
        for parts in lost:
            self._answer(parts, [refusal] * sum(size for _, size in parts))


def _begin_span(parts: Sequence[tuple[_Ticket, int]], payments: int) -> Any:
    return tracing.detached("intake group", {"taesan.payments": payments}, [ticket.span for ticket, _ in parts])
