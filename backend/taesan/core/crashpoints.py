"""Places where a process dies, as kill -9 would end it, if a test's environment says so.

`TAESAN_CRASH_AT=broadcast.after_send` names a place, `…@batch` what it has to be about there, `…:2` the second time. Without
the variable nothing happens; outside `local` the settings refuse it.
"""

import itertools
import os
import signal
from typing import NamedTuple

VARIABLE = "TAESAN_CRASH_AT"

POINTS = (
    "intake.before_commit",
    "intake.after_commit",  # before the answer
    "request.before_commit",  # any other money request
    "request.after_commit",
    "collect.before_commit",  # contract wallets' claims
    "collect.after_commit",
    "relay.before_commit",  # @ kind of transaction
    "relay.after_commit",
    "freeze.before_commit",
    "freeze.after_commit",
    "sign.before_commit",  # @ kind of transaction
    "sign.after_commit",  # of a batch
    "broadcast.before_send",  # @ kind of transaction
    "broadcast.after_send",  # and nothing is known of it here
    "receipt.seen",  # @ kind of transaction
    "transaction.before_commit",  # @ its new state
    "transaction.after_commit",
    "offer.before_commit",  # the same call at a higher fee
    "offer.after_commit",
    "follow.before_commit",  # @ the batch's new state
    "follow.after_commit",
    "watcher.fetched",
    "watcher.before_commit",
    "watcher.after_commit",
    "outbox.before_commit",  # @ type of event
    "outbox.after_commit",
)


class Target(NamedTuple):
    """:ivar of: what it has to be about, "" for anything. :ivar turn: the how manieth time, from 1"""

    point: str
    of: str
    turn: int


def parse(chosen: str) -> Target:
    """:raises ValueError: there is no such point"""
    where, _, turn = chosen.partition(":")
    point, _, of = where.partition("@")
    if point not in POINTS:
        raise ValueError(f"{VARIABLE}: {point!r} is none of {', '.join(POINTS)}")
    return Target(point, of, int(turn or 1))


_target = parse(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None
_reached = itertools.count(1)


def reach(point: str, of: str = "") -> None:
    """Dies here if told to. :param point: one of `POINTS`. :param of: what this is about, such as a state"""
    if _target is None or point != _target.point or _target.of not in ("", of):
        return
    if next(_reached) == _target.turn:
        os.kill(os.getpid(), signal.SIGKILL)
