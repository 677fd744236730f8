"""The intake's rows, read and written for a whole group at once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection, select, tuple_
from sqlmodel import Session, col

from taesan.channels import vouchers
from taesan.channels.models import Channel, Charged
from taesan.core import bulk
from taesan.core.days import day_of
from taesan.jars.accrual import Rule
from taesan.jars.grammar import parse_fires, parse_gather, parse_only
from taesan.jars.models import JarCount, JarFiring
from taesan.jars.rule_models import RuleNote, RuleState, SignedRule
from taesan.jars.sources import Taken
from taesan.payments.decision import ChannelState, Decision, JarState
from taesan.payments.messages import Submission
from taesan.payments.models import Payment
from taesan.payments.ruled import RuleLine
from taesan.payments.terms import Terms

_LOCK = "SELECT id FROM channel WHERE id IN (:values) ORDER BY id FOR NO KEY UPDATE"
_CHANNELS = (
    "SELECT channel.id, state, payer, receiver_authorizer, channel.account_id, jar_account_id, charged.amount, "
    "free.amount, gathered.amount, jar_count.payments, ruled, round_up_step, trigger_count, trigger_value, "
    "claimed, claim_total, pressing, quarantine_id, secured, gateway_id FROM channel "
    "JOIN charged ON charged.account_id = channel.account_id "
    "JOIN balance free ON free.account_id = channel.account_id "
    "JOIN balance gathered ON gathered.account_id = jar_account_id "
    "LEFT JOIN jar_count ON jar_count.account_id = jar_account_id "
    "LEFT JOIN jar ON jar.channel_id = channel.id WHERE channel.id IN (:values)"
)
_RULES = (
    "SELECT id, public_id, channel_id, state, gather, fires, only_for, valid_until, payments, gathered, fired, day, of_day, "
    "of_month FROM signed_rule JOIN rule_state ON rule_id = id WHERE public_id IN (:values)"
)
_PERKS = (
    "SELECT public_id, owner, multiplier FROM signed_rule JOIN round_up_perk ON round_up_perk.payer = signed_rule.payer "
    "WHERE public_id IN (:values)"
)
_PAYMENT_COLUMNS = (
    "public_id",
    "channel_id",
    "account_id",
    "amount",
    "cumulative",
    "signature",
    "destination",
    "merchant_id",
    "payee",
    "purchase_value",
    "purchase_currency",
    "purchase_merchant",
    "purchase_category",
    "reference",
    "rule_id",
    "idempotency_key",
    "jar_gathered",
    "jar_payments",
    "jar_fired",
    "entry_id",
    "accepted_at",
)

_FIRING_COLUMNS = (
    "channel_id",
    "account",
    "amount",
    "payment_count",
    "reason",
    "payment_id",
    "rule_id",
    "fired_before",
    "fired_at",
)


@dataclass(slots=True)
class Accepted:
    """A payment with its public id and its time."""

    public_id: str
    accepted_at: datetime
    decision: Decision


# ------------------------------------------------------------------- reading


def channels(connection: Connection, terms: Terms, ids: Collection[str]) -> dict[str, ChannelState]:
    """The states of these channels, which nobody else changes until the transaction's end."""
    if not bulk.is_sqlite(connection):
        # Locked first and read then: what is read with the lock in one statement may be older than the lock.
        bulk.select_in(connection, _LOCK, ids)
    ours = (terms.operator, vouchers.ZERO_ADDRESS)
    default = terms.default_rule
    default_step, default_rule = default.round_up_step, Rule(default.trigger_count, default.trigger_value)
    states = {}
    for (
        id_,
        state,
        payer,
        receiver_authorizer,
        account_id,
        jar_account_id,
        charged,
        available,
        gathered,
        count,
        ruled,
        step,
        trigger_count,
        trigger_value,
        claimed,
        claim_total,
        pressing,
        quarantine_id,
        secured,
        gateway_id,
    ) in bulk.select_in(connection, _CHANNELS, ids):
        rule = default_rule if step is None else Rule(trigger_count, trigger_value)
        jar = JarState(jar_account_id, step or default_step, rule, count or 0, gathered, ruled or 0, count is None)
        # The operator's key may have been replaced since: whoever has the old one could refund what merchants are promised.
        safe_state = state if receiver_authorizer in ours else "closed"
        if quarantine_id is not None:
            safe_state = "quarantined"
        elif gateway_id is not None:
            safe_state = "gateway"
        states[id_] = ChannelState(
            id_, safe_state, payer, account_id, charged, available, jar, claimed, claim_total, pressing, secured
        )
    return states


def rules(connection: Connection, terms: Terms, ids: Collection[str], now: datetime) -> dict[str, RuleLine]:
    """The signed rules of these public ids that exist. Who has their channels' rows has theirs: nobody else changes them."""
    lines: dict[str, RuleLine] = {}
    if not ids:
        return lines
    for (
        id_,
        public_id,
        channel_id,
        state,
        gather,
        fires,
        only,
        valid_until,
        payments,
        gathered,
        fired,
        day,
        of_day,
        of_month,
    ) in bulk.select_in(connection, _RULES, ids):
        times = parse_fires(fires)
        taken = Taken(day, of_day, of_month).on(day_of(now, times.time_zone).isoformat())
        is_active = state == "active" and valid_until > now.timestamp()
        words = parse_gather(gather), times, parse_only(only)
        line = RuleLine(
            id_, public_id, channel_id, is_active, *words, payments, gathered, fired, taken, terms.max_payment
        )
        lines[public_id] = line
    by_tier = [public_id for public_id, line in lines.items() if line.gather.most_times is not None]
    for public_id, owner, multiplier in bulk.select_in(connection, _PERKS, by_tier) if by_tier else ():
        lines[public_id].perks[owner] = multiplier
    return lines


def signers(connection: Connection, ids: Collection[str]) -> dict[str, tuple[str, str | None]]:
    """Channel → its payer and the key that signs its vouchers; None: the payer itself does."""
    rows = bulk.select_in(connection, "SELECT id, payer, payer_authorizer FROM channel WHERE id IN (:values)", ids)
    return {id_: (payer, None if key == vouchers.ZERO_ADDRESS else key) for id_, payer, key in rows}


def surplus(connection: Connection, terms: Terms) -> int:
    """What the hub's own money in the reserve can stand in for; nobody else changes it until the transaction's end."""
    lock = "" if bulk.is_sqlite(connection) else " FOR NO KEY UPDATE OF balance"
    names = (terms.chart.surplus, terms.chart.shortfall)
    sql = "SELECT account.kind, balance.amount FROM balance JOIN account ON account.id = balance.account_id "
    rows = bulk.select_in(connection, sql + "WHERE account.name IN (:values)" + lock, map(str, names))
    amounts: dict[str, int] = dict(map(tuple, rows))
    return max(0, amounts.get("surplus", 0) - amounts.get("shortfall", 0))


def payees(connection: Connection, merchant_ids: Collection[str]) -> dict[str, str]:
    """Merchant → its payout address; those that exist."""
    if not merchant_ids:
        return {}
    rows = bulk.select_in(connection, "SELECT id, address FROM merchant WHERE id IN (:values)", merchant_ids)
    return dict(map(tuple, rows))


class _HasAccount(Protocol):
    @property
    def account_id(self) -> int: ...


def by_key(
    session: Session, channels: Mapping[str, _HasAccount], submissions: Iterable[Submission]
) -> dict[tuple[str, str], Accepted]:
    """(channel, Idempotency-Key) → the payment that was accepted with it."""
    wanted = {(channels[s.channel_id].account_id, s.idempotency_key) for s in submissions if s.channel_id in channels}
    if not wanted:
        return {}
    pair = tuple_(col(Payment.account_id), col(Payment.idempotency_key))
    return {
        (row.channel_id, row.idempotency_key): Accepted(
            row.public_id,
            row.accepted_at,
            Decision(
                Submission(
                    row.idempotency_key,
                    row.channel_id,
                    row.amount,
                    row.cumulative,
                    row.signature,
                    row.merchant_id,
                    row.purchase_value,
                    row.purchase_currency,
                    row.reference,
                    invoice_id=row.reference if row.destination == "invoice" else None,
                    rule_id=rule_id,
                    purchase_merchant=row.purchase_merchant,
                    purchase_category=row.purchase_category,
                    person=row.payee if row.destination == "person" else None,
                ),
                row.payee,
                row.jar_gathered,
                row.jar_payments,
                row.jar_fired,
            ),
        )
        for row, rule_id in session.execute(
            select(Payment, col(SignedRule.public_id))
            .outerjoin(SignedRule, col(SignedRule.id) == col(Payment.rule_id))
            .where(pair.in_(wanted))
        )
    }


# ------------------------------------------------------------------- writing


def destination_of(submission: Submission) -> str:
    """As a payment's row names it. Of a payment to an invoice the reference is the invoice's id."""
    if submission.invoice_id is not None:
        return "invoice"
    if submission.person is not None:
        return "person"
    return "jar" if submission.merchant_id is None else "merchant"


def write(
    connection: Connection,
    accepted: Sequence[Accepted],
    channels: Mapping[str, ChannelState],
    entry_id: int,
    now: datetime,
) -> None:
    """The payments and what they changed, but for balances: those are the books'."""
    stored_at = bulk.timestamp(connection, now)
    bulk.insert(
        connection, Payment, _PAYMENT_COLUMNS, [_payment_row(a, channels, entry_id, stored_at) for a in accepted]
    )
    touched = [channels[id_] for id_ in {a.decision.submission.channel_id for a in accepted}]
    charged = [(channel.charged, channel.account_id) for channel in touched]
    bulk.update(connection, Charged, "amount = :amount", ("amount", "account_id"), charged)
    secured = [(channel.secured, channel.channel_id) for channel in touched if channel.secured is not None]
    bulk.update(connection, Channel, "secured = :secured", ("secured", "id"), secured)
    pressing = [(channel.pressing, channel.channel_id) for channel in touched if channel.has_become_pressing]
    bulk.update(connection, Channel, "pressing = :pressing", ("pressing", "id"), pressing)
    jars = [channel.jar for channel in touched if channel.jar.has_changed]
    columns = ("payments", "ruled", "account_id")
    counts = [(jar.payment_count, jar.ruled, jar.account_id) for jar in jars if not jar.is_new]
    bulk.update(connection, JarCount, "payments = :payments, ruled = :ruled", columns, counts)
    new = [(jar.payment_count, jar.ruled, jar.account_id) for jar in jars if jar.is_new]
    bulk.insert(connection, JarCount, columns, new)
    fired = [a for a in accepted if a.decision.jar_fired is not None]
    bulk.insert(connection, JarFiring, _FIRING_COLUMNS, [_firing_row(a, stored_at) for a in fired])
    ruled = {a.decision.rule.id: a.decision.rule for a in accepted if a.decision.rule is not None}
    if ruled:
        _write_rules(connection, list(ruled.values()), accepted, stored_at)


def _write_rules(
    connection: Connection, rules: Sequence[RuleLine], accepted: Sequence[Accepted], stored_at: object
) -> None:
    """What signed rules have gathered, and notes of those that have fired, or could not gather all."""
    states = [(r.payments, r.gathered, r.fired, r.taken.day, r.taken.of_day, r.taken.of_month, r.id) for r in rules]
    bulk.update(
        connection,
        RuleState,
        "payments = :payments, gathered = :gathered, fired = :fired, day = :day, of_day = :of_day, of_month = :of_month",
        ("payments", "gathered", "fired", "day", "of_day", "of_month", "rule_id"),
        states,
    )
    notes: list[tuple[object, ...]] = []
    for decision in (a.decision for a in accepted if a.decision.rule is not None):
        assert decision.rule is not None
        id_, amount, count = decision.rule.id, decision.submission.amount, decision.fired_count or decision.jar_payments
        if decision.why_less is not None:
            notes.append((id_, "cut", decision.why_less, amount, count, stored_at))
        if decision.jar_fired is not None:
            notes.append((id_, "fired", decision.fired_reason, decision.jar_fired, decision.fired_count, stored_at))
    bulk.insert(connection, RuleNote, ("rule_id", "kind", "reason", "amount", "payments", "noted_at"), notes)


def _firing_row(accepted: Accepted, stored_at: object) -> tuple[object, ...]:
    decision = accepted.decision
    return (
        decision.submission.channel_id,
        decision.payee,
        decision.jar_fired,
        decision.fired_count,
        decision.fired_reason,
        accepted.public_id,
        None if decision.rule is None else decision.rule.id,
        decision.fired_before,
        stored_at,
    )


def _payment_row(
    accepted: Accepted, channels: Mapping[str, ChannelState], entry_id: int, stored_at: object
) -> tuple[object, ...]:
    decision, s = accepted.decision, accepted.decision.submission
    return (
        accepted.public_id,
        s.channel_id,
        channels[s.channel_id].account_id,
        s.amount,
        s.cumulative,
        s.signature,
        destination_of(s),
        s.merchant_id,
        decision.payee,
        s.purchase_value,
        s.purchase_currency,
        s.purchase_merchant,
        s.purchase_category,
        s.reference,
        None if decision.rule is None else decision.rule.id,
        s.idempotency_key,
        decision.jar_gathered,
        decision.jar_payments,
        decision.jar_fired,
        entry_id,
        stored_at,
    )
