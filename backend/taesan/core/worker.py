"""Background work: named steps, run again and again by whoever holds the lease."""

import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property

import structlog
from sqlalchemy import ColumnElement, TextClause, insert, select, text, update
from sqlmodel import Session, col

from taesan.core import tracing
from taesan.core.clock import Clock
from taesan.core.db import UNAVAILABLE, Database, brief, retried
from taesan.core.meters import Counter, Histogram, Timer
from taesan.core.models import Lease

log = structlog.get_logger()

STEP_SECONDS = Histogram("taesan_worker_step_duration_seconds", "A step of this process's worker.", ("step",))
STEP_FAILURES = Counter(
    "taesan_worker_step_failures",
    "Steps that did not get to their end: waiting for the node or the database, or failed for a reason of their own.",
    ("step", "reason"),
)

LEASE_S = 15
NEVER = datetime.min.replace(tzinfo=UTC)
RENEW_WHEN_LEFT = 2 / 3
CLOCKS_DIFFER = 4  # a lease that lasts so many times as long as one can was given by a clock that was wrong


class TransientError(Exception):
    """The outside world is not ready, such as a node that is down; the step is tried again, quietly."""


def acquire(session: Session, name: str, holder: str, clock: Clock, seconds: float = LEASE_S) -> bool:
    """Takes or renews a lease; false while somebody else holds it."""
    now = clock.now()
    expires_at = now + timedelta(seconds=seconds)
    lease = session.scalar(select(Lease).where(col(Lease.name) == name).with_for_update())
    if lease is None:
        session.execute(insert(Lease).values(name=name, holder=holder, expires_at=expires_at))
        return True
    left = lease.expires_at - now
    if lease.holder != holder and timedelta() < left < CLOCKS_DIFFER * timedelta(seconds=seconds):
        return False
    session.execute(update(Lease).where(col(Lease.name) == name).values(holder=holder, expires_at=expires_at))
    return True


class Worker:
    """Runs steps in order until told to stop. A step returns whether it did anything, so that idle time is slept away.

    :param lease_s: how long after its death another one takes over
    :param lease: whose name it bears: workers of one lease take turns, of two they work side by side
    :param waits: by step, SQL that is false only if there is nothing for it to do: all of them are one question, instead of one
        for each step. Asked again after each step that may have changed the answer; a step without is always run
    """

    def __init__(
        self,
        db: Database,
        clock: Clock,
        steps: Mapping[str, Callable[[], bool]],
        tick_s: float,
        lease_s: float = LEASE_S,
        lease: str = "pipeline",
        waits: Mapping[str, ColumnElement[bool]] | None = None,
    ) -> None:
        self.db, self.clock, self.steps, self.tick_s, self.lease_s = db, clock, steps, tick_s, lease_s
        self.lease = lease
        self._waits = dict(waits or {})
        if unknown := self._waits.keys() - steps.keys():
            raise ValueError(f"no such steps: {sorted(unknown)}")
        self.holder = secrets.token_hex(8)
        self.stopping = threading.Event()
        self._leased_until = NEVER
        self._trouble: dict[str, str] = {}

    def run(self) -> None:
        while not self.stopping.is_set():
            busy = self.tick()
            self.stopping.wait(0.02 if busy else self.tick_s)
        try:
            self._hand_over()
        except UNAVAILABLE as error:
            log.warning("worker.not_handed_over", reason=brief(error))

    @retried
    def _hand_over(self) -> None:
        """At once, instead of letting the lease run out."""
        with self.db.write() as session:
            session.execute(update(Lease).where(col(Lease.holder) == self.holder).values(expires_at=self.clock.now()))

    @retried
    def _has_lease(self) -> bool:
        now = self.clock.now()
        lease = timedelta(seconds=self.lease_s)
        if lease * RENEW_WHEN_LEFT < self._leased_until - now <= lease:  # more is left only if the clock was put back
            return True
        with self.db.write() as session:
            if not acquire(session, self.lease, self.holder, self.clock, self.lease_s):
                self._leased_until = NEVER
                return False
        self._leased_until = now + lease
        return True

    def tick(self) -> bool:
        """Each step once, if the lease is ours; returns whether any of them did something."""
        busy = False
        waiting: Mapping[str, bool] = {}
        for name, step in self.steps.items():
            timer = Timer()
            try:
                if not self._has_lease():
                    return False
                waiting = waiting or self._look()
                if not waiting.get(name, True):
                    continue
                with tracing.span(f"worker: {name}"), structlog.contextvars.bound_contextvars(step=name):
                    did_something = retried(step)()
                busy = busy or did_something
                if did_something or name in self._waits:
                    waiting = {}
                timer.observed(STEP_SECONDS, (name,))
                if self._trouble.pop(name, None):
                    log.info("worker.recovered", step=name)
            except TransientError as error:
                self._wait(name, str(error))
            except UNAVAILABLE as error:
                self._wait(name, brief(error))
                return False
            except Exception:
                STEP_FAILURES.values[name, "failed"] += 1
                log.exception("worker.step_failed", step=name)
        return busy

    @retried
    def _look(self) -> Mapping[str, bool]:
        """Step → whether there may be something for it to do."""
        if not self._waits:
            return {}
        with self.db.read() as session:
            return dict(zip(self._waits, map(bool, session.connection().execute(self._glance).one()), strict=True))

    @cached_property
    def _glance(self) -> TextClause:
        """As text: what SQLAlchemy does at each execution of so long an expression takes longer than the question itself."""
        question = select(*self._waits.values()).compile(self.db.engine, compile_kwargs={"literal_binds": True})
        return text(str(question).replace(":", r"\:"))

    def _wait(self, step: str, reason: str) -> None:
        STEP_FAILURES.values[step, "waiting"] += 1
        if self._trouble.get(step) != reason:  # told once, not at every tick
            log.warning("worker.waiting", step=step, reason=reason)
        self._trouble[step] = reason
