"""What an operator's console shows: checks, alarms, the signer, and the figures that Prometheus is told of too."""

from typing import Annotated

from pydantic import Field
from sqlmodel import Session

from taesan.chain import alarms
from taesan.chain.models import SignerAccount
from taesan.chain.rpc import NodeUnavailable
from taesan.core.clock import rfc3339
from taesan.core.values import Shape
from taesan.hub import Hub
from taesan.operations import health
from taesan.operations.figures import figures

Wei = Annotated[
    str,
    Field(pattern=r"^\d+$", description="More than an amount of the books may be", examples=["9999973630690469294921"]),
]


class AlarmPublic(Shape):
    name: str = Field(description="Each has its page in docs/runbook.md", examples=["signer-balance-low"])
    detail: str
    since: str
    pauses_signing: bool


class SignerPublic(Shape):
    """The operator's key, which pays the gas."""

    address: str
    balance_wei: Wei | None = Field(description="Null: no node tells")
    balance_min_wei: Wei = Field(description="With less, nothing new is signed")
    next_nonce: int | None = Field(description="Null: nothing was signed yet")


class StatusPublic(Shape):
    checks: dict[str, str] = Field(description="`ok`, or what is wrong", examples=[{"database": "ok", "node": "ok"}])
    alarms: list[AlarmPublic]
    signer: SignerPublic
    figures: dict[str, float] = Field(
        description="As GET /metrics names them, those without labels and without amounts"
    )


def status(session: Session, hub: Hub, balance_wei: int | None, intake_is_up: bool) -> StatusPublic:
    """:param balance_wei: asked before, as a node that hangs must not hold a session. :raises: as the database does"""
    account = session.get(SignerAccount, hub.signer.address)
    told = (figure for figure in figures(session, hub) if not figure.labels)
    return StatusPublic(
        checks=health.states_of(health.told(session, hub, intake_is_up)),
        alarms=[
            AlarmPublic(
                name=alarm.name,
                detail=alarm.detail,
                since=rfc3339(alarm.since),
                pauses_signing=alarm.name in alarms.PAUSES_SIGNING,
            )
            for alarm in alarms.alarms(session)
        ],
        signer=SignerPublic(
            address=hub.signer.address,
            balance_wei=None if balance_wei is None else str(balance_wei),
            balance_min_wei=str(hub.settings.signer_balance_min_gwei * 10**9),
            next_nonce=account.next_nonce if account else None,
        ),
        figures={figure.name: figure.values[()] for figure in told if not figure.name.endswith("_minor_units")},
    )


def signer_balance(hub: Hub) -> int | None:
    """In wei."""
    try:
        return hub.node.balance(hub.signer.address)
    except NodeUnavailable:
        return None
