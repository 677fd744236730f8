"""What rules do with payments, asked for over HTTP by their payer."""

from fastapi import APIRouter

from taesan.channels import service as channels
from taesan.core.db import retried
from taesan.core.http import problem_responses
from taesan.core.values import Bytes32
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.jars import rule_queries, rules
from taesan.jars.rule_models import DryRun, DryRunAsked, RulePublic
from taesan.payments import dated, history

router = APIRouter(prefix="/v1/channels/{channel_id}/rules", tags=["rules"])


@router.post(
    "/dry-run",
    operation_id="rehearseRule",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 422, 429),
)
def rehearse_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, asked: DryRunAsked) -> DryRun:
    """What a rule would have gathered of the channel's purchases in a month, last month if none is named. Nothing is signed, nothing
    is stored."""
    with hub.db.read() as session:
        channel = channels.find_own_channel(session, channel_id, wallet)
        return history.dry_run(session, hub, channel, asked, hub.clock.now())


@router.post(
    "/{rule_id}/fire",
    operation_id="fireRule",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def fire_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule_id: str) -> RulePublic:
    """The payer says so: all that it has gathered is on its way with the next batch. Its history tells what came of it."""
    with hub.db.write() as session:
        now = hub.clock.now()
        rule = rules.find(session, channels.find_own_channel(session, channel_id, wallet), rule_id)
        dated.fire_on_request(session, hub, rule, now)
        return rule_queries.public_rule(session, hub, rule, now)
