"""Jars that fire without a payment: on a date, or because their payer says so. The next batch takes the firing along."""

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import Session, col

from taesan.chain import view
from taesan.channels import queries
from taesan.channels.models import Channel
from taesan.core import counters
from taesan.core.days import day_of
from taesan.core.problems import Problem
from taesan.core.reasons import read, written
from taesan.hub import Hub
from taesan.jars import reasons, rules
from taesan.jars.grammar import ON_REQUEST
from taesan.jars.models import JarCount, JarFiring
from taesan.jars.rule_models import RuleState, SignedRule
from taesan.ledger import posting
from taesan.ledger.posting import transfer
from taesan.payments.models import Payment

AT_ONCE = 200  # rules in one transaction


AGAIN_AFTER = timedelta(hours=1)


def fire_due_step(hub: Hub) -> bool:
    """Worker step: fires what is due by its date, and ends what is over; returns whether there was any."""
    now = hub.chain_clock.now()
    with hub.db.read() as session:
        if view.closed(session) or not (rules.due(session, now, 1) or rules.has_ended_by_now(session, now, 1)):
            return False
    done = 0
    with hub.db.write() as session:
        for rule in rules.has_ended_by_now(session, now, AT_ONCE):
            rules.end(session, rule, "expired", "expired", now)  # first: nothing is moved for it any more
            done += 1
        for rule in rules.due(session, now, AT_ONCE):
            if session.get_one(Channel, rule.channel_id).state == "refunding":
                continue  # open again in a moment
            done += 1
            # Whatever it missed while the hub was away it makes up for once: all that is in it goes.
            due_at, rule.due_at = rule.due_at, rule.words.fires.next_after(now)
            assert due_at is not None
            day = day_of(due_at, rule.words.fires.time_zone)
            fire(session, hub, rule, reasons.date(day.isoformat()), now)
            if session.get_one(RuleState, rule.id).gathered and rule.due_at is not None:
                rule.due_at = min(
                    rule.due_at, now + AGAIN_AFTER
                )  # what did not fit, or could not go yet, is not left for a month
    return done > 0


def fire_on_request(session: Session, hub: Hub, rule: SignedRule, now: datetime) -> None:
    """:raises Problem: `rule-ended`, `rule-not-active`, `rule-fires-otherwise`, and as `view.closed`"""
    rules.refuse_ended(rule, now)
    if rule.state != "active":
        raise Problem("rule-not-active", 409, "The rule gathers nothing now.", "It is paused: resume it first.")
    if not rule.words.fires.on_request:
        raise Problem(
            "rule-fires-otherwise",
            409,
            "The rule does not fire on request.",
            f"Its payer has signed {rule.fires!r}, without {ON_REQUEST!r}.",
        )
    if problem := view.closed(session):
        raise problem
    fire(session, hub, rule, reasons.REQUEST, now)


def fire(session: Session, hub: Hub, rule: SignedRule, reason: str, now: datetime) -> None:
    """All that the rule has gathered, or as much as its channel may owe; or nothing: either way a note tells why."""
    channel = session.get_one(Channel, rule.channel_id)
    state = session.get_one(RuleState, rule.id)
    amount = min(state.gathered, _room(session, hub, channel))
    newest = _newest(session, channel)
    kept = _why_not(session, channel, state, newest, amount)
    if kept is not None or newest is None:
        asked = read(reason)
        why = written(kept or "voucher-lost", asked_by=asked.values.get("day", asked.code))
        rules.note(session, rule, "not fired", why, now, state)
        return
    rules.note(session, rule, "fired", reason, now, state, amount=amount)
    chart = hub.chart
    lines = transfer(chart.jar(channel.id), chart.converting(channel.payer), amount)
    posting.post(session, f"fired:{rule.public_id}:{state.fired}", "jars fired", now, lines)
    count = session.get_one(JarCount, channel.jar_account_id)
    count.ruled -= amount
    left = amount
    while left:  # in pieces of the cap for payments, so that none is too large for a batch
        piece = min(left, hub.settings.max_payment)
        session.add(_firing(rule, channel, state, newest, piece, reason, now))
        counters.add(session, {"firings": 1})
        state.gathered, state.fired, left = state.gathered - piece, state.fired + piece, left - piece
        state.payments = 0
    _press(session, hub, channel)
    session.add_all([count, state])
    session.flush()


def _firing(
    rule: SignedRule, channel: Channel, state: RuleState, newest: Payment, amount: int, reason: str, now: datetime
) -> JarFiring:
    return JarFiring(
        channel_id=channel.id,
        account=channel.payer,
        amount=amount,
        payment_count=state.payments,
        reason=reason,
        after_id=newest.id,
        rule_id=rule.id,
        fired_before=state.fired,
        fired_at=now,
    )


def _why_not(session: Session, channel: Channel, state: RuleState, newest: Payment | None, amount: int) -> str | None:
    """A code of `jars.reasons`."""
    if channel.quarantine_id is not None or channel.state != "open":
        return "channel-closed"
    if not state.gathered:
        return "nothing-gathered"
    if newest is None or newest.cumulative != queries.charged(session, channel):
        return "voucher-lost"
    if amount <= 0:
        return "unclaimed"
    return None


def _newest(session: Session, channel: Channel) -> Payment | None:
    of_channel = select(Payment).where(col(Payment.account_id) == channel.account_id)
    return session.scalar(of_channel.order_by(col(Payment.cumulative).desc()).limit(1))


def _waiting(session: Session, hub: Hub, channel: Channel, claimed: int) -> int:
    """What others are owed out of a channel beyond what is claimed."""
    in_jar = posting.balance(session, hub.chart.jar(channel.id))
    return queries.charged(session, channel) - claimed - in_jar


def _room(session: Session, hub: Hub, channel: Channel) -> int:
    """What the intake would let it owe besides (`decision`)."""
    return hub.settings.channel_exposure - _waiting(session, hub, channel, channel.claimed)


def _press(session: Session, hub: Hub, channel: Channel) -> None:
    waiting = _waiting(session, hub, channel, channel.claim_total)
    if channel.pressing is None and waiting * 2 >= hub.settings.channel_exposure:
        channel.pressing = waiting
        session.add(channel)
