"""Reading signed rules."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.core.clock import rfc3339
from taesan.core.days import day_of
from taesan.core.pages import newest_first
from taesan.core.reasons import told
from taesan.gateways import customers
from taesan.gateways.customers import SoFar
from taesan.hub import Hub
from taesan.jars import bounds, perks, sources
from taesan.jars.grammar import ON_REQUEST, Fires, Gather
from taesan.jars.reasons import TITLES
from taesan.jars.rule_models import (
    DestinationIn,
    RuleNote,
    RuleNotePublic,
    RuleProgress,
    RulePublic,
    RuleState,
    SignedRule,
)
from taesan.jars.sources import Taken


def rules_of(session: Session, channel_id: str, before: int | None, limit: int) -> Sequence[SignedRule]:
    query = select(SignedRule).where(col(SignedRule.channel_id) == channel_id)
    return newest_first(session, query, col(SignedRule.id), before, limit)


def notes_of(session: Session, rule: SignedRule, before: int | None, limit: int) -> Sequence[RuleNote]:
    query = select(RuleNote).where(col(RuleNote.rule_id) == rule.id)
    return newest_first(session, query, col(RuleNote.id), before, limit)


def public_note(note: RuleNote, language: str) -> RuleNotePublic:
    return RuleNotePublic(
        kind=note.kind,
        reason=told(note.reason, TITLES, language),
        amount=note.amount,
        payments=note.payments,
        at=rfc3339(note.noted_at),
    )


def public_rule(session: Session, hub: Hub, rule: SignedRule, now: datetime) -> RulePublic:
    state = "expired" if rule.ended_at is None and rule.ends_at <= now else rule.state
    return RulePublic(
        id=rule.public_id,
        number=rule.number,
        channel_id=rule.channel_id,
        state=state,
        gather=rule.gather,
        fires=rule.fires,
        only=rule.only_for,
        destinations=[DestinationIn.model_validate(destination) for destination in rule.destinations],
        per_day=rule.per_day,
        valid_until=rule.valid_until,
        signature=rule.signature,
        created_at=rfc3339(rule.created_at),
        perks={} if rule.words.gather.most_times is None else dict(perks.of_payer(session, rule.payer)),
        progress=progress(session, hub, rule, now),
        warning=_warning(hub, rule),
    )


def _warning(hub: Hub, rule: SignedRule) -> str | None:
    if not rule.per_day:
        return None
    settings = hub.settings
    return bounds.warning(rule.words, rule.per_day, hub.asset.exponent, settings.max_payment, settings.asset_currency)


def progress(session: Session, hub: Hub, rule: SignedRule, now: datetime) -> RuleProgress:
    words, exponent = rule.words, hub.asset.exponent
    state = session.get_one(RuleState, rule.id)
    so_far = SoFar(state.payments, state.gathered)
    if words.gather.of_gateways:
        so_far = customers.nearest(session, hub, rule, now)
    today = Taken(state.day, state.of_day, state.of_month).on(day_of(now, words.fires.time_zone).isoformat())
    trigger, left = sources.trigger(words.fires, exponent), sources.left(words.gather, today, exponent)
    return RuleProgress(
        text=", ".join(filter(None, [_told(words.fires, so_far, exponent, rule.due_at), _full(words.gather, left)])),
        gathered=so_far.gathered,
        payments=so_far.payments,
        of_payments=trigger.trigger_count,
        of_value=trigger.trigger_value,
        due_at=rfc3339(rule.due_at) if rule.due_at else None,
        fired=state.fired,
        left_today=left,
        most_at_once=hub.settings.max_payment,
    )


def _full(gather: Gather, left: int | None) -> str:
    """Why it gathers nothing now."""
    caps = ((gather.per_day, "day"), (gather.per_month, "month"))
    told = " and ".join(f"at most {cap} a {period}" for cap, period in caps if cap is not None)
    return f"no more for now: {told}" if left == 0 else ""


def _told(fires: Fires, so_far: SoFar, exponent: int, due_at: datetime | None) -> str:
    """Such as `73 of 100 payments, 3.21 of 5 USD`."""
    parts = []
    if fires.count is not None:
        parts.append(f"{so_far.payments} of {fires.count} payments")
    if fires.value is not None:
        currency = fires.value.currency
        gathered = sources.in_money(so_far.gathered, currency, exponent)
        parts.append(f"{str(gathered).removesuffix(' ' + currency)} of {fires.value}")
    if due_at is not None:
        parts.append(f"due on {day_of(due_at, fires.time_zone).isoformat()}")
    if fires.on_request:
        parts.append(ON_REQUEST)
    return ", ".join(parts)
