"""Checks what was promised: every payment signed, booked and provable, the books equal to the chain. Its step writes
`ChainCheck` alone."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlmodel import Session, col

from taesan.chain import reorg, sender
from taesan.chain.errors import CallReverted
from taesan.chain.models import ChainCursor, ChainTransaction
from taesan.channels import queries
from taesan.channels.models import Channel, Charged
from taesan.core import counters, outbox
from taesan.core.clock import has_passed
from taesan.core.values import bytes_of, hex_of
from taesan.hub import Hub
from taesan.identity.models import Merchant
from taesan.jars.models import JarFiring
from taesan.ledger import posting
from taesan.ledger import queries as ledger
from taesan.ledger.audit import Report, audit_books
from taesan.payments.models import Payment
from taesan.settlement import audit_recovered, batcher, gateways, merkle, quarantine, refunds
from taesan.settlement.audit_checkout import audit_checkout
from taesan.settlement.audit_direct import audit_direct
from taesan.settlement.audit_payments import STREAMED, audit_payments
from taesan.settlement.audit_rules import audit_rules
from taesan.settlement.models import (
    Batch,
    BatchClaim,
    BatchCredit,
    BatchEntitlement,
    ChainCheck,
    Entitlement,
)

CHECK_EVERY = timedelta(seconds=3)
CREDIT_KINDS = ("credit", "paying_out", "refunding")  # in `credits[merchant]` on chain together


def audit(hub: Hub) -> Report:
    """Everything; takes time in proportion to all payments, and memory to channels, accounts and one batch."""
    report = Report()
    with hub.db.read() as session:
        audit_own(session, hub, report)
        compare_totals(session, hub, report)
        _compare_details(session, hub, report)
        audit_direct(session, hub, report)
        report.check("chain events that wait to be booked", 0, outbox.waiting_count(session, reorg.OUTBOX_PREFIX))
    return report


def audit_own(session: Session, hub: Hub, report: Report) -> None:
    """All that can be checked without the chain."""
    audit_books(session, report)
    audit_payments(session, hub, report)
    _audit_batches(session, hub, report)
    _audit_counters(session, report)
    audit_checkout(session, report)
    audit_rules(session, hub, report)
    gateways.audit_gateways(session, hub, report)


def check_step(hub: Hub) -> bool:
    """Worker step: compares the totals now and then, when there is something new and all of it is booked."""
    now = hub.clock.now()
    with hub.db.read() as session:
        cursor = session.get_one(ChainCursor, 1)
        last = session.get(ChainCheck, 1)
        if last and (last.block_number == cursor.block_number or not has_passed(CHECK_EVERY, last.checked_at, now)):
            return False
        if outbox.oldest_waiting(session) or cursor.doubtful_until is not None:
            return False
        report = Report()
        reserve, liabilities = compare_totals(session, hub, report)
        transfer_gas = last.transfer_gas if last else None
        if transfer_gas is None and reserve and sender.all_mined(session):
            transfer_gas = _transfer_gas(hub)
    with hub.db.write() as session:
        row = session.get(ChainCheck, 1) or ChainCheck(
            block_number=0, checked_at=now, difference_count=0, reserve=0, liabilities=0
        )
        row.block_number, row.checked_at = cursor.block_number, now
        row.difference_count, row.reserve, row.liabilities = len(report.differences), reserve, liabilities
        row.transfer_gas = transfer_gas
        session.add(row)
    return False


def _transfer_gas(hub: Hub) -> int | None:
    """Estimated as if the escrow paid the reserve directly: both hold the asset, so it is the cheaper, returning kind.
    None while they hold nothing. Not to be asked while something is to be mined: Ganache would never answer."""
    deployment = hub.contracts.deployment
    try:
        data = hub.contracts.encode("asset", "transfer", deployment.settlement, 1)
        return hub.node.estimate_gas(deployment.channels, deployment.asset, data)
    except CallReverted:
        return None


# ------------------------------------------------------------------ batches


def _audit_counters(session: Session, report: Report) -> None:
    """The kept figures are those that counting gives."""
    counted = counters.read(session)
    counts = {
        "payments": select(func.count()).select_from(Payment),
        "payments_batched": select(func.count()).select_from(Payment).where(col(Payment.batch_id).is_not(None)),
        "payments_settled": select(func.sum(Batch.payment_count)).where(col(Batch.state) == "posted"),
        "payers": select(func.count(func.distinct(Channel.payer)))
        .join(Charged, col(Charged.account_id) == col(Channel.account_id))
        .where(col(Charged.amount) > 0),
        "firings": select(func.count()).select_from(JarFiring),
        "merchants": select(func.count()).select_from(Merchant),
        "gas:batch": select(func.sum(ChainTransaction.gas_used)).where(
            col(ChainTransaction.kind) == "batch", col(ChainTransaction.state) == "confirmed"
        ),
    }
    for name, query in counts.items():
        report.check(f"kept figure {name}", session.scalar(query) or 0, counted[name])


def _audit_batches(session: Session, hub: Hub, report: Report) -> None:
    """Each batch's roots follow from its rows, each payment's proof holds, claims add up and stay within vouchers."""
    batches = session.scalars(select(Batch).order_by(col(Batch.id))).all()
    proofs = batched = 0
    for number, batch in enumerate(batches, start=1):
        report.check("batch number", number, batch.id)
        payments = batcher.payments_of(session, batch.id)
        batched += len(payments)
        if batch.recovered_root is not None:
            audit_recovered.audit_batch(session, batch, len(payments), report)
            continue
        report.check(f"payments in batch {batch.id}", batch.payment_count, len(payments))
        tree = batcher.payments_tree(payments)
        root = bytes_of(batch.payments_root)
        report.check(f"payments root of batch {batch.id}", batch.payments_root, hex_of(tree.root))
        for payment in payments:
            leaf = batcher.leaf_of(payment)
            if not merkle.verify(root, leaf, tree.proof(leaf)):
                report.differences.append(f"proof of {payment.public_id} does not lead to batch {batch.id}'s root")
            proofs += 1
        entitlement_root = hex_of(batcher.entitlements_tree(session, batch.id).root)
        report.check(f"entitlement root of batch {batch.id}", batch.entitlement_root, entitlement_root)
        to_merchants = sum(p.amount for p in payments if p.merchant_id)
        fired = session.scalar(select(func.sum(JarFiring.amount)).where(col(JarFiring.batch_id) == batch.id)) or 0
        report.check(f"claims of batch {batch.id}", to_merchants + fired, batch.claimed)
        _audit_shares(session, batch, payments, report)
    held = select(col(Channel.id)).where(col(Channel.quarantine_id).is_not(None))
    unbatched = select(func.count()).select_from(Payment).where(col(Payment.batch_id).is_(None))
    waiting = session.scalar(unbatched.where(col(Payment.channel_id).not_in(held))) or 0
    set_aside = quarantine.audit(session, report)
    over = session.scalar(
        select(func.count())
        .select_from(BatchClaim)
        .where(col(BatchClaim.total_claimed) > col(BatchClaim.max_claimable))
    )
    report.check("claims beyond their voucher", 0, over)
    total = batched + waiting + set_aside
    report.check("payments in a batch, waiting for one, or in quarantine", report.counted["payments"], total)
    report.counted |= {"batches": len(batches), "payment proofs": proofs}
    audit_recovered.count(session, hub, report)


def _audit_shares(session: Session, batch: Batch, payments: Sequence[Payment], report: Report) -> None:
    """Each merchant is credited what was paid to it, each account entitled to what left its jars, each channel claimed
    what it paid: to everybody their own."""
    paid: dict[str, int] = defaultdict(int)
    claims: dict[str, int] = defaultdict(int)
    for payment in payments:
        if payment.merchant_id is not None:
            paid[payment.payee] += payment.amount
            claims[payment.channel_id] += payment.amount
    fired: dict[str, int] = defaultdict(int)
    for firing in session.scalars(select(JarFiring).where(col(JarFiring.batch_id) == batch.id)):
        fired[firing.account] += firing.amount
        claims[firing.channel_id] += firing.amount
    for part, refund in refunds.parts_of(session, batch.id):
        paid[refund.address] -= part.amount
        fired[refund.account] += part.amount

    def stored(model: Any, owner: Any) -> dict[str, int]:
        return dict(session.execute(select(owner, model.amount).where(model.batch_id == batch.id)).all())

    paid = {address: amount for address, amount in paid.items() if amount}
    report.check(f"credits of batch {batch.id}", paid, stored(BatchCredit, col(BatchCredit.address)))
    report.check(
        f"entitlements of batch {batch.id}", dict(fired), stored(BatchEntitlement, col(BatchEntitlement.account))
    )
    report.check(f"channels' claims of batch {batch.id}", dict(claims), stored(BatchClaim, col(BatchClaim.channel_id)))


# ------------------------------------------------------------------ books = chain


def compare_totals(session: Session, hub: Hub, report: Report) -> tuple[int, int]:
    """The books' totals against the chain's at the last block read; returns (reserve, liabilities) on chain."""
    chart, asset = hub.chart, hub.asset.id
    settlement = hub.contracts.deployment.settlement
    supply = posting.balance(session, chart.gift_supply)
    totals = ledger.totals(session)
    owed_to_merchants = sum(totals.get((kind, asset), 0) for kind in CREDIT_KINDS)
    entitled = totals.get(("entitled", asset), 0)
    reserve, liabilities, unclaimed, minted = _read(
        session,
        hub,
        [
            ("asset", "balanceOf", settlement),
            ("settlement", "liabilities"),
            ("settlement", "unclaimed"),
            ("gift_token", "totalSupply"),
        ],
    )
    report.check("liabilities on chain", supply + entitled + owed_to_merchants, liabilities)
    report.check("entitled and unclaimed on chain", entitled, unclaimed)
    report.check("gift tokens in circulation", supply, minted)
    report.check("reserve covers liabilities", True, reserve >= liabilities)
    # Anyone may send the contract money unasked: more than the books know is no difference, less is.
    booked = posting.balance(session, chart.reserve)
    report.check("reserve on chain is at least the books'", True, reserve >= booked)
    # What channels in quarantine lack is known and set aside; any other loss is a difference.
    known = quarantine.missing_in_quarantine(session)
    report.check("shortfall", known, posting.balance(session, chart.shortfall))
    report.counted |= {"reserve": reserve, "liabilities": liabilities, "gift tokens": minted}
    if reserve > booked:
        report.counted["unasked transfers to the reserve"] = reserve - booked
    return reserve, liabilities


def _compare_details(session: Session, hub: Hub, report: Report) -> None:
    """Each channel, merchant, account and batch against the chain."""
    chart = hub.chart
    channels = session.scalars(select(Channel).where(col(Channel.token) == hub.contracts.deployment.asset)).all()
    states = _read_raw(session, hub, [("channels", "channels", c.id) for c in channels])
    unsettled, posted = _unsettled(session), _posted_claims(session)
    escrow = 0
    for channel, (balance, claimed) in zip(channels, states, strict=True):
        escrow += balance - claimed
        # What others may claim from a channel that was rejected is no batch of ours; a wallet's is claimed before its batch.
        is_ours = channel.state != "rejected" and channel.secured is None
        expected = posted.get(channel.id, 0) if is_ours else channel.claimed
        report.check(f"claimed of channel {channel.id}", expected, claimed)
        free = posting.balance(session, chart.channel(channel.id)) + posting.balance(session, chart.jar(channel.id))
        owed = unsettled.get(channel.id, 0) if channel.secured is None else _audit_cover(session, hub, channel, report)
        if channel.state != "rejected":
            missing = channel.missing if channel.quarantine_id is not None else 0
            report.check(f"unclaimed of channel {channel.id}", free + owed - missing, balance - claimed)
    settlement, asset = hub.contracts.deployment.settlement, hub.contracts.deployment.asset
    ((claimed, settled),) = _read_raw(session, hub, [("channels", "receivers", settlement, asset)])
    report.check("escrow on chain", posting.balance(session, chart.escrow), escrow + claimed - settled)

    owed_to: dict[str, int] = defaultdict(int)
    for kind in CREDIT_KINDS:
        for merchant, amount in posting.balances(session, kind, hub.asset.id).items():
            owed_to[merchant] += amount
    on_chain = _read(session, hub, [("settlement", "credits", m) for m in owed_to])
    for (merchant, expected), amount in zip(owed_to.items(), on_chain, strict=True):
        report.check(f"credit of {merchant}", expected, amount)

    entitlements = session.scalars(select(Entitlement)).all()
    minted = _read(session, hub, [("gift_token", "mintedTo", e.account) for e in entitlements])
    for entitlement, amount in zip(entitlements, minted, strict=True):
        report.check(f"minted to {entitlement.account}", entitlement.claimed, amount)

    batches = session.scalars(select(Batch).where(col(Batch.state) == "posted")).all()
    roots = _read(session, hub, [("settlement", "batches", b.id) for b in batches])
    for batch, root in zip(batches, roots, strict=True):
        report.check(f"root of batch {batch.id} on chain", batch.root, hex_of(root))


def _posted_claims(session: Session) -> dict[str, int]:
    """Channel → what posted batches have claimed from it."""
    rows = session.execute(
        select(col(BatchClaim.channel_id), func.sum(BatchClaim.amount))
        .join(Batch, col(Batch.id) == col(BatchClaim.batch_id))
        .where(col(Batch.state) == "posted", ~col(BatchClaim.skipped))
        .group_by(col(BatchClaim.channel_id))
    )
    return {channel_id: int(amount) for channel_id, amount in rows}


def _audit_cover(session: Session, hub: Hub, channel: Channel, report: Report) -> int:
    """What a contract wallet can still take back, which the hub must hold; all that it cannot is claimed, unless the hub
    stood in for it and closed the channel. Of a gateway's channel: what is drawn and not claimed."""
    assert channel.secured is not None
    _audit_early(session, channel, report)
    if channel.gateway_id is not None:
        return gateways.audit_claims(session, channel, report)
    at_stake = queries.charged(session, channel) - channel.secured
    report.check(f"cover of channel {channel.id}", at_stake, posting.balance(session, hub.chart.cover(channel.id)))
    if channel.state != "closed":
        report.check(f"secured of channel {channel.id}", channel.claimed, channel.secured)
    return at_stake


def _audit_early(session: Session, channel: Channel, report: Report) -> None:
    early = session.scalar(
        select(func.count()).where(
            col(Payment.account_id) == channel.account_id,
            col(Payment.batch_id).is_not(None),
            col(Payment.cumulative) > channel.secured,
        )
    )
    report.check(f"payments of channel {channel.id} in a batch before they were secured", 0, early)


def _unsettled(session: Session) -> dict[str, int]:
    """Channel → what it owes to merchants or to conversion and no posted batch has claimed yet."""
    amounts: dict[str, int] = defaultdict(int)
    posted = select(col(Batch.id)).where(col(Batch.state) == "posted")
    to_merchants = select(col(Payment.channel_id), col(Payment.amount)).where(
        col(Payment.merchant_id).is_not(None),
        or_(col(Payment.batch_id).is_(None), col(Payment.batch_id).not_in(posted)),
    )
    fired = select(col(JarFiring.channel_id), col(JarFiring.amount)).where(
        or_(col(JarFiring.batch_id).is_(None), col(JarFiring.batch_id).not_in(posted)), ~col(JarFiring.returned)
    )
    for query in (to_merchants, fired):
        for channel_id, amount in session.execute(query.execution_options(yield_per=STREAMED)):
            amounts[channel_id] += amount
    return amounts


def _read(session: Session, hub: Hub, questions: Sequence[tuple[object, ...]]) -> list[Any]:
    return [answer[0] for answer in _read_raw(session, hub, questions)]


def _read_raw(session: Session, hub: Hub, questions: Sequence[tuple[object, ...]]) -> list[tuple[Any, ...]]:
    """View calls as (role, function, *arguments), all at the last block that the books know."""
    block = session.get_one(ChainCursor, 1).block_number
    calls = [
        (getattr(hub.contracts.deployment, str(role)), hub.contracts.encode(str(role), str(function), *arguments))
        for role, function, *arguments in questions
    ]
    answers = hub.node.call_many(calls, block)
    return [
        hub.contracts.decode_result(str(role), str(function), answer)
        for (role, function, *_), answer in zip(questions, answers, strict=True)
    ]
