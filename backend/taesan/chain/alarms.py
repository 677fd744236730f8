"""What a person should know of, by name and for as long as it lasts: told in the log once when it begins and once when it is
over, and readable by whatever watches the service."""

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import delete, select
from sqlmodel import Session, col

from taesan.chain.models import Alarm

log = structlog.get_logger()

SIGNER_BALANCE_LOW = "signer-balance-low"
NONCE_USED_ELSEWHERE = "nonce-used-elsewhere"
FEE_CEILING_REACHED = "fee-ceiling-reached"
NODES_DISAGREE = "nodes-disagree"
DEEP_REORG = "deep-reorg"

PAUSES_SIGNING = (SIGNER_BALANCE_LOW, DEEP_REORG)
STAYS = (NONCE_USED_ELSEWHERE,)
"""A person has to say that it is over; all others end by themselves."""


def raise_(session: Session, name: str, detail: str, now: datetime) -> None:
    """Sets the alarm off, or changes its detail while it lasts."""
    alarm = session.get(Alarm, name)
    if alarm is None:
        log.error("alarm.raised", alarm=name, detail=detail)
        session.add(Alarm(name=name, detail=detail, since=now))
    else:
        alarm.detail = detail
        session.add(alarm)
    session.flush()


def clear(session: Session, name: str) -> bool:
    """Whether it was on."""
    cleared = session.execute(delete(Alarm).where(col(Alarm.name) == name))
    if cleared.rowcount:  # type: ignore[attr-defined]
        log.info("alarm.cleared", alarm=name)
    return bool(cleared.rowcount)  # type: ignore[attr-defined]


def is_on(session: Session, name: str) -> bool:
    return session.get(Alarm, name) is not None


def alarms(session: Session) -> Sequence[Alarm]:
    """All that are on, in the order of their names."""
    return session.scalars(select(Alarm).order_by(col(Alarm.name))).all()


def pausing(session: Session) -> Alarm | None:
    """Why nothing new is signed at the moment, if so."""
    return session.scalar(select(Alarm).where(col(Alarm.name).in_(PAUSES_SIGNING)).order_by(col(Alarm.name)).limit(1))
