"""Accepts payments: every way in ends here. Accepted means verified, funded, booked and durable."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection
from sqlmodel import Session

from taesan.chain import view
from taesan.channels import vouchers
from taesan.core import idempotency
from taesan.core.clock import rfc3339
from taesan.core.ids import new_ids
from taesan.core.problems import Problem
from taesan.identity import keys
from taesan.ledger import posting
from taesan.ledger.posting import Move
from taesan.payments import invoices, store, tally
from taesan.payments.cover import Cover
from taesan.payments.decision import ChannelState, decide
from taesan.payments.messages import Outcome, Refusal, Result, Submission
from taesan.payments.ruled import RuleLine, unknown_rule
from taesan.payments.store import Accepted, destination_of
from taesan.payments.terms import Terms

_encode = msgspec.json.Encoder().encode


def accept(
    session: Session,
    terms: Terms,
    submissions: Sequence[Submission],
    now: datetime,
    *,
    admit: Callable[[str], None],
    closed: Problem | None = None,
    look_up_keys: bool = True,
    wary_of: Container[str] = (),
) -> list[Result]:
    """Books verified payments in their order; the caller's commit makes them accepted. A bad one fails alone.

    :param admit: see `decide`
    :param closed: why nothing new is accepted, if so
    :param look_up_keys: False leaves repeated keys to the voucher's own order, and to the database, which refuses the
        whole group (IntegrityError) if a key is used again for a new voucher
    :param wary_of: channels whose keys are looked up all the same
    :returns: one for each: `unknown-channel`, `unknown-merchant`, `unknown-rule`, `idempotency-key-reused`, `chain-view-too-old`, or
        what `decide` and `invoices.addressed` raise
    """
    connection = session.connection()
    channels = store.channels(connection, terms, {s.channel_id for s in submissions})
    due = invoices.locked(session, {s.invoice_id for s in submissions if s.invoice_id is not None})
    payees = {s.merchant_id for s in submissions if s.merchant_id is not None}
    merchants = store.payees(connection, payees | {invoice.merchant_id for invoice in due.values()})
    rules = store.rules(connection, terms, {s.rule_id for s in submissions if s.rule_id is not None}, now)
    suspects = [s for s in submissions if look_up_keys or s.channel_id in wary_of or _is_behind(s, channels)]
    known = store.by_key(session, channels, suspects)
    cover = _cover(connection, terms, submissions, channels)
    accepted_at = rfc3339(now)
    ids = iter(new_ids("pay", len(submissions)))
    outcomes: list[Result] = []
    accepted: list[Accepted] = []
    for asked in submissions:
        key = (asked.channel_id, asked.idempotency_key)
        try:
            if key in known:
                outcomes.append(_replay(known[key], asked))
                continue
            if closed:
                raise closed
            submission = asked if asked.invoice_id is None else invoices.addressed(asked, due, now)
            payee = _payee(merchants, submission)
            channel = _channel(channels, submission)
            rule = _rule(rules, submission)
            exponent, exposure = terms.asset_exponent, terms.channel_exposure
            decision = decide(submission, channel, payee, rule, exponent, cover, exposure, admit)
        except Problem as problem:
            outcomes.append(Refusal.of(problem))
            continue
        known[key] = new = Accepted(next(ids), now, decision)
        accepted.append(new)
        if asked.invoice_id is not None:
            invoices.mark_paid(due[asked.invoice_id], new.public_id, now)
        outcomes.append(Outcome(_answer(new, accepted_at)))
    if accepted:
        _keep(session, terms, accepted, channels, cover, now)
        paid = {a.decision.submission.invoice_id for a in accepted}
        invoices.tell(session, invoices.PAID, [invoice for id_, invoice in due.items() if id_ in paid], now)
    return outcomes


def _cover(
    connection: Connection, terms: Terms, submissions: Sequence[Submission], channels: Mapping[str, ChannelState]
) -> Cover:
    """What the hub may stand in for; asked for only if a contract's wallet is among the payers."""
    cover = Cover(0, terms.wallet_exposure)
    if any(s.by_contract for s in submissions) or any(c.secured is not None for c in channels.values()):
        cover.free = store.surplus(connection, terms)
    return cover


def _keep(
    session: Session,
    terms: Terms,
    accepted: Sequence[Accepted],
    channels: dict[str, ChannelState],
    cover: Cover,
    now: datetime,
) -> None:
    """Books and stores them."""
    entry_id = _book(session, terms, accepted, channels, now)
    tally.count(session, accepted, channels)
    _hold(session, terms, cover, entry_id, now)
    store.write(session.connection(), accepted, channels, entry_id, now)


def payments_ref(payments: Iterable[tuple[str, str, int, int, str]]) -> str:
    """A journal entry's reference to the payments that it books, which its hash thereby covers.

    :param payments: (public id, channel id, amount, cumulative, payee) in their order
    """
    content = "\n".join(f"{id_} {channel} {amount} {total} {payee}" for id_, channel, amount, total, payee in payments)
    return "payments:" + hashlib.sha256(content.encode()).hexdigest()


def _book(
    session: Session, terms: Terms, accepted: Sequence[Accepted], channels: dict[str, ChannelState], now: datetime
) -> int:
    """One entry for all of them: each account's sum. What left the jars has an entry of its own."""
    chart = terms.chart
    paid: dict[str, int] = defaultdict(int)
    gathered: dict[str, int] = defaultdict(int)
    pending: dict[str, int] = defaultdict(int)
    fired: dict[str, int] = defaultdict(int)
    sent: dict[str, int] = defaultdict(int)
    for decision in (a.decision for a in accepted):
        submission = decision.submission
        paid[submission.channel_id] += submission.amount
        if submission.person is not None:
            sent[decision.payee] += submission.amount
        elif submission.merchant_id is None:
            gathered[submission.channel_id] += submission.amount
            if decision.jar_fired is not None:
                fired[submission.channel_id] += decision.jar_fired
        else:
            pending[decision.payee] += submission.amount
    to_others = {chart.pending(address): amount for address, amount in pending.items()}
    to_others |= {chart.converting(address): amount for address, amount in sent.items()}
    accounts = posting.open_accounts(session, to_others) if to_others else {}
    moves = [Move(channels[id_].account_id, chart.channel(id_), amount) for id_, amount in paid.items()]
    moves += [Move(channels[id_].jar.account_id, chart.jar(id_), -amount) for id_, amount in gathered.items()]
    moves += [Move(accounts[account], account, -amount) for account, amount in to_others.items()]
    ref = payments_ref(
        (a.public_id, s.channel_id, s.amount, s.cumulative, a.decision.payee)
        for a in accepted
        for s in (a.decision.submission,)
    )
    entry_id = posting.post_moves(session, ref, "payments", now, moves)
    if fired:
        lines = [
            line
            for id_, amount in fired.items()
            for line in posting.transfer(chart.jar(id_), chart.converting(channels[id_].payer), amount)
        ]
        posting.post(session, f"firings:{entry_id}", "jars fired", now, lines)
    return entry_id


def _hold(session: Session, terms: Terms, cover: Cover, entry_id: int, now: datetime) -> None:
    """Books what the hub stands in for."""
    chart = terms.chart
    lines = [
        line for id_, amount in cover.held.items() for line in posting.transfer(chart.surplus, chart.cover(id_), amount)
    ]
    if lines:
        posting.post(session, f"held:{entry_id}", "held for contract wallets", now, lines)


# ------------------------------------------------------------------- answers


def _answer(accepted: Accepted, accepted_at: str) -> bytes:
    """`PaymentAccepted` as JSON knows it."""
    decision, submission = accepted.decision, accepted.decision.submission
    jar = None
    if decision.jar_gathered is not None:
        fired = None if decision.jar_fired is None else str(decision.jar_fired)
        jar = {"gathered": str(decision.jar_gathered), "payments": decision.jar_payments, "fired": fired}
    return _encode(
        {
            "id": accepted.public_id,
            "channel_id": submission.channel_id,
            "amount": str(submission.amount),
            "charged_cumulative": str(submission.cumulative),
            "destination": destination_of(submission),
            "merchant_id": submission.merchant_id,
            "recipient": submission.person,
            "reference": submission.reference,
            "accepted_at": accepted_at,
            "batch_id": None,
            "jar": jar,
        }
    )


def _replay(accepted: Accepted, submission: Submission) -> Outcome:
    if accepted.decision.submission.as_sent() != submission.as_sent():
        raise idempotency.key_reused()
    return Outcome(_answer(accepted, rfc3339(accepted.accepted_at)), replayed=True)


def _is_behind(submission: Submission, channels: dict[str, ChannelState]) -> bool:
    """Whether it may have been accepted before: a new voucher is always ahead."""
    channel = channels.get(submission.channel_id)
    return channel is not None and submission.cumulative <= channel.charged


def _channel(channels: dict[str, ChannelState], submission: Submission) -> ChannelState:
    channel = channels.get(submission.channel_id)
    if channel is None:
        raise vouchers.unknown_channel(submission.channel_id)
    return channel


def _payee(merchants: dict[str, str], submission: Submission) -> str | None:
    if submission.merchant_id is None:
        return submission.person
    payee = merchants.get(submission.merchant_id)
    if payee is None:
        raise keys.unknown_merchant(submission.merchant_id)
    return payee


def _rule(rules: Mapping[str, RuleLine], submission: Submission) -> RuleLine | None:
    if submission.rule_id is None:
        return None
    rule = rules.get(submission.rule_id)
    if rule is None:
        raise unknown_rule(submission.rule_id)
    return rule


def view_problem(session: Session, terms: Terms, now: datetime) -> Problem | None:
    """A payer's withdrawal that we do not know of would leave a payment unfunded: well before its delay can be over, a hub
    that hears nothing from the chain stops accepting. One that was restored begins when it has caught up."""
    if problem := view.closed(session):
        return problem
    age = now - view.known_since(session)
    if age <= timedelta(seconds=terms.view_age_s):
        return None
    return Problem(
        "chain-view-too-old",
        503,
        "The hub has not heard from its blockchain for too long to accept payments.",
        f"For {age.total_seconds():.0f} s. It goes on by itself when the node is back.",
        headers={"retry-after": "30"},
    )
