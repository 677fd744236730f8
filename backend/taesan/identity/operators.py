"""Who may act for the hub, and the record of what they did.

Operators are wallets named in `TAESAN_OPERATORS`; they sign in as every wallet does. Their acts are recorded in the transaction
that they act in: none without its record, no record of what did not happen.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Depends
from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.pages import newest_first
from taesan.core.problems import Problem
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.models import OperatorAction, OperatorActionPublic

CLI = "cli"
"""Who acts by the `taesan` command: whoever can read the hub's settings and its database."""


def addresses(hub: Hub) -> frozenset[str]:
    """The operators' wallets, EIP-55. If nobody is named nobody is one, but for the operator's own key on a local hub."""
    named = hub.settings.operator_addresses
    return named if named or hub.settings.environment != "local" else frozenset({hub.signer.address})


def _operator(hub: HubDep, wallet: CurrentWallet) -> str:
    if wallet not in addresses(hub):
        raise Problem("forbidden", 403, "This is not yours.", "Only the hub's operators may see and do this.")
    return wallet


OperatorDep = Annotated[str, Depends(_operator)]
"""The address of an operator that has signed in; 401 without a session, 403 for everybody else."""


def record(session: Session, operator: str, action: str, ref: str, detail: str, now: datetime) -> None:
    """In the transaction of the act itself.

    :param operator: its address, or `CLI`. :param action: such as `quarantine.retried`. :param ref: what it was done to
    """
    session.add(OperatorAction(at=now, operator=operator, action=action, ref=ref, detail=detail))
    session.flush()


def page(session: Session, before: int | None, limit: int) -> Sequence[OperatorAction]:
    return newest_first(session, select(OperatorAction), col(OperatorAction.id), before, limit)


def public(row: OperatorAction) -> OperatorActionPublic:
    return OperatorActionPublic(
        at=rfc3339(row.at), operator=row.operator, action=row.action, ref=row.ref, detail=row.detail
    )
