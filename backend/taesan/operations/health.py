"""Whether this process is fit to be sent requests."""

from collections.abc import Iterator
from typing import NamedTuple

from sqlmodel import Session

from taesan.chain import alarms
from taesan.chain.models import ChainCursor
from taesan.core import outbox, restoration
from taesan.core.db import UNAVAILABLE
from taesan.core.problems import Problem
from taesan.hub import Hub


class Check(NamedTuple):
    """:ivar trouble: what is wrong, for everybody to read: no names of hosts, no errors of others; None: nothing"""

    name: str
    trouble: str | None = None


def checks(hub: Hub, intake_is_up: bool) -> list[Check]:
    """One question to the database, none to anybody else."""
    try:
        with hub.db.read() as session:
            return told(session, hub, intake_is_up)
    except UNAVAILABLE:
        return [Check("database", "it cannot be read"), _intake(intake_is_up)]


def told(session: Session, hub: Hub, intake_is_up: bool) -> list[Check]:
    """The same by who has a session already."""
    return [Check("database"), *_told(session, hub), _intake(intake_is_up)]


def _intake(is_up: bool) -> Check:
    return Check("intake", None if is_up else "its process is not there; it is begun anew")


def _told(session: Session, hub: Hub) -> Iterator[Check]:
    silence = (hub.clock.now() - session.get_one(ChainCursor, 1).read_at).total_seconds()
    is_silent = silence > hub.settings.ready_silence_s
    yield Check("node", f"nothing heard from it for {silence:.0f} s" if is_silent else None)
    yield Check("outbox", "an event could not be handled" if outbox.is_stuck(session) else None)
    is_behind = restoration.is_reconciling(session)
    yield Check("maintenance", "restored from a backup, catching up with the chain" if is_behind else None)


def alarm_names(hub: Hub) -> list[str]:
    """What a person has to look at. Payments can be taken in all the same, so they do not make a hub unready."""
    try:
        with hub.db.read() as session:
            return [alarm.name for alarm in alarms.alarms(session)]
    except UNAVAILABLE:
        return []


def not_ready(found: list[Check]) -> Problem:
    troubles = [f"{check.name}: {check.trouble}" for check in found if check.trouble]
    return Problem(
        "not-ready",
        503,
        "The hub is not ready to be sent requests.",
        "; ".join(troubles),
        headers={"retry-after": "5"},
        checks=states_of(found),
    )


def states_of(found: list[Check]) -> dict[str, str]:
    """Each check's name → `ok`, or what is wrong."""
    return {check.name: check.trouble or "ok" for check in found}
