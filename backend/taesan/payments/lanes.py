"""Group commit: requests that arrive together are verified on several threads, ordered, and committed as one
transaction; each is answered after its commit.

    event loop → inbox → verifiers (chunks, in the order of arrival) → committer → event loop

No timer anywhere: a group is what has queued while the last one was being committed. Alone, a payment is committed alone.
"""

import asyncio
import contextlib
import threading
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple

import structlog
from sqlalchemy.exc import IntegrityError, OperationalError

from taesan.channels import vouchers
from taesan.core.limits import RateLimit
from taesan.core.problems import Problem
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.payments import intake, store
from taesan.payments.decision import Submission
from taesan.payments.intake import Outcome

log = structlog.get_logger()

CHUNK = 250
GROUP = 1_000
VERIFIERS = 2
ATTEMPTS = 5
RETRYABLE = ("40001", "40P01")  # PostgreSQL: serialization failure, deadlock

Result = Outcome | Problem


class _Ticket:
    """One request's submissions and what became of them."""

    __slots__ = ("future", "left", "loop", "results", "submissions")

    def __init__(self, submissions: Sequence[Submission]) -> None:
        self.submissions = submissions
        self.results: list[Result | None] = [None] * len(submissions)
        self.left = len(submissions)
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[list[Result]] = self.loop.create_future()


class _Item(NamedTuple):
    ticket: _Ticket
    place: int
    submission: Submission


class _Signer(NamedTuple):
    """Who signs a channel's vouchers: part of the channel's id, so it never changes."""

    payer: str
    address: str
    raw: bytes


class _Chunk:
    """What one verifier has taken; `valid` when it is done."""

    __slots__ = ("items", "refused", "valid")

    def __init__(self, items: list[_Item]) -> None:
        self.items = items
        self.valid: list[_Item] | None = None
        self.refused: list[tuple[_Item, Result]] = []


class Lanes:
    """The way in for all payments of this process. Its threads start with the first one."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._signers: dict[str, _Signer] = {}
        self._rate = RateLimit(hub.settings.payer_rate)
        self._inbox: deque[_Item] = deque()
        self._chunks: deque[_Chunk] = deque()
        self._in_house = 0
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._verified = threading.Condition(self._lock)
        self._threads: list[threading.Thread] = []
        self._closing = False

    async def submit(self, submissions: Sequence[Submission]) -> list[Result]:
        """Accepts what can be accepted; one result for each, in order. What is accepted is durable.

        :raises Problem: `busy` if too many wait already; nothing is stored then
        """
        ticket = _Ticket(submissions)
        with self._lock:
            if self._closing or self._in_house + len(submissions) > self._hub.settings.intake_queue_max:
                raise Problem(
                    "busy",
                    503,
                    "The hub has more to do than it can at the moment.",
                    "Nothing was stored; try again soon with the same Idempotency-Key.",
                    headers={"retry-after": "1"},
                )
            self._in_house += len(submissions)
            self._inbox.extend(_Item(ticket, n, submission) for n, submission in enumerate(submissions))
            if not self._threads:
                self._start()
            self._arrived.notify()
        return await ticket.future

    def close(self) -> None:
        """Takes no more, finishes what is in the house, ends the threads."""
        with self._lock:
            self._closing = True
            self._arrived.notify_all()
            self._verified.notify_all()
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        targets = [self._verify_chunks] * VERIFIERS + [self._commit_groups]
        self._threads = [threading.Thread(target=t, name=f"intake-{n}", daemon=True) for n, t in enumerate(targets)]
        for thread in self._threads:
            thread.start()

    # ------------------------------------------------------------- verification

    def _verify_chunks(self) -> None:
        while True:
            with self._lock:
                while not self._inbox and not self._closing:
                    self._arrived.wait()
                if not self._inbox:
                    self._verified.notify_all()
                    return
                chunk = _Chunk([self._inbox.popleft() for _ in range(min(CHUNK, len(self._inbox)))])
                self._chunks.append(chunk)
                if self._inbox:
                    self._arrived.notify()
            valid = self._verify(chunk)
            with self._lock:
                chunk.valid = valid
                self._verified.notify()

    def _verify(self, chunk: _Chunk) -> list[_Item]:
        try:
            self._learn_signers(chunk)
            return [item for item in chunk.items if self._is_valid(item, chunk)]
        except Exception as error:
            log.exception("intake.failed", step="verify")
            chunk.refused = [(item, _failed(error)) for item in chunk.items]
            return []

    def _is_valid(self, item: _Item, chunk: _Chunk) -> bool:
        domain, s = self._hub.contracts.voucher_domain, item.submission
        signer = self._signers.get(s.channel_id)
        if signer is None:
            problem = intake.unknown_channel(s.channel_id)
        elif not vouchers.is_signed_by(signer.raw, domain, s.channel_id, s.cumulative, bytes_of(s.signature)):
            problem = vouchers.invalid_signature(domain, signer.address)
        elif not self._rate.hit(signer.payer):
            problem = self._rate.problem()
        else:
            return True
        chunk.refused.append((item, problem))
        return False

    def _learn_signers(self, chunk: _Chunk) -> None:
        unknown = {item.submission.channel_id for item in chunk.items} - self._signers.keys()
        if unknown:
            with self._hub.db.read() as session:
                found = store.signers(session.connection(), unknown)
            self._signers |= {id_: _Signer(payer, key, bytes_of(key)) for id_, (payer, key) in found.items()}

    # -------------------------------------------------------------------- commit

    def _commit_groups(self) -> None:
        while True:
            with self._lock:
                while not (self._chunks and self._chunks[0].valid is not None):
                    if self._closing and not self._inbox and not self._chunks:
                        return
                    self._verified.wait()
                group: list[_Chunk] = []
                size = 0
                while self._chunks and self._chunks[0].valid is not None and size < GROUP:
                    group.append(self._chunks.popleft())
                    size += len(group[-1].items)
            items = [item for chunk in group for item in chunk.valid or ()]
            results = self._commit([item.submission for item in items])
            self._answer(
                [refused for chunk in group for refused in chunk.refused] + list(zip(items, results, strict=True))
            )

    def _commit(self, submissions: Sequence[Submission]) -> list[Result]:
        """One transaction for all; if that fails for a reason of its own, one for each."""
        if not submissions:
            return []
        look_up_keys = False
        for _ in range(ATTEMPTS):
            try:
                return self._attempt(submissions, look_up_keys)
            except Exception as error:
                failure = error
                if getattr(getattr(error, "orig", None), "sqlstate", None) in RETRYABLE:
                    continue
                if look_up_keys or not isinstance(error, IntegrityError):
                    break
                look_up_keys = True  # a key was used again for a new voucher: the next attempt will find out whose
        if len(submissions) == 1 or isinstance(failure, OperationalError):
            log.error("intake.failed", payments=len(submissions), exc_info=failure)
            return [_failed(failure)] * len(submissions)
        return [result for submission in submissions for result in self._commit([submission])]

    def _attempt(self, submissions: Sequence[Submission], look_up_keys: bool) -> list[Result]:
        hub = self._hub
        with hub.db.take_in() as session:
            return intake.accept(session, hub, submissions, hub.clock.now(), look_up_keys=look_up_keys)

    def _answer(self, results: Sequence[tuple[_Item, Result]]) -> None:
        finished: dict[asyncio.AbstractEventLoop, list[_Ticket]] = defaultdict(list)
        for item, result in results:
            ticket = item.ticket
            ticket.results[item.place] = result
            ticket.left -= 1
            if not ticket.left:
                finished[ticket.loop].append(ticket)
        with self._lock:
            self._in_house -= len(results)
        for loop, tickets in finished.items():
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for the answer any more
                loop.call_soon_threadsafe(_resolve, tickets)


def _resolve(tickets: Sequence[_Ticket]) -> None:
    for ticket in tickets:
        if not ticket.future.done():  # the client may be gone
            ticket.future.set_result([result for result in ticket.results if result is not None])


def _failed(error: Exception) -> Problem:
    if isinstance(error, OperationalError):
        return Problem(
            "database-unavailable",
            503,
            "The hub's database does not answer; try again soon with the same Idempotency-Key.",
            headers={"retry-after": "5"},
        )
    return Problem(
        "internal-error",
        500,
        "Something went wrong on our side; it is safe to retry with the same Idempotency-Key.",
    )
