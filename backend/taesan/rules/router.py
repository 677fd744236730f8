"""Signed rules over HTTP: their payer's alone. Their words stand in `jars`; what fills and fires them, in `payments` and `gateways`."""

from fastapi import APIRouter, Response

from taesan.channels import service as channels
from taesan.core.db import retried
from taesan.core.http import Language, problem_responses
from taesan.core.idempotency import REPLAYED_HEADER
from taesan.core.pages import Cursor, Limit, Page, page
from taesan.core.values import Bytes32
from taesan.hub import HubDep
from taesan.identity.access import CurrentWallet
from taesan.identity.rates import COUNTED
from taesan.jars import prospects, rules
from taesan.jars.rule_models import DryRun, DryRunAsked, RuleCreate, RuleNotePublic, RulePublic
from taesan.payments import dated, history
from taesan.rules import queries

router = APIRouter(prefix="/v1/channels/{channel_id}/rules", tags=["rules"])


@router.post(
    "",
    operation_id="addRule",
    status_code=201,
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 409, 422, 429),
)
@retried
def add_rule(
    hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, asked: RuleCreate, response: Response
) -> RulePublic:
    """A rule that the channel's payer has signed (EIP-712). It gathers from now on; the same again is answered again."""
    with hub.db.read() as session:
        prospects.check(session, hub, channels.find_own_channel(session, channel_id, wallet).payer, asked)
    with hub.db.write() as session:
        now = hub.clock.now()
        channel = channels.find_own_channel(session, channel_id, wallet)
        rule, is_new = rules.add(session, hub, channel, asked, now)
        if not is_new:
            response.headers[REPLAYED_HEADER] = "true"
        return queries.public_rule(session, hub, rule, now)


@router.post(
    "/dry-run",
    operation_id="rehearseRule",
    dependencies=COUNTED,
    responses=problem_responses(401, 403, 404, 422, 429),
)
def rehearse_rule(
    hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, asked: DryRunAsked, language: Language
) -> DryRun:
    """What a rule would have gathered of the channel's purchases in a month, last month if none is named. Nothing is signed, nothing
    is stored."""
    with hub.db.read() as session:
        channel = channels.find_own_channel(session, channel_id, wallet)
        return history.dry_run(session, hub, channel, asked, hub.clock.now(), language)


@router.get("", operation_id="listRules", responses=problem_responses(401, 403, 404, 422))
def list_rules(
    hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, cursor: Cursor = None, limit: Limit = 100
) -> Page[RulePublic]:
    """The channel's rules, newest first, with how far each is."""
    with hub.db.read() as session:
        channels.find_own_channel(session, channel_id, wallet)
        now = hub.clock.now()
        rows = queries.rules_of(session, channel_id, cursor, limit)
        return page(rows, limit, lambda rule: rule.id, lambda rule: queries.public_rule(session, hub, rule, now))


@router.get("/{rule_id}", operation_id="getRule", responses=problem_responses(401, 403, 404, 422))
def get_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule_id: str) -> RulePublic:
    """One rule, and how far it is."""
    with hub.db.read() as session:
        rule = rules.find(session, channels.find_own_channel(session, channel_id, wallet), rule_id)
        return queries.public_rule(session, hub, rule, hub.clock.now())


@router.get("/{rule_id}/history", operation_id="listRuleHistory", responses=problem_responses(401, 403, 404, 422))
def list_history(
    hub: HubDep,
    wallet: CurrentWallet,
    channel_id: Bytes32,
    rule_id: str,
    language: Language,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[RuleNotePublic]:
    """When it fired, when it did not, and why; newest first. That a payment alone did not suffice is told with that payment."""
    with hub.db.read() as session:
        rule = rules.find(session, channels.find_own_channel(session, channel_id, wallet), rule_id)
        rows = queries.notes_of(session, rule, cursor, limit)
        return page(rows, limit, lambda note: note.id, lambda note: queries.public_note(note, language))


_CHANGES = problem_responses(401, 403, 404, 409, 422, 429)


@router.post("/{rule_id}/pause", operation_id="pauseRule", dependencies=COUNTED, responses=_CHANGES)
@retried
def pause_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule_id: str) -> RulePublic:
    """It neither gathers nor fires until it is resumed; what it has gathered stays."""
    with hub.db.write() as session:
        now = hub.clock.now()
        rule = rules.find(session, channels.find_own_channel(session, channel_id, wallet), rule_id)
        rules.pause(session, rule, now)
        return queries.public_rule(session, hub, rule, now)


@router.post("/{rule_id}/resume", operation_id="resumeRule", dependencies=COUNTED, responses=_CHANGES)
@retried
def resume_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule_id: str) -> RulePublic:
    """It gathers and fires again."""
    with hub.db.write() as session:
        now = hub.clock.now()
        rule = rules.find(session, channels.find_own_channel(session, channel_id, wallet), rule_id)
        rules.resume(session, rule, now)
        return queries.public_rule(session, hub, rule, now)


@router.post("/{rule_id}/cancel", operation_id="cancelRule", dependencies=COUNTED, responses=_CHANGES)
@retried
def cancel_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule_id: str) -> RulePublic:
    """Ends it for good. What it has gathered is left to the jar's own rule, which makes gift tokens of it. To be safe from an
    operator, too, the payer calls `StandingOrders.cancel` on chain."""
    with hub.db.write() as session:
        now = hub.clock.now()
        rule = rules.find(session, channels.find_own_channel(session, channel_id, wallet), rule_id)
        rules.end(session, rule, "cancelled", "cancelled", now)
        return queries.public_rule(session, hub, rule, now)


@router.post("/{rule_id}/fire", operation_id="fireRule", dependencies=COUNTED, responses=_CHANGES)
@retried
def fire_rule(hub: HubDep, wallet: CurrentWallet, channel_id: Bytes32, rule_id: str) -> RulePublic:
    """The payer says so: all that it has gathered is on its way with the next batch. Its history tells what came of it."""
    with hub.db.write() as session:
        now = hub.clock.now()
        rule = rules.find(session, channels.find_own_channel(session, channel_id, wallet), rule_id)
        dated.fire_on_request(session, hub, rule, now)
        return queries.public_rule(session, hub, rule, now)
