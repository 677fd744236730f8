"""For who runs the hub: is it alive, is it ready, what does it do."""

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, Field

from taesan.core.http import problem_responses
from taesan.core.problems import not_found
from taesan.hub import HubDep
from taesan.identity.auth import unauthorized
from taesan.identity.operators import OperatorDep
from taesan.operations import health
from taesan.operations import status as state
from taesan.operations.status import StatusPublic
from taesan.payments.lanes import Lanes

router = APIRouter(tags=["operations"])

_token = HTTPBearer(auto_error=False, scheme_name="metrics token", description="`TAESAN_METRICS_TOKEN`")


class Alive(BaseModel):
    status: Literal["ok"]


class Ready(BaseModel):
    status: Literal["ready"]
    checks: dict[str, str] = Field(description="Each check's state: `ok`", examples=[{"database": "ok", "node": "ok"}])
    alarms: list[str] = Field(description="Names of those that are on: for a person, not against the hub's readiness")


@router.get("/healthz", operation_id="health")
async def healthz() -> Alive:
    """Whether the process is alive. It asks nobody: to start the process again would not bring back a database."""
    return Alive(status="ok")


@router.get("/readyz", operation_id="ready", responses=problem_responses(503))
async def readyz(request: Request, hub: HubDep) -> Ready:
    """Whether to send requests here: the database can be read, the node was heard of late (`TAESAN_READY_SILENCE_S`), no
    event is stuck, and the intake is up. If not, 503 with what is wrong: `checks` has each check's state."""
    lanes: Lanes = request.app.state.lanes
    found = await run_in_threadpool(health.checks, hub, lanes.is_up())
    if any(check.trouble for check in found):
        raise health.not_ready(found)
    alarms = await run_in_threadpool(health.alarm_names, hub)
    return Ready(status="ready", checks=health.states_of(found), alarms=alarms)


@router.get("/v1/operator/status", tags=["operator"], operation_id="getStatus", responses=problem_responses(401, 403))
def get_status(request: Request, hub: HubDep, _operator: OperatorDep) -> StatusPublic:
    """How the hub is: checks, alarms with their details, the signer's balance, what waits and for how long."""
    lanes: Lanes = request.app.state.lanes
    balance = state.signer_balance(hub)
    with hub.db.read() as session:
        return state.status(session, hub, balance, lanes.is_up())


def _admitted(hub: HubDep, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)]) -> None:
    """:raises Problem: `not-found` if there are no metrics for anybody, `unauthorized` without the token"""
    token = hub.settings.metrics_token
    if token is None:
        if hub.settings.environment != "local":
            raise not_found("path", "/metrics")
        return
    given = bearer.credentials if bearer else ""
    if not secrets.compare_digest(given.encode(), token.get_secret_value().encode()):
        raise unauthorized("Send TAESAN_METRICS_TOKEN as `Authorization: Bearer …`.")


@router.get(
    "/metrics",
    operation_id="metrics",
    dependencies=[Depends(_admitted)],
    response_class=PlainTextResponse,
    responses=problem_responses(401, 404),
    openapi_extra={"security": [{}]},  # or none, on a local hub
)
def metrics(request: Request) -> Response:
    """Figures for Prometheus. Outside local only with a token, which `TAESAN_METRICS_TOKEN` sets; without one, 404.

    Each process tells of itself what it has counted since it began; what the database tells is the same from all.
    """
    registry: CollectorRegistry = request.app.state.metrics
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), media_type=content_type)
