"""Processes that are killed or stopped: at named points (core/crashpoints.py), or at any moment."""

import functools
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

from tests.chaos import shifted
from tests.chaos.registry import FAULTS, Fault, fault
from tests.chaos.world import World

TWICE = 2
ROWS = {
    "intake": ("intake.before_commit", "intake.after_commit"),
    "money request": ("request.before_commit", "request.after_commit"),
    "collecting of wallets' claims": ("collect.before_commit", "collect.after_commit"),
    "relay": tuple(
        f"relay.{when}@{kind}"
        for kind in ("deposits", "redemptions", "payouts", "wallet claims")
        for when in ("before_commit", "after_commit")
    ),
    "freezing": ("freeze.before_commit", "freeze.after_commit"),
    "signing": ("sign.before_commit@batch", "sign.after_commit@batch"),
    "broadcast": (
        "broadcast.before_send@batch",
        "broadcast.after_send@batch",
        "broadcast.after_send@deposits",
        "transaction.before_commit@broadcast",
        "transaction.after_commit@broadcast",
    ),
    "following of a transaction": (
        "receipt.seen@batch",
        "transaction.before_commit@mined",
        "transaction.after_commit@mined",
        "transaction.before_commit@confirmed",
        "transaction.after_commit@confirmed",
        "follow.before_commit@confirmed",
        "follow.after_commit@confirmed",
    ),
    "reading of the chain": ("watcher.fetched", "watcher.before_commit", "watcher.after_commit"),
    "booking of an event": (
        *(
            f"outbox.before_commit@{event}"
            for event in (
                "channels.Deposited",
                "channels.Claimed",
                "channels.PackedClaimed",
                "settlement.BatchSettled",
                "settlement.RedeemedToCredit",
                "settlement.CreditWithdrawn",
                "gift_token.Minted",
            )
        ),
        "outbox.after_commit@settlement.BatchSettled",
    ),
}
"""What is done when it dies → where."""


def _at_point(target: str, world: World) -> None:
    """kill -9 there, and once more after it was started again."""
    if target.startswith("intake."):
        _intake_at_point(target, world)
    elif target.startswith("request."):
        world.hub.stop_service()
        for _ in range(TWICE):
            world.hub.wait_for_death(world.hub.start_service(target))
            world.struck()
        world.hub.start_service()
    else:
        world.hub.stop_worker()
        for _ in range(TWICE):
            world.hub.wait_for_death(world.hub.start_worker(target))
            world.struck()
        world.hub.start_worker()


def _intake_at_point(target: str, world: World) -> None:
    """The service starts it again by itself; that it dies no more, it has to be told by a start of its own."""
    hub = world.hub
    hub.stop_service()
    service = hub.start_service(target)
    for _ in range(TWICE):
        _wait_for_new_intake(world)
        world.struck()
    service.kill()
    hub.start_service()


def _wait_for_new_intake(world: World) -> None:
    def pids() -> set[int]:
        return set(world.hub.intake_pids())

    world.wait_until(pids, "an intake")
    before = pids()
    world.wait_until(lambda: not pids() & before, "the intake's death")
    world.wait_until(lambda: pids() - before, "a new intake")


FAULTS += [
    Fault(f"kill -9 at a point of the {row}", functools.partial(_at_point, target), target)
    for row, targets in ROWS.items()
    for target in targets
]


@fault("kill -9 of the intake at any moment", times=3)
def kill_intake(world: World) -> None:
    time.sleep(random.random())
    world.struck()
    os.kill(world.hub.intake_pids()[0], signal.SIGKILL)
    world.wait_until(world.hub.intake_pids, "a new intake")


@fault("kill -9 of a verifier", times=2)
def kill_verifier(world: World) -> None:
    """Noticed at the next group that is worth sharing out: the intake begins anew."""
    pids, verifiers = world.hub.intake_pids(), world.hub.verifier_pids()
    world.struck()
    os.kill(verifiers[0], signal.SIGKILL)
    world.wait_until(lambda: set(world.hub.intake_pids()) - set(pids), "a new intake")


@fault("kill -9 of the whole hub at any moment", times=3)
def kill_hub(world: World) -> None:
    time.sleep(random.random())
    world.struck()
    world.hub.kill()
    world.hub.start()


@fault("a worker stopped beyond its lease, and another one", times=2)
def stop_worker_beyond_lease(world: World) -> None:
    """The first goes on in the middle of its step, when the second has done its work. Not in the middle of a transaction: there
    it would hold SQLite's only lock, and all would wait for it (PostgreSQL ends such a one, `core/db.py`)."""
    first = world.hub.workers[0]
    holder = world.rows("SELECT holder FROM lease WHERE name = 'pipeline'")[0][0]

    def is_stopped_outside_a_transaction() -> bool:
        time.sleep(random.random() * 0.2)
        first.send(signal.SIGSTOP)
        if _can_write(world):
            return True
        first.send(signal.SIGCONT)
        return False

    world.wait_until(is_stopped_outside_a_transaction, "the worker stopped where it holds no lock")
    world.struck()
    world.hub.start_worker()
    world.wait_until(
        lambda: world.rows("SELECT holder FROM lease WHERE name = 'pipeline'")[0][0] != holder,
        "another worker takes over",
    )
    world.wait_for_settlement()
    first.send(signal.SIGCONT)
    time.sleep(1)
    world.hub.workers[1].stop()
    del world.hub.workers[1]


def _can_write(world: World) -> bool:
    """Whether somebody else can, within a second."""
    other = sqlite3.connect(world.folder / "taesan.db", isolation_level=None, timeout=1)
    try:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    finally:
        other.close()
    return True


def _clock_off_by(seconds: int, world: World) -> None:
    """And right again, so that it jumps both ways."""
    clock = Path(world.folder / "clock")
    clock.write_text("0")
    world.hub.stop()
    world.hub.environment[shifted.VARIABLE] = str(clock)
    world.hub.start(module="tests.chaos.shifted")
    world.wait_for_settlement()
    clock.write_text(str(seconds))
    world.struck()
    world.wait_for_settlement()
    clock.write_text("0")
    world.wait_for_settlement()
    world.hub.stop()
    world.hub.start()


DAY_S = 86_400
FAULTS += [
    Fault("the clock a day ahead, then right again", functools.partial(_clock_off_by, DAY_S)),
    Fault("the clock a day behind, then right again", functools.partial(_clock_off_by, -DAY_S)),
]
