"""Jars over HTTP: their payer's alone."""

from fastapi import APIRouter

from taesan.channels import service as channels
from taesan.core.db import retried
from taesan.core.http import Language, problem_responses
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.core.values import Bytes32
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.jars import queries, service
from taesan.jars.models import FiringPublic, JarPublic, JarRule

router = APIRouter(prefix="/v1/channels/{channel_id}/jar", tags=["jars"])


@router.get("", operation_id="getJar", responses=problem_responses(401, 403, 404, 422))
def get_jar(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, language: Language) -> JarPublic:
    """What is in the jar, its rule, and when it fired."""
    with hub.db.read() as session:
        channel = channels.find_own_channel(session, channel_id, wallet)
        return queries.public_jar(
            session, hub, channel, queries.find_jar(session, hub, channel_id, hub.clock.now()), language
        )


@router.get("/firings", operation_id="listFirings", responses=problem_responses(401, 403, 404, 422))
def list_firings(
    hub: HubDep,
    wallet: CurrentWallet,
    channel_id: Bytes32,
    language: Language,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[FiringPublic]:
    """When the jar fired, newest first."""
    with hub.db.read() as session:
        channel = channels.find_own_channel(session, channel_id, wallet)
        rows = queries.firings_of(session, channel, cursor, limit)
        return page(rows, limit, lambda firing: firing.id, lambda firing: queries.public_firing(firing, language))


@router.put("", operation_id="setJarRule", dependencies=COUNTED, responses=problem_responses(401, 403, 404, 422, 429))
@retried
def set_jar_rule(
    hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule: JarRule, language: Language
) -> JarPublic:
    """Sets the rule for the payments to come."""
    with hub.db.write() as session:
        channel = channels.find_own_channel(session, channel_id, wallet)
        jar = service.set_rule(session, hub, channel_id, rule, hub.clock.now())
        return queries.public_jar(session, hub, channel, jar, language)
