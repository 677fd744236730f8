"""Brings conversions to the chain, many in one transaction, and finds out what became of each.

What would fail now is found by a simulation and held; what fails in the transaction all the same, the contract tells (`NotConverted`), and is held
too. In both cases the tokens never left the payer's wallet.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from taesan.chain import relay, sender
from taesan.chain.errors import CallReverted
from taesan.chain.models import ChainTransaction, transaction_of
from taesan.conversions import orders, reasons
from taesan.conversions.models import DESTINATIONS, Conversion
from taesan.core import outbox
from taesan.core.ids import new_id
from taesan.core.outbox import Handler
from taesan.core.values import bytes_of
from taesan.hub import Hub
from taesan.jars.permit_models import GiftPermit
from taesan.jars.rule_models import SignedRule

KIND = "conversions"
TO_DO, KEPT = ("waiting", "held"), "kept"
ENDED = ("cancelled", "expired")
GIVEN_UP = "conversions.GivenUp"


@dataclass
class _Tried:
    """:ivar good: id → the contract's terms, in this order. :ivar minimums: of swaps. :ivar held: id → why
    :ivar over: permits that the gift token would not take any more"""

    good: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    minimums: dict[int, int] = field(default_factory=dict)
    held: dict[int, str] = field(default_factory=dict)
    over: list[GiftPermit] = field(default_factory=list)


# -------------------------------------------------------------------- sending


def send_step(hub: Hub) -> bool:
    """Worker step: sends what is due; returns whether there was anything."""
    if not hub.contracts.deployment.standing_orders:
        return False
    now = hub.chain_clock.now()
    with hub.db.read() as session:
        rows = _due(session, hub, now)
        if not rows:
            return False
        sender.refuse_if_paused(session)
        kept = [row.id for row, rule in rows if rule.state in ENDED and row.id is not None]
        ready = orders.read(session, [(row, rule) for row, rule in rows if row.id not in kept])
    tried = _try(hub, ready, now)
    prepared = _prepare(hub, tried)
    with relay.signing(hub.db, KIND) as session:
        if not _are_to_do(session, [row.id for row, _ in rows]):
            return False  # our lease ran out while the node thought about it, and another worker was faster
        if _have_ended(session, tried.good):
            return True  # a rule that was cancelled meanwhile: the next look sorts it out
        for permit in tried.over:
            same = col(GiftPermit.payer) == permit.payer, col(GiftPermit.signature) == permit.signature
            session.execute(delete(GiftPermit).where(*same))
        _change(session, kept, state=KEPT, reason=reasons.RULE_ENDED, due_at=None)
        for id_, reason in tried.held.items():
            _hold(session, hub, session.get_one(Conversion, id_), reason, now)
        if prepared is not None:
            _sign(session, hub, prepared, tried, now)
    return True


def _due(session: Session, hub: Hub, now: datetime) -> list[tuple[Conversion, SignedRule]]:
    found = session.execute(
        select(Conversion, SignedRule)
        .join(SignedRule, col(SignedRule.id) == col(Conversion.rule_id))
        .where(col(Conversion.due_at).is_not(None), col(Conversion.due_at) <= now)
        .order_by(col(Conversion.due_at), col(Conversion.id))
        .limit(hub.settings.conversions_max_items)
    )
    return [(row, rule) for row, rule in found]


def _try(hub: Hub, ready: Sequence[orders.Order], now: datetime) -> _Tried:
    tried, until = _Tried(), orders.deadline(hub, now)
    for read in ready:
        id_, order, permit = read.row.id, read, read.permit
        assert id_ is not None
        if permit is not None and not orders.is_good(hub, permit, orders.nonce_of(hub, permit.payer), now):
            tried.over.append(permit)
            order = replace(read, permit=None)
        try:
            orders.refuse_too_little(hub, order)
            orders.refuse_too_much(order)
            minimum = orders.quote(hub, order)
            terms = orders.terms(hub, order, minimum, until)
            orders.try_alone(hub, terms)
        except orders.NotNow as error:
            tried.held[id_] = str(error)
            continue
        tried.good[id_] = terms
        if order.row.kind == "swap":
            tried.minimums[id_] = minimum
    return tried


def _prepare(hub: Hub, tried: _Tried) -> sender.Prepared | None:
    """The transaction for those that are good, which may become fewer: the others are still due."""
    while tried.good:
        data = hub.contracts.encode("standing_orders", "convert", list(tried.good.values()))
        to = hub.contracts.deployment.standing_orders
        try:
            return sender.prepare(hub.node, hub.signer.address, to, data, hub.fee_ceiling_wei)
        except sender.TooLarge:
            if len(tried.good) == 1:
                tried.held |= dict.fromkeys(tried.good, reasons.TOO_LARGE)
            tried.good = dict(list(tried.good.items())[: len(tried.good) // 2])
        except CallReverted as reverted:  # no conversion can make it fail as a whole
            reason = reasons.of(hub.contracts.explain(reverted.data))
            tried.held |= dict.fromkeys(tried.good, reason)
            tried.good = {}
    return None


def _sign(session: Session, hub: Hub, prepared: sender.Prepared, tried: _Tried, now: datetime) -> None:
    ids = list(tried.good)
    chain_id, ref = hub.contracts.deployment.chain_id, str(len(ids))
    transaction_id = sender.sign_and_store(session, hub.signer, chain_id, prepared, KIND, ref, now)
    _change(session, ids, state="sent", reason=None, due_at=None, transaction_id=transaction_id)
    for id_, minimum in tried.minimums.items():
        if id_ in tried.good:
            _change(session, [id_], minimum=str(minimum))


def _have_ended(session: Session, ids: Collection[int]) -> bool:
    """Whether the rule of any of them has."""
    of_these = select(col(SignedRule.id)).join(Conversion, col(Conversion.rule_id) == col(SignedRule.id))
    ended = of_these.where(col(Conversion.id).in_(ids), col(SignedRule.state).in_(ENDED))
    return session.scalar(ended.limit(1)) is not None


def _are_to_do(session: Session, ids: Collection[int | None]) -> bool:
    of_these = select(col(Conversion.id)).where(col(Conversion.id).in_(ids), col(Conversion.state).in_(TO_DO))
    return len(session.scalars(of_these.with_for_update()).all()) == len(ids)


def return_reverted_step(hub: Hub) -> bool:
    """Worker step: conversions of a transaction that failed as a whole, or was never mined, are due again."""
    with hub.db.read() as session:
        rows = session.execute(
            select(col(Conversion.id), col(ChainTransaction.block_hash))
            .join(ChainTransaction, col(ChainTransaction.id) == col(Conversion.transaction_id))
            .where(col(Conversion.state) == "sent", col(ChainTransaction.state) == "reverted")
        ).all()
    if not rows:
        return False
    now = hub.clock.now()
    with hub.db.write() as session:
        for id_, block_hash in rows:
            row = session.get_one(Conversion, id_)
            if row.state == "sent" and block_hash is None:
                row.state, row.transaction_id, row.due_at = "waiting", None, now
            elif row.state == "sent":
                _hold(session, hub, row, reasons.FAILED_AS_A_WHOLE, now, row.transaction_id)
    return True


# ------------------------------------------------------------------- outcomes


def handlers(hub: Hub) -> dict[str, Handler]:
    def converted(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = row_of(session, event["args"]) or _made_before_a_restoration(session, event["args"], now)
        if row is not None:
            row.state, row.reason, row.received = "done", None, str(event["args"]["received"])
            row.due_at, row.transaction_hash = None, event["transaction"]

    def not_converted(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = row_of(session, event["args"])
        if row is not None and row.state == "sent":
            told = hub.contracts.explain(bytes_of(event["args"]["reason"]))
            _hold(session, hub, row, reasons.of(told), now, row.transaction_id)

    return {"standing_orders.Converted": converted, "standing_orders.NotConverted": not_converted}


def undo(hub: Hub) -> dict[str, Handler]:
    """Takes back what `handlers` did, for events that a reorganisation has removed for good."""

    def converted(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        row = row_of(session, event["args"])
        if row is None:
            return
        ours = session.scalar(transaction_of(event["transaction"]))
        is_on_its_way = ours is not None and ours == row.transaction_id
        row.state, row.received, row.transaction_hash = "sent" if is_on_its_way else "waiting", None, None
        row.due_at = None if is_on_its_way else now

    def not_converted(session: Session, event: Mapping[str, Any], now: datetime) -> None:
        """It is held all the same, and tried again."""

    return {"standing_orders.Converted": converted, "standing_orders.NotConverted": not_converted}


def row_of(session: Session, args: Mapping[str, Any]) -> Conversion | None:
    """The conversion that an event of the contract is about, if it is ours."""
    rule_id = session.scalar(
        select(col(SignedRule.id)).where(col(SignedRule.payer) == args["payer"], col(SignedRule.number) == args["id"])
    )
    batch_id, destination = divmod(args["number"], DESTINATIONS)
    return session.scalar(
        select(Conversion).where(
            col(Conversion.rule_id) == rule_id,
            col(Conversion.batch_id) == batch_id,
            col(Conversion.destination) == destination,
        )
    )


def _made_before_a_restoration(session: Session, args: Mapping[str, Any], now: datetime) -> Conversion | None:
    """A conversion that the chain knows and a restored database does not: of a rule that it has. The audit tells of others."""
    known = select(SignedRule).where(col(SignedRule.payer) == args["payer"], col(SignedRule.number) == args["id"])
    rule = session.scalar(known)
    if rule is None or rule.id is None:
        return None
    row = Conversion(
        public_id=new_id("cnv"),
        channel_id=rule.channel_id,
        payer=rule.payer,
        rule_id=rule.id,
        batch_id=args["number"] // DESTINATIONS,
        destination=args["destination"],
        kind=rule.signed.destinations[args["destination"]].kind,
        amount=args["amount"],
        created_at=now,
    )
    session.add(row)
    return row


def _hold(
    session: Session, hub: Hub, row: Conversion, reason: str, now: datetime, failed_in: int | None = None
) -> None:
    """To be tried again; what has been tried for long, or can never be, stays in the wallet. :param failed_in: the transaction, if it got so far"""
    row.state, row.reason, row.transaction_id = "held", reason, failed_in
    row.due_at = reasons.again_at(reason, row.attempts, now)
    row.attempts += 1
    is_old = now - row.created_at >= timedelta(days=hub.settings.conversion_tried_days)
    if is_old or reason == reasons.MORE_THAN_A_DAY:
        row.state, row.due_at = KEPT, None
        outbox.put(session, f"given up:{row.public_id}:{row.attempts}", GIVEN_UP, {"id": row.public_id}, now)
    session.add(row)


def _change(session: Session, ids: Collection[int], **values: Any) -> None:
    if ids:
        session.execute(update(Conversion).where(col(Conversion.id).in_(ids)).values(**values))
