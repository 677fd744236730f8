"""The ways from the event loop to the intake: in a thread beside it, or in a process of its own.

The process is for the rate: Python runs one thread at a time, and HTTP alone keeps one busy. Requests that arrive while the
process is at work wait together and become its next group; no timer is needed.

    event loop → pipe → intake's process (verifiers' processes, one committer) → pipe → event loop
"""

import asyncio
import contextlib
import multiprocessing
import signal
import socket
import threading
from collections import deque
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from queue import Queue
from typing import Protocol

import msgspec
import structlog

from taesan.core.clock import SystemClock
from taesan.core.db import Database
from taesan.core.garbage import calm_collector
from taesan.core.logs import set_up_logs
from taesan.core.problems import busy
from taesan.hub import Hub
from taesan.payments.engine import Engine, Started, unavailable
from taesan.payments.messages import Refusal, Result, Submission
from taesan.payments.terms import Terms, terms_of
from taesan.payments.verifiers import VerifierLost, Verifiers

log = structlog.get_logger()

GROUP = 1_000  # payments in one transaction
WINDOW = 3  # groups on their way: one is committed, one has its signatures verified, one is there to be next
AHEAD = 100  # payments that are worth a group of their own while another is on its way
LENGTH = 4  # bytes that tell a message's length
READY = bytes(LENGTH)  # the process's first message

_encode_submissions = msgspec.msgpack.Encoder().encode
_decode_submissions = msgspec.msgpack.Decoder(list[Submission]).decode
_encode_results = msgspec.msgpack.Encoder().encode
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

    async def close(self) -> None:
        """Ends what was opened; to be called when nobody waits for an answer any more."""
        ...


class LocalLanes:
    """The intake in this process: each request is a group of its own."""

    def __init__(self, hub: Hub) -> None:
        self._engine = Engine(hub.db, terms_of(hub), hub.clock)
        self._lock = threading.Lock()

    async def open(self) -> None: ...

    async def submit(self, submissions: Sequence[Submission]) -> list[Result]:
        return await asyncio.to_thread(self._run, submissions)

    def _run(self, submissions: Sequence[Submission]) -> list[Result]:
        with self._lock:
            return self._engine.run(submissions)

    async def close(self) -> None: ...


# -------------------------------------------------------------- the other process


class _Ticket:
    """A request's submissions, and which of them are still to be sent and to be answered."""

    __slots__ = ("future", "results", "submissions")

    def __init__(self, submissions: Sequence[Submission], future: asyncio.Future[list[Result]]) -> None:
        self.submissions, self.future = submissions, future
        self.results: list[Result] = []


class ProcessLanes(asyncio.Protocol):
    """The intake in a process of its own, started again if it dies. For one event loop."""

    def __init__(self, hub: Hub) -> None:
        self._terms, self._url, self._most = terms_of(hub), hub.settings.database_url, hub.settings.intake_queue_max
        self._verifiers, self._cache_mib = hub.settings.intake_verifiers, hub.settings.intake_cache_mib
        self._waiting: deque[tuple[_Ticket, Sequence[Submission]]] = deque()
        self._sent: deque[list[tuple[_Ticket, int]]] = deque()
        self._in_house = self._waiting_count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process: BaseProcess | None = None
        self._transport: asyncio.Transport | None = None
        self._starting: asyncio.Task[None] | None = None
        self._buffer = bytearray()
        self._ready = asyncio.Event()

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

    async def close(self) -> None:
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
            target=work, args=(theirs, self._url, self._terms, self._verifiers, self._cache_mib), name="taesan-intake"
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
            message = _encode_submissions(group)
            self._transport.write(len(message).to_bytes(LENGTH, "big") + message)
            self._sent.append(parts)

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
            self._answer(self._sent.popleft(), results)
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
        lost = [*self._sent, [(ticket, len(part)) for ticket, part in self._waiting]]
        self._sent.clear()
        self._waiting.clear()
        self._waiting_count = 0
        refusal = Refusal.of(unavailable())
        count = sum(size for parts in lost for _, size in parts)
        if count:
            log.error("intake.lost", payments=count)
        for parts in lost:
            self._answer(parts, [refusal] * sum(size for _, size in parts))


def work(pipe: socket.socket, database_url: str, terms: Terms, verifier_count: int, cache_mib: int) -> None:
    """The intake's process: until nobody is at the other end of the pipe."""
    set_up_logs()
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # these go to all of us; the service ends first, and what it has begun
        signal.signal(number, signal.SIG_IGN)
    with contextlib.ExitStack() as stack:
        # They close the pipe, or the service would not notice that the intake is gone.
        verifiers = Verifiers(terms.voucher_domain, verifier_count, pipe.close)
        stack.callback(verifiers.close)
        db = Database(database_url, cache_mib)
        stack.callback(db.close)
        engine = Engine(db, terms, SystemClock(), verifiers)
        started: Queue[Started | Exception] = Queue(WINDOW)
        calm_collector()
        pipe.sendall(READY)
        # Beside the commits, or a group's signatures would wait until the one before is committed.
        threading.Thread(target=_start_groups, args=(pipe, engine, started), daemon=True).start()
        try:
            while isinstance(group := started.get(), Started):
                message = _encode_results(engine.finish(group))
                pipe.sendall(len(message).to_bytes(LENGTH, "big") + message)
            raise group
        except (EOFError, ConnectionError):
            return  # the service has ended
        except VerifierLost:
            log.exception("intake.verifier_lost")  # the service starts all of us again


def _start_groups(pipe: socket.socket, engine: Engine, started: "Queue[Started | Exception]") -> None:
    """Has the signatures of groups verified as they come, until there is no going on; that is told last."""
    try:
        while True:
            started.put(engine.start(_decode_submissions(_receive(pipe))))
    except Exception as error:
        started.put(error)


def _receive(pipe: socket.socket) -> bytes:
    return _exactly(pipe, int.from_bytes(_exactly(pipe, LENGTH), "big"))


def _exactly(pipe: socket.socket, length: int) -> bytes:
    """:raises EOFError: nobody is at the other end"""
    received = bytearray()
    while len(received) < length:
        part = pipe.recv(min(length - len(received), 1 << 20))
        if not part:
            raise EOFError
        received += part
    return bytes(received)
