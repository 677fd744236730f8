"""Accepts payments: every way in ends here. Accepted means verified, funded, booked and durable."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from taesan.chain import watcher
from taesan.core.clock import rfc3339
from taesan.core.ids import new_id
from taesan.core.problems import Problem
from taesan.hub import Hub
from taesan.ledger import posting
from taesan.ledger.posting import Move
from taesan.payments import store
from taesan.payments.decision import ChannelState, Submission, decide
from taesan.payments.store import Accepted

Answer = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """:ivar body: what the client is answered, as `PaymentAccepted`. :ivar replayed: whether it was accepted before"""

    body: Answer
    replayed: bool = False


def accept(
    session: Session, hub: Hub, submissions: Sequence[Submission], now: datetime, *, look_up_keys: bool = True
) -> list[Outcome | Problem]:
    """Books verified payments in their order; the caller's commit makes them accepted. A bad one fails alone.

    :param look_up_keys: False leaves repeated keys to the voucher's own order, and to the database, which refuses the
        whole group (IntegrityError) if a key is used again for a new voucher
    :returns: one for each: `unknown-channel`, `unknown-merchant`, `idempotency-key-reused`, `chain-view-too-old`, or
        what `decide` raises
    """
    connection = session.connection()
    channels = store.channels(connection, hub, {s.channel_id for s in submissions})
    merchants = store.payees(connection, {s.merchant_id for s in submissions if s.merchant_id is not None})
    suspects = submissions if look_up_keys else [s for s in submissions if _is_behind(s, channels)]
    known = store.by_key(session, suspects)
    too_old = _view_problem(session, hub, now)
    accepted_at = rfc3339(now)
    outcomes: list[Outcome | Problem] = []
    accepted: list[Accepted] = []
    for submission in submissions:
        key = (submission.channel_id, submission.idempotency_key)
        try:
            if key in known:
                outcomes.append(_replay(known[key], submission))
                continue
            if too_old:
                raise too_old
            payee = _payee(merchants, submission)
            decision = decide(submission, _channel(channels, submission), payee, hub.asset.exponent)
        except Problem as problem:
            outcomes.append(problem)
            continue
        known[key] = new = Accepted(new_id("pay"), now, decision)
        accepted.append(new)
        outcomes.append(Outcome(_answer(new, accepted_at)))
    if accepted:
        entry_id = _book(session, hub, accepted, channels, now)
        store.write(connection, accepted, channels, entry_id, now)
    return outcomes


def payments_ref(payments: Iterable[tuple[str, str, int, int, str]]) -> str:
    """A journal entry's reference to the payments that it books, which its hash thereby covers.

    :param payments: (public id, channel id, amount, cumulative, payee) in their order
    """
    content = "\n".join(f"{id_} {channel} {amount} {total} {payee}" for id_, channel, amount, total, payee in payments)
    return "payments:" + hashlib.sha256(content.encode()).hexdigest()


def _book(
    session: Session,
    hub: Hub,
    accepted: Sequence[Accepted],
    channels: dict[str, ChannelState],
    now: datetime,
) -> int:
    """One entry for all of them: each account's sum. What left the jars has an entry of its own."""
    chart = hub.chart
    to_merchants = {a.decision.payee for a in accepted if a.decision.submission.merchant_id is not None}
    accounts = posting.open_accounts(session, map(chart.pending, to_merchants)) if to_merchants else {}
    paid: dict[tuple[int, str], int] = defaultdict(int)
    fired: dict[str, int] = defaultdict(int)
    for decision in (a.decision for a in accepted):
        submission = decision.submission
        channel, amount = channels[submission.channel_id], submission.amount
        paid[channel.account_id, str(chart.channel(channel.channel_id))] += amount
        if submission.merchant_id is None:
            paid[channel.jar_account_id, str(chart.jar(channel.channel_id))] -= amount
        else:
            pending = chart.pending(decision.payee)
            paid[accounts[pending], str(pending)] -= amount
        if decision.jar_fired is not None:
            fired[channel.channel_id] += decision.jar_fired
    ref = payments_ref(
        (a.public_id, s.channel_id, s.amount, s.cumulative, a.decision.payee)
        for a in accepted
        for s in [a.decision.submission]
    )
    entry_id = posting.post_moves(session, ref, "payments", now, [Move(*a, amount) for a, amount in paid.items()])
    if fired:
        lines = [
            line
            for channel_id, amount in fired.items()
            for line in posting.transfer(chart.jar(channel_id), chart.converting(channels[channel_id].payer), amount)
        ]
        posting.post(session, f"firings:{entry_id}", "jars fired", now, lines)
    return entry_id


# ------------------------------------------------------------------- answers


def _answer(accepted: Accepted, accepted_at: str) -> Answer:
    """`PaymentAccepted` as JSON knows it."""
    decision, submission = accepted.decision, accepted.decision.submission
    jar = None
    if decision.jar_gathered is not None:
        fired = None if decision.jar_fired is None else str(decision.jar_fired)
        jar = {"gathered": str(decision.jar_gathered), "payments": decision.jar_payments, "fired": fired}
    return {
        "id": accepted.public_id,
        "channel_id": submission.channel_id,
        "amount": str(submission.amount),
        "charged_cumulative": str(submission.cumulative),
        "destination": "jar" if submission.merchant_id is None else "merchant",
        "merchant_id": submission.merchant_id,
        "reference": submission.reference,
        "accepted_at": accepted_at,
        "batch_id": None,
        "jar": jar,
    }


def _replay(accepted: Accepted, submission: Submission) -> Outcome:
    if accepted.decision.submission != submission:
        raise Problem(
            "idempotency-key-reused",
            422,
            "This Idempotency-Key was used for a different request.",
            "Send a new key for a new request; the same key only to repeat the very same one.",
        )
    return Outcome(_answer(accepted, rfc3339(accepted.accepted_at)), replayed=True)


def _is_behind(submission: Submission, channels: dict[str, ChannelState]) -> bool:
    """Whether it may have been accepted before: a new voucher is always ahead."""
    channel = channels.get(submission.channel_id)
    return channel is not None and submission.cumulative <= channel.charged


def _channel(channels: dict[str, ChannelState], submission: Submission) -> ChannelState:
    channel = channels.get(submission.channel_id)
    if channel is None:
        raise unknown_channel(submission.channel_id)
    return channel


def unknown_channel(channel_id: str) -> Problem:
    return Problem("unknown-channel", 404, "This channel is not known here.", f"No channel has the id {channel_id}.")


def _payee(merchants: dict[str, str], submission: Submission) -> str | None:
    if submission.merchant_id is None:
        return None
    payee = merchants.get(submission.merchant_id)
    if payee is None:
        raise Problem(
            "unknown-merchant",
            404,
            "This merchant is not known here.",
            f"No merchant has the id {submission.merchant_id[:80]}.",
        )
    return payee


def _view_problem(session: Session, hub: Hub, now: datetime) -> Problem | None:
    """A payer's withdrawal that we do not know of would leave a payment unfunded: well before its delay can be over, a hub
    that hears nothing from the chain stops accepting."""
    age = now - watcher.known_since(session)
    if age <= timedelta(seconds=hub.settings.withdraw_delay_s // 4):
        return None
    return Problem(
        "chain-view-too-old",
        503,
        "The hub has not heard from its blockchain for too long to accept payments.",
        f"For {age.total_seconds():.0f} s. It goes on by itself when the node is back.",
        headers={"retry-after": "30"},
    )
