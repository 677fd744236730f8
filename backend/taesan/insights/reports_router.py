"""A person's months over HTTP, by the session of any wallet that is linked."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from taesan.core.days import first_of
from taesan.core.db import retried
from taesan.core.http import KNOWN, problem_responses
from taesan.core.values import Month
from taesan.hub import Hub, HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.insights import audits, persons, report, scheduling, subscribing, turns
from taesan.insights.audit_models import MonthAudit
from taesan.insights.schedule_models import (
    MailCode,
    MailPublic,
    MailTerms,
    ReportMail,
    ScheduleCreated,
    SchedulePublic,
    ScheduleTerms,
    ScheduleTried,
)

router = APIRouter(prefix="/v1/insights", tags=["insights"], dependencies=KNOWN)

_TYPES = {"csv": "text/csv", "html": "text/html", "pdf": "application/pdf"}


def _file(media_type: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "format": "binary"} if media_type == "application/pdf" else {"type": "string"}
    return {200: {"content": {media_type: {"schema": schema}}}}


@router.get(
    "/months/{month}",
    operation_id="auditMonth",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 409, 422, 429),
)
def audit_month(hub: HubDep, wallet: CurrentWallet, month: Month) -> MonthAudit:
    """What went where in a month, how often, against the month before and the same month a year ago, and what became of what was
    gathered."""
    with hub.db.read() as session:
        return audits.month_audit(session, hub, persons.find(session, wallet), first_of(month), hub.clock.now())


Language = Annotated[
    Literal["en", "ko"] | None, Query(description="Of the report; the person's, if left out: `PUT /v1/insights/me`")
]


@router.get(
    "/months/{month}/csv",
    operation_id="auditMonthAsCsv",
    dependencies=COUNTED,
    response_class=Response,
    responses=problem_responses(401, 404, 409, 422, 429) | _file("text/csv"),
)
def audit_as_csv(hub: HubDep, wallet: CurrentWallet, month: Month) -> Response:
    """The same, a line for each figure, in minor units."""
    return _written(hub, wallet, month, "csv", None)


@router.get(
    "/months/{month}/page",
    operation_id="auditMonthAsPage",
    dependencies=COUNTED,
    response_class=Response,
    responses=problem_responses(401, 404, 409, 422, 429) | _file("text/html"),
)
def audit_as_page(hub: HubDep, wallet: CurrentWallet, month: Month, language: Language = None) -> Response:
    """The same to be read in a browser: one file that needs nothing else, and runs nothing."""
    return _written(hub, wallet, month, "html", language)


@router.get(
    "/months/{month}/pdf",
    operation_id="auditMonthAsPdf",
    dependencies=COUNTED,
    response_class=Response,
    responses=problem_responses(401, 404, 409, 422, 429) | _file("application/pdf"),
)
def audit_as_pdf(hub: HubDep, wallet: CurrentWallet, month: Month, language: Language = None) -> Response:
    """The same on paper."""
    return _written(hub, wallet, month, "pdf", language)


def _written(hub: Hub, wallet: str, month: str, form: report.Format, language: str | None) -> Response:
    with hub.db.read() as session:
        person = persons.find(session, wallet)
        audit = audits.month_audit(session, hub, person, first_of(month), hub.clock.now())
    headers = {"content-disposition": f'attachment; filename="taesan-{month}.{form}"'}
    if form == "html":
        headers["content-security-policy"] = f"{report.policy()}; frame-ancestors 'none'"
    content = report.written(audit, form, hub, language or person.language)
    return Response(content, media_type=_TYPES[form], headers=headers)


# ------------------------------------------------------------------- schedule


@router.put(
    "/me/schedule",
    operation_id="scheduleReports",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def schedule_reports(hub: HubDep, wallet: CurrentWallet, body: ScheduleTerms) -> ScheduleCreated:
    """Has each month's audit, as `GET /v1/insights/months/{month}` tells it, sent to the person's own server when the month is over:
    signed by the Standard Webhooks specification, tried again over days, under one `webhook-id` a month. Each call makes a new
    secret."""
    with hub.db.write() as session:
        row = scheduling.put(session, hub, persons.find(session, wallet), body, hub.clock.now())
        return ScheduleCreated(**scheduling.public(row).model_dump(), secret=row.secret)


@router.get("/me/schedule", operation_id="getReportSchedule", responses=problem_responses(401, 404))
def get_schedule(hub: HubDep, wallet: CurrentWallet) -> SchedulePublic:
    """Where reports go, when the next does, and whether the last has arrived."""
    with hub.db.read() as session:
        return scheduling.public(scheduling.find(session, persons.find(session, wallet)))


@router.post(
    "/me/schedule/test",
    operation_id="tryReportSchedule",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
async def try_schedule(hub: HubDep, wallet: CurrentWallet) -> ScheduleTried:
    """Sends the running month so far at once, as `insights.test`, signed as reports are, and tells what came of it. It is not tried
    again, and changes nothing of when reports come."""
    return await scheduling.try_now(hub, await asyncio.to_thread(_trial_parcel, hub, wallet))


def _trial_parcel(hub: Hub, wallet: str) -> scheduling.Parcel:
    with hub.db.read() as session:
        return scheduling.trial_parcel(session, hub, persons.find(session, wallet), hub.clock.now())


@router.delete(
    "/me/schedule",
    operation_id="endReportSchedule",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 429),
)
@retried
def end_schedule(hub: HubDep, wallet: CurrentWallet) -> None:
    """No more reports are sent."""
    with hub.db.write() as session:
        scheduling.remove(session, persons.find(session, wallet))


# ----------------------------------------------------------------- by e-mail


@router.put(
    "/me/schedule/mail",
    operation_id="scheduleReportsByMail",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 409, 422, 429),
)
@retried
def schedule_mails(hub: HubDep, wallet: CurrentWallet, body: MailTerms) -> MailPublic:
    """Has each month's report sent to a mail address, as a PDF, once whoever reads there has agreed: until then a code is sent and nothing
    else. `mail-not-offered`, if this hub sends no mail."""
    with hub.db.write() as session:
        person = persons.find(session, wallet)
        return subscribing.public(hub, subscribing.put(session, hub, person, wallet, body, hub.clock.now()))


@router.post(
    "/me/schedule/mail/confirm",
    operation_id="confirmMailAddress",
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 422, 429),
)
@retried
def confirm_mail(hub: HubDep, wallet: CurrentWallet, body: MailCode) -> MailPublic:
    """With the code of the newest mail: from now on reports go there, the running month's as the first."""
    with hub.db.write() as session:
        person = persons.find(session, wallet)
        row, is_confirmed = subscribing.confirm(session, person, body.code, hub.clock.now())
    if not is_confirmed:  # only now: a wrong attempt is kept
        raise subscribing.wrong_code()
    return subscribing.public(hub, row)


@router.get("/me/schedule/mail", operation_id="getMailSchedule", responses=problem_responses(401, 404))
def get_mail_schedule(hub: HubDep, wallet: CurrentWallet) -> MailPublic:
    """Whether this hub sends mail at all; to which address reports go, when the next does, and whether the last was taken."""
    with hub.db.read() as session:
        return subscribing.public(hub, turns.of_person(session, ReportMail, persons.find(session, wallet)))


@router.delete(
    "/me/schedule/mail",
    operation_id="endMailSchedule",
    status_code=204,
    dependencies=COUNTED,
    responses=problem_responses(401, 404, 429),
)
@retried
def end_mail_schedule(hub: HubDep, wallet: CurrentWallet) -> None:
    """No more mails are sent, and the address is forgotten."""
    with hub.db.write() as session:
        subscribing.remove(session, persons.find(session, wallet))
