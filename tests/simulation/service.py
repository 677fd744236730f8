"""The service under simulation: the real hub, worker and intake, on a database that survives them."""

import atexit
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import structlog
from pydantic import SecretStr

from taesan import hub as hub_module
from taesan.chain.rpc import NodeUnavailable
from taesan.chain.signers import KeySigner
from taesan.core import db as db_module
from taesan.core.clock import FixedClock
from taesan.core.db import UNAVAILABLE, Database
from taesan.core.worker import LEASE_S, TransientError, Worker
from taesan.hub import Hub, open_hub
from taesan.payments.engine import Engine
from taesan.payments.terms import terms_of
from taesan.settings import DEV_OPERATOR_KEY, Settings
from taesan.work import build_worker
from tests.simulation.actions import DEPTH, PAYERS
from tests.simulation.chain import Chain
from tests.simulation.evm import BIRTH, ground
from tests.simulation.moments import OUTSIDE, Crash, Moments, Violation, WatchedDatabase
from tests.simulation.node import SimulatedNode
from tests.simulation.people import wallet
from tests.support.chain import ARTIFACTS

RICHES = 10**12
OPERATOR = KeySigner(SecretStr(DEV_OPERATOR_KEY)).address
PEOPLE = tuple(wallet(f"payer {n}").address for n in range(PAYERS))
MEMORY = Path("/dev/shm")  # a file system in memory, where there is one: each commit would wait for a disk otherwise


class Service:
    """:ivar is_up: it has not been able to start again otherwise, as its node does not answer
    :ivar restarts: how often it was started again. :ivar replaced: a step's name → what stands in for it, given the step
    """

    def __init__(self, folder: Path) -> None:
        self.clock = FixedClock(datetime.fromtimestamp(BIRTH + 60, UTC))
        self.moments = Moments()
        self.chain = Chain(ground(OPERATOR, PEOPLE, RICHES), lambda: int(self.clock.at.timestamp()))
        self.node = SimulatedNode(self.chain, self.moments)
        database = folder / "taesan.db"
        shutil.copy(_migrated(), database)
        self._reader = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        deployment = folder / "deployment.json"
        self.chain.ground.deployment.save(deployment)
        self.settings = Settings(
            database_url=f"sqlite:///{database}",
            rpc_url=self.node.url,
            deployment_file=deployment,
            artifacts_dir=ARTIFACTS,
            operator_key=SecretStr(DEV_OPERATOR_KEY),
            confirmation_depth_blocks=DEPTH,
            withdraw_delay_s=900,
            batch_interval_s=60,
        )
        self.is_up = False
        self.restarts = -1
        self.replaced: dict[str, Callable[[Callable[[], bool]], Callable[[], bool]]] = {}
        self.hub: Hub
        self.worker: Worker
        self.engine: Engine

    # ------------------------------------------------------------------ its life

    def end(self) -> None:
        if self.is_up:
            self.hub.db.close()
        self._reader.close()
        self.chain.end()

    def start(self) -> None:
        """From what is stored. While the node does not answer, it does not start."""
        try:
            self.hub = open_hub(self.settings, self.clock, self.node)  # type: ignore[arg-type]
        except NodeUnavailable:
            return
        self.restarts += 1
        self.worker = self._new_worker()
        self.engine = Engine(self.hub.db, terms_of(self.hub), self.clock)
        self.is_up = True

    def restart(self) -> None:
        """All its objects are gone without a word, and what is stored is there. Its lease runs out meanwhile."""
        self.moments.disarm()
        if self.is_up:
            self.hub.db.close()
            self.is_up = False
        self.later(LEASE_S + 1)
        self.start()

    def later(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)

    def _new_worker(self) -> Worker:
        worker = build_worker(self.hub)
        worker.steps = {
            name: _watched(name, self.replaced[name](step) if name in self.replaced else step)
            for name, step in worker.steps.items()
        }
        return worker

    def replace(self, name: str, by: Callable[[Callable[[], bool]], Callable[[], bool]]) -> None:
        """From now on another step stands in for the worker's. :param by: makes it, given the worker's own"""
        assert name in self.worker.steps, f"there is no step `{name}`"
        self.replaced[name] = by
        self.worker = self._new_worker()

    # -------------------------------------------------------------- the worker's work

    def tick(self, order: Callable[[list[str]], Sequence[str]] = list) -> bool:
        """A turn of the worker. :param order: of its steps, or which of them"""
        if not self.is_up:
            return False
        steps = self.worker.steps
        self.worker.steps = {name: steps[name] for name in order(list(steps))}
        try:
            return self.worker.tick()
        finally:
            self.worker.steps = steps

    def be_overtaken(self, count: int) -> None:
        """At the `count`-th moment from now at which no transaction is open, whoever is at work falls asleep; its lease runs
        out, another worker does all steps, and then it goes on as if nothing had happened."""

        def overtake() -> None:
            self.later(LEASE_S + 1)
            self._new_worker().tick()

        self.moments.arm(OUTSIDE, count, overtake)

    def crash_at(self, kind: str, count: int) -> None:
        def crash() -> None:
            raise Crash

        self.moments.arm((kind,), count, crash)

    def come_to_rest(self, left: Callable[[], str], rounds: int = 40) -> None:
        """Faults end, time passes, blocks are mined, until nothing is left to do.

        :param left: what is
        :raises Violation: something always is
        """
        self.moments.disarm()
        self.node.calm()
        self.chain.base_fee = 10**9
        if not self.is_up:
            self.start()
        for _ in range(rounds):
            self.round()
            if not left():
                return
        raise Violation(f"stuck: {left()}")

    def round(self) -> None:
        """A minute, and what is sent is mined and gets deep enough."""
        self.later(self.settings.batch_interval_s + 1)
        self.tick()
        self.chain.mine()
        self.tick()
        self.chain.mine(DEPTH)
        self.tick()

    # ---------------------------------------------------------------------- looking

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Past the service's own way to its database, whether it is up or not."""
        return self._reader.execute(sql, values).fetchall()


def _watched(name: str, step: Callable[[], bool]) -> Callable[[], bool]:
    """The worker goes on after any error; here, one that is nobody's fault is a violation."""

    def run() -> bool:
        try:
            return step()
        except (TransientError, *UNAVAILABLE):
            raise
        except Exception as error:
            raise Violation(f"the step `{name}` fails: {error!r}") from error

    return run


@cache
def _migrated() -> Path:
    """A database with its tables and nothing in them."""
    folder = tempfile.mkdtemp(prefix="taesan-migrated-")
    atexit.register(shutil.rmtree, folder)
    path = Path(folder) / "taesan.db"
    db = Database(f"sqlite:///{path}")
    db.migrate()
    db.close()
    return path


@cache
def _folder(process: int) -> Path:
    """Where a process has its databases, one after the other under one name."""
    return Path(tempfile.gettempdir() if not MEMORY.is_dir() else MEMORY) / f"taesan-simulation-{process}"


_engine = cache(db_module._engine)


def prepare() -> None:
    """What all runs share, made now: processes that are forked afterwards have it."""
    _migrated()
    ground(OPERATOR, PEOPLE, RICHES)


@contextmanager
def service(seed: int) -> Iterator[Service]:
    """One that is in nobody's hands but its user's: its clock, its chance and its node are."""
    chance = Random(seed)
    with ExitStack() as stack:
        folder = _folder(os.getpid())
        stack.callback(shutil.rmtree, folder)
        folder.mkdir()
        made = Service(folder)
        stack.callback(made.end)

        def database(url: str, *_: Any) -> WatchedDatabase:
            db = WatchedDatabase(url)
            db.moments = made.moments
            return db

        def seconds() -> float:
            return made.clock.at.timestamp()

        time = SimpleNamespace(time=seconds, monotonic=seconds, time_ns=lambda: int(seconds() * 10**9))
        for target, substitute in (
            ("taesan.core.ids.secrets", SimpleNamespace(token_hex=lambda count: chance.randbytes(count).hex())),
            ("taesan.core.ids.time", time),
            ("taesan.core.limits.time", time),
        ):
            stack.enter_context(patch(target, substitute))
        # Contracts hold no state, and cost more to make than all the rest of a start.
        stack.enter_context(patch.object(hub_module, "Contracts", lambda *_: made.chain.ground.contracts))
        stack.enter_context(patch.object(hub_module, "Database", database))
        # The engine keeps compiled statements; connections it has none left from before.
        stack.enter_context(patch.object(db_module, "_engine", _engine))
        stack.enter_context(_quiet())
        made.start()
        yield made


@contextmanager
def _quiet() -> Iterator[None]:
    """Nobody reads what thousands of runs log."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
