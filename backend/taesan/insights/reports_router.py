"""A person's months over HTTP, by the session of any wallet that is linked."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path

from taesan.core.http import problem_responses
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.insights import audits, persons
from taesan.insights.audit_models import MonthAudit

router = APIRouter(prefix="/v1/insights", tags=["insights"])

Month = Annotated[str, Path(pattern=r"^(19[7-9]|2[0-9]{2})[0-9]-(0[1-9]|1[0-2])$", examples=["2026-11"])]


@router.get("/months/{month}", operation_id="auditMonth", responses=problem_responses(401, 404, 409, 422))
def audit_month(hub: HubDep, wallet: CurrentWallet, month: Month) -> MonthAudit:
    """What went where in a month, how often, against the month before and the same month a year ago, and what became of what was
    gathered."""
    with hub.db.read() as session:
        return audits.month_audit(session, hub, persons.find(session, wallet), _first(month), hub.clock.now())


def _first(month: str) -> date:
    return date.fromisoformat(f"{month}-01")
