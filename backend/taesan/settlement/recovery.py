"""Books what a restored database has forgotten and its chain has not: batches that were settled after the backup.

The call that settled a batch tells each channel's claim with its voucher, each merchant's credit and each account's
entitlement. What of it known payments owe is booked as theirs. The rest was owed for payments that are lost: it goes from
the payer's money to those whom the chain has given it, and the channel's `charged` goes up to the voucher that the chain has
seen, so that nothing can be taken twice. (Why this asks the node from within a transaction: it is done a few times in the
life of a hub, while nothing else goes on.)
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlmodel import Session, col

from taesan.chain import calls
from taesan.channels.models import Channel, Charged
from taesan.core import counters
from taesan.core.models import OutboxEvent
from taesan.core.values import hex_of
from taesan.hub import Hub
from taesan.jars import rules
from taesan.jars.models import JarCount, JarFiring
from taesan.ledger import posting
from taesan.ledger.posting import Line, transfer
from taesan.payments.models import Payment
from taesan.payments.queries import NEWEST_OF_CHANNEL
from taesan.settlement import attribution, batcher, candidates, merkle, quarantine, refunds
from taesan.settlement.attribution import WALLETS, Attribution, Candidate, Settled
from taesan.settlement.models import (
    Batch,
    BatchClaim,
    BatchCredit,
    BatchEntitlement,
    Entitlement,
    RecoveredCharge,
    Refund,
)

log = structlog.get_logger()


class CannotRecover(Exception):
    """What the chain has settled does not fit what is known here; a person has to look."""


def recover(session: Session, hub: Hub, event: Mapping[str, Any], now: datetime) -> None:
    """Books a `BatchSettled` of which nothing, or something else, is known here."""
    settled = _read_call(hub, event)
    for batch in session.scalars(
        select(Batch)
        .where(col(Batch.id) >= settled.batch_id, col(Batch.state) != "posted")
        .order_by(col(Batch.id).desc())
    ).all():
        batcher.dissolve(session, batch)
        log.warning("batch.dissolved", batch_id=batch.id)
    channels = _channels(session, settled)
    raised = _raised(session, settled)
    claimed = {
        claim.channel_id: max(0, claim.total_claimed - channels[claim.channel_id].claimed) for claim in settled.claims
    }
    # What channels of contract wallets have paid was claimed before; the sums tell how much it was.
    of_wallets = max(0, settled.credited + settled.entitled - sum(claimed.values()))
    quarantine.end_as_settled(session, [channel_id for channel_id, amount in claimed.items() if amount], now)
    refunds.cover(session, hub, now)
    waiting = candidates.waiting(session)
    claimed_by_purse = claimed | {WALLETS: of_wallets}
    found, given_back = _attribute(settled, waiting, claimed_by_purse, raised, refunds.covered(session))
    skipped = {settled.claims[number].channel_id for number in skipped_in(session, event["transaction"])}
    _take_in(session, settled.batch_id, found.inside)
    for refund, amount in given_back:
        refunds.take_part(session, settled.batch_id, refund, amount)
    taken = _charge(session, hub, settled, channels, found.unknown, skipped, now)
    known = _sums(found.inside, given_back)
    _book(session, hub, settled, known, raised, now)
    _store_claims(session, settled, channels, claimed, skipped)
    _store_wallets_claims(session, settled.batch_id, found.inside)
    _store_batch(session, settled, raised, known == (settled.credits, raised), event["transaction"], now)
    counters.add(session, {"payments_batched": len(found.payments), "payments_settled": settled.payment_count})
    log.warning(
        "batch.recovered",
        batch_id=settled.batch_id,
        payments=settled.payment_count,
        known=len(found.payments),
        unknown_amount=taken,
    )


def skipped_in(session: Session, transaction: str) -> list[int]:
    """The claims, by their number, that brought nothing in a transaction."""
    payloads = session.scalars(
        select(col(OutboxEvent.payload)).where(
            col(OutboxEvent.key) > f"log:{transaction}:",
            col(OutboxEvent.key) < f"log:{transaction};",  # the character that follows the colon
            col(OutboxEvent.type) == "channels.PackedClaimed",
        )
    )
    return [number for payload in payloads for number in payload["args"]["skipped"]]


def charge_unknown(session: Session, channel: Channel, charged_to: int, amount: int) -> None:
    """Notes that a channel has paid `amount` by vouchers unknown here, of which the newest goes up to `charged_to`."""
    charged = session.get_one(Charged, channel.account_id)
    if charged_to > charged.amount:
        counters.add(session, {"payers": int(not _has_paid(session, channel.payer))})
        note = RecoveredCharge(channel_id=channel.id, charged_from=charged.amount, charged_to=charged_to, amount=amount)
        charged.amount = charged_to
        session.add_all([note, charged])
        session.flush()


def _has_paid(session: Session, payer: str) -> bool:
    paid = select(col(Channel.id)).join(Charged, col(Charged.account_id) == col(Channel.account_id))
    return session.scalar(paid.where(col(Channel.payer) == payer, col(Charged.amount) > 0).limit(1)) is not None


# ---------------------------------------------------------------- what there is


def _read_call(hub: Hub, event: Mapping[str, Any]) -> Settled:
    transaction = event["transaction"]
    arguments = calls.arguments_of(hub.node, hub.contracts, "settlement", "settle", transaction)
    if arguments is None:
        raise CannotRecover(f"{transaction} settled batch {event['args']['batchId']}, but is no plain call of settle")
    settled = Settled.of(arguments)
    if (settled.batch_id, settled.root) != (event["args"]["batchId"], event["args"]["root"]):
        raise CannotRecover(f"the call of {transaction} is not what its event tells")
    return settled


def _channels(session: Session, settled: Settled) -> dict[str, Channel]:
    wanted = [claim.channel_id for claim in settled.claims]
    channels = {c.id: c for c in session.scalars(select(Channel).where(col(Channel.id).in_(wanted)))}
    missing = set(wanted) - channels.keys()
    if missing:
        raise CannotRecover(f"batch {settled.batch_id} claims from channels that are not known: {sorted(missing)}")
    return channels


def _raised(session: Session, settled: Settled) -> dict[str, int]:
    """Account → what the batch entitles it to."""
    before = dict(
        session.execute(
            select(col(Entitlement.account), col(Entitlement.cumulative)).where(
                col(Entitlement.account).in_(settled.mints)
            )
        ).all()
    )
    raised = {account: cumulative - before.get(account, 0) for account, cumulative in settled.mints.items()}
    if sum(raised.values()) != settled.entitled or any(amount < 0 for amount in raised.values()):
        raise CannotRecover(f"batch {settled.batch_id} entitles to {settled.entitled}, its mints raise {raised}")
    return raised


def _attribute(
    settled: Settled,
    candidates: Sequence[Candidate],
    claimed: Mapping[str, int],
    raised: Mapping[str, int],
    waiting: Sequence[Refund],
) -> tuple[Attribution, Sequence[tuple[Refund, int]]]:
    """Which known payments, and how much of known refunds, the batch has settled: what there is a raise for, or nothing.

    :raises CannotRecover: neither fits
    """
    credited, left = dict(settled.credits), dict(raised)
    inside = []
    for refund in waiting:
        if part := min(refunds.ready(refund), left.get(refund.account, 0)):
            left[refund.account] -= part
            credited[refund.address] = credited.get(refund.address, 0) + part
            inside.append((refund, part))
    if inside:
        found = attribution.attribute(candidates, settled.payment_count, claimed, credited, left)
        if not _contradictions(candidates, found):
            return found, inside
    found = attribution.attribute(candidates, settled.payment_count, claimed, settled.credits, raised)
    _refuse_contradictions(settled, candidates, found)
    return found, []


def _refuse_contradictions(settled: Settled, candidates: Sequence[Candidate], found: Attribution) -> None:
    if purses := _contradictions(candidates, found):
        raise CannotRecover(f"batch {settled.batch_id} claims other payments than those that wait of {purses}")


def _contradictions(candidates: Sequence[Candidate], found: Attribution) -> set[str]:
    """What is lost came after what is kept: a channel with lost payments in the batch has no known one that waits on."""
    inside = set(found.inside)
    payments = [candidate for candidate in candidates if candidate.firing is None]
    waiting = {candidate.purse for candidate in payments if candidate not in inside} - {WALLETS}
    return waiting & found.unknown.keys()


# -------------------------------------------------------------------- the books


def _charge(
    session: Session,
    hub: Hub,
    settled: Settled,
    channels: Mapping[str, Channel],
    unknown: Mapping[str, int],
    skipped: set[str],
    now: datetime,
) -> int:
    """Takes from each payer what the chain has claimed for lost payments; returns how much in all."""
    chart = hub.chart
    lines: list[Line] = []
    jars_lowered: list[Channel] = []
    total = 0
    for claim in settled.claims:
        channel, amount = channels[claim.channel_id], unknown.get(claim.channel_id, 0)
        if not amount:
            continue
        charged = session.get_one(Charged, channel.account_id).amount
        free, gathered = chart.channel(channel.id), chart.jar(channel.id)
        from_free, from_jar = attribution.divide(
            0 if channel.id in skipped else amount,
            max(0, claim.max_claimable - charged),
            posting.balance(session, free),
            posting.balance(session, gathered),
        )
        lines += transfer(free, chart.recovered, from_free) + transfer(gathered, chart.recovered, from_jar)
        total += from_free + from_jar
        charge_unknown(session, channel, claim.max_claimable, from_free + from_jar)
        if from_jar and (count := session.get(JarCount, channel.jar_account_id)):
            count.payments = 0  # a jar that pays has fired
            jars_lowered.append(channel)
    if total:
        ref, kind = f"recovered:{settled.batch_id}", "recovered: claimed for payments unknown here"
        posting.post(session, ref, kind, now, lines)
    for channel in jars_lowered:
        rules.fit(session, hub, channel, now)
    return total


def _book(
    session: Session,
    hub: Hub,
    settled: Settled,
    known: tuple[Mapping[str, int], Mapping[str, int]],
    raised: Mapping[str, int],
    now: datetime,
) -> None:
    """As `books.batch_settled`, and what known payments do not explain out of what was taken for lost ones."""
    chart = hub.chart
    known_credits, known_raises = known
    lines: list[Line] = []
    for address in sorted(settled.credits.keys() | known_credits.keys()):
        lines.append(Line(chart.pending(address), known_credits.get(address, 0)))
        lines.append(Line(chart.credit(address), -settled.credits.get(address, 0)))
    for account, amount in raised.items():
        lines.append(Line(chart.converting(account), known_raises.get(account, 0)))
        lines.append(Line(chart.entitled(account), -amount))
    unexplained = -sum(line.amount for line in lines)
    there_is = posting.balance(session, chart.recovered)
    missing = max(0, unexplained - there_is)
    if missing:
        log.error("batch.not_covered", batch_id=settled.batch_id, amount=missing)
    lines += [Line(chart.recovered, unexplained - missing), Line(chart.shortfall, missing)]
    if any(line.amount for line in lines):
        posting.post(session, f"batch:{settled.batch_id}", "recovered: batch settled", now, lines)


def _sums(
    inside: Sequence[Candidate], given_back: Sequence[tuple[Refund, int]]
) -> tuple[dict[str, int], dict[str, int]]:
    """By payee, without zeros: what is known to credit merchants, and what to entitle accounts."""
    credited: dict[str, int] = defaultdict(int)
    raised: dict[str, int] = defaultdict(int)
    for candidate in inside:
        credited[candidate.payee] += candidate.credited
        raised[candidate.payee] += candidate.fired
    for refund, amount in given_back:
        credited[refund.address] -= amount
        raised[refund.account] += amount
    return {owner: n for owner, n in credited.items() if n}, {owner: n for owner, n in raised.items() if n}


# --------------------------------------------------------------------- the rows


def _take_in(session: Session, batch_id: int, inside: Sequence[Candidate]) -> None:
    for start in range(0, len(inside), 500):
        part = inside[start : start + 500]
        ids = [candidate.id for candidate in part if candidate.firing is None]
        session.execute(update(Payment).where(col(Payment.id).in_(ids)).values(batch_id=batch_id))
        firings = [candidate.firing for candidate in part if candidate.firing is not None]
        session.execute(update(JarFiring).where(col(JarFiring.id).in_(firings)).values(batch_id=batch_id))
    fired = select(col(Payment.public_id)).where(col(Payment.batch_id) == batch_id, col(Payment.jar_fired).is_not(None))
    session.execute(update(JarFiring).where(col(JarFiring.payment_id).in_(fired)).values(batch_id=batch_id))


def _store_claims(
    session: Session,
    settled: Settled,
    channels: Mapping[str, Channel],
    claimed: Mapping[str, int],
    skipped: set[str],
) -> None:
    for claim in settled.claims:
        channel, amount = channels[claim.channel_id], claimed[claim.channel_id]
        brought_nothing = channel.id in skipped and amount > 0
        channel.claim_total = max(channel.claim_total, claim.total_claimed)
        if not brought_nothing:
            channel.claimed = max(channel.claimed, claim.total_claimed)
        else:
            log.error("claim.skipped", batch_id=settled.batch_id, channel_id=channel.id)
        session.add(
            BatchClaim(
                batch_id=settled.batch_id,
                channel_id=channel.id,
                amount=amount,
                total_claimed=claim.total_claimed,
                max_claimable=claim.max_claimable,
                signature=claim.signature,
                skipped=brought_nothing,
            )
        )


def _store_wallets_claims(session: Session, batch_id: int, inside: Sequence[Candidate]) -> None:
    """Of known payments: what was claimed before the batch is not in its call."""
    amounts: dict[str, int] = defaultdict(int)
    for candidate in inside:
        if candidate.purse == WALLETS:
            amounts[candidate.channel_id] += candidate.credited + candidate.fired
    rows = session.execute(
        select(Channel, col(Payment.cumulative), col(Payment.signature))
        .join(Charged, col(Charged.account_id) == col(Channel.account_id))
        .join(Payment, NEWEST_OF_CHANNEL)
        .where(col(Channel.id).in_(amounts))
    ).all()
    for channel, charged, signature in rows:
        channel.claim_total += amounts[channel.id]
        session.add(
            BatchClaim(
                batch_id=batch_id,
                channel_id=channel.id,
                amount=amounts[channel.id],
                total_claimed=channel.claim_total,
                max_claimable=charged,
                signature=signature,
                secured=True,
            )
        )


def _store_batch(
    session: Session, settled: Settled, raised: Mapping[str, int], is_explained: bool, transaction: str, now: datetime
) -> None:
    """:param is_explained: all that it gave is known to have been due"""
    batch_id = settled.batch_id
    for address, amount in settled.credits.items():
        session.add(BatchCredit(batch_id=batch_id, address=address, amount=amount))
    for account, amount in raised.items():
        cumulative = settled.mints[account]
        row = session.get(Entitlement, account) or Entitlement(account=account, cumulative=0)
        row.cumulative = cumulative
        session.add_all(
            [row, BatchEntitlement(batch_id=batch_id, account=account, amount=amount, cumulative=cumulative)]
        )
    session.flush()
    payments_root = batcher.payments_tree(batcher.payments_of(session, batch_id)).root
    entitlement_root = batcher.entitlements_tree(session, batch_id).root
    is_whole = is_explained and hex_of(merkle.join(payments_root, entitlement_root)) == settled.root
    session.add(
        Batch(
            id=batch_id,
            state="posted",
            payment_count=settled.payment_count,
            payer_count=len(settled.claims),
            payments_root=hex_of(payments_root) if is_whole else "",
            entitlement_root=hex_of(entitlement_root),
            recovered_root=None if is_whole else settled.root,
            recovered_in=transaction,
            claimed=settled.credited + settled.entitled,
            credited=settled.credited,
            entitled=settled.entitled,
            frozen_at=now,
            posted_at=now,
        )
    )
