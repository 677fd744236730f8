"""What the database tells of a hub, for whoever watches it: read anew for each look, by keys and indexes alone.

All processes of a hub tell the same figures here. Ages are 0 while nothing waits.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session, col

from taesan.chain.alarms import alarms
from taesan.chain.models import ChainCursor, ChainTransaction, SignerAccount
from taesan.chain.sender import OPEN_STATES
from taesan.core import counters, outbox, restoration
from taesan.core.meters import Labels
from taesan.core.models import Lease
from taesan.core.pages import newest_id
from taesan.gateways.models import Gateway
from taesan.hub import Hub
from taesan.ledger import queries as ledger
from taesan.payments.models import Payment
from taesan.settlement import batcher, pipeline
from taesan.settlement.models import Batch, ChainCheck, Quarantine

RECENT = 10  # batches whose gas is told
UNPOSTED = ("frozen", *pipeline.IN_FLIGHT)


class Figure(NamedTuple):
    """:ivar name: as Prometheus knows it, a counter without `_total`. :ivar values: the labels' values → figure"""

    name: str
    help: str
    values: Mapping[Labels, float]
    labels: Labels = ()
    kind: Literal["gauge", "counter"] = "gauge"


def figures(session: Session, hub: Hub) -> Iterator[Figure]:
    now = hub.clock.now()
    yield from _payments(session, now)
    yield from _batches(session, now)
    yield from _chain(session, hub, now)
    yield from _books(session, now)
    yield from _work(session, now)
    yield from _news(session)


def _one(name: str, help_: str, value: float) -> Figure:
    return Figure(name, help_, {(): value})


def _payments(session: Session, now: datetime) -> Iterator[Figure]:
    counted = counters.read(session)
    yield Figure(
        "taesan_booked_payments",
        "Payments of this hub by how far they have come: accepted, of these in a batch, of these posted.",
        {
            ("accepted",): counted["payments"],
            ("batched",): counted["payments_batched"],
            ("posted",): counted["payments_settled"],
        },
        ("stage",),
        "counter",
    )
    oldest = session.scalar(
        select(col(Payment.accepted_at)).where(batcher.waiting()).order_by(col(Payment.id)).limit(1)
    )
    yield _one(
        "taesan_oldest_waiting_payment_age_seconds",
        "Since the oldest payment was accepted that a batch could take and none has taken.",
        _age(oldest, now),
    )
    yield Figure(
        "taesan_gas_used",
        "Gas of transactions that succeeded and are confirmed, by what they were for.",
        {(name.removeprefix("gas:"),): value for name, value in counted.items() if name.startswith("gas:")},
        ("kind",),
        "counter",
    )
    yield Figure(
        "taesan_confirmed_transactions",
        "Transactions that are mined at depth, whether they succeeded or not.",
        {(): counted["transactions"]},
        kind="counter",
    )


def _batches(session: Session, now: datetime) -> Iterator[Figure]:
    by_state = select(col(Batch.state), func.count()).where(col(Batch.state).in_(UNPOSTED)).group_by(col(Batch.state))
    unposted = dict(session.execute(by_state).all())
    newest = newest_id(session, col(Batch.id))  # numbered one by one
    posted = newest - sum(unposted.values())
    states: dict[Labels, float] = {(state,): unposted.get(state, 0) for state in UNPOSTED}
    yield Figure("taesan_batches", "Batches by state.", states | {("posted",): posted}, ("state",))
    oldest = select(col(Batch.frozen_at)).where(col(Batch.state).in_(UNPOSTED)).order_by(col(Batch.id)).limit(1)
    yield _one(
        "taesan_open_batch_age_seconds",
        "Since the oldest batch was frozen that is not posted yet.",
        _age(session.scalar(oldest), now),
    )
    recent = session.execute(
        select(col(Batch.payment_count), col(ChainTransaction.gas_used))
        .join(ChainTransaction, col(ChainTransaction.id) == col(Batch.transaction_id))
        .where(col(Batch.id) > newest - RECENT, col(ChainTransaction.gas_used).is_not(None))
    ).all()
    payments = sum(count for count, _ in recent)
    yield _one(
        "taesan_recent_gas_per_payment",
        f"Of the last {RECENT} batches that are mined: gas of all by payments of all.",
        sum(gas for _, gas in recent) / payments if payments else 0,
    )


def _chain(session: Session, hub: Hub, now: datetime) -> Iterator[Figure]:
    cursor = session.get_one(ChainCursor, 1)
    yield _one("taesan_chain_head_block", "The chain's newest block, as last heard.", cursor.head_block)
    yield _one(
        "taesan_chain_unread_blocks",
        "Blocks that are deep enough to be read and are not read yet.",
        max(0, cursor.head_block - hub.settings.depth - cursor.block_number),
    )
    yield _one(
        "taesan_node_silence_seconds", "Since the books had all that a node told, about.", _age(cursor.read_at, now)
    )
    states = select(col(ChainTransaction.state), func.count()).where(col(ChainTransaction.state).in_(OPEN_STATES))
    open_ = dict(session.execute(states.group_by(col(ChainTransaction.state))).all())
    yield Figure(
        "taesan_open_transactions",
        "Transactions of this hub that are not mined at depth yet, by state.",
        {(state,): open_.get(state, 0) for state in OPEN_STATES},
        ("state",),
    )
    account = session.get(SignerAccount, hub.signer.address)
    if account is not None:
        yield _one("taesan_signer_next_nonce", "Of the operator's key, as this hub gives them out.", account.next_nonce)


def _books(session: Session, now: datetime) -> Iterator[Figure]:
    yield _one(
        "taesan_books_balanced", "1 if all debits are all credits, for each asset.", float(ledger.is_balanced(session))
    )
    check = session.get(ChainCheck, 1)
    if check is None:
        return  # not compared yet
    yield _one(
        "taesan_books_chain_differences",
        "Totals of the books that were not the chain's when the worker last compared.",
        check.difference_count,
    )
    yield _one("taesan_books_chain_check_age_seconds", "Since the worker last compared.", _age(check.checked_at, now))
    yield _one("taesan_reserve_minor_units", "In the settlement contract, when last compared.", check.reserve)
    yield _one("taesan_liabilities_minor_units", "What it owed to all, when last compared.", check.liabilities)


def _work(session: Session, now: datetime) -> Iterator[Figure]:
    yield _one("taesan_outbox_waiting", "Events that are not handled yet.", outbox.waiting_count(session))
    yield _one(
        "taesan_outbox_oldest_age_seconds",
        "Since the oldest event was put that is not handled yet.",
        _age(outbox.oldest_waiting(session), now),
    )
    yield _one("taesan_outbox_stuck", "1 if the oldest of these could not be handled.", float(outbox.is_stuck(session)))
    lease = session.get(Lease, "pipeline")
    yield _one(
        "taesan_worker_absence_seconds",
        "Since a worker's lease ran out without another; 0 while one is at work.",
        max(0.0, _age(lease.expires_at, now)) if lease else 0,
    )


def _news(session: Session) -> Iterator[Figure]:
    """What a person has to look at."""
    yield Figure(
        "taesan_alarm",
        "1 for each alarm that is on; `taesan alarms` has the details.",
        {(alarm.name,): 1 for alarm in alarms(session)},
        ("name",),
    )
    held = select(func.count()).select_from(Quarantine).where(col(Quarantine.state) == "held")
    yield _one("taesan_quarantined_channels", "Channels that are set aside.", session.scalar(held) or 0)
    waiting = select(func.sum(Gateway.waiting)).where(col(Gateway.waiting) > 0)
    yield _one(
        "taesan_gateway_waiting_payments",
        "Payments that gateways have reported and not funded.",
        session.scalar(waiting) or 0,
    )
    yield _one(
        "taesan_reconciling",
        "1 while a hub that was restored catches up with its chain.",
        float(restoration.is_reconciling(session)),
    )


def _age(since: datetime | None, now: datetime) -> float:
    return (now - since).total_seconds() if since else 0
